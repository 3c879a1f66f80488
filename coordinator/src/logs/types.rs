//! What the log store takes and gives.

use std::borrow::Cow;
use std::time::Duration;

use protocol::attempt::Micros;
use protocol::ids::{AttemptId, StreamId};
use protocol::record::{Record, Source};
use serde::Serialize;

/// Names one log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogKey {
    /// Of which attempt.
    pub attempt: AttemptId,
    /// Which of its streams.
    pub stream: StreamId,
}

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
    /// What, without its line feed.
    pub bytes: Vec<u8>,
}

impl Line {
    /// It as people see it; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> Cow<'_, str> {
        let record = Record {
            source: self.source,
            at: self.at,
            continues: self.continues,
            bytes: &self.bytes,
        };
        String::from_utf8_lossy(record.shown())
    }
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

/// How far a stream has come; what [`super::LogStore::subscribe`] shows.
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
