//! Log lines as pages and the log API show them. [`LogLine`] serializes to the wire's own form `{n, t, s, text}`, so
//! the page, `GET …/lines` and the `lines` event of `/events` can share it.

use serde::{Serialize, Serializer};

use super::Micros;

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Its number in its stream, **from 1**: what people see and what `#step-0-L10` means.
    pub n: u64,
    /// When.
    pub t: Micros,
    /// Who said it; on the wire `"o"`, `"e"` or `"s"`.
    pub s: LogSource,
    /// The line without its end, escape sequences included, as UTF-8 (broken bytes replaced).
    pub text: String,
}

/// Who said a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogSource {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Drover itself.
    System,
}

impl LogSource {
    /// The letter on the wire.
    pub fn letter(self) -> &'static str {
        match self {
            LogSource::Stdout => "o",
            LogSource::Stderr => "e",
            LogSource::System => "s",
        }
    }
}

impl Serialize for LogSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.letter())
    }
}

/// One stream of an attempt and its first screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogView {
    /// `job`, `step-0`…, `service-db`.
    pub stream: String,
    /// How many lines it has now.
    pub lines: u64,
    /// How many bytes of text it has now.
    pub bytes: u64,
    /// No more lines will come.
    pub eof: bool,
    /// Numbers of lines that look like errors, ascending, at most a few hundred.
    pub errors: Vec<u64>,
    /// The first screen, consecutive lines: the last 200 of a running or passed stream, 200 around the first error of
    /// a failed one. May be empty where the page does not open the log, and in live fragments (the browser keeps
    /// what it has).
    pub shown: Vec<LogLine>,
}

impl LogView {
    /// A stream that has not begun.
    pub fn empty(stream: impl Into<String>) -> LogView {
        LogView {
            stream: stream.into(),
            lines: 0,
            bytes: 0,
            eof: false,
            errors: Vec::new(),
            shown: Vec::new(),
        }
    }
}
