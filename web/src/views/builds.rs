//! The list of builds and one build: the views behind `/` and `/builds/{number}`.

use job_specs::diagnostics::Diagnostic;
use job_specs::model::AxisValue;
use job_specs::status::JobStatus;
use serde::Serialize;

use super::{ArtifactRow, LogLine, Micros, TestSection};

/// One build, as a row and as the head of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuildSummary {
    /// Unique within the coordinator.
    pub number: i64,
    /// Repository name.
    pub repository: String,
    /// From [`job_specs::status::rollup`].
    pub status: JobStatus,
    /// `push`, `tag`, `pull_request`, `schedule` or `manual`.
    pub event: String,
    /// The branch, when there is one.
    pub branch: Option<String>,
    /// The tag, when there is one.
    pub tag: Option<String>,
    /// Full object id; pages show its first seven characters. Empty when the commit is not known.
    pub commit: String,
    /// First line of the commit message.
    pub title: String,
    /// Who wrote the commit.
    pub author: String,
    /// When the event came.
    pub created_at: Micros,
    /// When the first job began; `None` before.
    pub started_at: Option<Micros>,
    /// When the last job ended; `None` before.
    pub finished_at: Option<Micros>,
    /// The status of every job, in the order of the file; drawn as small marks, counted in words.
    pub jobs: Vec<JobStatus>,
}

/// What the list is narrowed to; the same words as the query: `?repository=…&branch=…&status=…`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// One repository.
    pub repository: Option<String>,
    /// One branch.
    pub branch: Option<String>,
    /// One status.
    pub status: Option<JobStatus>,
}

/// The home page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BuildList {
    /// Newest first, one page of them.
    pub builds: Vec<BuildSummary>,
    /// What they are narrowed to.
    pub filter: Filter,
    /// Names of all repositories that the reader may see, for the filter. Empty: the page says how to add one.
    pub repositories: Vec<String>,
    /// How many agents are online; with 0 the empty page says how to start one.
    pub agents_online: u32,
    /// `?before=` of the next page: the number of the last build here, when older ones exist.
    pub older_than: Option<i64>,
}

/// One job of a build, as a row or a cell of a matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobRow {
    /// Its id, for its address.
    pub id: String,
    /// The job's key in the file: `test`.
    pub name: String,
    /// The cell, in the order of the file's axes; empty without a matrix.
    pub cell: Vec<AxisValue>,
    /// Where it stands.
    pub status: JobStatus,
    /// One plain sentence: why it did not pass, or why it waits.
    pub reason: Option<String>,
    /// Names of the jobs that it needs.
    pub needs: Vec<String>,
    /// Its failure does not fail the build.
    pub allow_failure: bool,
    /// How many attempts it has had.
    pub attempts: u32,
    /// Name of the agent that has or had it.
    pub agent: Option<String>,
    /// When it became ready to run.
    pub queued_at: Option<Micros>,
    /// When its last attempt began.
    pub started_at: Option<Micros>,
    /// When it ended.
    pub finished_at: Option<Micros>,
}

/// A cell of a matrix that `exclude` left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exclusion {
    /// The job's key in the file.
    pub job: String,
    /// The cell.
    pub cell: Vec<AxisValue>,
    /// The rule that left it out, in the file's words: `postgres: 15, kafka: 3.9.0`.
    pub rule: String,
}

/// The first failure of a build, shown on top.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The job's id.
    pub job: String,
    /// `test (postgres=15)`.
    pub title: String,
    /// `failed`, `errored` or `timed_out`.
    pub status: JobStatus,
    /// The step or service that ended it, when one did.
    pub culprit: Option<String>,
    /// Its exit code, when it exited.
    pub exit_code: Option<i32>,
    /// The reason in one plain sentence.
    pub sentence: String,
    /// The stream that `lines` are from: `step-0`, `service-db` or `job`.
    pub stream: String,
    /// Its last lines, at most 20.
    pub lines: Vec<LogLine>,
    /// How many other jobs did not pass either.
    pub others: u32,
}

/// A job file as it was read at the commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceText {
    /// `.drover.yml`; as [`Diagnostic::file`] says.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// What is wrong with the job files of a build.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// All findings, errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that they point into; those without a finding may be left out.
    pub files: Vec<SourceText>,
}

/// What the reader may do with a build; each is a POST form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BuildActions {
    /// It waits until somebody has looked at its commit.
    pub approve: bool,
    /// Some job is not over.
    pub cancel: bool,
    /// All jobs again, as a new build or as new attempts.
    pub rerun: bool,
    /// Only the jobs that did not pass.
    pub rerun_failed: bool,
}

/// The page of one build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuildPage {
    /// Its head.
    pub build: BuildSummary,
    /// Why it stands as it does, when its jobs do not say it: "there is no .drover.yml at 3f2a9c1".
    pub sentence: Option<String>,
    /// What else there is to know about it, a sentence each: its pull request, its inputs, its concurrency group.
    pub notes: Vec<String>,
    /// Every job, in the order of the file, cells in axis order. A job's matrix table is made from its cells.
    pub jobs: Vec<JobRow>,
    /// Cells that were left out; without them an empty place in the table is still hatched, but has no rule.
    pub exclusions: Vec<Exclusion>,
    /// The first failure.
    pub failure: Option<Failure>,
    /// What its jobs kept.
    pub artifacts: Vec<ArtifactRow>,
    /// What its tests said; `None` when no job has reports.
    pub tests: Option<TestSection>,
    /// What is wrong with the job files; empty for most builds.
    pub diagnosis: Diagnosis,
    /// What the reader may do.
    pub actions: BuildActions,
}
