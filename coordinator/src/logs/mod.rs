//! Log bytes, as files: per stream a row of sealed zstd frames, an index of them, and a tail of plain records that is
//! still growing. Separate from the store because log bytes are never in the database.
//!
//! A stream is opened for each call and known by a few numbers between calls, so a thousand running steps cost no open
//! files. Files are read and written on tokio's blocking threads.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use protocol::attempt::Micros;
use protocol::ids::{AttemptId, StreamId};
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

mod error;
mod files;
mod find;
mod folders;
mod frame;
mod marks;
mod mend;
mod read;
mod retention;
mod stream;
mod streams;
mod types;
mod watchers;

pub use error::LogError;
pub use types::{Case, Extent, Find, Hit, Line, LogKey, MAX_MARKS, Mark, MarkKind, Meta, Retention, Syntax};

use folders::Folders;
use streams::Streams;
use watchers::Watchers;

/// Every log of every attempt. Cloning is cheap. Lines are numbered from 0.
#[derive(Clone)]
pub struct LogStore {
    inner: Arc<Inner>,
}

struct Inner {
    folders: Folders,
    streams: Streams,
    watchers: Watchers,
}

impl std::fmt::Debug for LogStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogStore")
    }
}

/// Pieces that wait for a slow reader of a download.
const WAITING: usize = 4;
/// Hits that wait for a slow reader of a search.
const WAITING_HITS: usize = 256;

impl LogStore {
    /// All logs are under `folder`; it is made when it does not exist.
    ///
    /// # Errors
    /// `Io`.
    pub fn open(folder: PathBuf) -> Result<LogStore, LogError> {
        std::fs::create_dir_all(&folder).map_err(files::io("make the folder of logs"))?;
        let inner = Inner {
            folders: Folders::new(folder),
            streams: Streams::default(),
            watchers: Watchers::default(),
        };
        Ok(LogStore { inner: Arc::new(inner) })
    }

    /// Adds records at `offset`, which must be where the stream ends; gives where it ends now. Half a record at the
    /// end of `records` is left out: it is to be sent again, whole.
    ///
    /// # Errors
    /// `WrongOffset`, `Sealed`, `BadRecord`, `Removed`, `Io`.
    pub async fn append(&self, key: &LogKey, offset: u64, records: Vec<u8>) -> Result<u64, LogError> {
        self.blocking(key, move |inner, key| {
            let files = inner.folders.make(key)?;
            inner
                .streams
                .write(key, files, |stream| stream.append(offset, &records))
                .map(|(end, extent)| {
                    inner.watchers.notify(key, extent);
                    end
                })
        })
        .await
    }

    /// The stream is complete; it is on disk when this returns. Doing it twice is fine.
    ///
    /// # Errors
    /// `Removed`, `Io`.
    pub async fn seal(&self, key: &LogKey) -> Result<(), LogError> {
        self.blocking(key, |inner, key| {
            let files = inner.folders.make(key)?;
            let ((), extent) = inner.streams.write(key, files, |stream| stream.seal())?;
            inner.watchers.notify(key, extent);
            Ok(())
        })
        .await
    }

    /// Seals every stream of an attempt: it is over.
    ///
    /// # Errors
    /// `Io`.
    pub async fn seal_all(&self, attempt: &AttemptId) -> Result<(), LogError> {
        let streams = match self.streams(attempt).await {
            Err(LogError::Removed) => return Ok(()),
            streams => streams?,
        };
        for stream in streams {
            self.seal(&LogKey {
                attempt: attempt.clone(),
                stream,
            })
            .await?;
        }
        Ok(())
    }

    /// What is known of a stream without reading it.
    ///
    /// # Errors
    /// `NotFound`, `Removed`.
    pub async fn meta(&self, key: &LogKey) -> Result<Meta, LogError> {
        self.blocking(key, |inner, key| inner.read(key, |stream| Ok(stream.meta())))
            .await
    }

    /// The streams of an attempt: `job`, then steps, then services.
    ///
    /// # Errors
    /// `Removed`; an attempt that has said nothing yet has none.
    pub async fn streams(&self, attempt: &AttemptId) -> Result<Vec<StreamId>, LogError> {
        let (inner, attempt) = (self.inner.clone(), attempt.clone());
        run(move || inner.folders.streams(&attempt)).await
    }

