//! Builds and jobs: lists, what one shows, why a job waits, and the bodies of calls that make or repeat builds.

use std::borrow::Cow;
use std::collections::BTreeMap;

use job_specs::diagnostics::Diagnostic;
use job_specs::model::{Env, JobSpec};
use job_specs::status::{AttemptState, JobEvent, JobStatus};
use job_specs::triggers::Concurrency;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Micros, Stack};
use crate::attempt::{ReasonCode, Verdict};

/// One build, as in lists.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Build {
    /// Unique within the coordinator.
    pub number: i64,
    /// Name of its repository.
    pub repository: String,
    /// `push`, `tag`, `pull_request`, `schedule` or `manual`.
    pub event: String,
    /// The branch, when it is of one.
    pub branch: Option<String>,
    /// The tag, when it is of one.
    pub tag: Option<String>,
    /// `refs/heads/main`
    pub reference: String,
    /// Full object id.
    pub commit: String,
    /// First line of the commit's message.
    pub title: String,
    /// The commit's author, for display.
    pub author: String,
    /// Where it stands.
    #[schema(value_type = String, example = "running")]
    pub status: JobStatus,
    /// Why there are no jobs, or what else people should know.
    pub message: Option<String>,
    /// How many jobs stand where.
    pub counts: BTreeMap<String, u32>,
    /// The build that this one repeats.
    pub rerun_of: Option<i64>,
    /// The branch that a pull request wants to go into.
    pub base: Option<String>,
    /// The pull request's number.
    pub pull_request: Option<i64>,
    /// Whether its code may have secrets: that of a pull request from a fork may not.
    pub trusted: bool,
    /// Values of the job file's inputs, as they were given.
    pub inputs: BTreeMap<String, String>,
    /// Its concurrency group: `{group, mode}`.
    #[schema(value_type = Option<Object>)]
    pub concurrency: Option<Concurrency>,
    /// It waits for another build of its group.
    pub waits_for_group: bool,
    /// Whether somebody has looked at its commit; null: nobody must.
    #[serde(default)]
    pub approval: Option<Approval>,
    /// Who has looked at its commit.
    #[serde(default)]
    pub approved_by: Option<String>,
    /// Its page.
    pub url: String,
    /// When it was made.
    pub created_at: Micros,
    /// When its first attempt began.
    pub started_at: Option<Micros>,
    /// When its last job ended.
    pub finished_at: Option<Micros>,
}

/// Whether somebody has looked at the commit of a stranger's pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// The build waits for that.
    Needed,
    /// Somebody has, and the build may run.
    Approved,
}

/// A build with everything about it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BuildDetail {
    /// What lists show.
    #[serde(flatten)]
    pub build: Build,
    /// In the order of the file.
    pub jobs: Vec<Job>,
    /// What is wrong with its job file.
    #[schema(value_type = Vec<Object>)]
    pub diagnostics: Vec<Diagnostic>,
    /// What the failing cells of each job have in common, a sentence each.
    pub in_common: Vec<String>,
}

/// What is wrong with the job files of a build, and the files.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BuildDiagnosis {
    /// All findings, in the order of the files.
    #[schema(value_type = Vec<Object>)]
    pub diagnostics: Vec<Diagnostic>,
    /// The files that they point into; empty when they are not at hand any more.
    pub files: Vec<JobFileText>,
}

/// A job file.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobFileText {
    /// Its path.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// One job: a cell of a job definition in a build.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Its build.
    pub build: i64,
    /// Its key in the file.
    pub name: String,
    /// `test (postgres=15)`
    pub title: String,
    /// Its cell: axis to value; empty without a matrix.
    pub matrix: BTreeMap<String, String>,
    /// Names of jobs that must pass first.
    pub needs: Vec<String>,
    /// Where it stands.
    #[schema(value_type = String, example = "queued")]
    pub status: JobStatus,
    /// Why it did not pass, in one sentence.
    pub reason: Option<String>,
    /// The same for programs: `step_failed`, `timeout`, …
    #[schema(value_type = Option<String>)]
    pub reason_code: Option<ReasonCode>,
    /// Its failure does not fail the build.
    pub allow_failure: bool,
    /// Somebody asked for it to stop, and its agent has not said yet that it has.
    pub cancelling: bool,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// It is over, and its containers stay for a while: `drover shell` enters them.
    pub stack: Option<Stack>,
    /// Name of the newest attempt's agent.
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
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobDetail {
    /// What lists show.
    #[serde(flatten)]
    pub job: Job,
    /// What runs.
    #[schema(value_type = Object)]
    pub spec: JobSpec,
    /// Labels that its agent must have.
    #[schema(value_type = Object)]
    pub labels: Env,
    /// Everything that happened to it, oldest first.
    pub history: Vec<HistoryEntry>,
}

