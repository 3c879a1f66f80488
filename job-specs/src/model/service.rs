//! The stack's half of the model: one service, by Compose's words. It knows nothing of jobs: environments and databases
//! use it too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Env;

/// One sidecar, by Compose's words. Owned by a stack: a job's, an environment's or a database's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceSpec {
    /// Its key, and its host name on the stack's network.
    pub name: String,
    /// The image; with `build`, the name that the built image gets (may be empty then).
    pub image: String,
    /// Made from a Dockerfile of the workspace instead of pulled.
    pub build: Option<BuildSpec>,
    /// Its environment, `env_file` included.
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
    /// An end with 0 is no death, whenever it comes: it stands in a Compose file, where services may be there for once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_end: bool,
    /// Run it as the child of the gate (the default), or as the container's own first process.
    pub gate: bool,
    /// Further host names on the stack's network (`networks.x.aliases`, and the names of its networks' aliases).
    pub aliases: Vec<String>,
    /// The container's own host name. `None`: its name.
    pub hostname: Option<String>,
    /// TCP ports that it serves besides those of its image (`expose`, and the container side of `ports`).
    pub expose: Vec<u16>,
    /// Named volumes of the stack, folders of the workspace, nameless volumes.
    pub volumes: Vec<VolumeMount>,
    /// Compose's `configs` and `secrets`: files that are there before it starts.
    pub files: Vec<FileMount>,
    /// Capabilities beyond the usual ones, without `CAP_`.
    pub cap_add: Vec<String>,
    /// Capabilities less than the usual ones, without `CAP_`; `ALL` for all.
    pub cap_drop: Vec<String>,
    /// `security_opt: [seccomp=unconfined]` is refused; a profile's JSON text otherwise.
    pub seccomp: Option<String>,
    /// Its root file system cannot be written.
    pub read_only: bool,
    /// Its working folder. `None`: the image's.
    pub working_dir: Option<String>,
    /// Labels of its container; never `drover.*`.
    pub labels: BTreeMap<String, String>,
    /// How many containers; names are `web-1`, `web-2`, …, and all answer to `web`. 1 by default, 0: none.
    pub scale: u32,
    /// The signal that asks it to end: `SIGTERM` by default, or the image's.
    pub stop_signal: Option<String>,
    /// Time between that signal and its end by force. `None`: the agent's default.
    pub stop_grace_period_ms: Option<u64>,
    /// Compose's `ulimits`: name to soft and hard limit; -1 is unlimited.
    pub ulimits: BTreeMap<String, Ulimit>,
    /// Thousandths of a processor.
    pub cpu_millis: Option<u64>,
    /// Processes and threads.
    pub pids_limit: Option<u64>,
    /// Bytes of `/dev/shm`.
    pub shm_size_bytes: Option<u64>,
    /// Kernel settings of its network and IPC namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// `host:address` lines of its `/etc/hosts`.
    pub extra_hosts: Vec<String>,
    /// Its name servers.
    pub dns: Dns,
    /// `linux/amd64`
    pub platform: Option<String>,
    /// When its image is fetched.
    pub pull_policy: PullPolicy,
    /// What happens when it exits.
    pub restart: Restart,
}

impl Default for ServiceSpec {
    fn default() -> Self {
        ServiceSpec {
            name: String::new(),
            image: String::new(),
            build: None,
            environment: Env::new(),
            command: None,
            entrypoint: None,
            healthcheck: None,
            depends_on: Vec::new(),
            tmpfs: BTreeMap::new(),
            user: None,
            mem_limit_bytes: None,
            ready: None,
            run_once: false,
            allow_failure: false,
            may_end: false,
            gate: true,
            aliases: Vec::new(),
            hostname: None,
            expose: Vec::new(),
            volumes: Vec::new(),
            files: Vec::new(),
            cap_add: Vec::new(),
            cap_drop: Vec::new(),
            seccomp: None,
            read_only: false,
            working_dir: None,
            labels: BTreeMap::new(),
            scale: 1,
            stop_signal: None,
            stop_grace_period_ms: None,
            ulimits: BTreeMap::new(),
            cpu_millis: None,
            pids_limit: None,
            shm_size_bytes: None,
            sysctls: BTreeMap::new(),
            extra_hosts: Vec::new(),
            dns: Dns::default(),
            platform: None,
            pull_policy: PullPolicy::default(),
            restart: Restart::default(),
        }
    }
}

impl ServiceSpec {
    /// The names under which it runs: its own, or `web-1`, `web-2`, …; none with `scale: 0`.
    pub fn replicas(&self) -> Vec<String> {
        match self.scale {
            1 => vec![self.name.clone()],
            count => (1..=count).map(|nth| format!("{}-{nth}", self.name)).collect(),
        }
    }

