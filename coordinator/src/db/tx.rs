//! One transaction, and the few lines that run one SQL text on either driver.

use std::collections::BTreeMap;

use sqlx::postgres::{PgConnection, Postgres};
use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{Executor, Transaction};

use super::value::{postgres_arguments, sqlite_arguments, without_row_locks};
use super::{Change, DbError, Row, Value};

/// Any two programs that migrate one PostgreSQL at once take this lock.
const SCHEMA_LOCK: &str = "select pg_advisory_xact_lock(7236837)";

/// A transaction. [`super::Db::write`] begins and ends it.
pub struct Tx {
    connected: Connected,
    pub(super) changes: Vec<Change>,
    /// Builds whose stored status this work may have changed, in the order in which they are to be locked.
    pub(crate) unsettled: BTreeMap<i64, Unsettled>,
}

/// Why the stored status of a build may have changed. Of several reasons the one that is last here counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unsettled {
    /// A job of it began.
    Began,
    /// A job of it ended.
    Ended,
    /// It is new.
    New,
}

pub(super) enum Connected {
    Sqlite(SqliteConnection),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    pub(super) fn new(connected: Connected) -> Tx {
        Tx {
            connected,
            changes: Vec::new(),
            unsettled: BTreeMap::new(),
        }
    }

    /// Every row.
    ///
    /// # Errors
    /// The driver's.
    pub async fn all(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, DbError> {
        match &mut self.connected {
            Connected::Sqlite(connection) => sqlite_all(connection, sql, values).await,
            Connected::Postgres(tx) => postgres_all(&mut **tx as &mut PgConnection, sql, values).await,
        }
    }

    /// The first row.
    ///
    /// # Errors
    /// The driver's.
    pub async fn first(&mut self, sql: &'static str, values: &[Value]) -> Result<Option<Row>, DbError> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// Changes rows; says how many.
    ///
    /// # Errors
    /// The driver's.
    pub async fn run(&mut self, sql: &'static str, values: &[Value]) -> Result<u64, DbError> {
        match &mut self.connected {
            Connected::Sqlite(connection) => {
                let query = sqlx::query_with(without_row_locks(sql), sqlite_arguments(values)?);
                Ok(query.execute(connection).await?.rows_affected())
            }
            Connected::Postgres(tx) => {
                let query = sqlx::query_with(sql, postgres_arguments(values)?);
                Ok(query.execute(&mut **tx).await?.rows_affected())
            }
        }
    }

    /// Publishes this once the transaction is committed.
    pub fn notify(&mut self, change: Change) {
        self.changes.push(change);
    }

    pub(super) async fn script(&mut self, sql: &'static str) -> Result<(), DbError> {
        match &mut self.connected {
            Connected::Sqlite(connection) => connection.execute(sqlx::raw_sql(sql)).await.map(drop)?,
            Connected::Postgres(tx) => tx.execute(sqlx::raw_sql(sql)).await.map(drop)?,
        }
        Ok(())
    }

    /// Waits until no other program migrates.
    pub(super) async fn lock_schema(&mut self) -> Result<(), DbError> {
        if let Connected::Postgres(tx) = &mut self.connected {
            tx.execute(SCHEMA_LOCK).await?;
        }
        Ok(())
    }

    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    pub(super) fn connected(&mut self) -> &mut Connected {
        &mut self.connected
    }

    pub(super) fn into_connection(self) -> Connected {
        self.connected
    }

    /// Undoes everything; a connection that cannot is closed, which undoes it, too.
    pub(super) async fn rollback(self) {
        if let Connected::Postgres(tx) = self.connected {
            let _ = tx.rollback().await;
        }
    }

    pub(super) async fn commit(self) -> Result<(), DbError> {
        if let Connected::Postgres(tx) = self.connected {
            tx.commit().await?;
        }
        Ok(())
    }
}

pub(super) async fn sqlite_all<'c, X>(executor: X, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, DbError>
where
    X: Executor<'c, Database = Sqlite>,
{
    let query = sqlx::query_with(without_row_locks(sql), sqlite_arguments(values)?);
    Ok(query.fetch_all(executor).await?.into_iter().map(Row::Sqlite).collect())
}

pub(super) async fn postgres_all<'c, X>(executor: X, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, DbError>
where
    X: Executor<'c, Database = Postgres>,
{
    let query = sqlx::query_with(sql, postgres_arguments(values)?);
    Ok(query
        .fetch_all(executor)
        .await?
        .into_iter()
        .map(Row::Postgres)
        .collect())
}
