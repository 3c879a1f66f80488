//! The [`Engine`]: a cheap handle on one connected container engine, with the agent's label, its gate binary on disk
//! and the one stream of events.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::EngineError;
use super::plan::Limits;

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
}

/// One container engine. Clones share everything.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) config: EngineConfig,
}

impl Engine {
    /// Connects, agrees on an API version, writes the gate binary, imports the anchor image unless it is there, and
    /// follows the engine's events until `stop`.
    pub async fn connect(
        config: EngineConfig,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Engine, EngineError> {
        let _ = (tasks, stop);
        Ok(Engine {
            inner: Arc::new(Inner { config }),
        })
    }

    /// As it was given.
    pub fn config(&self) -> &EngineConfig {
        &self.inner.config
    }

    /// The gate binary on the host; to be bound read-only at `/.drover/gate`.
    pub fn gate_file(&self) -> PathBuf {
        unimplemented!()
    }
}