/// One thing that happened to a job.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// When.
    pub at: Micros,
    /// What.
    #[schema(value_type = String)]
    pub event: JobEvent,
    /// Where it stood after it.
    #[schema(value_type = String)]
    pub status: JobStatus,
}

/// One execution of a job.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// Its id, for its logs.
    pub id: String,
    /// Its job.
    pub job: String,
    /// Its build.
    pub build: i64,
    /// From 1.
    pub number: u32,
    /// Name of its agent.
    pub agent: String,
    /// `active`, `finished`, or `lost`: taken from its agent.
    #[schema(value_type = String)]
    pub state: AttemptState,
    /// How it ended: `passed`, `failed`, `errored`, `cancelled`, `timed_out`.
    #[schema(value_type = Option<String>)]
    pub verdict: Option<Verdict>,
    /// Why it did not pass.
    pub reason: Option<String>,
    /// The same for programs.
    #[schema(value_type = Option<String>)]
    pub reason_code: Option<ReasonCode>,
    /// When it was given to its agent.
    pub assigned_at: Micros,
    /// When it began.
    pub started_at: Option<Micros>,
    /// When it ended.
    pub finished_at: Option<Micros>,
}

/// Why a job stands where it stands.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WhyWaiting {
    /// Its id.
    pub job: String,
    /// `test (postgres=15)`
    pub title: String,
    /// Where it stands.
    #[schema(value_type = String)]
    pub status: JobStatus,
    /// Why, in one sentence.
    pub why: String,
}

/// A job that waits.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WaitingJob {
    /// Its id.
    pub job: String,
    /// Its build.
    pub build: i64,
    /// Name of its repository.
    pub repository: String,
    /// `test (postgres=15)`
    pub title: String,
    /// Since when.
    pub since: Micros,
    /// Why, in one sentence.
    pub why: String,
}

/// The number and the page of a build that was just made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MadeBuild {
    /// Its number.
    pub number: i64,
    /// Its page.
    pub url: String,
}

/// What to build by hand.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Trigger {
    /// A branch (`main`), a full reference, or a full commit id; the repository's default branch when left out.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Values of the job file's inputs; those that are left out have their defaults.
    pub inputs: BTreeMap<String, String>,
}

/// Which jobs to run again.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rerun {
    /// `all` by default.
    pub which: RerunJobs,
}

/// Which jobs to run again.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RerunJobs {
    /// All jobs.
    #[default]
    All,
    /// Those that did not pass.
    Failed,
    /// These, by their ids, and those that were skipped only because of them.
    Jobs(Vec<String>),
}

/// One line of a build's log: an object of `application/x-ndjson`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BuildLogLine<'a> {
    /// The job's title: `test (postgres=15)`
    pub job: Cow<'a, str>,
    /// The job's id.
    pub job_id: Cow<'a, str>,
    /// Number of the attempt.
    pub attempt: u32,
    /// `job`, `step-0`…, `service-db`.
    pub stream: Cow<'a, str>,
    /// The step's name, when a step said it.
    pub step: Option<Cow<'a, str>>,
    /// The service's name, when a service said it.
    pub service: Option<Cow<'a, str>>,
    /// Its number in its stream, from 1.
    pub n: u64,
    /// When.
    pub t: Micros,
    /// `o`, `e` or `s`: standard output, standard error, Drover itself.
    pub s: Cow<'a, str>,
    /// The line without its end, as UTF-8.
    pub text: Cow<'a, str>,
}
