//! Attempts: executions of jobs, and what their agents report about them. An attempt never changes once it has ended.

use job_specs::status::{JobEvent, JobStatus};
use protocol::attempt::{AttemptEvent, EventKind, Reason, Verdict};
use protocol::ids::{AgentId, AttemptId, JobId};
use serde::Serialize;

use super::leases::{self, LockedAttempt};
use super::queue::AgentLease;
use super::{Change, Micros, Store, StoreError, from_word, jobs, reasons, to_json};
use crate::db::{DbError, Row, Tx, args};

pub use job_specs::status::AttemptState;

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// Its job.
    pub job: JobId,
    /// Its build.
    pub build: i64,
    /// From 1.
    pub number: u32,
    /// Under which it is, or was, held.
    pub epoch: i64,
    /// By whom.
    pub agent: AgentId,
    /// The agent's name.
    pub agent_name: String,
    /// Where it stands.
    pub state: AttemptState,
    /// How it ended.
    pub verdict: Option<Verdict>,
    /// Why it did not pass.
    pub reason: Option<Reason>,
    /// When it was given to the agent.
    pub assigned_at: Micros,
    /// When it began.
    pub started_at: Option<Micros>,
    /// When it ended.
    pub finished_at: Option<Micros>,
}

/// Everything about attempts, with any further condition.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select t.id, t.job, j.build, t.number, t.epoch, t.agent, a.name as agent_name, t.state, t.verdict,
             t.reason_code, t.reason, t.reason_details, t.assigned_at, t.started_at, t.finished_at
             from attempts t join jobs j on j.id = t.job join agents a on a.id = t.agent ",
            $rest
        )
    };
}

fn from_row(row: &Row) -> Result<Attempt, DbError> {
    let verdict: Option<String> = row.get("verdict")?;
    Ok(Attempt {
        id: AttemptId(row.get("id")?),
        job: JobId(row.get("job")?),
        build: row.get("build")?,
        number: u32::try_from(row.get::<i64>("number")?).unwrap_or(u32::MAX),
        epoch: row.get("epoch")?,
        agent: AgentId(row.get("agent")?),
        agent_name: row.get("agent_name")?,
        state: from_word("state", &row.get::<String>("state")?)?,
        verdict: verdict.map(|word| from_word("verdict", &word)).transpose()?,
        reason: reasons::from_row(row)?,
        assigned_at: row.get("assigned_at")?,
        started_at: row.get("started_at")?,
        finished_at: row.get("finished_at")?,
    })
}

/// Whether the caller still holds its lease; for log uploads.
///
/// # Errors
/// `StaleLease`.
pub async fn check(store: &Store, hold: &AgentLease) -> Result<(), StoreError> {
    let sql = "select id from attempts where id = $1 and agent = $2 and epoch = $3 and state = 'active'";
    let row = store
        .db
        .first(sql, args![&hold.attempt, &hold.agent, hold.epoch])
        .await?;
    row.map(drop).ok_or(StoreError::StaleLease)
}

/// Keeps what an agent reports; events that are known already change nothing. `Started` makes the job running.
///
/// # Errors
/// `StaleLease`; `Refused` when an event before them is missing.
pub async fn events(store: &Store, hold: &AgentLease, events: &[AttemptEvent]) -> Result<(), StoreError> {
    let (hold, events, now) = (hold.clone(), events.to_vec(), store.now());
    store
        .write(move |tx| {
            Box::pin(async move {
                let mut locked = leases::lock_leased(tx, &hold).await?;
                keep(tx, &mut locked, &events, now).await
            })
        })
        .await
}

/// Keeps events of an attempt that the caller holds, or held to its end.
pub(super) async fn keep(
    tx: &mut Tx,
    locked: &mut LockedAttempt,
    events: &[AttemptEvent],
    now: Micros,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let known = "select count(*) as n from attempt_events where attempt = $1";
    let row = tx.first(known, args![&locked.attempt]).await?;
    let known = row.map(|row| row.get::<i64>("n")).transpose()?.unwrap_or(0);
    let is_new = |event: &&AttemptEvent| i64::try_from(event.seq).is_ok_and(|seq| seq >= known);
    let new: Vec<&AttemptEvent> = events.iter().filter(is_new).collect();
    if new.is_empty() {
        return Ok(());
    }
    locked.must_be_active()?;
    for (expected, event) in (known..).zip(&new) {
        if i64::try_from(event.seq) != Ok(expected) {
            let why = format!(
                "event {expected} is missing before event {}: send from there",
                event.seq
            );
            return Err(StoreError::Refused(why));
        }
        let sql = "insert into attempt_events (attempt, seq, event) values ($1, $2, $3)";
        tx.run(sql, args![&locked.attempt, expected, to_json(event)]).await?;
    }
    if new.iter().any(|event| event.kind == EventKind::Started) && locked.job.status == JobStatus::Assigned {
        jobs::record(tx, &mut locked.job, JobEvent::Start, None, now).await?;
        tx.run(
            "update attempts set started_at = $2 where id = $1",
            args![&locked.attempt, now],
        )
        .await?;
    }
    tx.notify(Change::Attempt(locked.attempt.clone()));
    Ok(())
}

/// What an attempt's agent reported, from `seq` on.
///
/// # Errors
/// The database.
pub async fn list_events(store: &Store, attempt: &AttemptId, from: u64) -> Result<Vec<AttemptEvent>, StoreError> {
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let sql = "select event from attempt_events where attempt = $1 and seq >= $2 order by seq";
    let rows = store.db.all(sql, args![attempt, from]).await?;
    Ok(rows.iter().map(|row| row.json("event")).collect::<Result<_, _>>()?)
}

/// The attempts of a job, oldest first.
///
/// # Errors
/// The database.
pub async fn list(store: &Store, job: &JobId) -> Result<Vec<Attempt>, StoreError> {
    let rows = store
        .db
        .all(select!("where t.job = $1 order by t.number"), args![job])
        .await?;
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

/// One attempt.
///
/// # Errors
/// `NotFound`.
pub async fn show(store: &Store, id: &AttemptId) -> Result<Attempt, StoreError> {
    let row = store.db.first(select!("where t.id = $1"), args![id]).await?;
    Ok(from_row(&row.ok_or(StoreError::NotFound("attempt"))?)?)
}

/// All attempts that an agent holds now: their logs must not be removed.
///
/// # Errors
/// The database.
pub async fn active(store: &Store) -> Result<Vec<Attempt>, StoreError> {
    let rows = store
        .db
        .all(select!("where t.state = 'active' order by t.assigned_at"), args![])
        .await?;
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}
