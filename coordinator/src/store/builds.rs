//! Builds: one event at one commit, and its jobs. A build's status is always derived from its jobs by
//! [`job_specs::status::rollup`]; what is stored beside them is when it ended.

use std::collections::BTreeMap;

use job_specs::diagnostics::Diagnostic;
use job_specs::model::{Env, JobSpec};
use job_specs::status::JobStatus;
use protocol::ids::{DeliveryId, RepositoryId};
use serde::Serialize;

use super::jobs::Job;
use super::{Micros, Store, StoreError};

/// What happened in the repository: the part of a build that is known before its jobs are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// `push`, `tag`, `pull_request`, `schedule`, `manual`.
    pub event: String,
    /// The branch, if it is on one.
    pub branch: Option<String>,
    /// The tag, if it is one.
    pub tag: Option<String>,
    /// `refs/heads/main`
    pub reference: String,
    /// Full object id.
    pub commit: String,
    /// First line of the commit's message.
    pub title: String,
    /// The commit's author, for people; authority never comes from here.
    pub author: String,
    /// Whether the code is ours: it may have secrets and reuse sandboxes.
    pub trusted: bool,
}

/// A build to make.
#[derive(Debug, Clone)]
pub struct NewBuild {
    /// Whose.
    pub repository: RepositoryId,
    /// From [`reserve_number`]; `None`: the next one.
    pub number: Option<i64>,
    /// The delivery that made it; the same delivery never makes two builds.
    pub delivery: Option<DeliveryId>,
    /// What happened.
    pub cause: Cause,
    /// What is wrong with the job file, if anything is.
    pub diagnostics: Vec<Diagnostic>,
    /// Why there are no jobs, or what else people should know, in words.
    pub message: Option<String>,
    /// In the order of the file. Empty: the build has failed.
    pub jobs: Vec<NewJob>,
}

/// A job to make.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// What runs.
    pub spec: JobSpec,
    /// Labels that its agent must have.
    pub labels: Env,
    /// Higher goes first; 0 by default.
    pub priority: i64,
    /// Further attempts after one that *errored* or lost its agent.
    pub retries: u32,
}

impl NewJob {
    /// With no labels, priority 0 and [`super::queue::RETRIES`].
    pub fn new(spec: JobSpec) -> NewJob {
        NewJob {
            spec,
            labels: Env::new(),
            priority: 0,
            retries: super::queue::RETRIES,
        }
    }
}

/// One build, for lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Build {
    /// Unique within a coordinator.
    pub number: i64,
    /// Whose.
    pub repository_id: RepositoryId,
    /// Its repository's name.
    pub repository: String,
    /// Anybody may read it.
    pub public: bool,
    /// What happened.
    #[serde(flatten)]
    pub cause: Cause,
    /// From its jobs.
    pub status: JobStatus,
    /// How many jobs stand where; by [`JobStatus::name`].
    pub counts: BTreeMap<&'static str, u32>,
    /// Why there are no jobs, or what else people should know.
    pub message: Option<String>,
    /// The build that this one repeats.
    pub rerun_of: Option<i64>,
    /// When it was made.
    pub created_at: Micros,
    /// When its first attempt began.
    pub started_at: Option<Micros>,
    /// When its last job ended.
    pub finished_at: Option<Micros>,
}

/// A build with everything about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuildDetail {
    /// What lists show.
    #[serde(flatten)]
    pub build: Build,
    /// What is wrong with its job file.
    pub diagnostics: Vec<Diagnostic>,
    /// In the order of the file.
    pub jobs: Vec<Job>,
}

/// Which builds to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this repository only.
    pub repository: Option<RepositoryId>,
    /// On this branch only.
    pub branch: Option<String>,
    /// At this commit only.
    pub commit: Option<String>,
    /// With this status only.
    pub status: Option<JobStatus>,
    /// Of public repositories only.
    pub public_only: bool,
    /// Older than this number: for the next page.
    pub before: Option<i64>,
    /// At most so many; 0 means 50.
    pub limit: u32,
}

/// Which jobs to run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rerun {
    /// All.
    All,
    /// Those that did not pass; what they need and has passed counts as passed.
    Failed,
}

/// Takes the next build number, so that it can stand in the jobs' values.
///
/// # Errors
/// The database.
pub async fn reserve_number(_store: &Store) -> Result<i64, StoreError> {
    todo!()
}

/// Makes a build and its jobs; those without needs are queued at once. A delivery that has made its build already
/// gives the number of that build.
///
/// # Errors
/// `Refused` when a job needs one that is not in the build.
pub async fn create(_store: &Store, _new: NewBuild) -> Result<i64, StoreError> {
    todo!()
}

/// Builds, newest first.
///
/// # Errors
/// The database.
pub async fn list(_store: &Store, _filter: &Filter) -> Result<Vec<Build>, StoreError> {
    todo!()
}

/// One build with its jobs.
///
/// # Errors
/// `NotFound`.
pub async fn show(_store: &Store, _number: i64) -> Result<BuildDetail, StoreError> {
    todo!()
}

/// Stops it: jobs that nobody works on are cancelled at once, the others by their agents. A build that is over stays
/// as it is.
///
/// # Errors
/// `NotFound`.
pub async fn cancel(_store: &Store, _number: i64) -> Result<(), StoreError> {
    todo!()
}

/// Makes a new build of the same commit, with the trust of the first one; gives its number.
///
/// # Errors
/// `NotFound`; `Refused` when the build is not over, or nothing of it failed.
pub async fn rerun(_store: &Store, _number: i64, _which: Rerun) -> Result<i64, StoreError> {
    todo!()
}
