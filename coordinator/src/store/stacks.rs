//! Stacks that live longer than what made them: what is wanted, which agent has them, and until when. A stack stays on
//! its agent. One whose agent is silent is unreachable until the agent is back or the stack expires; it is never made
//! anew elsewhere. Expiry stands here alone and is renewed here.

use std::time::Duration;

use protocol::ids::{AgentId, AttemptId, JobId, StackId};
use protocol::lease::Lease;
use protocol::work::{StackSpec, StackState, StackWork, Work};

use super::audit::{Action, Subject};
use super::queue::{AgentLease, LEASE_US};
use super::{Actor, Change, Micros, Store, StoreError, to_json};
use crate::db::{DbError, Row, Tx, args};

pub use super::stack_reports::{released, report};

/// However often it is used, what an attempt left goes after this time, in microseconds: 12 h. Its agent's sweep has the
/// same bound.
pub const RETAINED_AT_MOST_US: i64 = 12 * 3_600 * 1_000_000;
/// The first epoch of a stack.
const FIRST_EPOCH: i64 = 1;

/// One stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Its id.
    pub id: StackId,
    /// What it is made of.
    pub spec: StackSpec,
    /// The job whose attempt left it.
    pub job: JobId,
    /// `test (postgres=15)`
    pub title: String,
    /// The build of that job.
    pub build: i64,
    /// The repository's name.
    pub repository: String,
    /// Who has it.
    pub agent: AgentId,
    /// The agent's name.
    pub agent_name: String,
    /// The protocol version of that agent.
    pub agent_version: u32,
    /// How it stands.
    pub state: StackState,
    /// Since when.
    pub created_at: Micros,
    /// Until when, unless it is used.
    pub expires_at: Micros,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select s.id, s.spec, s.agent, a.name as agent_name, a.version as agent_version, s.wanted, s.lease_until,
             s.created_at, s.expires_at, j.id as job, j.title, j.build, r.name as repository
             from stacks s join agents a on a.id = s.agent join attempts t on t.id = s.attempt
             join jobs j on j.id = t.job join repositories r on r.id = j.repository ",
            $rest
        )
    };
}

fn from_row(row: &Row, now: Micros) -> Result<Stack, DbError> {
    Ok(Stack {
        id: StackId(row.get("id")?),
        spec: row.json("spec")?,
        job: JobId(row.get("job")?),
        title: row.get("title")?,
        build: row.get("build")?,
        repository: row.get("repository")?,
        agent: AgentId(row.get("agent")?),
        agent_name: row.get("agent_name")?,
        agent_version: u32::try_from(row.get::<i64>("agent_version")?).unwrap_or(0),
        state: state(&row.get::<String>("wanted")?, row.get("lease_until")?, now),
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
    })
}

/// How a stack stands, by what is wanted and by when its agent last named it.
fn state(wanted: &str, lease_until: Micros, now: Micros) -> StackState {
    match wanted {
        "deleted" => StackState::Deleting,
        _ if lease_until < now => StackState::Unreachable,
        _ => StackState::Running,
    }
}

/// What an attempt leaves for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retain {
    /// What each use gives it.
    pub time: Duration,
    /// What its agent calls it; `None`: it learns the name from here.
    pub called: Option<StackId>,
}

/// Makes a stack of what an attempt leaves on the agent that ran it.
pub(super) async fn retain(tx: &mut Tx, hold: &AgentLease, retain: &Retain, now: Micros) -> Result<Lease, StoreError> {
    let spec = StackSpec::Retained {
        attempt: hold.attempt.clone(),
    };
    let id = retain.called.clone().unwrap_or_else(StackId::generate);
    let renew =
        i64::try_from(retain.time.as_micros()).map_or(RETAINED_AT_MOST_US, |time| time.min(RETAINED_AT_MOST_US));
    tx.run(
        "insert into stacks (id, spec, attempt, agent, epoch, wanted, lease_until, created_at, renew_us, expires_at,
         last_expires_at) values ($1, $2, $3, $4, $5, 'running', $6, $7, $8, $9, $10)",
        args![
            &id,
            to_json(&spec),
            &hold.attempt,
            &hold.agent,
            FIRST_EPOCH,
            // A poll that is held now does not name it yet.
            now + 2 * LEASE_US,
            now,
            renew,
            now + renew,
            now + RETAINED_AT_MOST_US
        ],
    )
    .await?;
    Ok(lease(id, spec, FIRST_EPOCH, now + renew))
}

/// The stack of what an attempt left, for an agent that did not hear of it.
pub(super) async fn of_attempt(tx: &mut Tx, attempt: &AttemptId) -> Result<Option<Lease>, StoreError> {
    let sql = "select id, spec, epoch, expires_at from stacks where attempt = $1 and wanted = 'running'";
    let Some(row) = tx.first(sql, args![attempt]).await? else {
        return Ok(None);
    };
    let (id, spec) = (StackId(row.get("id")?), row.json("spec")?);
    Ok(Some(lease(id, spec, row.get("epoch")?, row.get("expires_at")?)))
}

fn lease(stack: StackId, spec: StackSpec, epoch: i64, expires_at: Micros) -> Lease {
    Lease {
        epoch,
        work: Work::Stack(StackWork {
            stack,
            spec,
            expires_at,
        }),
    }
}

/// Somebody uses it: it has its full time again, but never more than it may have in all.
///
/// # Errors
/// `NotFound` when there is none, or it is to be removed.
pub async fn renew(store: &Store, id: &StackId) -> Result<Micros, StoreError> {
    let (id, now) = (id.clone(), store.now());
    store
        .write(move |tx| Box::pin(async move { give_time(tx, &id, now).await }))
        .await
}

