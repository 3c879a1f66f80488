//! Log bytes, as files: per stream a row of sealed zstd frames, an index of them, and a tail of plain records that is
//! still growing. Separate from the store because log bytes are never in the database.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use protocol::attempt::Micros;
use protocol::ids::{AttemptId, StreamId};
use protocol::record::Source;
use serde::Serialize;
use tokio::sync::{mpsc, watch};

/// Names one log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogKey {
    /// Of which attempt.
    pub attempt: AttemptId,
    /// Which of its streams.
    pub stream: StreamId,
}

/// Every log of every attempt. Cloning is cheap. Lines are numbered from 0.
#[derive(Debug, Clone)]
pub struct LogStore {}

/// What is known of a stream without reading it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Meta {
    /// Lines so far.
    pub lines: u64,
    /// Bytes of records so far (not compressed): the next append's offset.
    pub bytes: u64,
    /// Nothing more will come.
    pub eof: bool,
    /// Time of the first line.
    pub first_at: Option<Micros>,
    /// Time of the last line.
    pub last_at: Option<Micros>,
    /// Lines that look like errors; the first [`MAX_MARKS`].
    pub marks: Vec<Mark>,
}

/// A stream keeps no more marks than this.
pub const MAX_MARKS: usize = 1_000;

/// A line worth jumping to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// Its number.
    pub line: u64,
    /// What it looks like.
    pub kind: MarkKind,
}

/// What a marked line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// An error of a compiler, a test or a panic.
    Error,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 0.
    pub number: u64,
    /// When.
    pub at: Micros,
    /// Who said it.
    pub source: Source,
    /// The next line of the same source goes on with it.
    pub continues: bool,
    /// What; bytes that are no UTF-8 are replaced.
    pub text: String,
}

/// What to look for.
#[derive(Debug, Clone)]
pub struct Find {
    /// Text, or a regular expression.
    pub query: String,
    /// What the query is.
    pub syntax: Syntax,
    /// Whether `a` finds `A`.
    pub case: Case,
}

/// What a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// Text.
    Text,
    /// A regular expression.
    Regex,
}

/// Whether `a` finds `A`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// It does.
    Ignored,
    /// It does not.
    Kept,
}

/// One place where a query matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// The line's number, from 0.
    pub line: u64,
    /// First character in the line's text, from 0.
    pub column: usize,
    /// Length in characters.
    pub len: usize,
}

/// How far a stream has come; what [`LogStore::subscribe`] shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Extent {
    /// Lines so far.
    pub lines: u64,
    /// Nothing more will come.
    pub eof: bool,
}

/// How long and how much to keep. `None`: without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Attempts older than this go.
    pub max_age: Option<Duration>,
    /// The oldest go until all files together are at most this many bytes.
    pub max_bytes: Option<u64>,
}

/// Why the log store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// There is no such stream.
    #[error("no such log")]
    NotFound,
    /// The whole attempt's logs were removed by retention.
    #[error("this log was removed to make room")]
    Removed,
    /// The append does not begin where the stream ends.
    #[error("wrong offset: the log has {expected} bytes")]
    WrongOffset {
        /// Where it ends.
        expected: u64,
    },
    /// The stream has ended.
    #[error("the log is complete: nothing can be added")]
    Sealed,
    /// The bytes are no log records.
    #[error(transparent)]
    BadRecord(#[from] protocol::record::BadRecord),
    /// The query is no regular expression.
    #[error("not a regular expression: {0}")]
    BadQuery(String),
    /// The attempt's id cannot be the name of a folder.
    #[error("not an attempt id")]
    BadAttempt,
    /// A frame does not decompress to what its index says.
    #[error("the log file is damaged: {0}")]
    Damaged(String),
    /// The file system.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What came of it.
        error: std::io::Error,
    },
}

impl LogStore {
    /// All logs are under `folder`; it is made when it does not exist.
    ///
    /// # Errors
    /// `Io`.
    pub fn open(_folder: PathBuf) -> Result<LogStore, LogError> {
        todo!()
    }

    /// Adds records at `offset`, which must be where the stream ends; gives where it ends now. Half a record at the
    /// end of `records` is left out: it is to be sent again, whole.
    ///
    /// # Errors
    /// `WrongOffset`, `Sealed`, `BadRecord`, `Io`.
    pub async fn append(&self, _key: &LogKey, _offset: u64, _records: Vec<u8>) -> Result<u64, LogError> {
        todo!()
    }

    /// The stream is complete; it is on disk when this returns. Doing it twice is fine.
    ///
    /// # Errors
    /// `Io`.
    pub async fn seal(&self, _key: &LogKey) -> Result<(), LogError> {
        todo!()
    }

    /// Seals every stream of an attempt: it is over.
    ///
    /// # Errors
    /// `Io`.
    pub async fn seal_all(&self, _attempt: &AttemptId) -> Result<(), LogError> {
        todo!()
    }

    /// What is known of a stream without reading it.
    ///
    /// # Errors
    /// `NotFound`, `Removed`.
    pub async fn meta(&self, _key: &LogKey) -> Result<Meta, LogError> {
        todo!()
    }

    /// The streams of an attempt: `job`, then steps, then services.
    ///
    /// # Errors
    /// `Removed`; an attempt that has said nothing yet has none.
    pub async fn streams(&self, _attempt: &AttemptId) -> Result<Vec<StreamId>, LogError> {
        todo!()
    }

    /// At most `count` lines from line `from` on.
    ///
    /// # Errors
    /// `NotFound`, `Removed`, `Damaged`.
    pub async fn lines(&self, _key: &LogKey, _from: u64, _count: usize) -> Result<Vec<Line>, LogError> {
        todo!()
    }

    /// Every hit from line `from` on, as they are found; the search ends when the receiver is dropped.
    ///
    /// # Errors
    /// `NotFound`, `Removed`, `BadQuery`; what breaks later comes through the receiver.
    pub async fn find(
        &self,
        _key: &LogKey,
        _find: Find,
        _from: u64,
    ) -> Result<mpsc::Receiver<Result<Hit, LogError>>, LogError> {
        todo!()
    }

    /// The text alone, a line end after each line, in pieces.
    ///
    /// # Errors
    /// `NotFound`, `Removed`; what breaks later comes through the receiver.
    pub async fn raw(&self, _key: &LogKey) -> Result<mpsc::Receiver<Result<Vec<u8>, LogError>>, LogError> {
        todo!()
    }

    /// How far each stream of an attempt has come, now and whenever one grows.
    ///
    /// # Errors
    /// `Removed`.
    pub async fn subscribe(
        &self,
        _attempt: &AttemptId,
    ) -> Result<watch::Receiver<BTreeMap<StreamId, Extent>>, LogError> {
        todo!()
    }

    /// Removes whole attempts, oldest first, never one of `running`; gives those removed. A marker stays, so that
    /// reading one says [`LogError::Removed`].
    ///
    /// # Errors
    /// `Io`.
    pub async fn retain(
        &self,
        _keep: Retention,
        _now: Micros,
        _running: &[AttemptId],
    ) -> Result<Vec<AttemptId>, LogError> {
        todo!()
    }
}
