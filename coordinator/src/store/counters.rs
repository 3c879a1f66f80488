//! Counters of what is not worth a row of its own: webhooks with a wrong signature, and the like.

use std::collections::BTreeMap;

use super::{Store, StoreError};
use crate::db::{DbError, Tx, args};

/// Adds one.
///
/// # Errors
/// The database.
pub async fn bump(store: &Store, name: &str) -> Result<(), StoreError> {
    let name = name.to_owned();
    store
        .write(move |tx| Box::pin(async move { Ok(next(tx, &name).await.map(drop)?) }))
        .await
}

/// Adds to several, in one write.
///
/// # Errors
/// The database.
pub async fn add(store: &Store, counts: BTreeMap<String, i64>) -> Result<(), StoreError> {
    let sql = "insert into counters (name, value) values ($1, $2)
               on conflict (name) do update set value = counters.value + excluded.value";
    store
        .write(move |tx| {
            Box::pin(async move {
                for (name, count) in counts {
                    tx.run(sql, args![name, count]).await?;
                }
                Ok(())
            })
        })
        .await
}

/// How often it was bumped.
///
/// # Errors
/// The database.
pub async fn read(store: &Store, name: &str) -> Result<i64, StoreError> {
    let row = store
        .db
        .first("select value from counters where name = $1", args![name])
        .await?;
    Ok(row.map(|row| row.get("value")).transpose()?.unwrap_or(0))
}

/// Adds one, and gives the sum.
pub(super) async fn next(tx: &mut Tx, name: &str) -> Result<i64, DbError> {
    let sql = "insert into counters (name, value) values ($1, 1)
               on conflict (name) do update set value = counters.value + 1 returning value";
    let row = tx.first(sql, args![name]).await?;
    row.map(|row| row.get("value")).transpose()?.ok_or(DbError::Closed)
}
