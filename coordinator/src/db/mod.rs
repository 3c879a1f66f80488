//! A thin layer over the two sqlx drivers: one SQL text (`$1`, `for update`) for SQLite and PostgreSQL, both always
//! compiled, chosen by URL. Separate so that the store knows one `Db`, one `Tx`, one `Row`.
//!
//! SQLite: one writer task with the one writing connection, readers beside it. PostgreSQL: one pool.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub mod changes;
mod error;
mod lock;
mod migrate;
mod tx;
mod value;
mod writer;

pub use changes::Change;
pub use error::DbError;
pub use lock::Lock;
pub use migrate::SCHEMA;
pub use tx::Tx;
pub(crate) use tx::Unsettled;
pub(crate) use value::args;
pub use value::{Column, Row, Value};

use changes::Changes;
use tx::Connected;
use writer::{Pending, Work};

/// Connections that read SQLite at once; opened when they are needed.
const READERS: u32 = 4;
/// Connections to PostgreSQL, one of them for notifications; opened when they are needed.
const CONNECTIONS: u32 = 10;
/// A connection that nobody used for so long is closed.
const IDLE: Duration = Duration::from_secs(60);
/// Who waits longer than this for a connection gets an error.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open database. Cloning is cheap; the last clone that goes stops its tasks.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Backend,
    changes: Changes,
    locks: lock::Held,
    tasks: TaskTracker,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

enum Backend {
    Sqlite {
        writer: mpsc::Sender<Box<dyn Work>>,
        readers: SqlitePool,
    },
    Postgres(PgPool),
}

impl Db {
    /// Opens `sqlite:PATH` (made when it does not exist) or `postgres://…`, and makes or migrates its tables.
    ///
    /// # Errors
    /// Not such a URL; it cannot be reached; its schema is newer than [`SCHEMA`].
    pub async fn open(url: &str) -> Result<Db, DbError> {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (backend, changes) = if let Some(path) = url.strip_prefix("sqlite:") {
            open_sqlite(path.trim_start_matches("//"), &tasks, &stop).await?
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            open_postgres(url, &tasks, &stop).await?
        } else {
            return Err(DbError::Url(url.to_owned()));
        };
        tasks.close();
        let inner = Inner {
            backend,
            changes,
            locks: lock::Held::default(),
            tasks,
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
        };
        Ok(Db { inner: Arc::new(inner) })
    }

    /// Every row, as last committed.
    ///
    /// # Errors
    /// The driver's.
    pub async fn all(&self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, DbError> {
        match &self.inner.backend {
            Backend::Sqlite { readers, .. } => tx::sqlite_all(readers, sql, values).await,
            Backend::Postgres(pool) => tx::postgres_all(pool, sql, values).await,
        }
    }

    /// The first row, as last committed.
    ///
    /// # Errors
    /// The driver's.
    pub async fn first(&self, sql: &'static str, values: &[Value]) -> Result<Option<Row>, DbError> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// Does `work` in one transaction, which is kept when it gives `Ok`; then publishes its changes. On SQLite it is done
    /// even if the caller does not wait for it.
    ///
    /// # Errors
    /// The work's own, or the driver's.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        match &self.inner.backend {
            Backend::Sqlite { writer, .. } => {
                let (pending, answer) = Pending::new(work);
                writer.send(Box::new(pending)).await.map_err(|_| DbError::Closed)?;
                answer.await.map_err(|_| DbError::Closed)?
            }
            Backend::Postgres(pool) => {
                let mut tx = Tx::new(Connected::Postgres(pool.begin().await.map_err(DbError::from)?));
                let value = match work(&mut tx).await {
                    Ok(value) => value,
                    Err(error) => {
                        // Else its row locks would be there for a while behind the answer.
                        tx.rollback().await;
                        return Err(error);
                    }
                };
                let changes = tx.take_changes();
                tx.commit().await?;
                self.inner.changes.publish(changes);
                Ok(value)
            }
        }
    }

    /// What writes send, here and (PostgreSQL) in other coordinators.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.inner.changes.subscribe()
    }

    /// Takes the lock of that name, which one coordinator holds at a time; `None` while another has it. For work that
    /// must have one doer: schedules, retention.
    ///
    /// # Errors
    /// The driver's.
    pub async fn try_lock(&self, name: &str) -> Result<Option<Lock>, DbError> {
        match &self.inner.backend {
            Backend::Sqlite { .. } => Ok(self.inner.locks.take(name)),
            Backend::Postgres(pool) => lock::take(pool, name).await,
        }
    }

    /// Finishes the writes that wait, stops the tasks, closes the connections.
    pub async fn close(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.wait().await;
        match &self.inner.backend {
            Backend::Sqlite { readers, .. } => readers.close().await,
            Backend::Postgres(pool) => pool.close().await,
        }
    }
}

async fn open_sqlite(path: &str, tasks: &TaskTracker, stop: &CancellationToken) -> Result<(Backend, Changes), DbError> {
    if path.is_empty() || path == ":memory:" {
        return Err(DbError::Url(format!("sqlite:{path}")));
    }
    let common = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(PATIENCE)
        .foreign_keys(true)
        .pragma("cache_size", "-1024")
        .disable_statement_logging();
    let writing = common
        .clone()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", "67108864");
    let mut connection = writing.connect().await?;
    sqlx::Executor::execute(&mut connection, "begin immediate").await?;
    let mut tx = Tx::new(Connected::Sqlite(connection));
    let migrated = migrate::migrate(&mut tx).await;
    let Connected::Sqlite(mut connection) = tx.into_connection() else {
        return Err(DbError::Closed);
    };
    let end = if migrated.is_ok() { "commit" } else { "rollback" };
    sqlx::Executor::execute(&mut connection, end).await?;
    if let Err(refused) = migrated {
        connection.close().await?;
        return Err(refused);
    }
    let changes = Changes::local();
    let (writer, works) = mpsc::channel(1_024);
    tasks.spawn(writer::run(connection, works, changes.clone(), stop.clone()));
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(PATIENCE)
        .idle_timeout(IDLE)
        .test_before_acquire(false)
        .connect_lazy_with(common.read_only(true));
    Ok((Backend::Sqlite { writer, readers }, changes))
}

async fn open_postgres(
    url: &str,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<(Backend, Changes), DbError> {
    let options = PgConnectOptions::from_str(url)?
        .application_name("drover")
        .disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .idle_timeout(IDLE)
        .test_before_acquire(false)
        .before_acquire(|connection, idle| {
            // A connection that was just used is alive; asking it again would cost each query a round trip.
            Box::pin(async move { Ok(idle.idle_for < Duration::from_secs(1) || connection.ping().await.is_ok()) })
        })
        .connect_lazy_with(options);
    let mut tx = Tx::new(Connected::Postgres(pool.begin().await?));
    migrate::migrate(&mut tx).await?;
    tx.commit().await?;
    let (changes, receiver) = Changes::shared();
    let me = uuid::Uuid::new_v4().simple().to_string();
    tasks.spawn(changes::notify_others(pool.clone(), me.clone(), receiver, stop.clone()));
    tasks.spawn(changes::listen_to_others(
        pool.clone(),
        me,
        changes.clone(),
        stop.clone(),
    ));
    Ok((Backend::Postgres(pool), changes))
}
