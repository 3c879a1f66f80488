//! The one writer of SQLite. All writes go through one connection, one after another; those that wait together are
//! committed together, so that fifty agents share one sync of the disk. A work that fails is undone alone.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::changes::Changes;
use super::{Connected, DbError, Tx};

/// So many writes share a commit at most.
const BATCH: usize = 128;

/// A write that waits for its turn.
pub(super) trait Work: Send {
    /// Does it; says whether to keep what it did.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;
    /// Answers whoever waits for it.
    fn answer(self: Box<Self>, committed: Result<(), String>);
}

/// A write with its answer.
pub(super) struct Pending<T, E, F> {
    work: Option<F>,
    result: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Pending<T, E, F> {
    /// The write, and where its answer will come.
    pub(super) fn new(work: F) -> (Pending<T, E, F>, oneshot::Receiver<Result<T, E>>) {
        let (answer, receiver) = oneshot::channel();
        let pending = Pending {
            work: Some(work),
            result: None,
            answer,
        };
        (pending, receiver)
    }
}

impl<T, E, F> Work for Pending<T, E, F>
where
    T: Send,
    E: From<DbError> + Send,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        async move {
            if let Some(work) = self.work.take() {
                self.result = Some(work(tx).await);
            }
            matches!(self.result, Some(Ok(_)))
        }
        .boxed()
    }

    fn answer(self: Box<Self>, committed: Result<(), String>) {
        let result = match (self.result, committed) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(why)) => Err(E::from(DbError::Commit(why))),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(E::from(DbError::Commit("the write panicked".into()))),
        };
        // Whoever asked may have gone; the write is done all the same.
        let _ = self.answer.send(result);
    }
}

/// Runs until `stop`, then finishes what waits.
pub(super) async fn run(
    connection: SqliteConnection,
    mut works: mpsc::Receiver<Box<dyn Work>>,
    changes: Changes,
    stop: CancellationToken,
) {
    let mut tx = Tx::new(Connected::Sqlite(connection));
    loop {
        let first = tokio::select! {
            work = works.recv() => work,
            () = stop.cancelled(), if !works.is_closed() => {
                works.close();
                continue;
            }
        };
        let Some(first) = first else { break };
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(work) = works.try_recv()
        {
            batch.push(work);
        }
        let committed = write_together(&mut tx, &mut batch)
            .await
            .map_err(|error| error.to_string());
        if committed.is_ok() {
            changes.publish(tx.take_changes());
        }
        batch.into_iter().for_each(|work| work.answer(committed.clone()));
    }
    if let Connected::Sqlite(connection) = tx.into_connection()
        && let Err(error) = connection.close().await
    {
        tracing::warn!(%error, "the database did not close cleanly");
    }
}

async fn write_together(tx: &mut Tx, batch: &mut [Box<dyn Work>]) -> Result<(), DbError> {
    execute(tx, "begin immediate").await?;
    let written = match batch {
        [alone] => keep_or_undo(tx, alone, ["rollback", "commit"]).await,
        several => write_several(tx, several).await,
    };
    if written.is_err() {
        tx.take_changes();
        // It is open still when its commit failed, and gone when the database itself undid it.
        let _ = execute(tx, "rollback").await;
    }
    written
}

async fn write_several(tx: &mut Tx, batch: &mut [Box<dyn Work>]) -> Result<(), DbError> {
    for work in batch {
        execute(tx, "savepoint work").await?;
        keep_or_undo(tx, work, ["rollback to work", "release work"]).await?;
    }
    execute(tx, "commit").await
}

async fn keep_or_undo(tx: &mut Tx, work: &mut Box<dyn Work>, [undo, keep]: [&'static str; 2]) -> Result<(), DbError> {
    let known = tx.changes.len();
    let kept = AssertUnwindSafe(work.run(tx)).catch_unwind().await.unwrap_or(false);
    if kept {
        return execute(tx, keep).await;
    }
    tx.changes.truncate(known);
    execute(tx, undo).await
}

async fn execute(tx: &mut Tx, sql: &'static str) -> Result<(), DbError> {
    if let Connected::Sqlite(connection) = tx.connected() {
        connection.execute(sql).await?;
    }
    Ok(())
}
