//! Ships the logs of one attempt: every stream is followed, made into lines, and sent by offset. The coordinator has
//! the last word about the offset, so nothing is lost or doubled whoever is restarted.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use protocol::ids::StreamId;
use protocol::lease::LeaseRef;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::attempt::{StreamNews, follow_all};
use crate::coordinator::Backoff;
use crate::coordinator::{CallError, Coordinator, LogPart};
use crate::logs::mask::Masker;
use crate::logs::spool::Spool;
use crate::logs::tail::Watcher;

/// The first bytes wait this long for company: a short step's end then goes with its output.
const GATHER: Duration = Duration::from_millis(8);
/// Between two parts of a stream that has little to say.
const BETWEEN: Duration = Duration::from_millis(50);
/// Bytes of records in one part, before compression.
const PART_LEN: usize = 1 << 20;

/// What it needs to upload the logs of an attempt.
#[derive(Clone)]
pub struct LogUploads {
    /// Where to.
    pub coordinator: Coordinator,
    /// Which attempt, under which epoch.
    pub held: LeaseRef,
    /// Hides its secrets.
    pub masker: Arc<Masker>,
    /// Follows files.
    pub watcher: Watcher,
    /// Bytes that a log may have; 0: no limit.
    pub log_limit: u64,
    /// No more streams come: the attempt is over.
    pub ended: CancellationToken,
}

impl LogUploads {
    /// Ships every stream that is told of, until the attempt is over and the coordinator has them all. Errors: it does
    /// not want them (any more).
    pub async fn run(&self, news: mpsc::UnboundedReceiver<StreamNews>) -> Result<(), CallError> {
        follow_all(news, &self.ended, |stream, file, closed| {
            self.stream(stream, file, closed)
        })
        .await
    }

    /// Ships one stream to its end.
    async fn stream(
        &self,
        stream: StreamId,
        file: PathBuf,
        closed: watch::Receiver<Option<u64>>,
    ) -> Result<(), CallError> {
        let spool = match Spool::open(&self.watcher, file, self.masker.clone(), self.log_limit) {
            Ok(spool) => spool,
            Err(error) => return self.unreadable(&stream, 0, &error).await,
        };
        let mut upload = Upload {
            uploads: self,
            stream: &stream,
            spool,
            closed,
            due: Instant::now(),
            backoff: Backoff::default(),
        };
        match upload.run().await {
            Err(UploadError::File(error)) => self.unreadable(&stream, upload.spool.offset(), &error).await,
            Err(UploadError::Call(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    /// A log that cannot be read (a step put something else in its place) ends where it is.
    async fn unreadable(&self, stream: &StreamId, offset: u64, error: &io::Error) -> Result<(), CallError> {
        tracing::warn!(attempt.id = %self.held.attempt, %stream, %error, "a log cannot be read any more");
        let (mut offset, mut backoff) = (offset, Backoff::default());
        loop {
            let body = zstd::bulk::compress(&[], 1).unwrap_or_default();
            let part = LogPart {
                stream,
                offset,
                eof: true,
                body,
            };
            match self.coordinator.log(&self.held, part).await {
                Ok(_) => return Ok(()),
                Err(CallError::WrongOffset { expected }) if expected != offset => offset = expected,
                Err(CallError::WrongOffset { .. } | CallError::Away(_)) => sleep(backoff.next_wait()).await,
                Err(other) => return Err(other),
            }
        }
    }
}

/// One stream under way.
struct Upload<'a> {
    uploads: &'a LogUploads,
    stream: &'a StreamId,
    spool: Spool,
    closed: watch::Receiver<Option<u64>>,
    /// When the next part may go, if it is not full and not the last.
    due: Instant,
    backoff: Backoff,
}

enum UploadError {
    File(io::Error),
    Call(CallError),
}

impl From<io::Error> for UploadError {
    fn from(error: io::Error) -> UploadError {
        UploadError::File(error)
    }
}

impl Upload<'_> {
    async fn run(&mut self) -> Result<(), UploadError> {
        loop {
            self.wait_until_due().await?;
            let part = self.spool.part(PART_LEN)?;
            let (offset, eof) = (part.offset, part.eof);
            self.due = Instant::now() + BETWEEN;
            match self.send(part.offset, part.eof, part.body).await? {
                Ok(_) if eof => return Ok(()),
                Ok(next) => {
                    self.backoff = Backoff::default();
                    self.spool.go_to(next)?;
                }
                Err(CallError::WrongOffset { expected }) => {
                    tracing::debug!(stream = %self.stream, offset, expected, "the coordinator has another offset");
                    if !self.spool.go_to(expected)? {
                        sleep(self.backoff.next_wait()).await;
                    }
                }
                Err(CallError::Away(why)) => {
                    tracing::debug!(stream = %self.stream, %why, "a part of a log waits for the coordinator");
                    sleep(self.backoff.next_wait()).await;
                }
                Err(other) => return Err(UploadError::Call(other)),
            }
        }
    }

    /// Waits until there is a part that should go: a full one, the last one, or one that has waited long enough.
    async fn wait_until_due(&mut self) -> Result<(), UploadError> {
        while !self.spool.is_over() && self.spool.waiting() < PART_LEN {
            let waits = self.spool.waiting() > 0;
            tokio::select! {
                biased;
                pulled = self.spool.pull() => {
                    pulled?;
                    if !waits {
                        self.due = self.due.max(Instant::now() + GATHER);
                    }
                }
                len = closed(&mut self.closed), if !self.spool.is_ending() => self.spool.end_at(len),
                () = sleep_until(self.due), if waits => return Ok(()),
            }
        }
        Ok(())
    }

    /// Sends a part; what the file says meanwhile becomes the next.
    async fn send(&mut self, offset: u64, eof: bool, body: Vec<u8>) -> Result<Result<u64, CallError>, UploadError> {
        let LogUploads { coordinator, held, .. } = self.uploads;
        let part = LogPart {
            stream: self.stream,
            offset,
            eof,
            body,
        };
        let sent = coordinator.log(held, part);
        tokio::pin!(sent);
        loop {
            let room = !self.spool.is_over() && self.spool.waiting() < 2 * PART_LEN;
            tokio::select! {
                answer = &mut sent => return Ok(answer),
                pulled = self.spool.pull(), if room => pulled?,
            }
        }
    }
}

/// Waits until the stream is closed; its length. A hand that is gone closes nothing.
async fn closed(closed: &mut watch::Receiver<Option<u64>>) -> u64 {
    if let Ok(len) = closed.wait_for(Option::is_some).await
        && let Some(len) = *len
    {
        return len;
    }
    std::future::pending().await
}
