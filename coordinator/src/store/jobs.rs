//! Jobs: one matrix cell of one job definition in one build. `record` is the only writer of a job's status.

use job_specs::dag::retry::Attempts;
use job_specs::model::{AxisValue, Env, JobSpec, Need};
use job_specs::status::{JobEvent, JobStatus};
use protocol::attempt::Reason;
use protocol::ids::{AttemptId, JobId};
use serde::{Deserialize, Serialize};

use super::attempts::{self, Attempt};
use super::{Change, Micros, Store, StoreError, build_status, from_word, reasons, to_json, why};
use crate::db::{DbError, Row, Tx, args};

/// One job, for lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its build.
    pub build: i64,
    /// Its place in the build, from 0.
    pub position: i64,
    /// Its key in the file.
    pub name: String,
    /// `test (postgres=15)`
    pub title: String,
    /// Its cell.
    pub matrix: Vec<AxisValue>,
    /// Jobs that must pass first.
    pub needs: Vec<Need>,
    /// Where it stands.
    pub status: JobStatus,
    /// Why it did not pass, or waits for nothing more.
    pub reason: Option<Reason>,
    /// Its failure does not fail the build.
    pub allow_failure: bool,
    /// Somebody asked for it to stop.
    pub cancelling: bool,
    /// How many attempts it had.
    pub attempts: i64,
    /// The newest attempt.
    pub attempt: Option<AttemptId>,
    /// The name of the newest attempt's agent.
    pub agent: Option<String>,
    /// When it was made.
    pub created_at: Micros,
    /// When it could first run.
    pub queued_at: Option<Micros>,
    /// When its newest attempt began.
    pub started_at: Option<Micros>,
    /// When it ended.
    pub finished_at: Option<Micros>,
}

/// A job with everything about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobDetail {
    /// What lists show.
    #[serde(flatten)]
    pub job: Job,
    /// What runs.
    pub spec: JobSpec,
    /// Labels that its agent must have.
    pub labels: Env,
    /// Oldest first.
    pub attempts: Vec<Attempt>,
    /// Everything that happened to it, oldest first.
    pub history: Vec<HistoryEntry>,
}

/// One thing that happened to a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryEntry {
    /// When.
    pub at: Micros,
    /// What.
    pub event: JobEvent,
    /// Where it stood after it.
    pub status: JobStatus,
}

/// Everything that lists show, with any further condition.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select j.id, j.build, j.position, j.name, j.title, j.matrix, j.needs, j.status, j.reason_code, j.reason,
             j.reason_details, j.allow_failure, j.cancelling, j.attempts, j.attempt, a.name as agent, j.created_at, j.queued_at,
             j.started_at, j.finished_at, j.labels, j.history
             from jobs j left join attempts t on t.id = j.attempt left join agents a on a.id = t.agent ",
            $rest
        )
    };
}

fn from_row(row: &Row) -> Result<Job, DbError> {
    Ok(Job {
        id: JobId(row.get("id")?),
        build: row.get("build")?,
        position: row.get("position")?,
        name: row.get("name")?,
        title: row.get("title")?,
        matrix: row.json("matrix")?,
        needs: row.json("needs")?,
        status: status(row)?,
        reason: reasons::from_row(row)?,
        allow_failure: row.flag("allow_failure")?,
        cancelling: row.get::<Option<String>>("cancelling")?.is_some(),
        attempts: row.get("attempts")?,
        attempt: row.get::<Option<String>>("attempt")?.map(AttemptId),
        agent: row.get("agent")?,
        created_at: row.get("created_at")?,
        queued_at: row.get("queued_at")?,
        started_at: row.get("started_at")?,
        finished_at: row.get("finished_at")?,
    })
}

/// The row's `status`.
pub(super) fn status(row: &Row) -> Result<JobStatus, DbError> {
    let name: String = row.get("status")?;
    JobStatus::from_name(&name).ok_or(DbError::Content {
        column: "status".into(),
        error: format!("`{name}`"),
    })
}

/// The row's `history`: an array of when, what and where it stood then, on each line.
fn history(row: &Row) -> Result<Vec<HistoryEntry>, DbError> {
    let entry = |line: &str| {
        let (at, event, status) = serde_json::from_str(line)?;
        Ok(HistoryEntry { at, event, status })
    };
    let text: String = row.get("history")?;
    text.lines()
        .map(entry)
        .collect::<Result<_, serde_json::Error>>()
        .map_err(|error| DbError::Content {
            column: "history".into(),
            error: error.to_string(),
        })
}

/// The jobs of a build, in their order.
pub(super) async fn of_build(store: &Store, build: i64) -> Result<Vec<Job>, StoreError> {
    let rows = store
        .db
        .all(select!("where j.build = $1 order by j.position"), args![build])
        .await?;
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

/// One job with its attempts.
///
/// # Errors
/// `NotFound`.
pub async fn show(store: &Store, id: &JobId) -> Result<JobDetail, StoreError> {
    let row = store.one(select!("where j.id = $1"), args![id], "job").await?;
    let spec = store
        .db
        .first("select spec from specs where job = $1", args![id])
        .await?;
    Ok(JobDetail {
        job: from_row(&row)?,
        spec: spec.ok_or(StoreError::NotFound("job"))?.json("spec")?,
        labels: row.json("labels")?,
        attempts: attempts::list(store, id).await?,
        history: history(&row)?,
    })
}

/// Why it stands where it stands, in one plain sentence: "waiting for job build", "no agent has label gpu=true",
/// "all 4 agents are busy; 3rd in the queue".
///
/// # Errors
/// `NotFound`.
pub async fn why(store: &Store, id: &JobId) -> Result<String, StoreError> {
    let row = store.one(select!("where j.id = $1"), args![id], "job").await?;
    why::sentence(store, &from_row(&row)?).await
}

/// Whether a job is to be replaced by cells that are not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Expansion {
    /// It is complete.
    No,
    /// Jobs that it needs have not ended.
    Waiting,
    /// What it needs has ended.
    Due,
}

