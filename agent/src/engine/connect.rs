//! The [`Engine`]: a cheap handle on one connected container engine, with the agent's label, its gate binary on disk
//! and the one stream of events.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::EngineError;
use super::events::{self, Watched};
use super::firewall::FirewallRules;
use super::images::Images;
use super::live::Live;
use super::names::Names;
use super::plan::{LOG_BYTES, Limits};
use super::policy::Policy;
use super::raw::Raw;
use super::rights::Fetched;
use super::{anchor, anchor::Anchor, build_group};

/// One request may take this long, seconds, until its answer begins; pulls and starts included.
const TIMEOUT_SECS: u64 = 300;
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// Networks that are made or removed at once; more only queue up inside the engine.
const NETWORKS_AT_ONCE: usize = 2;

/// How to find the engine and how to mark what is made in it.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The value of the label `drover.agent`; nothing without it is ever touched.
    pub agent: String,
    /// The agent's data folder; the gate binary and the sandboxes' folders live in it.
    pub data: PathBuf,
    /// The engine's socket. `None`: `DOCKER_HOST` when it is a unix path, else `/var/run/docker.sock`.
    pub socket: Option<PathBuf>,
    /// For containers whose plan does not say.
    pub limits: Limits,
    /// What jobs may do here.
    pub policy: Policy,
}

/// What an engine says of itself.
pub(crate) struct About {
    /// The folder in which it keeps everything, when that can be seen from here.
    pub(crate) root: Option<PathBuf>,
    /// Control groups are the business of whoever makes them, not systemd's.
    pub(super) groups_by_hand: bool,
}

/// One container engine. Clones share everything.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) config: EngineConfig,
    pub(crate) docker: Docker,
    pub(crate) raw: Raw,
    pub(crate) watched: Watched,
    pub(crate) images: Images,
    pub(crate) fetched: Fetched,
    pub(crate) names: Names,
    pub(crate) firewall: FirewallRules,
    pub(crate) live: Live,
    pub(crate) networks: Semaphore,
    about: OnceCell<About>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    anchor: Anchor,
}

impl Engine {
    /// Connects, agrees on an API version, writes the gate binary, imports the anchor image unless it is there, and
    /// follows the engine's events until `stop`.
    pub async fn connect(
        mut config: EngineConfig,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Engine, EngineError> {
        // bind mounts name absolute paths
        config.data = std::path::absolute(&config.data).map_err(EngineError::io("find the data folder"))?;
        let socket = socket_or_usual(config.socket.clone());
        let docker = reach(Some(socket.clone())).await?;
        let raw = Raw::new(&socket).map_err(|detail| EngineError::Unreachable {
            socket: socket.display().to_string(),
            detail,
        })?;
        let anchor = anchor::provide(&docker, &config.data).await?;
        let fetched = Fetched::open(&config.data);
        let inner = Arc::new(Inner {
            config,
            docker,
            raw,
            watched: Watched::default(),
            images: Images::default(),
            fetched,
            names: Names::default(),
            firewall: FirewallRules::default(),
            live: Live::default(),
            networks: Semaphore::new(NETWORKS_AT_ONCE),
            about: OnceCell::new(),
            tasks: tasks.clone(),
            stop: stop.clone(),
            anchor,
        });
        let follower = inner.clone();
        tasks.spawn(async move {
            let agent = follower.config.agent.clone();
            events::follow(follower.docker.clone(), agent, &follower.watched, stop).await;
        });
        let engine = Engine { inner };
        engine.take_names_back().await;
        Ok(engine)
    }

    /// As it was given.
    pub fn config(&self) -> &EngineConfig {
        &self.inner.config
    }

    /// What the engine says of itself; asked when it is first needed, which is before any build: what was left before a restart
    /// of control groups goes then. `None`: it does not answer.
    pub(crate) async fn about(&self) -> Option<&About> {
        let ask = async || {
            let info = self.docker().info().await?;
            let driver = info.cgroup_driver.map(|driver| driver.to_string());
            let groups_by_hand = driver.as_deref() == Some("cgroupfs");
            if groups_by_hand {
                build_group::remove_left_behind(&self.config().agent);
            }
            let root = info.docker_root_dir.map(PathBuf::from);
            Ok::<_, bollard::errors::Error>(About {
                root: root.filter(|root| root.is_dir()),
                groups_by_hand,
            })
        };
        self.inner.about.get_or_try_init(ask).await.ok()
    }

    /// Bytes that the log of a step or service may have; 0: no limit.
    pub fn log_limit(&self) -> u64 {
        self.config().limits.log_bytes.unwrap_or(LOG_BYTES)
    }

    /// The gate binary on the host; to be bound read-only at `/.drover/gate`.
    pub fn gate_file(&self) -> &Path {
        &self.inner.anchor.gate_file
    }

    /// A token that ends with the engine's.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.inner.stop.child_token()
    }

