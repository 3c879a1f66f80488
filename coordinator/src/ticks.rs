//! What happens by the clock: leases that ran out, logs that are too old, mirrors that grew. Each tick is idempotent
//! and takes its work from the store, so it does not matter which coordinator does it or when it was last done.

use std::time::Duration;

use anyhow::Context;

use crate::app::App;
use crate::git::Address;
use crate::store::{Micros, attempts, queue, reports, repositories, retention as old, stacks};
use crate::{builds, logs};

/// How often to look for agents that fell silent.
const LEASES: Duration = Duration::from_secs(1);
/// How often to look for schedules that are due.
const SCHEDULES: Duration = Duration::from_secs(1);
/// How often to look for logs to remove and mirrors to tidy.
const RETENTION: Duration = Duration::from_secs(3_600);
/// How often to write down how many webhooks were refused.
const REFUSALS: Duration = Duration::from_secs(30);
/// How often to look for caches and artifacts to remove.
const BLOBS: Duration = Duration::from_secs(600);

/// Starts the clocks; they end with the coordinator.
pub(crate) fn start(app: &App) {
    every(LEASES, app, "leases", leases);
    every(SCHEDULES, app, "schedules", builds::schedules);
    every(RETENTION, app, "retention", retention);
    every(BLOBS, app, "blobs", blobs);
    every(REFUSALS, app, "refusals", refusals);
}

fn every<F>(pause: Duration, app: &App, name: &'static str, tick: fn(App) -> F)
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let app = app.clone();
    app.tasks.clone().spawn(async move {
        loop {
            tokio::select! {
                () = app.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            if let Err(error) = tick(app.clone()).await {
                tracing::error!(tick = name, error = format!("{error:#}"), "a tick failed");
            }
        }
    });
}

/// Takes attempts from agents that fell silent, whose logs end there, and ends stacks whose time is over.
pub(crate) async fn leases(app: App) -> anyhow::Result<()> {
    let expired = queue::expire(&app.store, app.store.now())
        .await
        .context("expire leases")?;
    for lost in expired {
        tracing::warn!(attempt.id = %lost.attempt, build = lost.build, "an agent fell silent; its attempt is lost");
        app.logs
            .seal_all(&lost.attempt)
            .await
            .context("seal the logs of a lost attempt")?;
    }
    let ended = stacks::expire(&app.store, app.store.now())
        .await
        .context("expire stacks")?;
    if ended > 0 {
        tracing::info!(stacks = ended, "the time of stacks is over");
    }
    Ok(())
}

/// Removes artifacts, caches and archives that nobody may want any more.
async fn blobs(app: App) -> anyhow::Result<()> {
    let now = app.store.now();
    crate::blobs::sweep((&app.store, &app.blobs), app.config.blobs.cache_bytes, now).await
}

/// Writes down how many webhooks were refused.
async fn refusals(app: App) -> anyhow::Result<()> {
    app.refusals.write(&app.store).await.context("count refused webhooks")
}

/// Removes logs by age and size, and packs the mirrors.
pub(crate) async fn retention(app: App) -> anyhow::Result<()> {
    let running = attempts::active(&app.store).await.context("list running attempts")?;
    let running: Vec<_> = running.into_iter().map(|attempt| attempt.id).collect();
    let limits = &app.config.retention;
    let keep = logs::Retention {
        max_age: Some(Duration::from_secs(u64::from(limits.days) * 24 * 3_600)),
        max_bytes: Some(limits.max_bytes),
    };
    let removed = app
        .logs
        .retain(keep, app.store.now(), &running)
        .await
        .context("remove old logs")?;
    if !removed.is_empty() {
        tracing::info!(attempts = removed.len(), "old logs were removed");
    }
    let pruned = reports::prune(&app.store, days_ago(&app, limits.test_days))
        .await
        .context("remove old test reports")?;
    if pruned > 0 {
        tracing::info!(attempts = pruned, "old test reports were removed");
    }
    old_rows(&app).await?;
    for repository in repositories::list(&app.store).await.context("list repositories")? {
        // An address that is no longer allowed has nothing to tell.
        if let Ok(address) = Address::parse(&repository.git, &app.config.git.protocols) {
            app.mirrors.tidy(repository.id.as_str(), &address).await;
        }
    }
    Ok(())
}

/// Removes what webhooks said, old builds, and who changed what long ago.
async fn old_rows(app: &App) -> anyhow::Result<()> {
    let limits = &app.config.retention;
    let emptied = old::empty_deliveries(&app.store, days_ago(app, limits.webhook_days))
        .await
        .context("remove bodies of old webhooks")?;
    let before = days_ago(app, limits.build_days);
    let rule = old::Old {
        before,
        most: limits.builds,
    };
    let builds = old::remove_builds(&app.store, rule)
        .await
        .context("remove old builds")?;
    let deliveries = old::remove_deliveries(&app.store, before)
        .await
        .context("remove old webhooks")?;
    let told = old::remove_outbox(&app.store, before)
        .await
        .context("remove what forges were told long ago")?;
    let changes = old::remove_audit(&app.store, before)
        .await
        .context("remove old audit entries")?;
    if emptied + builds + deliveries + told + changes > 0 {
        tracing::info!(
            bodies = emptied,
            builds,
            webhooks = deliveries,
            outbox = told,
            changes,
            "old builds, webhooks and audit entries were removed"
        );
    }
    Ok(())
}

fn days_ago(app: &App, days: u32) -> Micros {
    app.store.now() - i64::from(days) * 24 * 3_600 * 1_000_000
}