    /// Whether it needs the code before it can start: it is built from it, or mounts a folder of it.
    pub fn needs_workspace(&self) -> bool {
        let mounts = |volume: &VolumeMount| matches!(volume.source, VolumeSource::Workspace(_));
        self.build.is_some() || self.volumes.iter().any(mounts)
    }
}

/// One of `volumes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeMount {
    /// What is mounted.
    pub source: VolumeSource,
    /// Where, absolute.
    pub target: String,
    /// It cannot be written there.
    pub read_only: bool,
    /// A folder of the workspace that is not there is made.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub create: bool,
}

/// What a volume is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeSource {
    /// A volume of the stack, shared by its services and gone with it.
    Named(String),
    /// A file or folder of the workspace, relative to it, without `..`; `.` is all of it.
    Workspace(String),
    /// A volume of this container alone.
    Nameless,
}

/// A file that a service finds when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMount {
    /// Where, absolute: `/run/secrets/x`, `/etc/app.conf`.
    pub target: String,
    /// What is in it.
    pub content: FileContent,
    /// Permission bits: 0o444 by default.
    pub mode: u32,
    /// Owner; 0 by default.
    pub uid: u32,
    /// Group; 0 by default.
    pub gid: u32,
}

/// What a [`FileMount`] holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileContent {
    /// This text, from the repository or written out.
    Text(String),
    /// The value of the repository's secret of that name.
    Secret(String),
}

/// One of `ulimits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// Where it begins to complain; -1: unlimited.
    pub soft: i64,
    /// What cannot be passed; -1: unlimited.
    pub hard: i64,
}

/// `dns`, `dns_search`, `dns_opt`. Empty: the engine's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dns {
    /// Addresses of servers.
    pub servers: Vec<String>,
    /// Domains that are tried.
    pub search: Vec<String>,
    /// Options of the resolver.
    pub options: Vec<String>,
}

/// Compose's `pull_policy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullPolicy {
    /// When it is not here.
    #[default]
    Missing,
    /// Each time.
    Always,
    /// Not at all.
    Never,
    /// Built each time (`build`).
    Build,
}

/// Compose's `restart`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Its end is its end.
    #[default]
    No,
    /// Started again whatever it exited with.
    Always,
    /// Started again when it exited with another code than 0, at most so many times. `None`: no limit.
    OnFailure(Option<u32>),
}

/// How an image is built, by Compose's words: the context is a folder of the workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BuildSpec {
    /// Relative to the workspace, without `..`; `.` is all of it.
    pub context: String,
    /// Relative to the context. `None`: `Dockerfile`.
    pub dockerfile: Option<String>,
    /// The Dockerfile's text itself (`dockerfile_inline`).
    pub dockerfile_inline: Option<String>,
    /// Build arguments. They are seen in the image's history: never secrets.
    pub args: Env,
    /// The stage to stop at.
    pub target: Option<String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Nothing of an earlier build is used.
    pub no_cache: bool,
    /// Base images are asked for anew.
    pub pull: bool,
    /// `linux/amd64`
    pub platform: Option<String>,
}

/// Compose's `healthcheck`, durations in milliseconds; by default Compose's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healthcheck {
    /// What to run; `None`: `NONE` or `disable: true`, or the image's.
    pub test: Option<HealthTest>,
    /// The image's own test, if it has one: only when it is run is said here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_image: bool,
    /// Between two probes once it has been healthy.
    pub interval_ms: u64,
    /// One probe may take this long.
    pub timeout_ms: u64,
    /// Failures in a row that make it unhealthy.
    pub retries: u32,
    /// Somebody has written `retries`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_retries: bool,
    /// Failures in this time do not count.
    pub start_period_ms: u64,
    /// Between two probes in that time. `None`: the engine's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_interval_ms: Option<u64>,
}

impl Default for Healthcheck {
    fn default() -> Self {
        Healthcheck {
            test: None,
            of_image: false,
            interval_ms: 30_000,
            timeout_ms: 30_000,
            retries: 3,
            own_retries: false,
            start_period_ms: 0,
            start_interval_ms: None,
        }
    }
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
    /// Somebody has written that; else a healthcheck that is asked has its own time.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub own_timeout: bool,
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
    /// `false`: it is no failure when that service is not there or does not get so far.
    #[serde(default = "yes")]
    pub required: bool,
}

fn yes() -> bool {
    true
}

fn is_yes(flag: &bool) -> bool {
    *flag
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
