//! What becomes of jobs that wait, when one that they need has ended: [`job_specs::dag`] decides, [`settle`] asks it for
//! every job that needed the one that has ended.

use std::collections::HashMap;

use job_specs::dag::{Decision, NeedState, NeededJob, decide};
use job_specs::model::Need;
use job_specs::status::JobStatus;
use protocol::ids::JobId;

use super::jobs::{self, Expansion, Locked};
use super::{Change, Micros, StoreError, from_word};
use crate::db::{DbError, Row, Tx, args};

fn needed_job(row: &Row) -> Result<NeededJob, DbError> {
    let code: Option<String> = row.get("reason_code")?;
    let code = code.map(|code| from_word("reason_code", &code)).transpose()?;
    Ok(NeededJob {
        title: row.get("title")?,
        matrix: row.json("matrix")?,
        is_deferred: jobs::expansion(row)? != Expansion::No,
        state: NeedState::of(jobs::status(row)?, code, row.flag("allow_failure")?),
    })
}

/// The jobs of a build, by name.
pub(super) async fn cells(tx: &mut Tx, build: i64) -> Result<HashMap<String, Vec<NeededJob>>, StoreError> {
    let sql = "select name, title, matrix, status, reason_code, allow_failure, expansion from jobs where build = $1
               order by position";
    let mut cells: HashMap<String, Vec<NeededJob>> = HashMap::new();
    for row in tx.all(sql, args![build]).await? {
        cells.entry(row.get("name")?).or_default().push(needed_job(&row)?);
    }
    Ok(cells)
}

/// Decides about the jobs that needed one that has just ended; gives those that ended by that.
pub(super) async fn settle(tx: &mut Tx, ended: &Locked, at: Micros) -> Result<Vec<Locked>, StoreError> {
    let sql = "select n.job, j.needs, j.runs_after from job_needs n join jobs j on j.id = n.job
               where n.build = $1 and n.needs = $2 and j.status = 'waiting' and j.expansion <> 'due' order by j.position";
    let waiting = tx.all(sql, args![ended.build, &ended.name]).await?;
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let (cells, mut over) = (cells(tx, ended.build).await?, Vec::new());
    for row in waiting {
        let after = from_word("runs_after", &row.get::<String>("runs_after")?)?;
        let Some(decision) = decide(&row.json::<Vec<Need>>("needs")?, after, &cells) else {
            continue;
        };
        let mut job = jobs::lock(tx, &JobId(row.get("job")?)).await?;
        if job.status == JobStatus::Waiting {
            apply(tx, &mut job, &decision, at).await?;
            over.extend(job.status.is_final().then_some(job));
        }
    }
    Ok(over)
}

/// Does what was decided about a job that waits.
async fn apply(tx: &mut Tx, job: &mut Locked, decision: &Decision, at: Micros) -> Result<(), StoreError> {
    if job.expansion != Expansion::No && *decision == Decision::Run {
        tx.run("update jobs set expansion = 'due' where id = $1", args![&job.id])
            .await?;
        tx.notify(Change::Queue);
        return Ok(());
    }
    let (event, reason) = decision.event();
    jobs::record(tx, job, event, reason, at).await
}