    /// At most `count` lines from line `from` on; fewer when they are very long, but at least one if there is one.
    ///
    /// # Errors
    /// `NotFound`, `Removed`, `Damaged`.
    pub async fn lines(&self, key: &LogKey, from: u64, count: usize) -> Result<Vec<Line>, LogError> {
        self.blocking(key, move |inner, key| {
            let snapshot = inner.read(key, |stream| stream.snapshot(from, count as u64))?;
            read::lines(&snapshot, from, count)
        })
        .await
    }

    /// Every hit from line `from` on, as they are found; the search ends when the receiver is dropped.
    ///
    /// # Errors
    /// `NotFound`, `Removed`, `BadQuery`; what breaks later comes through the receiver.
    pub async fn find(
        &self,
        key: &LogKey,
        find: Find,
        from: u64,
    ) -> Result<mpsc::Receiver<Result<Hit, LogError>>, LogError> {
        let query = find::compile(&find)?;
        let snapshot = self
            .blocking(key, move |inner, key| {
                inner.read(key, |stream| stream.snapshot(from, u64::MAX))
            })
            .await?;
        let (sender, receiver) = mpsc::channel(WAITING_HITS);
        spawn_blocking(move || find::search(&snapshot, &query, from, &sender));
        Ok(receiver)
    }

    /// The bytes that a step or service wrote, in pieces; of the job's own log, Drover's lines.
    ///
    /// # Errors
    /// `NotFound`, `Removed`; what breaks later comes through the receiver.
    pub async fn raw(&self, key: &LogKey) -> Result<mpsc::Receiver<Result<Vec<u8>, LogError>>, LogError> {
        let snapshot = self
            .blocking(key, |inner, key| inner.read(key, |stream| stream.snapshot(0, u64::MAX)))
            .await?;
        let (sender, receiver) = mpsc::channel(WAITING);
        let ours = key.stream == StreamId::job();
        spawn_blocking(move || read::text(&snapshot, ours, &sender));
        Ok(receiver)
    }

    /// How far each stream of an attempt has come, now and whenever one grows.
    ///
    /// # Errors
    /// `Removed`.
    pub async fn subscribe(
        &self,
        attempt: &AttemptId,
    ) -> Result<watch::Receiver<BTreeMap<StreamId, Extent>>, LogError> {
        let (inner, attempt) = (self.inner.clone(), attempt.clone());
        run(move || {
            // First the watcher, then the look at the files: what is added between them is read twice, not missed.
            let receiver = inner.watchers.subscribe(&attempt);
            for stream in inner.folders.streams(&attempt)? {
                let key = LogKey {
                    attempt: attempt.clone(),
                    stream,
                };
                let extent = inner.read(&key, |stream| Ok(stream.extent()))?;
                inner.watchers.notify(&key, extent);
            }
            Ok(receiver)
        })
        .await
    }

    /// Removes whole attempts, oldest first, never one of `running`; gives those removed. A marker stays, so that
    /// reading one says [`LogError::Removed`].
    ///
    /// # Errors
    /// `Io`.
    pub async fn retain(
        &self,
        keep: Retention,
        now: Micros,
        running: &[AttemptId],
    ) -> Result<Vec<AttemptId>, LogError> {
        let (inner, running) = (self.inner.clone(), running.to_vec());
        run(move || {
            let removed = retention::retain(&inner.folders, keep, now, &running)?;
            inner.streams.forget(&removed);
            Ok(removed)
        })
        .await
    }

    async fn blocking<T, F>(&self, key: &LogKey, work: F) -> Result<T, LogError>
    where
        T: Send + 'static,
        F: FnOnce(&Inner, &LogKey) -> Result<T, LogError> + Send + 'static,
    {
        let (inner, key) = (self.inner.clone(), key.clone());
        run(move || work(&inner, &key)).await
    }
}

impl Inner {
    fn read<T>(&self, key: &LogKey, work: impl FnOnce(&stream::Stream) -> Result<T, LogError>) -> Result<T, LogError> {
        match self.streams.read(key, self.folders.files(key)?, work) {
            // Its files went away under it: it was removed just now.
            Err(LogError::Io { error, .. }) if error.kind() == ErrorKind::NotFound => {
                self.folders.files(key)?;
                Err(LogError::NotFound)
            }
            other => other,
        }
    }
}

async fn run<T: Send + 'static>(work: impl FnOnce() -> Result<T, LogError> + Send + 'static) -> Result<T, LogError> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(failed) => Err(LogError::Io {
            what: "work on a log",
            error: std::io::Error::other(failed),
        }),
    }
}
