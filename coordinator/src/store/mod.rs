//! All truth, as operations and not as rows. Each file owns one noun and all SQL about it; its public functions take
//! `&Store`, its private ones a transaction, so that one write that touches several nouns is one transaction.
//!
//! One rule above the others: a job's status is written by [`jobs`]'s `record` alone, which asks
//! [`job_specs::status::JobStatus::on`].

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::BoxFuture;
use job_specs::status::IllegalTransition;
use tokio::sync::broadcast;

use crate::db::{Db, DbError, Row, Tx, Value, args};

pub mod connections;
pub mod outbox;
pub mod polling;
pub mod repositories;

pub mod deliveries;
pub mod order;
pub mod pushes;

pub mod approvals;
mod build_status;
pub mod builds;
pub mod deferred;
mod ended;
pub mod facts;
mod groups;
pub mod jobs;
mod needs;
mod new_builds;
mod new_jobs;
pub mod origins;
mod pages;
mod reruns;
pub mod retention;
pub mod schedules;
mod why;

pub mod attempts;
mod finish;
mod lanes;
mod leases;
pub mod outputs;
pub mod queue;
mod reasons;
pub mod reports;
mod retry;
mod stack_reports;
pub mod stacks;

pub mod artifacts;
pub mod blobs;
pub mod caches;

pub mod agents;
mod polls;

pub mod access;
pub mod audit;
pub mod counters;
mod keys;
pub mod secrets;
pub mod signing_keys;
mod tokens;

#[doc(hidden)]
pub mod testing;

pub use crate::db::{Change, Lock};
pub use audit::Actor;

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
pub struct Store {
    db: Db,
    key: Arc<keys::SealingKey>,
    watch: Arc<leases::Watch>,
    /// How far our clock is ahead of the machine's; tests let time pass with it.
    ahead: Arc<AtomicI64>,
}

impl Store {
    /// Opens the database, makes or migrates its tables, and loads the key.
    ///
    /// # Errors
    /// The database cannot be reached, has a newer schema than this program, or the key file cannot be read.
    pub async fn open(config: StoreConfig) -> Result<Store, StoreError> {
        let key = Arc::new(keys::SealingKey::load(&config.key_file)?);
        let db = Db::open(&config.url).await?;
        Ok(Store {
            db,
            key,
            watch: Arc::default(),
            ahead: Arc::default(),
        })
    }

    /// Wake-ups of every write, this coordinator's and (PostgreSQL) the others'. A receiver that lagged treats it as
    /// [`Change::All`].
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.db.changes()
    }

    /// Microseconds since 1970, now.
    pub fn now(&self) -> Micros {
        jiff::Timestamp::now().as_microsecond() + self.ahead.load(Ordering::Relaxed)
    }

    /// Whether the database answers; for `/healthz`.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.db.first("select value from counters limit 1", args![]).await?;
        Ok(())
    }

    /// Takes the lock of that name, which one coordinator holds at a time; `None` while another has it. For work that
    /// must have one doer: schedules, retention.
    ///
    /// # Errors
    /// The database.
    pub async fn try_lock(&self, name: &str) -> Result<Option<Lock>, StoreError> {
        Ok(self.db.try_lock(name).await?)
    }

    /// Finishes what is being written, stops the store's tasks, and closes its connections.
    pub async fn close(&self) {
        self.db.close().await;
    }

    /// A row that must be there, as last committed.
    async fn one(&self, sql: &'static str, values: &[Value], what: &'static str) -> Result<Row, StoreError> {
        self.db.first(sql, values).await?.ok_or(StoreError::NotFound(what))
    }

    /// Does `work` in one transaction, with what follows from it for the status of builds. What a person causes goes through [`Store::act`] instead.
    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
    {
        let now = self.now();
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    // What a work before it, which failed, has left.
                    tx.unsettled.clear();
                    let done = work(tx).await?;
                    build_status::settle(tx, now).await?;
                    Ok(done)
                })
            })
            .await
    }
}

impl Tx {
    /// A row that must be there.
    async fn one(&mut self, sql: &'static str, values: &[Value], what: &'static str) -> Result<Row, StoreError> {
        self.first(sql, values).await?.ok_or(StoreError::NotFound(what))
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
    /// A token was right, and is too old.
    #[error("the token has expired")]
    Expired,
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

/// Text that the store itself wrote as JSON.
fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data with text keys is JSON")
}

/// The word of an enum that serializes as one word.
fn to_word<T: serde::Serialize>(value: &T) -> String {
    to_json(value).trim_matches('"').to_owned()
}

/// The enum of a word; `column` names where it stood.
fn from_word<T: serde::de::DeserializeOwned>(column: &str, word: &str) -> Result<T, DbError> {
    serde_json::from_value(serde_json::Value::from(word)).map_err(|error| DbError::Content {
        column: column.to_owned(),
        error: error.to_string(),
    })
}
