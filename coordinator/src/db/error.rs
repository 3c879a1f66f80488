//! What can go wrong with a database, told apart by what the caller can do about it.

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// Neither `sqlite:PATH` nor `postgres://…`.
    #[error("`{0}` is no database URL: use sqlite:PATH or postgres://USER@HOST/NAME")]
    Url(String),
    /// It was written by a newer drover.
    #[error("the database has schema {found}, newer than this program's {known}: use a newer drover")]
    NewerSchema {
        /// The database's.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// A column holds what it should not.
    #[error("column {column} is not what it should be: {error}")]
    Content {
        /// Which.
        column: String,
        /// What is wrong with it.
        error: String,
    },
    /// The transaction was not committed; nothing was changed.
    #[error("not committed: {0}")]
    Commit(String),
    /// It was closed.
    #[error("the database is closed")]
    Closed,
    /// The driver's own words.
    #[error(transparent)]
    Driver(#[from] sqlx::Error),
}

impl DbError {
    /// Whether a row with the same key exists already.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, DbError::Driver(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}
