//! What can go wrong with a log, told apart by what the caller can do about it.

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
