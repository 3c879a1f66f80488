//! The queue: which job goes to which agent. The lease that comes with it is kept, renewed and lost in `leases`; how
//! it ends is in `finish`.

use std::collections::HashSet;

use job_specs::Facts;
use job_specs::model::{Env, JobSpec};
use job_specs::status::JobEvent;
use protocol::ids::{AgentId, AttemptId, JobId, RepositoryId};
use serde::Serialize;

use super::audit::{Action, Subject};
use super::facts::{self, Trust};
use super::jobs::{self, Locked};
use super::{Actor, Micros, Store, StoreError, ended, lanes, why};
use crate::db::{DbError, Row, Tx, args};

pub use super::finish::{Ending, finish, finish_with};
pub use super::lanes::Memory;
pub use super::leases::{expire, renew, resume};

/// How long a lease lives without a renewal, in microseconds.
pub const LEASE_US: i64 = protocol::LEASE_SECS as i64 * 1_000_000;

/// An agent that has room.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Who.
    pub agent: AgentId,
    /// For so many.
    pub free_slots: u32,
    /// Its labels.
    pub labels: Env,
    /// Its memory. `None`: it does not say, and has enough for everything.
    pub memory: Option<Memory>,
}

/// What names a lease in every call of an agent: its token's agent, and what it says it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentLease {
    /// Who calls, by its token.
    pub agent: AgentId,
    /// About which attempt.
    pub attempt: AttemptId,
    /// Under which epoch.
    pub epoch: i64,
}

/// A new attempt, with all that its agent must know; secrets are opened apart ([`super::secrets::open_for`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Its id, never used before.
    pub attempt: AttemptId,
    /// Grows with each attempt of the job.
    pub epoch: i64,
    /// From 1.
    pub number: u32,
    /// Its job.
    pub job: JobId,
    /// Its build.
    pub build: i64,
    /// Whose.
    pub repository: RepositoryId,
    /// Where the code is: URL or path.
    pub git: String,
    /// What happened.
    pub facts: Facts,
    /// Whose code it is.
    pub trust: Trust,
    /// What to run.
    pub spec: JobSpec,
    /// When the agent got it.
    pub assigned_at: Micros,
}

/// What an agent must hear about the attempts it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renewed {
    /// To be stopped: somebody cancelled them.
    pub cancel: Vec<AttemptId>,
    /// Not the agent's any more.
    pub lost: Vec<AttemptId>,
}

/// An attempt that was taken from an agent that fell silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expired {
    /// Which: its logs can be sealed.
    pub attempt: AttemptId,
    /// Its job.
    pub job: JobId,
    /// Its build.
    pub build: i64,
}

/// The condition of jobs that an agent may get, for the alias of `jobs` with its dot. The index `jobs_ready` has it.
macro_rules! is_ready {
    ($alias:literal) => {
        concat!(
            $alias,
            "status = 'queued' and ",
            $alias,
            "blocked_by_max_parallel = 0 and ",
            $alias,
            "blocked_by_group = 0 and ",
            $alias,
            "blocked_by_approval = 0"
        )
    };
}
pub(super) use is_ready;

/// Gives an agent at most `free_slots` jobs that fit it: by priority, then fair share between repositories, then
/// age. Empty when there is none, or the agent drains or is unknown.
///
/// # Errors
/// The database.
pub async fn claim(store: &Store, claim: &Claim) -> Result<Vec<Claimed>, StoreError> {
    // Mostly there is nothing: then nobody waits for the writer.
    let any = concat!(
        "select id from agents where id = $1 and draining = 0 and removed_at is null and (select lane from jobs where ",
        is_ready!(""),
        " order by lane limit 1) is not null"
    );
    if claim.free_slots == 0 || store.db.first(any, args![&claim.agent]).await?.is_none() {
        return Ok(Vec::new());
    }
    let (claim, now) = (claim.clone(), store.now());
    store
        .write(move |tx| Box::pin(async move { take_several(tx, &claim, now).await }))
        .await
}

