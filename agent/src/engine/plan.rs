//! What to make: a container as plain data. It names no secret and nothing of the engine's own types, so callers can
//! build, compare and print it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use job_specs::model::Dns;

use super::labels::Labels;

/// Processes and threads of one container, whatever its job asks for.
const MOST_PIDS: u64 = 65_536;

/// Those of this machine.
pub(crate) fn processors() -> u64 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u64)
}

/// A container's id, as the engine gave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId(pub String);

/// A network's id, as the engine gave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkId(pub String);

impl ContainerId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A container to be made. `..ContainerPlan::of(image)` fills in what is not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerPlan {
    /// Reference or id of an image that is here already ([`super::Engine::ensure_image`]).
    pub image: String,
    /// Replaces the image's ENTRYPOINT (and drops its CMD).
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's CMD.
    pub cmd: Option<Vec<String>>,
    /// Environment that may stand in the engine's configuration; secrets go by the gate's *go* instead.
    pub env: BTreeMap<String, String>,
    /// `user`, `uid` or `uid:gid`; `None`: the image's.
    pub user: Option<String>,
    /// Working folder; `None`: the image's.
    pub workdir: Option<String>,
    /// Folders and files of the host.
    pub binds: Vec<Bind>,
    /// Volumes of the engine.
    pub volumes: Vec<VolumeUse>,
    /// In-memory folders: path and options.
    pub tmpfs: BTreeMap<String, String>,
    /// What it is connected to.
    pub network: Network,
    /// Its own host name. `None`: its name on the network.
    pub hostname: Option<String>,
    /// Further names for others on its network.
    pub aliases: Vec<String>,
    /// TCP ports that it says it serves, besides those of its image.
    pub expose: Vec<u16>,
    /// `host:address` lines of its `/etc/hosts`.
    pub extra_hosts: Vec<String>,
    /// Its name servers.
    pub dns: Dns,
    /// What it may use.
    pub limits: Limits,
    /// Where the engine keeps its output.
    pub logs: LogDriver,
    /// A health command that the engine itself runs; `None`: none, whatever the image says.
    pub engine_health: Option<EngineHealth>,
    /// What PID 1 is sent first when the engine stops it; `None`: the image's.
    pub stop_signal: Option<String>,
    /// Drop every capability and make the root file system read-only (for what runs no user code).
    pub hardening: Hardening,
    /// Capabilities beyond the usual ones, without `CAP_`.
    pub cap_add: Vec<String>,
    /// Capabilities less than the usual ones, without `CAP_`; `ALL` for all.
    pub cap_drop: Vec<String>,
    /// A seccomp profile's JSON text. `None`: the engine's own.
    pub seccomp: Option<String>,
    /// Its root file system cannot be written.
    pub read_only: bool,
    /// Name to soft and hard limit; -1 is unlimited.
    pub ulimits: BTreeMap<String, (i64, i64)>,
    /// Bytes of `/dev/shm`. `None`: the engine's default.
    pub shm_bytes: Option<u64>,
    /// Kernel settings of its network and IPC namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// `linux/amd64`; `None`: the image's.
    pub platform: Option<String>,
    /// Labels besides `drover.agent`, which the engine adds.
    pub labels: Labels,
}

impl ContainerPlan {
    /// The image as it is, connected to nothing, under the gate's log rules, with the default limits.
    pub fn of(image: impl Into<String>) -> ContainerPlan {
        ContainerPlan {
            image: image.into(),
            ..ContainerPlan::default()
        }
    }
}

/// One bind mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// On the host, absolute.
    pub host: PathBuf,
    /// In the container, absolute.
    pub container: String,
    /// Who may write.
    pub access: Access,
}

impl Bind {
    /// What a container may read there.
    pub fn read_only(host: impl Into<PathBuf>, container: impl Into<String>) -> Bind {
        Bind {
            host: host.into(),
            container: container.into(),
            access: Access::ReadOnly,
        }
    }

    /// What it may change, too.
    pub fn writable(host: impl Into<PathBuf>, container: impl Into<String>) -> Bind {
        Bind {
            access: Access::ReadWrite,
            ..Bind::read_only(host, container)
        }
    }
}

/// One volume of the engine in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeUse {
    /// Its name. `None`: one of the container's own, gone with it.
    pub name: Option<String>,
    /// In the container, absolute.
    pub container: String,
    /// Who may write.
    pub access: Access,
}

/// Who may write to a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nobody.
    ReadOnly,
    /// The container.
    ReadWrite,
}

