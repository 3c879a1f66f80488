//! Caches: archives by key, each in the scope of the reference whose builds wrote it. Which scopes a build may read and
//! write is decided in `coordinator/src/caches.rs`; here a scope is only text.

use protocol::api::Cache;
use protocol::ids::RepositoryId;

use super::audit::{Action, Subject};
use super::blobs::{self, Blob, as_i64};
use super::queue::AgentLease;
use super::{Actor, Store, StoreError, leases};
use crate::db::{DbError, Row, args};

/// A cache to keep; its archive is in place.
#[derive(Debug, Clone)]
pub struct NewCache {
    /// Whose.
    pub repository: RepositoryId,
    /// The reference of its build.
    pub scope: String,
    /// What it will be found by.
    pub key: String,
    /// Its archive.
    pub blob: Blob,
}

fn from_row(row: &Row) -> Result<Cache, DbError> {
    Ok(Cache {
        scope: row.get("scope")?,
        key: row.get("key")?,
        sha256: row.get("sha")?,
        bytes: u64::try_from(row.get::<i64>("bytes")?).unwrap_or(0),
        created_at: row.get("created_at")?,
        used_at: row.get("used_at")?,
    })
}

/// The cache of that very key in a scope.
///
/// # Errors
/// The database.
pub async fn exact(
    store: &Store,
    repository: &RepositoryId,
    scope: &str,
    key: &str,
) -> Result<Option<Cache>, StoreError> {
    let sql = "select scope, key, sha, bytes, created_at, used_at from caches
               where repository = $1 and scope = $2 and key = $3";
    let row = store.db.first(sql, args![repository, scope, key]).await?;
    Ok(row.as_ref().map(from_row).transpose()?)
}

/// The newest cache in a scope whose key begins like that.
///
/// # Errors
/// The database.
pub async fn newest(
    store: &Store,
    repository: &RepositoryId,
    scope: &str,
    beginning: &str,
) -> Result<Option<Cache>, StoreError> {
    let sql = "select scope, key, sha, bytes, created_at, used_at from caches
               where repository = $1 and scope = $2 and substr(key, 1, length($3)) = $3
               order by created_at desc, key desc limit 1";
    let row = store.db.first(sql, args![repository, scope, beginning]).await?;
    Ok(row.as_ref().map(from_row).transpose()?)
}

/// Notes that a build asked for it, so that it goes later than others.
///
/// # Errors
/// The database.
pub async fn used(store: &Store, repository: &RepositoryId, cache: &Cache) -> Result<(), StoreError> {
    let (repository, cache, now) = (repository.clone(), cache.clone(), store.now());
    let sql = "update caches set used_at = $4 where repository = $1 and scope = $2 and key = $3";
    store
        .write(move |tx| {
            Box::pin(async move {
                tx.run(sql, args![&repository, &cache.scope, &cache.key, now]).await?;
                Ok(())
            })
        })
        .await
}

/// Whether one of these scopes has a cache with that archive.
///
/// # Errors
/// The database.
pub async fn has(store: &Store, repository: &RepositoryId, scopes: &[String], sha: &str) -> Result<bool, StoreError> {
    let sql = "select scope from caches where repository = $1 and sha = $2";
    for row in store.db.all(sql, args![repository, sha]).await? {
        if scopes.contains(&row.get::<String>("scope")?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Keeps one for the holder of a lease; one of the same scope and key is replaced.
///
/// # Errors
/// `StaleLease`; `NotFound` when its archive has been removed meanwhile.
pub async fn save(store: &Store, hold: &AgentLease, new: NewCache) -> Result<(), StoreError> {
    let (hold, now) = (hold.clone(), store.now());
    store
        .write(move |tx| {
            Box::pin(async move {
                leases::lock_leased(tx, &hold).await?.must_be_active()?;
                blobs::hold_fast(tx, &new.blob.sha).await?;
                let sql = "insert into caches (repository, scope, key, sha, bytes, created_at, used_at)
                           values ($1, $2, $3, $4, $5, $6, $6)
                           on conflict (repository, scope, key) do update set sha = excluded.sha,
                           bytes = excluded.bytes, created_at = excluded.created_at, used_at = excluded.used_at";
                let bytes = as_i64(new.blob.bytes);
                tx.run(
                    sql,
                    args![&new.repository, &new.scope, &new.key, &new.blob.sha, bytes, now],
                )
                .await?;
                Ok(())
            })
        })
        .await
}

/// The caches of a repository, last used first.
///
/// # Errors
/// The database.
pub async fn list(store: &Store, repository: &RepositoryId) -> Result<Vec<Cache>, StoreError> {
    let sql = "select scope, key, sha, bytes, created_at, used_at from caches where repository = $1
               order by used_at desc, scope, key";
    let rows = store.db.all(sql, args![repository]).await?;
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

/// Removes the caches of a repository, of one scope only or all; says how many.
///
/// # Errors
/// The database.
pub async fn prune(
    store: &Store,
    actor: &Actor,
    repository: &RepositoryId,
    scope: Option<String>,
) -> Result<u64, StoreError> {
    let repository = repository.clone();
    let sql = "delete from caches where repository = $1 and ($2 is null or scope = $2)";
    store
        .act(actor, Action::PruneCaches, move |tx| {
            Box::pin(async move {
                let removed = tx.run(sql, args![&repository, &scope]).await?;
                let subject = Subject::named(scope.unwrap_or_else(|| "all caches".to_owned()));
                Ok((removed, subject.of(&repository)))
            })
        })
        .await
}

/// Removes the least recently used caches of a repository until the others have at most `limit` bytes; says how many.
///
/// # Errors
/// The database.
pub async fn evict(store: &Store, repository: &RepositoryId, limit: u64) -> Result<u64, StoreError> {
    let (mut total, mut evicted) = (0_u64, 0);
    for cache in list(store, repository).await? {
        total = total.saturating_add(cache.bytes);
        if total <= limit {
            continue;
        }
        let repository = repository.clone();
        // One that was asked for meanwhile stays.
        let sql = "delete from caches where repository = $1 and scope = $2 and key = $3 and used_at = $4";
        let delete = store.write(move |tx| {
            Box::pin(async move {
                let values = args![&repository, &cache.scope, &cache.key, cache.used_at];
                Ok::<_, StoreError>(tx.run(sql, values).await?)
            })
        });
        evicted += delete.await?;
    }
    Ok(evicted)
}

/// Removes the caches of removed repositories.
///
/// # Errors
/// The database.
pub async fn forget_removed(store: &Store) -> Result<u64, StoreError> {
    let sql = "delete from caches where repository in (select id from repositories where removed_at is not null)";
    store
        .write(move |tx| Box::pin(async move { Ok(tx.run(sql, args![]).await?) }))
        .await
}
