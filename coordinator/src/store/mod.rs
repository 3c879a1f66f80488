//! All truth, as operations and not as rows. Each file owns one noun and all SQL about it; its public functions take
//! `&Store`, its private ones a transaction, so that one write that touches several nouns is one transaction.
//!
//! One rule above the others: a job's status is written by [`jobs`]'s `record` alone, which asks
//! [`job_specs::status::JobStatus::on`].

use std::path::PathBuf;

use job_specs::status::IllegalTransition;
use tokio::sync::broadcast;

use crate::db::DbError;

pub mod access;
pub mod agents;
pub mod attempts;
pub mod builds;
pub mod counters;
pub mod deliveries;
pub mod jobs;
pub mod queue;
pub mod repositories;
pub mod secrets;

pub use crate::db::changes::Change;

/// Microseconds since 1970, by the coordinator's clock.
pub type Micros = i64;

/// Where the truth is.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// The key that secrets are sealed with; made with mode 0600 when it does not exist.
    pub key_file: PathBuf,
}

/// The open store. Cloning is cheap.
#[derive(Clone)]
pub struct Store {}

impl Store {
    /// Opens the database, makes or migrates its tables, and loads the key.
    ///
    /// # Errors
    /// The database cannot be reached, has a newer schema than this program, or the key file cannot be read.
    pub async fn open(_config: StoreConfig) -> Result<Store, StoreError> {
        todo!()
    }

    /// Wake-ups of every write, this coordinator's and (PostgreSQL) the others'. A receiver that lagged treats it as
    /// [`Change::All`].
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        todo!()
    }

    /// Microseconds since 1970, now.
    pub fn now(&self) -> Micros {
        jiff::Timestamp::now().as_microsecond()
    }

    /// Whether the database answers; for `/healthz`.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// Finishes what is being written, stops the store's tasks, and closes its connections.
    pub async fn close(&self) {
        todo!()
    }
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is none of that name or number.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The caller's lease was taken away: it must stop that work.
    #[error("this attempt is not yours any more")]
    StaleLease,
    /// A one-time code or token is wrong, too old, or was used before.
    #[error("the code is wrong, too old, or was used already")]
    BadCode,
    /// What was asked is not allowed; a plain sentence for the one who asked.
    #[error("{0}")]
    Refused(String),
    /// The job's life does not allow it.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// The key file is missing, unreadable, or not the one a secret was sealed with.
    #[error("{0}")]
    Key(String),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
}
