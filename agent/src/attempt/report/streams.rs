//! The logs of one attempt: which there are, and how long each is once it is complete.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use protocol::ids::StreamId;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::StreamNews;
use crate::attempt::folder::AttemptFolder;
use crate::lock::lock;

/// The logs of one attempt.
pub struct Streams {
    folder: AttemptFolder,
    news: mpsc::UnboundedSender<StreamNews>,
    /// Each that has begun, and its length when it is complete.
    begun: Mutex<BTreeMap<StreamId, Option<u64>>>,
}

impl Streams {
    /// None yet.
    pub fn new(folder: AttemptFolder, news: mpsc::UnboundedSender<StreamNews>) -> Streams {
        Streams {
            folder,
            news,
            begun: Mutex::default(),
        }
    }

    /// It begins. Its folder must be there; a second time changes nothing.
    pub fn open(&self, stream: &StreamId) {
        let mut begun = lock(&self.begun);
        if begun.contains_key(stream) {
            return;
        }
        begun.insert(stream.clone(), None);
        self.send(StreamNews::Opened {
            stream: stream.clone(),
            file: self.folder.log(stream),
        });
    }

    /// It is complete with what its file has now. One that never began is left out.
    pub fn close(&self, stream: &StreamId) {
        let len = self.folder.log_len(stream);
        self.close_at(stream, len);
    }

    /// It is complete with that many bytes of its file.
    pub fn close_at(&self, stream: &StreamId, len: u64) {
        let mut begun = lock(&self.begun);
        if let Some(end @ None) = begun.get_mut(stream) {
            *end = Some(len);
            self.send(StreamNews::Closed {
                stream: stream.clone(),
                len,
            });
        }
    }

    /// Every log that began, with its length as it is now.
    pub fn lengths(&self) -> BTreeMap<StreamId, u64> {
        let begun = lock(&self.begun);
        let length = |(stream, end): (&StreamId, &Option<u64>)| {
            let len = end.unwrap_or_else(|| self.folder.log_len(stream));
            (stream.clone(), len)
        };
        begun.iter().map(length).collect()
    }

    /// The listener may be gone (a lost lease).
    fn send(&self, news: StreamNews) {
        if self.news.send(news).is_err() {
            tracing::debug!("nobody reads the logs of this attempt any more");
        }
    }
}

/// Follows every stream that is told of, until the attempt is over and each is followed to its end. `follow` gets the
/// stream, its file and, when it is closed, its length.
pub async fn follow_all<E, F: Future<Output = Result<(), E>>>(
    mut news: mpsc::UnboundedReceiver<StreamNews>,
    ended: &CancellationToken,
    follow: impl Fn(StreamId, PathBuf, watch::Receiver<Option<u64>>) -> F,
) -> Result<(), E> {
    let mut streams = FuturesUnordered::new();
    let mut closers: BTreeMap<StreamId, watch::Sender<Option<u64>>> = BTreeMap::new();
    let mut more = true;
    while more || !streams.is_empty() {
        tokio::select! {
            received = news.recv(), if more => match received {
                None => more = false,
                Some(StreamNews::Opened { stream, file }) => {
                    let (closer, closed) = watch::channel(None);
                    closers.insert(stream.clone(), closer);
                    streams.push(follow(stream, file, closed));
                }
                Some(StreamNews::Closed { stream, len }) => {
                    if let Some(closer) = closers.get(&stream) {
                        closer.send_replace(Some(len));
                    }
                }
            },
            Some(followed) = streams.next() => followed?,
            // What was told before is still read.
            () = ended.cancelled(), if !news.is_closed() => news.close(),
        }
    }
    Ok(())
}
