//! What goes: artifacts that have expired, caches that are over the limit, and archives that nobody names any more.

use std::time::Duration;

use anyhow::Context;

use super::BlobStore;
use crate::store::{Store, artifacts, blobs, caches, repositories};

/// An archive may be so long without a name: an upload is about to give it one.
const UNNAMED: Duration = Duration::from_secs(3_600);
/// An upload that takes longer is broken.
const UPLOAD_TAKES: Duration = Duration::from_secs(24 * 3_600);

/// Removes all of it, as of `now` (microseconds since 1970); caches of one repository may have `cache_bytes`. One coordinator
/// does it at a time.
pub(crate) async fn sweep((store, archives): (&Store, &BlobStore), cache_bytes: u64, now: i64) -> anyhow::Result<()> {
    let Some(_lock) = store.try_lock("blobs").await.context("take the lock of blobs")? else {
        return Ok(());
    };
    let expired = artifacts::expire(store, now).await.context("expire artifacts")?;
    let mut evicted = caches::forget_removed(store).await.context("forget caches")?;
    for repository in repositories::list(store).await.context("list repositories")? {
        evicted += caches::evict(store, &repository.id, cache_bytes)
            .await
            .context("evict caches")?;
    }
    let unnamed = now - i64::try_from(UNNAMED.as_micros()).unwrap_or(0);
    let doomed = blobs::doom(store, unnamed).await.context("look for unnamed blobs")?;
    for sha in &doomed {
        archives.remove(sha).await.context("remove a blob")?;
        for beside in super::browse::beside(sha) {
            archives.remove(&beside).await.context("remove the list of a blob")?;
        }
        blobs::forget(store, sha).await.context("forget a blob")?;
    }
    let broken = now / 1_000_000 - i64::try_from(UPLOAD_TAKES.as_secs()).unwrap_or(0);
    archives
        .remove_incoming(broken)
        .await
        .context("remove broken uploads")?;
    if expired + evicted > 0 || !doomed.is_empty() {
        tracing::info!(
            artifacts = expired,
            caches = evicted,
            blobs = doomed.len(),
            "old archives were removed"
        );
    }
    Ok(())
}
