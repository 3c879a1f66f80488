//! What goes: artifacts that have expired, caches that are over the limit, and archives that nobody names any more.

use std::time::Duration;

use anyhow::Context;

use crate::app::App;
use crate::store::{artifacts, blobs, caches, repositories};

/// An archive may be so long without a name: an upload is about to give it one.
const UNNAMED: Duration = Duration::from_secs(3_600);
/// An upload that takes longer is broken.
const UPLOAD_TAKES: Duration = Duration::from_secs(24 * 3_600);

/// Removes all of it, as of `now` (microseconds since 1970). One coordinator does it at a time.
pub(crate) async fn sweep(app: &App, now: i64) -> anyhow::Result<()> {
    let Some(_lock) = app.store.try_lock("blobs").await.context("take the lock of blobs")? else {
        return Ok(());
    };
    let expired = artifacts::expire(&app.store, now).await.context("expire artifacts")?;
    let mut evicted = caches::forget_removed(&app.store).await.context("forget caches")?;
    for repository in repositories::list(&app.store).await.context("list repositories")? {
        let limit = app.config.blobs.cache_bytes;
        evicted += caches::evict(&app.store, &repository.id, limit)
            .await
            .context("evict caches")?;
    }
    let unnamed = now - i64::try_from(UNNAMED.as_micros()).unwrap_or(0);
    let doomed = blobs::doom(&app.store, unnamed)
        .await
        .context("look for unnamed blobs")?;
    for sha in &doomed {
        app.blobs.remove(sha).await.context("remove a blob")?;
        for beside in super::look::beside(sha) {
            app.blobs.remove(&beside).await.context("remove the list of a blob")?;
        }
        blobs::forget(&app.store, sha).await.context("forget a blob")?;
    }
    let broken = now / 1_000_000 - i64::try_from(UPLOAD_TAKES.as_secs()).unwrap_or(0);
    app.blobs
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