    /// The agent is stopping.
    pub(crate) fn is_stopping(&self) -> bool {
        self.inner.stop.is_cancelled()
    }

    /// Spawns work that the agent waits for when it stops.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.inner.tasks.spawn(work);
    }

    /// The id of the image that holds the gate and nothing else.
    pub(crate) fn anchor_image(&self) -> &str {
        &self.inner.anchor.image
    }

    pub(crate) fn docker(&self) -> &Docker {
        &self.inner.docker
    }
}

/// Connects and agrees on a version. The version matters although today's client never sends it: once it does, its
/// default would be too new for older engines.
pub(crate) async fn reach(socket: Option<PathBuf>) -> Result<Docker, EngineError> {
    let socket = socket_or_usual(socket);
    let unreachable = |detail: String| EngineError::Unreachable {
        socket: socket.display().to_string(),
        detail,
    };
    let docker = Docker::connect_with_unix(&socket.to_string_lossy(), TIMEOUT_SECS, API_DEFAULT_VERSION)
        .map_err(|error| unreachable(error.to_string()))?;
    docker
        .negotiate_version()
        .await
        .map_err(|error| unreachable(with_causes(&error)))
}

/// Name, version and API version of the engine that answers, for people: `20.10.24, API 1.41, overlay2, cgroup v1`.
///
/// # Errors
/// `Unreachable` when none answers.
pub async fn describe(socket: Option<PathBuf>) -> Result<String, EngineError> {
    let docker = reach(socket).await?;
    let unanswered = |error| EngineError::of("ask for the version", error);
    let (version, info) = (
        docker.version().await.map_err(unanswered)?,
        docker.info().await.map_err(unanswered)?,
    );
    let cgroup = info
        .cgroup_version
        .map_or(String::new(), |version| format!(", cgroup v{version}"));
    Ok(format!(
        "{}, API {}, {}{cgroup}",
        version.version.unwrap_or_default(),
        version.api_version.unwrap_or_default(),
        info.driver.unwrap_or_default(),
    ))
}

/// `client error (Connect)` alone says little; its causes say what is wrong.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    text
}

fn socket_or_usual(socket: Option<PathBuf>) -> PathBuf {
    socket.unwrap_or_else(|| socket_of(std::env::var("DOCKER_HOST").ok().as_deref()))
}

fn socket_of(docker_host: Option<&str>) -> PathBuf {
    let path = docker_host.and_then(|host| host.strip_prefix("unix://"));
    PathBuf::from(path.unwrap_or(DEFAULT_SOCKET))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_unix_docker_host_is_honoured() {
        let socket = |host| socket_of(host).display().to_string();
        assert_eq!(
            socket(Some("unix:///run/user/1/podman.sock")),
            "/run/user/1/podman.sock"
        );
        assert_eq!(socket(Some("tcp://10.0.0.1:2375")), DEFAULT_SOCKET);
        assert_eq!(socket(None), DEFAULT_SOCKET);
    }
}
