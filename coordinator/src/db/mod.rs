//! A thin layer over the two sqlx drivers: one SQL text (`$1`, `for update`) for SQLite and PostgreSQL, both always
//! compiled, chosen by URL. Separate so that the store knows one `Db`, one `Tx`, one `Row`.

pub mod changes;

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
    /// It was closed.
    #[error("the database is closed")]
    Closed,
    /// The driver's own words.
    #[error(transparent)]
    Driver(#[from] sqlx::Error),
}
