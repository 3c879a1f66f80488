//! One job, ready to run: what expansion makes and what an agent receives. Plain data with every default filled in
//! and every `${{ }}` substituted, so that the engine decides nothing about the language. The stack's half
//! ([`ServiceSpec`]) knows nothing of jobs: environments and databases use it too.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

mod service;
mod step;

pub use service::*;
pub use step::*;

/// Names to values; sorted, so that two equal jobs are equal bytes.
pub type Env = BTreeMap<String, String>;

/// Outputs of jobs that have ended: job name to (output name to value), all cells merged.
pub type Outputs = BTreeMap<String, BTreeMap<String, String>>;

/// One cell of one job definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobSpec {
    /// The job's key in the file: `test`.
    pub name: String,
    /// The cell, in the order of the file's axes; empty without a matrix.
    pub matrix: Vec<AxisValue>,
    /// Jobs that must end first.
    pub needs: Vec<Need>,
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
    /// When it runs, by how the jobs that it needs ended.
    pub when: WhenStatus,
    /// Its `when` (event, branch, tag, paths, matrix) does not hold: why, in one sentence. It ends as skipped at once.
    pub skip: Option<String>,
    /// Parts of it need outputs of its `needs`: what is known now is not all. It is expanded again with
    /// [`crate::expand_job`] once they have ended. With a matrix from an output it has one cell, without values.
    pub deferred: bool,
    /// Folders that are kept from one build to the next.
    pub caches: Vec<CacheSpec>,
    /// Files that are kept with the build.
    pub artifacts: Vec<ArtifactSpec>,
    /// Test reports that are read when the steps are over.
    pub reports: Vec<ReportSpec>,
    /// How often the job is attempted again, and after what. Infrastructure counts even when it is not named.
    pub retry: Retry,
    /// After a failure, containers and services stay for this time.
    pub hold_on_failure_secs: Option<u64>,
    /// Labels that its agent must have.
    pub runs_on: BTreeMap<String, String>,
    /// It may be attempted again by itself; `false`: never.
    pub idempotent: bool,
    /// Its steps reach no network at all, services included.
    pub network_none: bool,
}

impl Default for JobSpec {
    fn default() -> Self {
        JobSpec {
            name: String::new(),
            matrix: Vec::new(),
            needs: Vec::new(),
            image: String::new(),
            env: Env::new(),
            services: Vec::new(),
            steps: Vec::new(),
            timeout_secs: DEFAULT_JOB_TIMEOUT_SECS,
            resources: Resources::default(),
            allow_failure: false,
            max_parallel: None,
            fail_fast: false,
            when: WhenStatus::default(),
            skip: None,
            deferred: false,
            caches: Vec::new(),
            artifacts: Vec::new(),
            reports: Vec::new(),
            retry: Retry::default(),
            hold_on_failure_secs: None,
            runs_on: BTreeMap::new(),
            idempotent: true,
            network_none: false,
        }
    }
}

/// One item of `needs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Need {
    /// The other job's name.
    pub job: String,
    /// Only the cells with these values count; empty: all of them.
    pub cell: Vec<AxisValue>,
    /// Its artifacts are put into the workspace before the first step.
    pub artifacts: bool,
}

impl From<&str> for Need {
    fn from(job: &str) -> Need {
        Need {
            job: job.to_owned(),
            ..Need::default()
        }
    }
}

impl Need {
    /// Whether a cell of the needed job is among those that count.
    pub fn counts(&self, cell: &[AxisValue]) -> bool {
        self.cell.iter().all(|wanted| cell.contains(wanted))
    }
}

/// One item of `cache`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheSpec {
    /// What it is found by, exactly.
    pub key: String,
    /// Beginnings of keys: the newest cache with one of them is taken when `key` is not there, in this order.
    pub fallback: Vec<String>,
    /// Files and folders: absolute, or relative to the workspace. Absolute ones are shared by all steps of the job.
    pub paths: Vec<String>,
}

/// One item of `artifacts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactSpec {
    /// Unique in the job.
    pub name: String,
    /// Globs of files in the workspace, relative to it.
    pub paths: Vec<String>,
    /// It is deleted after this time. `None`: the coordinator's default.
    pub expires_secs: Option<u64>,
    /// When it is kept, by how the job stands.
    pub when: WhenStatus,
}

impl ArtifactSpec {
    /// Why a job that failed keeps it not, for people; `None`: it does keep it.
    pub fn not_kept_of_failed(&self) -> Option<String> {
        let name = &self.name;
        (!self.when.failure).then(|| {
            format!(
                "artifact `{name}`: not kept, because the job failed (without `when: {{status: [success, failure]}}` an \
                 artifact is kept of a success only)"
            )
        })
    }
}

/// Reports of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportSpec {
    /// How they are written.
    pub format: ReportFormat,
    /// Globs of files in the workspace, relative to it.
    pub paths: Vec<String>,
}

/// The formats of `reports`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportFormat {
    /// JUnit's XML, in the dialects of the common tools.
    Junit,
    /// The Test Anything Protocol.
    Tap,
    /// `cargo test -- --format json` or `cargo nextest run --message-format libtest-json`.
    CargoJson,
    /// `go test -json`.
    GoJson,
}

/// One axis of a cell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AxisValue {
    /// `postgres`
    pub axis: String,
    /// `15`
    pub value: String,
}

/// `postgres=15, kafka=3.9.0`
pub fn cell_title(cell: &[AxisValue]) -> String {
    let values = cell.iter().map(|value| format!("{}={}", value.axis, value.value));
    values.collect::<Vec<_>>().join(", ")
}

impl JobSpec {
    /// `test` or `test (postgres=15, kafka=3.9.0)`: how people name the cell.
    pub fn title(&self) -> String {
        if self.matrix.is_empty() {
            return self.name.clone();
        }
        format!("{} ({})", self.name, cell_title(&self.matrix))
    }

    /// Memory that it asks for, bytes: of its steps, which run one after the other, and of its services. What asks for
    /// nothing has its share of the agent's and counts nothing here.
    pub fn asked_memory(&self) -> u64 {
        let of_services = self.services.iter().filter_map(|service| service.mem_limit_bytes);
        let asked = self.resources.memory_bytes.into_iter().chain(of_services);
        asked.fold(0, u64::saturating_add)
    }

    /// Every secret that something of it names, in order, each once.
    pub fn secret_names(&self) -> BTreeSet<&str> {
        let of_steps = self
            .steps
            .iter()
            .flat_map(|step| &step.secrets)
            .map(|secret| &secret.name);
        let of_logins = self.steps.iter().filter_map(|step| match &step.action {
            StepAction::Image(image) => image.login.as_ref().map(|login| &login.secret),
            StepAction::Run { .. } | StepAction::Entrypoint(_) => None,
        });
        let files = self.services.iter().flat_map(|service| &service.files);
        let of_services = files.filter_map(|file| match &file.content {
            FileContent::Secret(name) => Some(name),
            FileContent::Text(_) => None,
        });
        of_steps
            .chain(of_logins)
            .chain(of_services)
            .map(String::as_str)
            .collect()
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

/// Time that a service may take to become ready when `ready.timeout` does not say: 60 s.
pub const DEFAULT_READY_TIMEOUT_MS: u64 = 60_000;
/// Time that a job may take when `timeout` does not say: 1 h.
pub const DEFAULT_JOB_TIMEOUT_SECS: u64 = 3_600;
