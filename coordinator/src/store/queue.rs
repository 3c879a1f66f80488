//! The queue: who runs what, under which lease. An agent keeps an attempt only while it keeps calling; [`expire`]
//! gives lost ones back as new attempts, so a crashed agent costs one lease and never a stuck job.

use job_specs::model::{Env, JobSpec};
use protocol::attempt::AttemptResult;
use protocol::ids::{AgentId, AttemptId, JobId, RepositoryId};
use protocol::lease::Held;
use serde::Serialize;

use super::builds::Cause;
use super::{Micros, Store, StoreError};

/// How long a lease lives without a renewal, in microseconds.
pub const LEASE_US: i64 = protocol::LEASE_SECS as i64 * 1_000_000;
/// Further attempts after one that *errored* or lost its agent, unless the job says otherwise.
pub const RETRIES: u32 = 2;

/// An agent that has room.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Who.
    pub agent: AgentId,
    /// For so many.
    pub free_slots: u32,
    /// Its labels.
    pub labels: Env,
}

/// What names a lease in every call of an agent: its token's agent, and what it says it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
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
    /// The repository's name.
    pub repository_name: String,
    /// Where the code is: URL or path.
    pub git: String,
    /// What happened.
    pub cause: Cause,
    /// What to run.
    pub spec: JobSpec,
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

/// Gives an agent at most `free_slots` jobs that fit it: by priority, then fair share between repositories, then
/// age. Empty when there is none, or the agent drains or is unknown.
///
/// # Errors
/// The database.
pub async fn claim(_store: &Store, _claim: &Claim) -> Result<Vec<Claimed>, StoreError> {
    todo!()
}

/// Renews the leases of what an agent holds, and says what it must stop.
///
/// # Errors
/// The database.
pub async fn renew(_store: &Store, _agent: &AgentId, _held: &[Held]) -> Result<Renewed, StoreError> {
    todo!()
}

/// Gives an agent that was restarted the whole lease again, under the same epoch, and renews it.
///
/// # Errors
/// `StaleLease`.
pub async fn resume(_store: &Store, _hold: &Hold) -> Result<Claimed, StoreError> {
    todo!()
}

/// Takes attempts from agents that were silent for longer than a lease at `now`. Call it about once a second: who has
/// not watched for a lease's time (a start, an outage, a laptop that slept) cannot tell who was silent, and takes
/// nothing until it has.
///
/// # Errors
/// The database.
pub async fn expire(_store: &Store, _now: Micros) -> Result<Vec<Expired>, StoreError> {
    todo!()
}

/// Ends an attempt. Telling it twice changes nothing. *Errored* ones are tried again while the job's retries last.
///
/// # Errors
/// `StaleLease`.
pub async fn finish(_store: &Store, _hold: &Hold, _result: AttemptResult) -> Result<(), StoreError> {
    todo!()
}

/// Stops one job: at once when nobody works on it, else by its agent (see [`renew`]). A job that is over stays as it
/// is.
///
/// # Errors
/// `NotFound`.
pub async fn cancel(_store: &Store, _job: &JobId) -> Result<(), StoreError> {
    todo!()
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

/// The oldest `limit` jobs that are queued or wait for others, each with its reason.
///
/// # Errors
/// The database.
pub async fn waiting(_store: &Store, _limit: u32) -> Result<Vec<Waiting>, StoreError> {
    todo!()
}
