//! Jobs: one matrix cell of one job definition in one build. `record` is the only writer of a job's status.

use job_specs::model::{AxisValue, Env, JobSpec};
use job_specs::status::{JobEvent, JobStatus};
use protocol::attempt::Reason;
use protocol::ids::{AttemptId, JobId};
use serde::Serialize;

use super::attempts::Attempt;
use super::{Micros, Store, StoreError};

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
    pub needs: Vec<String>,
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
    /// What; `None`: it was made.
    pub event: Option<JobEvent>,
    /// Where it stood after it.
    pub status: JobStatus,
}

/// One job with its attempts.
///
/// # Errors
/// `NotFound`.
pub async fn show(_store: &Store, _id: &JobId) -> Result<JobDetail, StoreError> {
    todo!()
}

/// Why it stands where it stands, in one plain sentence: "waiting for job build", "no agent has label gpu=true",
/// "all 4 agents are busy; 3rd in the queue".
///
/// # Errors
/// `NotFound`.
pub async fn why(_store: &Store, _id: &JobId) -> Result<String, StoreError> {
    todo!()
}