/// Gives it its full time again without using it.
///
/// # Errors
/// As [`renew`].
pub async fn extend(store: &Store, actor: &Actor, id: &StackId) -> Result<Micros, StoreError> {
    let (id, now) = (id.clone(), store.now());
    store
        .act(actor, Action::ExtendStack, move |tx| {
            Box::pin(async move { Ok((give_time(tx, &id, now).await?, subject(tx, &id).await?)) })
        })
        .await
}

async fn give_time(tx: &mut Tx, id: &StackId, now: Micros) -> Result<Micros, StoreError> {
    let sql = "update stacks set expires_at = case when $2 + renew_us < last_expires_at then $2 + renew_us
               else last_expires_at end where id = $1 and wanted = 'running' returning attempt, expires_at";
    let row = tx.one(sql, args![id, now], "stack").await?;
    changed(tx, &row)?;
    Ok(row.get("expires_at")?)
}

/// It is to be removed: its agent is told, now or when it is back.
///
/// # Errors
/// `NotFound`.
pub async fn delete(store: &Store, actor: &Actor, id: &StackId) -> Result<(), StoreError> {
    let id = id.clone();
    store
        .act(actor, Action::RemoveStack, move |tx| {
            Box::pin(async move {
                mark_deleted(tx, id.as_str()).await?;
                Ok(((), subject(tx, &id).await?))
            })
        })
        .await
}

/// A stack, as the audit names it: by the job that left it.
async fn subject(tx: &mut Tx, id: &StackId) -> Result<Subject, StoreError> {
    let row = tx.one(select!("where s.id = $1"), args![id], "stack").await?;
    let subject = Subject::named(row.get::<String>("title")?).id(id.as_str());
    Ok(subject.in_build(row.get("build")?))
}

/// Ends those whose time is over, and forgets those that were to be removed and whose agents are silent: an agent that
/// comes back with one is told to remove it.
///
/// # Errors
/// The database.
pub async fn expire(store: &Store, now: Micros) -> Result<u64, StoreError> {
    let due = "select id from stacks where expires_at <= $1 limit 1";
    if store.db.first(due, args![now]).await?.is_none() {
        return Ok(0);
    }
    store
        .write(move |tx| {
            Box::pin(async move {
                let sql =
                    "select id, attempt, wanted, lease_until from stacks where expires_at <= $1 order by id for update";
                let mut ended = 0;
                for row in tx.all(sql, args![now]).await? {
                    let id: String = row.get("id")?;
                    if row.get::<Micros>("lease_until")? < now {
                        remove(tx, &id).await?;
                        changed(tx, &row)?;
                        ended += 1;
                    } else if row.get::<String>("wanted")? == "running" {
                        mark_deleted(tx, &id).await?;
                        ended += 1;
                    }
                }
                Ok(ended)
            })
        })
        .await
}

async fn mark_deleted(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    let sql = "update stacks set wanted = 'deleted' where id = $1 returning attempt";
    let row = tx.one(sql, args![id], "stack").await?;
    // Wakes the poll of its agent.
    tx.notify(Change::Queue);
    changed(tx, &row)
}

/// Forgets a stack that is not there any more.
pub(super) async fn remove(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    let sql = "delete from stacks where id = $1";
    Ok(tx.run(sql, args![id]).await.map(drop)?)
}

/// Pages of its attempt show it.
fn changed(tx: &mut Tx, row: &Row) -> Result<(), StoreError> {
    if let Some(attempt) = row.get::<Option<String>>("attempt")? {
        tx.notify(Change::Attempt(AttemptId(attempt)));
    }
    Ok(())
}

/// Forgets what an agent has: it was removed, and nobody will say any more what it has.
pub(super) async fn forget_agent(tx: &mut Tx, agent: &AgentId) -> Result<(), StoreError> {
    let sql = "delete from stacks where agent = $1";
    Ok(tx.run(sql, args![agent]).await.map(drop)?)
}

/// All, oldest first.
///
/// # Errors
/// The database.
pub async fn list(store: &Store) -> Result<Vec<Stack>, StoreError> {
    let rows = store.db.all(select!("order by s.created_at, s.id"), args![]).await?;
    let now = store.now();
    Ok(rows.iter().map(|row| from_row(row, now)).collect::<Result<_, _>>()?)
}

/// One stack.
///
/// # Errors
/// `NotFound`.
pub async fn show(store: &Store, id: &StackId) -> Result<Stack, StoreError> {
    let row = store.db.first(select!("where s.id = $1"), args![id]).await?;
    Ok(from_row(&row.ok_or(StoreError::NotFound("stack"))?, store.now())?)
}

/// What the newest attempt of a job that left something left.
///
/// # Errors
/// The database.
pub async fn of_job(store: &Store, job: &JobId) -> Result<Option<Stack>, StoreError> {
    let sql = select!("where j.id = $1 order by t.number desc limit 1");
    let row = store.db.first(sql, args![job]).await?;
    Ok(row.map(|row| from_row(&row, store.now())).transpose()?)
}

/// What the jobs of a build left.
///
/// # Errors
/// The database.
pub async fn of_build(store: &Store, build: i64) -> Result<Vec<Stack>, StoreError> {
    let sql = select!("where j.build = $1 order by t.number desc");
    let rows = store.db.all(sql, args![build]).await?;
    let now = store.now();
    Ok(rows.iter().map(|row| from_row(row, now)).collect::<Result<_, _>>()?)
}
