//! Attempts: executions of jobs, and what their agents tell about them. An attempt never changes once it has ended.

use protocol::attempt::{AttemptEvent, Reason, Verdict};
use protocol::ids::{AgentId, AttemptId, JobId};
use serde::{Deserialize, Serialize};

use super::queue::Hold;
use super::{Micros, Store, StoreError};

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// An agent holds it.
    Active,
    /// Its agent ended it.
    Finished,
    /// It was taken from its agent.
    Lost,
}

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

/// Whether the caller still holds its lease; for log uploads.
///
/// # Errors
/// `StaleLease`.
pub async fn check(_store: &Store, _hold: &Hold) -> Result<(), StoreError> {
    todo!()
}

/// Keeps what an agent tells; events that are known already change nothing. `Started` makes the job running.
///
/// # Errors
/// `StaleLease`; `Refused` when an event before them is missing.
pub async fn events(_store: &Store, _hold: &Hold, _events: &[AttemptEvent]) -> Result<(), StoreError> {
    todo!()
}

/// What an attempt's agent told, from `seq` on.
///
/// # Errors
/// The database.
pub async fn list_events(_store: &Store, _attempt: &AttemptId, _from: u64) -> Result<Vec<AttemptEvent>, StoreError> {
    todo!()
}

/// The attempts of a job, oldest first.
///
/// # Errors
/// The database.
pub async fn list(_store: &Store, _job: &JobId) -> Result<Vec<Attempt>, StoreError> {
    todo!()
}

/// One attempt.
///
/// # Errors
/// `NotFound`.
pub async fn show(_store: &Store, _id: &AttemptId) -> Result<Attempt, StoreError> {
    todo!()
}

/// All attempts that an agent holds now: their logs must not be removed.
///
/// # Errors
/// The database.
pub async fn active(_store: &Store) -> Result<Vec<Attempt>, StoreError> {
    todo!()
}
