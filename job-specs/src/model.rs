//! One job, ready to run: what expansion makes and what an agent receives. Plain data with every default filled in
//! and every `${{ }}` substituted, so that the engine decides nothing about the language. The stack's half
//! ([`ServiceSpec`]) knows nothing of jobs: environments and databases use it too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Names to values; sorted, so that two equal jobs are equal bytes.
pub type Env = BTreeMap<String, String>;

/// One cell of one job definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The job's key in the file: `test`.
    pub name: String,
    /// The cell, in the order of the file's axes; empty without a matrix.
    pub matrix: Vec<AxisValue>,
    /// Names of jobs that must pass first; all cells of each.
    pub needs: Vec<String>,
    /// The image of steps that name none.
    pub image: String,
    /// File, job and `MATRIX_*` environment, merged; for steps only.
    pub env: Env,
    /// Sidecars, in the order of the file.
    pub services: Vec<ServiceSpec>,
    /// Steps, in order; never empty.
    pub steps: Vec<StepSpec>,
    /// The whole attempt may take this long.
    pub timeout_secs: u64,
    /// Limits of each step's container.
    pub resources: Resources,
    /// A failure of this cell does not fail the build.
    pub allow_failure: bool,
    /// Cells of this job that may run at once; `None`: all of them.
    pub max_parallel: Option<u32>,
    /// The first failing cell cancels the others of this job.
    pub fail_fast: bool,
}

/// One axis of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AxisValue {
    /// `postgres`
    pub axis: String,
    /// `15`
    pub value: String,
}

impl JobSpec {
    /// `test` or `test (postgres=15, kafka=3.9.0)`: how people name the cell.
    pub fn title(&self) -> String {
        if self.matrix.is_empty() {
            return self.name.clone();
        }
        let cell: Vec<String> = self.matrix.iter().map(|v| format!("{}={}", v.axis, v.value)).collect();
        format!("{} ({})", self.name, cell.join(", "))
    }
}

/// Limits of a container. `None`: the agent's own default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Thousandths of a processor.
    pub cpu_millis: Option<u64>,
    /// Bytes.
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// One step: a script, or an entrypoint, in its own throwaway container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSpec {
    /// Given, or the script's first line.
    pub name: String,
    /// What runs.
    pub action: StepAction,
    /// The image, always filled in.
    pub image: String,
    /// The step's own environment, over the job's.
    pub env: Env,
    /// Names of secrets that it receives as environment variables.
    pub secrets: Vec<String>,
    /// Working folder; relative ones are under `/workspace`. `None`: `/workspace`.
    pub workdir: Option<String>,
    /// `user`, `uid` or `uid:gid`. `None`: the image's.
    pub user: Option<String>,
    /// The step may take this long. `None`: the job's limit alone.
    pub timeout_secs: Option<u64>,
    /// When it runs, by how the job stands.
    pub when: WhenStatus,
    /// A failure of this step does not fail the job.
    pub allow_failure: bool,
}

/// What a step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepAction {
    /// A script for a shell of the image.
    Run {
        /// The text, as in the file.
        script: String,
        /// Which shell.
        shell: Shell,
    },
    /// An argument vector, without any shell.
    Entrypoint(Vec<String>),
}

/// The shell of a `run`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shell {
    /// `sh -e`
    #[default]
    Sh,
    /// `bash -e -o pipefail`
    Bash,
}

/// The `when.status` of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhenStatus {
    /// It runs while every step before it went well.
    pub success: bool,
    /// It runs after a step failed (also after a timeout or a service's death).
    pub failure: bool,
}

impl Default for WhenStatus {
    fn default() -> Self {
        WhenStatus {
            success: true,
            failure: false,
        }
    }
}

/// One sidecar, by Compose's words. Owned by a stack: a job's, an environment's or a database's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// Its key, and its host name on the stack's network.
    pub name: String,
    /// The image.
    pub image: String,
    /// Its environment.
    pub environment: Env,
    /// Replaces the image's CMD.
    pub command: Option<Vec<String>>,
    /// Replaces the image's ENTRYPOINT (and drops its CMD, as Compose does).
    pub entrypoint: Option<Vec<String>>,
    /// Compose's `healthcheck`. `None`: the image's, if it has one.
    pub healthcheck: Option<Healthcheck>,
    /// What must be so before it starts.
    pub depends_on: Vec<Dependency>,
    /// In-memory folders: path and options (`/tmp`, `size=64m`).
    pub tmpfs: BTreeMap<String, String>,
    /// `user`, `uid` or `uid:gid`. `None`: the image's.
    pub user: Option<String>,
    /// Bytes. `None`: the agent's default.
    pub mem_limit_bytes: Option<u64>,
    /// How we know that it is ready; `None`: healthcheck, image's HEALTHCHECK, first exposed TCP port, running.
    pub ready: Option<Ready>,
    /// It is a task: ready when it has exited with 0.
    pub run_once: bool,
    /// Its death does not fail the job.
    pub allow_failure: bool,
    /// Run it as the child of the gate (the default), or as the container's own first process.
    pub gate: bool,
}

/// Compose's `healthcheck`, durations in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healthcheck {
    /// What to run; `None`: `NONE` or `disable: true`.
    pub test: Option<HealthTest>,
    /// Between two probes once it has been healthy.
    pub interval_ms: u64,
    /// One probe may take this long.
    pub timeout_ms: u64,
    /// Failures in a row that make it unhealthy.
    pub retries: u32,
    /// Failures in this time do not count.
    pub start_period_ms: u64,
}

/// The two forms of a health command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthTest {
    /// `["CMD", "pg_isready"]`
    Exec(Vec<String>),
    /// `["CMD-SHELL", "pg_isready || exit 1"]` or a plain string.
    Shell(String),
}

/// `ready:` of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// What to look at.
    pub probe: ReadyProbe,
    /// It fails the job when it is not ready by then.
    pub timeout_ms: u64,
}

/// What a readiness probe looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadyProbe {
    /// A connection to this port is taken.
    Tcp(u16),
    /// A GET answers 200 to 399.
    Http {
        /// Port.
        port: u16,
        /// Path, with its leading `/`.
        path: String,
    },
    /// A line of its log matches this regular expression.
    Log(String),
    /// This command exits with 0 inside the service.
    Cmd(HealthTest),
    /// The healthcheck says healthy.
    Docker,
}

/// One edge of `depends_on`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The other service.
    pub service: String,
    /// What must be so.
    pub condition: DependencyCondition,
}

/// Compose's conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DependencyCondition {
    /// It runs.
    ServiceStarted,
    /// It is ready.
    ServiceHealthy,
    /// It exited with 0.
    ServiceCompletedSuccessfully,
}

/// Time that a service may take to become ready when `ready.timeout` does not say: 60 s.
pub const DEFAULT_READY_TIMEOUT_MS: u64 = 60_000;
/// Time that a job may take when `timeout` does not say: 1 h.
pub const DEFAULT_JOB_TIMEOUT_SECS: u64 = 3_600;