async fn take_several(tx: &mut Tx, claim: &Claim, now: Micros) -> Result<Vec<Claimed>, StoreError> {
    let (mut claimed, mut taken_by_others) = (Vec::new(), HashSet::new());
    let mut memory = claim.memory;
    while claimed.len() < claim.free_slots as usize {
        // Asked again for each job: the one before changed who has had how much.
        let mut lanes = lanes::that_fit(tx, &claim.labels).await?;
        lanes.retain(|lane| !taken_by_others.contains(&lane.name));
        let Some(lane) = lanes::next(lanes, memory) else {
            break;
        };
        match take(tx, &lane.name, &claim.agent, now).await? {
            Some(one) => {
                claimed.push(one);
                memory = memory.map(|memory| memory.without(lane.memory));
            }
            None => {
                taken_by_others.insert(lane.name);
            }
        }
    }
    Ok(claimed)
}

/// Everything that an agent must know of a job and its build.
macro_rules! select_claimed {
    ($rest:literal) => {
        concat!(
            "select ",
            $crate::store::jobs::locked_columns!(),
            ", ",
            $crate::store::facts::fact_columns!(),
            ", j.repository, r.git, s.spec from jobs j join specs s on s.job = j.id join builds b on b.number = j.build
             join repositories r on r.id = j.repository ",
            $rest
        )
    };
}
pub(super) use select_claimed;

/// The lease of an attempt, from a row of [`select_claimed`].
pub(super) fn from_row(
    row: &Row,
    (attempt, number): (AttemptId, i64),
    assigned_at: Micros,
) -> Result<Claimed, DbError> {
    Ok(Claimed {
        attempt,
        epoch: number,
        number: u32::try_from(number).unwrap_or(u32::MAX),
        job: JobId(row.get("id")?),
        build: row.get("build")?,
        repository: RepositoryId(row.get("repository")?),
        git: row.get("git")?,
        facts: facts::from_row(row)?,
        trust: Trust::of(row)?,
        spec: row.json("spec")?,
        assigned_at,
    })
}

/// Gives the first free job of a lane to an agent, as a new attempt.
async fn take(tx: &mut Tx, lane: &str, agent: &AgentId, now: Micros) -> Result<Option<Claimed>, StoreError> {
    let first = concat!(
        select_claimed!("where j.lane = $1 and "),
        is_ready!("j."),
        " order by j.priority desc, j.build, j.position limit 1 for update of j skip locked"
    );
    let Some(row) = tx.first(first, args![lane]).await? else {
        return Ok(None);
    };
    let mut job = Locked::from_row(&row)?;
    job.attempts += 1;
    let claimed = from_row(&row, (AttemptId::generate(), job.attempts), now)?;
    job.attempt = Some(claimed.attempt.clone());
    jobs::record(tx, &mut job, JobEvent::Assign, None, now).await?;
    tx.run(
        "insert into attempts (id, job, number, epoch, agent, state, assigned_at, lease_until)
         values ($1, $2, $3, $4, $5, 'active', $6, $7)",
        args![
            &claimed.attempt,
            &job.id,
            job.attempts,
            claimed.epoch,
            agent,
            now,
            now + LEASE_US
        ],
    )
    .await?;
    Ok(Some(claimed))
}

/// Stops one job: at once when nobody works on it, else by its agent (see [`renew`]). A job that is over stays as it is.
///
/// # Errors
/// `NotFound`.
pub async fn cancel(store: &Store, actor: &Actor, job: &JobId) -> Result<(), StoreError> {
    let (id, why, now) = (job.clone(), job_specs::dag::cancelled_by(actor.name()), store.now());
    store
        .act(actor, Action::CancelJob, move |tx| {
            Box::pin(async move {
                let build = ended::lock_for(tx, &id).await?;
                let mut job = jobs::lock(tx, &id).await?;
                let subject = Subject::named(&job.title).id(id.as_str()).in_build(job.build);
                if ended::cancel(tx, &mut job, &why, now).await? == ended::Cancelled::Now {
                    ended::propagate(tx, &build, vec![job], now).await?;
                }
                Ok(((), subject))
            })
        })
        .await
}

/// A job that waits for an agent, for the queue page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Which.
    pub job: JobId,
    /// Its build.
    pub build: i64,
    /// Its repository's name.
    pub repository: String,
    /// `test (postgres=15)`
    pub title: String,
    /// Since when.
    pub since: Micros,
    /// Why, in one sentence.
    pub why: String,
}

/// The first `limit` jobs that are queued or wait for others, each with its reason.
///
/// # Errors
/// The database.
pub async fn waiting(store: &Store, limit: u32) -> Result<Vec<Waiting>, StoreError> {
    why::waiting(store, limit).await
}
