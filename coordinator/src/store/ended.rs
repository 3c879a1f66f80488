//! What a job's end means for the others of its build: the next cell of a `max_parallel`, the cells that `fail_fast`
//! stops, the jobs that needed it. All of it in the transaction of the end, under the build's lock: two ends at once
//! could else each miss that they were the last two. A job that is *linked* with no other needs no lock, so the cells
//! of a plain matrix end without waiting for each other.

use job_specs::status::{JobEvent, JobStatus};
use protocol::attempt::{Reason, ReasonCode};
use protocol::ids::{AttemptId, JobId};

use super::jobs::{self, Locked};
use super::{Change, Micros, StoreError};
use crate::db::{Row, Tx, args};

/// Proof that no other transaction ends jobs of the build whose ends could meet this one's.
pub(super) struct BuildLock(());

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
        false => Ok(BuildLock(())),
    }
}

/// Locks the build; to be done before any of its jobs is locked.
pub(super) async fn lock_build(tx: &mut Tx, number: i64) -> Result<BuildLock, StoreError> {
    let sql = "select number from builds where number = $1 for update";
    tx.first(sql, args![number])
        .await?
        .ok_or(StoreError::NotFound("build"))?;
    Ok(BuildLock(()))
}

/// Draws the consequences of jobs that have just ended.
pub(super) async fn draw(
    tx: &mut Tx,
    _proof: &BuildLock,
    mut ended: Vec<Locked>,
    at: Micros,
) -> Result<(), StoreError> {
    while let Some(job) = ended.pop() {
        if !job.linked {
            continue;
        }
        release_next_cell(tx, &job).await?;
        if job.fail_fast && job.has_failed() {
            ended.extend(cancel_other_cells(tx, &job, at).await?);
        }
        ended.extend(settle_dependents(tx, &job, at).await?);
    }
    Ok(())
}

/// A cell that ran gives its place under `max_parallel` to the next one.
async fn release_next_cell(tx: &mut Tx, job: &Locked) -> Result<(), StoreError> {
    if job.max_parallel.is_none() || job.held {
        return Ok(());
    }
    let next = "select id from jobs where build = $1 and name = $2 and held = 1 and status in ('waiting', 'queued')
                order by position limit 1";
    if let Some(row) = tx.first(next, args![job.build, &job.name]).await? {
        tx.run(
            "update jobs set held = 0 where id = $1",
            args![row.get::<String>("id")?],
        )
        .await?;
        tx.tell(Change::Queue);
    }
    Ok(())
}

async fn cancel_other_cells(tx: &mut Tx, job: &Locked, at: Micros) -> Result<Vec<Locked>, StoreError> {
    let others = "select id from jobs where build = $1 and name = $2
                  and status in ('waiting', 'queued', 'assigned', 'running') order by position";
    let why = format!("stopped because `{}` did not pass (fail_fast)", job.title);
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
    match job.status {
        JobStatus::Waiting | JobStatus::Queued => {
            jobs::record(tx, job, JobEvent::Cancel, Some(cancel_reason(why)), at).await?;
            Ok(Cancelled::Now)
        }
        JobStatus::Assigned | JobStatus::Running => {
            if job.cancelling.is_none() {
                tx.run("update jobs set cancelling = $2 where id = $1", args![&job.id, why])
                    .await?;
                tx.tell(Change::Queue);
                tx.tell(Change::Build(job.build));
            }
            Ok(Cancelled::Asked)
        }
        JobStatus::Passed
        | JobStatus::Failed
        | JobStatus::Errored
        | JobStatus::Cancelled
        | JobStatus::TimedOut
        | JobStatus::Skipped => Ok(Cancelled::Over),
    }
}

/// As a job's reason.
pub(super) fn cancel_reason(why: &str) -> Reason {
    Reason {
        code: ReasonCode::Cancelled,
        sentence: why.to_owned(),
        exit_code: None,
    }
}

/// Stops every job of a build.
pub(super) async fn cancel_build(tx: &mut Tx, number: i64, why: &str, at: Micros) -> Result<(), StoreError> {
    let build = lock_build(tx, number).await?;
    let open = "select id from jobs where build = $1 and status in ('waiting', 'queued', 'assigned', 'running')
                order by position";
    let mut ended = Vec::new();
    for row in tx.all(open, args![number]).await? {
        let mut job = jobs::lock(tx, &JobId(row.get("id")?)).await?;
        if cancel(tx, &mut job, why, at).await? == Cancelled::Now {
            ended.push(job);
        }
    }
    draw(tx, &build, ended, at).await
}

/// Queues or skips the jobs that needed this one, as far as that is decided by now.
async fn settle_dependents(tx: &mut Tx, job: &Locked, at: Micros) -> Result<Vec<Locked>, StoreError> {
    let dependents = "select n.job from job_needs n join jobs j on j.id = n.job
                      where n.build = $1 and n.needs = $2 and j.status = 'waiting' order by j.position";
    let dependents = tx.all(dependents, args![job.build, &job.name]).await?;
    if dependents.is_empty() || (!job.has_let_down() && has_open_cells(tx, job).await?) {
        return Ok(Vec::new());
    }
    let mut skipped = Vec::new();
    for row in dependents {
        let mut dependent = jobs::lock(tx, &JobId(row.get("job")?)).await?;
        if dependent.status != JobStatus::Waiting {
            continue;
        }
        if job.has_let_down() {
            let sentence = format!("skipped because `{}` did not pass", job.title);
            let reason = Reason {
                code: ReasonCode::NeedsFailed,
                sentence,
                exit_code: None,
            };
            jobs::record(tx, &mut dependent, JobEvent::NeedsFailed, Some(reason), at).await?;
            skipped.push(dependent);
        } else if needs_are_met(tx, &dependent).await? {
            jobs::record(tx, &mut dependent, JobEvent::NeedsMet, None, at).await?;
        }
    }
    Ok(skipped)
}

/// Whether another cell of the same job is still to end; it will look after the dependents then.
async fn has_open_cells(tx: &mut Tx, job: &Locked) -> Result<bool, StoreError> {
    let sql = "select id from jobs where build = $1 and name = $2
               and status in ('waiting', 'queued', 'assigned', 'running') limit 1";
    Ok(tx.first(sql, args![job.build, &job.name]).await?.is_some())
}

/// A need that let the job down would have skipped it: what is left to ask is whether any is still to end.
async fn needs_are_met(tx: &mut Tx, job: &Locked) -> Result<bool, StoreError> {
    let open = "select j.id from job_needs n join jobs j on j.build = n.build and j.name = n.needs
                where n.job = $1 and j.status in ('waiting', 'queued', 'assigned', 'running') limit 1";
    Ok(tx.first(open, args![&job.id]).await?.is_none())
}