/// What a container is connected to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Network {
    /// The network namespace of that container, which must be running.
    Join(ContainerId),
    /// A namespace of its own on that network, found by others under `alias`.
    On {
        /// Which.
        network: NetworkId,
        /// Its host name and its name for others.
        alias: String,
    },
    /// Nothing but itself.
    #[default]
    None,
}

impl Network {
    /// That network, without a name for others there.
    pub fn on(network: &NetworkId) -> Network {
        Network::named(network, "")
    }

    /// That network, found by others under `alias`.
    pub fn named(network: &NetworkId, alias: &str) -> Network {
        Network::On {
            network: network.clone(),
            alias: alias.to_owned(),
        }
    }
}

/// What a container may use. `None`: the agent's default ([`super::EngineConfig::limits`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes; swap is never added.
    pub memory_bytes: Option<u64>,
    /// Thousandths of a processor.
    pub cpu_millis: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// Bytes of the log of a step or a service; 0: no limit.
    pub log_bytes: Option<u64>,
    /// Bytes that a job with all its containers may have on the disk; 0 or `None`: no limit.
    pub disk_bytes: Option<u64>,
}

/// The log of a step or a service has at most this, unless the agent is told otherwise: a million lines, which a page
/// and a reader still take in seconds.
pub const LOG_BYTES: u64 = 64 << 20;

impl Limits {
    /// What one container gets at most, so that it cannot take the whole machine down with it: seven eighths of its
    /// memory (all that it likes, where the kernel does not say how much there is) and far more processes than any build
    /// has.
    pub fn most_of_this_machine() -> Limits {
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total = meminfo
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
        let kibibytes: Option<u64> = total.and_then(|text| text.parse().ok());
        Limits {
            memory_bytes: kibibytes.map(|kibibytes| kibibytes * 1024 / 8 * 7),
            cpu_millis: Some(processors() * 1000),
            pids: Some(MOST_PIDS),
            ..Limits::default()
        }
    }

    /// What a container gets that asks for nothing, where so many jobs run at once: its share of the memory, but not
    /// less than 2 GiB while there is so much; all processors, since a share would leave some idle.
    pub fn for_slots(slots: u32, most: Limits) -> Limits {
        const ENOUGH: u64 = 2 << 30;
        let share = |most: u64| (most / u64::from(slots.max(1))).max(most.min(ENOUGH));
        Limits {
            memory_bytes: most.memory_bytes.map(share),
            cpu_millis: most.cpu_millis,
            pids: Some(super::convert::DEFAULT_PIDS),
            ..Limits::default()
        }
    }

    /// Never more than `most`.
    pub fn at_most(self, most: Limits) -> Limits {
        let least = |own: Option<u64>, most: Option<u64>| match (own, most) {
            (Some(own), Some(most)) => Some(own.min(most)),
            (own, most) => own.or(most),
        };
        Limits {
            memory_bytes: least(self.memory_bytes, most.memory_bytes),
            cpu_millis: least(self.cpu_millis, most.cpu_millis),
            pids: least(self.pids, most.pids),
            ..self
        }
    }

    /// `self` where it says something, else `default`.
    pub fn or(self, default: Limits) -> Limits {
        Limits {
            memory_bytes: self.memory_bytes.or(default.memory_bytes),
            cpu_millis: self.cpu_millis.or(default.cpu_millis),
            pids: self.pids.or(default.pids),
            log_bytes: self.log_bytes.or(default.log_bytes),
            disk_bytes: self.disk_bytes.or(default.disk_bytes),
        }
    }
}

/// Where the engine keeps a container's output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogDriver {
    /// Nowhere: the gate writes it to a file.
    #[default]
    None,
    /// In files of bounded size, for containers without a gate.
    Bounded,
}

/// How far a container is locked in beyond the defaults that all have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Hardening {
    /// The engine's default capabilities without NET_RAW and MKNOD.
    #[default]
    Usual,
    /// No capability at all and a read-only root file system.
    Full,
}

/// A health command that the engine runs, for containers without a gate. Durations in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineHealth {
    /// As the engine wants it: `["CMD", …]` or `["CMD-SHELL", …]`.
    pub test: Vec<String>,
    /// Between two probes.
    pub interval_ms: u64,
    /// One probe may take this long.
    pub timeout_ms: u64,
    /// Failures in a row that make it unhealthy.
    pub retries: u32,
    /// Failures in this time do not count.
    pub start_period_ms: u64,
    /// Between two probes in that time.
    pub start_interval_ms: u64,
}

impl EngineHealth {
    /// The engine's own interval in the start period, milliseconds.
    pub const START_INTERVAL_MS: u64 = 5_000;
}
