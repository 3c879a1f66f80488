//! What a job's end means for the others of its build: the next cell of a `max_parallel`, the cells that `fail_fast`
//! stops, the jobs that needed it. All of it in the transaction of the end, under the build's lock: two ends at once
//! could else each miss that they were the last two. A job that is *linked* with no other needs no lock, so the cells
//! of a plain matrix end without waiting for each other.

use job_specs::dag::stopped_by_fail_fast;
use job_specs::status::JobEvent;
use protocol::attempt::{Reason, ReasonCode};
use protocol::ids::{AttemptId, JobId};

use super::groups::{self, Group};
use super::jobs::{self, Locked};
use super::{Change, Micros, StoreError, needs};
use crate::db::{Row, Tx, args};

/// Proof that no other transaction ends jobs of the build whose ends could meet this one's.
pub(super) struct BuildLock {
    pub(super) number: i64,
    /// The concurrency group that it is in, locked too.
    pub(super) group: Option<Group>,
}

/// Locks the build of one job, if that job is linked with others; to be done before any job is locked.
pub(super) async fn lock_for(tx: &mut Tx, job: &JobId) -> Result<BuildLock, StoreError> {
    let row = tx
        .first("select build, linked from jobs where id = $1", args![job])
        .await?;
    lock_if_linked(tx, &row.ok_or(StoreError::NotFound("job"))?).await
}

/// The same, for the job of an attempt.
pub(super) async fn lock_for_attempt(tx: &mut Tx, attempt: &AttemptId) -> Result<BuildLock, StoreError> {
    let sql = "select j.build, j.linked from attempts t join jobs j on j.id = t.job where t.id = $1";
    let row = tx.first(sql, args![attempt]).await?;
    lock_if_linked(tx, &row.ok_or(StoreError::NotFound("attempt"))?).await
}

async fn lock_if_linked(tx: &mut Tx, row: &Row) -> Result<BuildLock, StoreError> {
    match row.flag("linked")? {
        true => lock_build(tx, row.get("build")?).await,
        false => Ok(BuildLock {
            number: row.get("build")?,
            group: None,
        }),
    }
}

/// Locks the build, and its group before it; to be done before any of its jobs is locked.
pub(super) async fn lock_build(tx: &mut Tx, number: i64) -> Result<BuildLock, StoreError> {
    let group = groups::lock_of(tx, number).await?;
    lock_row(tx, number).await?;
    Ok(BuildLock { number, group })
}

/// Locks a build of a group that is locked already.
pub(super) async fn lock_in_group(tx: &mut Tx, number: i64, group: Group) -> Result<BuildLock, StoreError> {
    lock_row(tx, number).await?;
    let group = Some(group);
    Ok(BuildLock { number, group })
}

async fn lock_row(tx: &mut Tx, number: i64) -> Result<(), StoreError> {
    let sql = "select number from builds where number = $1 for update";
    tx.one(sql, args![number], "build").await?;
    Ok(())
}

/// Propagates the consequences of jobs that have just ended.
pub(super) async fn propagate(
    tx: &mut Tx,
    build: &BuildLock,
    mut ended: Vec<Locked>,
    at: Micros,
) -> Result<(), StoreError> {
    while let Some(job) = ended.pop() {
        if !job.linked {
            continue;
        }
        unblock_next_cell(tx, &job).await?;
        if job.fail_fast && job.status.counts_as_failed(job.allow_failure) {
            ended.extend(cancel_other_cells(tx, &job, at).await?);
        }
        ended.extend(needs::settle(tx, &job, at).await?);
    }
    groups::leave_if_over(tx, build).await
}

/// A cell that ran gives its place under `max_parallel` to the next one.
async fn unblock_next_cell(tx: &mut Tx, job: &Locked) -> Result<(), StoreError> {
    if job.max_parallel.is_none() || job.blocked_by_max_parallel {
        return Ok(());
    }
    let next = "select id from jobs where build = $1 and name = $2 and blocked_by_max_parallel = 1
                and status in ('waiting', 'queued') order by position limit 1";
    if let Some(row) = tx.first(next, args![job.build, &job.name]).await? {
        tx.run(
            "update jobs set blocked_by_max_parallel = 0 where id = $1",
            args![row.get::<String>("id")?],
        )
        .await?;
        tx.notify(Change::Queue);
    }
    Ok(())
}

async fn cancel_other_cells(tx: &mut Tx, job: &Locked, at: Micros) -> Result<Vec<Locked>, StoreError> {
    let others = "select id from jobs where build = $1 and name = $2
                  and status in ('waiting', 'queued', 'assigned', 'running') order by position";
    let why = stopped_by_fail_fast(&job.title);
    let mut ended = Vec::new();
    for row in tx.all(others, args![job.build, &job.name]).await? {
        let mut other = jobs::lock(tx, &JobId(row.get("id")?)).await?;
        if cancel(tx, &mut other, &why, at).await? == Cancelled::Now {
            ended.push(other);
        }
    }
    Ok(ended)
}

/// What became of a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancelled {
    /// Nobody worked on it; it has ended.
    Now,
    /// Its agent has to stop it.
    Asked,
    /// It was over.
    Over,
}

/// Stops a job, or asks its agent to.
pub(super) async fn cancel(tx: &mut Tx, job: &mut Locked, why: &str, at: Micros) -> Result<Cancelled, StoreError> {
    if job.status.is_final() {
        return Ok(Cancelled::Over);
    }
    if job.status.is_pending() {
        let why = Reason::new(ReasonCode::Cancelled, why);
        jobs::record(tx, job, JobEvent::Cancel, Some(why), at).await?;
        return Ok(Cancelled::Now);
    }
    if job.cancelling.is_none() {
        tx.run("update jobs set cancelling = $2 where id = $1", args![&job.id, why])
            .await?;
        tx.notify(Change::Queue);
        tx.notify(Change::Build(job.build));
    }
    Ok(Cancelled::Asked)
}

/// Stops every job of a build.
pub(super) async fn cancel_build(tx: &mut Tx, number: i64, why: &str, at: Micros) -> Result<(), StoreError> {
    let build = lock_build(tx, number).await?;
    cancel_open(tx, &build, why, at).await
}

/// Stops every job of a build that is locked.
pub(super) async fn cancel_open(tx: &mut Tx, build: &BuildLock, why: &str, at: Micros) -> Result<(), StoreError> {
    let open = "select id from jobs where build = $1 and status in ('waiting', 'queued', 'assigned', 'running')
                order by position";
    let mut ended = Vec::new();
    for row in tx.all(open, args![build.number]).await? {
        let mut job = jobs::lock(tx, &JobId(row.get("id")?)).await?;
        if cancel(tx, &mut job, why, at).await? == Cancelled::Now {
            ended.push(job);
        }
    }
    propagate(tx, build, ended, at).await
}
