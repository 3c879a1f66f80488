//! The stored status of builds, which [`job_specs::status::rollup`] derives from their jobs. Every write settles it, in
//! its own transaction, for each build of which a job began or ended. Separate from the builds' own rows because those
//! are locked before jobs are, and this is locked after them: no two transactions wait for each other.

use job_specs::status::{JobStatus, rollup};

use super::{StoreError, jobs};
use crate::db::{Tx, args};

/// Makes the status of a new build.
pub(super) async fn insert(tx: &mut Tx, build: i64) -> Result<(), StoreError> {
    let sql = "insert into build_status (build, status) values ($1, $2)";
    tx.run(sql, args![build, JobStatus::Queued.name()]).await?;
    // It may have no jobs, or some that have ended already.
    job_ended(tx, build);
    Ok(())
}

/// An agent has got a job of the build.
pub(super) fn job_began(tx: &mut Tx, build: i64) {
    tx.unsettled.entry(build).or_insert(false);
}

/// A job of the build has ended.
pub(super) fn job_ended(tx: &mut Tx, build: i64) {
    tx.unsettled.insert(build, true);
}

/// Stores where the builds stand of which jobs began or ended in this transaction; its last statements. A build that has
/// begun is never `queued` again, though its only job may be.
pub(super) async fn settle(tx: &mut Tx) -> Result<(), StoreError> {
    for (build, has_ended) in std::mem::take(&mut tx.unsettled) {
        if has_ended {
            settle_ended(tx, build).await?;
        } else {
            let begin = "update build_status set status = 'running' where build = $1 and status = 'queued'";
            tx.run(begin, args![build]).await?;
        }
    }
    Ok(())
}

async fn settle_ended(tx: &mut Tx, build: i64) -> Result<(), StoreError> {
    // Two last jobs that end at once: the second one looks when the first one's end can be seen.
    let lock = "select status from build_status where build = $1 for update";
    let row = tx
        .first(lock, args![build])
        .await?
        .ok_or(StoreError::NotFound("build"))?;
    let stored = jobs::status(&row)?;
    let open =
        "select id from jobs where build = $1 and status in ('waiting', 'queued', 'assigned', 'running') limit 1";
    if stored == JobStatus::Running && tx.first(open, args![build]).await?.is_some() {
        return Ok(());
    }
    let sql = "select status, allow_failure from jobs where build = $1 group by status, allow_failure";
    let mut seen = Vec::new();
    for row in tx.all(sql, args![build]).await? {
        seen.push((jobs::status(&row)?, row.flag("allow_failure")?));
    }
    let status = rollup(seen);
    if status != stored {
        let update = "update build_status set status = $2 where build = $1";
        tx.run(update, args![build, status.name()]).await?;
    }
    Ok(())
}
