//! One job: its attempts, their services and steps on one clock, and their logs; the view behind `/jobs/{id}`.

use job_specs::status::JobStatus;
use serde::Serialize;

use super::{ArtifactRow, BuildSummary, JobRow, LogView, Micros, TestSection};

/// The page of one job, at one of its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobPage {
    /// The build that it is a job of.
    pub build: BuildSummary,
    /// The job.
    pub job: JobRow,
    /// All jobs of the build, this one too, for the list beside the log.
    pub siblings: Vec<JobRow>,
    /// All attempts, oldest first.
    pub attempts: Vec<AttemptLink>,
    /// The attempt that is shown; `None` while there is none.
    pub attempt: Option<AttemptView>,
    /// What the attempt that is shown kept.
    pub artifacts: Vec<ArtifactRow>,
    /// What it did not keep because it failed: a sentence each.
    pub not_kept: Vec<String>,
    /// What the tests of that attempt said; `None` without reports.
    pub tests: Option<TestSection>,
    /// What the reader may do.
    pub actions: JobActions,
    /// It is over, and its containers and services stay for a while.
    pub retained: Option<Retained>,
}

/// What is retained of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retained {
    /// Until when, unless somebody uses it.
    pub until: Micros,
    /// The agent that has it, when it does not answer.
    pub silent_agent: Option<String>,
}

/// What the reader may do with a job; each is a POST form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct JobActions {
    /// It is not over.
    pub cancel: bool,
    /// It is over.
    pub rerun: bool,
    /// A step of it runs, or something of it is retained: a terminal can be opened in it.
    pub enter: bool,
}

/// One attempt, in the selector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptLink {
    /// From 1.
    pub number: u32,
    /// How it stands or ended.
    pub status: JobStatus,
}

/// One execution of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptView {
    /// Its id, for the log API.
    pub id: String,
    /// From 1.
    pub number: u32,
    /// How it stands or ended.
    pub status: JobStatus,
    /// Why it did not pass, in one plain sentence.
    pub sentence: Option<String>,
    /// Name of the agent that has or had it.
    pub agent: Option<String>,
    /// When the job was ready to run: the ruler begins here.
    pub queued_at: Micros,
    /// When an agent took it.
    pub assigned_at: Option<Micros>,
    /// When the agent began.
    pub started_at: Option<Micros>,
    /// When it ended.
    pub finished_at: Option<Micros>,
    /// The agent's phases, in order of their begin; they overlap.
    pub phases: Vec<PhaseSpan>,
    /// Sidecars, in the order of the file.
    pub services: Vec<ServiceView>,
    /// Steps, in order.
    pub steps: Vec<StepView>,
    /// What the agent itself says; `None`: nothing.
    pub log: Option<LogView>,
    /// Where the live events go on from (`job:12,step-0:340`), so that no line falls between page and stream.
    pub cursor: String,
}

/// One phase of the agent's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhaseSpan {
    /// `sandbox`, `checkout`, `pull`, `services`, `steps`.
    pub name: String,
    /// Its begin.
    pub from: Micros,
    /// Its end; `None` while it goes on.
    pub to: Option<Micros>,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Its turn has not come.
    Waiting,
    /// Its script runs.
    Running,
    /// Exit code 0.
    Passed,
    /// Another exit code, a signal, out of memory, or it could not be started.
    Failed,
    /// It ran longer than it may.
    TimedOut,
    /// Somebody stopped it.
    Cancelled,
    /// Its `when` did not hold.
    Skipped,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepView {
    /// Given in the file, or the script's first line.
    pub name: String,
    /// Where it stands.
    pub state: StepState,
    /// Its image.
    pub image: String,
    /// The script as in the file, or the argument vector joined by spaces.
    pub script: String,
    /// Its failure does not fail the job.
    pub allow_failure: bool,
    /// When it began.
    pub started_at: Option<Micros>,
    /// From go to exit; `None` before its end.
    pub duration_us: Option<u64>,
    /// The try that runs or ran last, from 1; 0 before any. `duration_us` is of all of them.
    pub tries: u32,
    /// Exit code, when it exited.
    pub exit_code: Option<i32>,
    /// Why it did not pass, in one plain sentence.
    pub sentence: Option<String>,
    /// Peak resident memory, bytes; 0 when unknown.
    pub peak_memory_bytes: u64,
    /// Processor time, microseconds; 0 when unknown.
    pub cpu_us: u64,
    /// What it printed.
    pub log: LogView,
}

/// Where a service stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServicePhase {
    /// Its image is on the way.
    Pulling,
    /// Its container starts, or waits for what it depends on.
    Starting,
    /// Its process runs; not ready yet.
    Running,
    /// It is ready.
    Ready,
    /// Its health command fails again after it had been healthy.
    Unhealthy,
    /// Its process is gone by itself with 0, as `run_once` wants.
    Completed,
    /// Its process is gone by itself.
    Exited,
    /// We ended it: the job is over.
    Stopped,
}

/// A service came into a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceMoment {
    /// When.
    pub at: Micros,
    /// Which phase.
    pub phase: ServicePhase,
    /// More about it: the probe that found it ready, what the probe printed, `exit 137, out of memory`; may be empty.
    pub detail: String,
}

/// One sidecar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceView {
    /// Its host name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Everything that happened to it, in order; the last moment is where it stands. Empty: not begun.
    pub moments: Vec<ServiceMoment>,
    /// From its start to readiness, milliseconds; `None`: never ready (yet).
    pub ready_after_ms: Option<u64>,
    /// Why it failed the job, in one plain sentence, when it did.
    pub sentence: Option<String>,
    /// What it printed.
    pub log: LogView,
}