/// The row's `expansion`.
pub(super) fn expansion(row: &Row) -> Result<Expansion, DbError> {
    from_word("expansion", &row.get::<String>("expansion")?)
}

/// A job whose row this transaction has locked: what its life may change, as it will be stored by [`record`].
pub(super) struct Locked {
    pub(super) id: JobId,
    pub(super) build: i64,
    pub(super) name: String,
    pub(super) title: String,
    pub(super) status: JobStatus,
    /// Another cell must end first.
    pub(super) blocked_by_max_parallel: bool,
    pub(super) retries: i64,
    pub(super) max_parallel: Option<i64>,
    pub(super) fail_fast: bool,
    pub(super) allow_failure: bool,
    pub(super) cancelling: Option<String>,
    /// Its end matters to others: they need it, share a `max_parallel` or `fail_fast` with it, or wait for its build.
    pub(super) linked: bool,
    pub(super) expansion: Expansion,
    pub(super) attempts: i64,
    /// Attempts that failed by the user's job and were followed by another.
    pub(super) failures: i64,
    pub(super) attempt: Option<AttemptId>,
    queued_at: Option<Micros>,
    started_at: Option<Micros>,
}

/// The columns of [`Locked`].
macro_rules! locked_columns {
    () => {
        "j.id, j.build, j.name, j.title, j.status, j.blocked_by_max_parallel, j.retries, j.max_parallel, j.fail_fast,
         j.allow_failure, j.cancelling, j.linked, j.expansion, j.attempts, j.failures, j.attempt, j.queued_at, j.started_at"
    };
}
pub(super) use locked_columns;

impl Locked {
    /// From a row of [`locked_columns`] that was selected `for update`.
    pub(super) fn from_row(row: &Row) -> Result<Locked, DbError> {
        Ok(Locked {
            id: JobId(row.get("id")?),
            build: row.get("build")?,
            name: row.get("name")?,
            title: row.get("title")?,
            status: status(row)?,
            blocked_by_max_parallel: row.flag("blocked_by_max_parallel")?,
            retries: row.get("retries")?,
            max_parallel: row.get("max_parallel")?,
            fail_fast: row.flag("fail_fast")?,
            allow_failure: row.flag("allow_failure")?,
            cancelling: row.get("cancelling")?,
            linked: row.flag("linked")?,
            expansion: expansion(row)?,
            attempts: row.get("attempts")?,
            failures: row.get("failures")?,
            attempt: row.get::<Option<String>>("attempt")?.map(AttemptId),
            queued_at: row.get("queued_at")?,
            started_at: row.get("started_at")?,
        })
    }

    /// The attempts that it has had.
    pub(super) fn tries(&self) -> Attempts {
        Attempts {
            all: self.attempts,
            failures: self.failures,
            retries: self.retries,
        }
    }
}

/// Keeps how often the user's job failed and was tried again.
pub(super) async fn count_failure(tx: &mut Tx, job: &Locked) -> Result<(), DbError> {
    let sql = "update jobs set failures = $2 where id = $1";
    tx.run(sql, args![&job.id, job.failures]).await.map(drop)
}

/// Locks a job's row. Who also locks its build does that first; who locks an attempt does that last.
pub(super) async fn lock(tx: &mut Tx, id: &JobId) -> Result<Locked, StoreError> {
    let sql = concat!("select ", locked_columns!(), " from jobs j where j.id = $1 for update");
    let row = tx.one(sql, args![id], "job").await?;
    Ok(Locked::from_row(&row)?)
}

/// Applies `event` to the job and keeps it in the job's history; the only writer of `jobs.status`.
///
/// # Errors
/// `Illegal`: the job's life does not allow it.
pub(super) async fn record(
    tx: &mut Tx,
    job: &mut Locked,
    event: JobEvent,
    reason: Option<Reason>,
    at: Micros,
) -> Result<(), StoreError> {
    job.status = job.status.on(event)?;
    match job.status {
        JobStatus::Queued => (job.queued_at, job.started_at) = (job.queued_at.or(Some(at)), None),
        JobStatus::Running => job.started_at = Some(at),
        _ => {}
    }
    if event == JobEvent::Assign {
        build_status::job_began(tx, job.build);
    } else if job.status.is_final() {
        build_status::job_ended(tx, job.build);
    }
    let [code, sentence, details] = reasons::columns(reason);
    tx.run(
        "update jobs set status = $2, history = history || $3, reason_code = $4, reason = $5, attempts = $6,
         attempt = $7, queued_at = $8, started_at = $9, finished_at = $10, reason_details = $11 where id = $1",
        args![
            &job.id,
            job.status.name(),
            to_json(&(at, event, job.status)) + "\n",
            code,
            sentence,
            job.attempts,
            job.attempt.as_ref().map(AttemptId::as_str),
            job.queued_at,
            job.started_at,
            job.status.is_final().then_some(at),
            details
        ],
    )
    .await?;
    tx.notify(Change::Build(job.build));
    if job.status == JobStatus::Queued {
        tx.notify(Change::Queue);
    }
    Ok(())
}
