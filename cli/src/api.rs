//! What this command reads of the API's answers: only the fields it prints, so that a newer coordinator may say more.

use std::collections::BTreeMap;

use job_specs::diagnostics::Diagnostic;
use job_specs::status::JobStatus;
use protocol::work::StackState;
use serde::{Deserialize, Serialize};

/// A row of the build list.
#[derive(Debug, Clone, Deserialize)]
pub struct BuildRow {
    /// Its number.
    pub number: i64,
    /// Repository name.
    pub repository: String,
    /// `push`, …
    pub event: String,
    /// Branch, if any.
    pub branch: Option<String>,
    /// Full object id.
    pub commit: String,
    /// First line of the commit's message.
    #[serde(default)]
    pub title: Option<String>,
    /// Where it stands.
    pub status: JobStatus,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// Microseconds since 1970.
    pub finished_at: Option<i64>,
    /// Why it has no jobs.
    #[serde(default)]
    pub message: Option<String>,
    /// Its page.
    pub url: String,
}

/// A build with its jobs.
#[derive(Debug, Clone, Deserialize)]
pub struct BuildView {
    /// The row.
    #[serde(flatten)]
    pub row: BuildRow,
    /// Its jobs, in the order of the file.
    #[serde(default)]
    pub jobs: Vec<JobView>,
    /// What is wrong with its job file.
    #[serde(default)]
    pub diagnostics: Vec<Diagnostic>,
    /// What the failing cells of each job have in common.
    #[serde(default)]
    pub in_common: Vec<String>,
}

/// A schedule of a repository.
#[derive(Debug, Clone, Deserialize)]
pub struct ScheduleView {
    /// Five fields.
    pub cron: String,
    /// Whose clock.
    pub timezone: String,
    /// Microseconds since 1970; `None`: never again.
    pub next_at: Option<i64>,
    /// The build that it made last.
    pub build: Option<i64>,
    /// What came of the last time.
    pub message: Option<String>,
}

/// A job of a build.
#[derive(Debug, Clone, Deserialize)]
pub struct JobView {
    /// Id.
    pub id: String,
    /// `test (postgres=15)`
    pub title: String,
    /// Its key in the file.
    #[serde(default)]
    pub name: String,
    /// Its cell.
    #[serde(default)]
    pub matrix: BTreeMap<String, String>,
    /// Where it stands.
    pub status: JobStatus,
    /// Why it did not pass.
    #[serde(default)]
    pub reason: Option<String>,
    /// What is retained of it.
    #[serde(default)]
    pub stack: Option<StackView>,
    /// Its failure does not count.
    #[serde(default)]
    pub allow_failure: bool,
    /// Microseconds since 1970.
    #[serde(default)]
    pub started_at: Option<i64>,
    /// Microseconds since 1970.
    #[serde(default)]
    pub finished_at: Option<i64>,
}

/// Why a job waits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WhyView {
    /// `test (postgres=15)`
    pub title: String,
    /// Where it stands.
    pub status: JobStatus,
    /// One sentence.
    pub why: String,
}

/// One line of a log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogLine {
    /// `test (postgres=15)`
    pub job: String,
    /// `step-0`, `service-db`, `job`.
    pub stream: String,
    /// The step's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The service's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Microseconds since 1970.
    pub t: i64,
    /// `o`, `e` or `s`: standard output, standard error, Drover itself.
    pub s: String,
    /// The line.
    pub text: String,
}

/// A repository.
#[derive(Debug, Clone, Deserialize)]
pub struct RepositoryView {
    /// Its name.
    pub name: String,
    /// Where it is fetched from.
    pub git: String,
    /// Who sends its hooks.
    pub forge: String,
    /// Anyone may read it.
    #[serde(default)]
    pub public: bool,
}

/// A hook's address and secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hook {
    /// Where the forge posts.
    pub url: String,
    /// What it signs with.
    pub secret: String,
}

/// A delivery of a webhook.
#[derive(Debug, Clone, Deserialize)]
pub struct DeliveryView {
    /// Microseconds since 1970.
    pub received_at: i64,
    /// `push`, `ping`, …
    pub event: String,
    /// `pending`, `done` or `failed`.
    pub status: String,
    /// What came of it, in words.
    #[serde(default)]
    pub message: Option<String>,
    /// The build that came of it.
    #[serde(default)]
    pub build: Option<i64>,
}

/// An agent.
#[derive(Debug, Clone, Deserialize)]
pub struct AgentView {
    /// Id.
    pub id: String,
    /// How people call it.
    pub name: String,
    /// It called within the last minute.
    pub connected: bool,
    /// It takes nothing new.
    pub draining: bool,
    /// Slots in all.
    pub slots: i64,
    /// Attempts that it works on.
    pub running: Vec<String>,
    /// Labels.
    #[serde(default)]
    pub labels: std::collections::BTreeMap<String, String>,
    /// Microseconds since 1970.
    pub seen_at: Option<i64>,
    /// Drover's version there.
    pub software: String,
}

/// A stack, as `GET /api/v1/stacks` tells it.
#[derive(Debug, Clone, Deserialize)]
pub struct StackView {
    /// Its id.
    pub id: String,
    /// `test (postgres=15)`
    pub title: String,
    /// The build of the job that left it.
    pub build: i64,
    /// Name of the repository.
    pub repository: String,
    /// Name of the agent that has it.
    pub agent: String,
    /// How it stands.
    pub state: StackState,
    /// Microseconds since 1970.
    pub expires_at: i64,
}
