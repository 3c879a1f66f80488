//! The stored status of builds, which [`job_specs::status::rollup`] derives from their jobs. Every write settles it, in
//! its own transaction, for each build of which a job began or ended. Separate from the builds' own rows because those
//! are locked before jobs are, and this is locked after them: no two transactions wait for each other.

use job_specs::status::{JobStatus, rollup};

use super::{Micros, StoreError, jobs, outbox};
use crate::db::{Tx, Unsettled, args};

/// Makes the status of a new build.
pub(super) async fn insert(tx: &mut Tx, build: i64) -> Result<(), StoreError> {
    let sql = "insert into build_status (build, status) values ($1, $2)";
    tx.run(sql, args![build, JobStatus::Queued.name()]).await?;
    // It may have no jobs, or some that have ended already.
    may_have_changed(tx, build, Unsettled::New);
    Ok(())
}

/// An agent has got a job of the build.
pub(super) fn job_began(tx: &mut Tx, build: i64) {
    may_have_changed(tx, build, Unsettled::Began);
}

/// A job of the build has ended.
pub(super) fn job_ended(tx: &mut Tx, build: i64) {
    may_have_changed(tx, build, Unsettled::Ended);
}

fn may_have_changed(tx: &mut Tx, build: i64, why: Unsettled) {
    let known = tx.unsettled.entry(build).or_insert(why);
    *known = why.max(*known);
}

/// Stores where the builds stand that are new or of which jobs began or ended in this transaction, and what forges are to
/// hear of it; its last statements. A build that has
/// begun is never `queued` again, though its only job may be.
pub(super) async fn settle(tx: &mut Tx, now: Micros) -> Result<(), StoreError> {
    let mut changed = Vec::new();
    for (build, why) in std::mem::take(&mut tx.unsettled) {
        let is_other = match why {
            Unsettled::Began => {
                let begin = "update build_status set status = 'running' where build = $1 and status = 'queued'";
                tx.run(begin, args![build]).await? > 0
            }
            Unsettled::Ended => settle_ended(tx, build).await?,
            Unsettled::New => settle_ended(tx, build).await.map(|_| true)?,
        };
        changed.extend(is_other.then_some(build));
    }
    outbox::builds_changed(tx, &changed, now).await
}

/// Whether its status is another one now.
async fn settle_ended(tx: &mut Tx, build: i64) -> Result<bool, StoreError> {
    // Two last jobs that end at once: the second one looks when the first one's end can be seen.
    let lock = "select status from build_status where build = $1 for update";
    let row = tx.one(lock, args![build], "build").await?;
    let stored = jobs::status(&row)?;
    let open =
        "select id from jobs where build = $1 and status in ('waiting', 'queued', 'assigned', 'running') limit 1";
    if stored == JobStatus::Running && tx.first(open, args![build]).await?.is_some() {
        return Ok(false);
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
    Ok(status != stored)
}
