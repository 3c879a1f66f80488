//! The agent's side of a gate: the program itself, and a client for the one that runs in a container. Robust against
//! the gate's end: whatever happens to the socket, the `status` file has the last word.

use std::path::Path;
use std::time::Duration;

pub use ::gate::exit::{self, ExitStatus};
pub use ::gate::wire::{Go, Health, HealthCheck, HealthState, ProbeTarget};
pub use ::gate::{FOLDER, LOG, OUTPUTS, SCRIPT, SOCKET, STATUS};
use tokio::sync::watch;

/// The gate program: static, for this machine's architecture.
pub const BINARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/gate"));

/// A connection to one gate; clones share it, and it closes with the last.
#[derive(Clone)]
pub struct GateClient {
    state: watch::Receiver<GateState>,
}

/// All that is known of a gate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateState {
    /// Where it stands.
    pub phase: GatePhase,
    /// When the child was started, microseconds since 1970.
    pub started_us: Option<i64>,
    /// What its health command says, when it has one and it has said something.
    pub health: Option<Health>,
}

/// Where a gate stands, as its client sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum GatePhase {
    /// It waits for `go`.
    #[default]
    Idle,
    /// Its child runs.
    Running,
    /// Its child is over.
    Exited(ExitStatus),
    /// The gate is gone and left no status: its container was killed.
    Lost,
}

/// What can go wrong with a gate.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// Nobody answered in time.
    #[error("the gate in {folder} did not answer within {waited_ms} ms")]
    Timeout {
        /// The gate's folder.
        folder: String,
        /// How long we waited.
        waited_ms: u128,
    },
    /// The gate is gone.
    #[error("the gate is gone")]
    Gone,
    /// Its folder or socket cannot be used.
    #[error("talk to the gate")]
    Io(#[from] std::io::Error),
}

impl GateClient {
    /// Connects to the gate of `folder`; waits until it listens. A gate that is already over (its status is there) is
    /// a client too, in phase [`GatePhase::Exited`].
    pub async fn connect(folder: &Path, timeout: Duration) -> Result<GateClient, GateError> {
        let _ = (folder, timeout);
        Err(GateError::Gone)
    }

    /// Starts the child. A second `go` changes nothing.
    pub async fn go(&self, go: Go) -> Result<(), GateError> {
        let _ = go;
        Err(GateError::Gone)
    }

    /// Sends a signal to the child's process group.
    pub async fn signal(&self, signal: i32) -> Result<(), GateError> {
        let _ = signal;
        Err(GateError::Gone)
    }

    /// Ends everything in the container now.
    pub async fn kill(&self) -> Result<(), GateError> {
        Err(GateError::Gone)
    }

    /// Ends a gate that has no running child.
    pub async fn quit(&self) -> Result<(), GateError> {
        Err(GateError::Gone)
    }

    /// Has an anchor try to reach `target` until it answers or `timeout` is over; `Ok(Err(words))` says what the last
    /// try met. Dropping the future forgets the answer.
    pub async fn probe(
        &self,
        target: ProbeTarget,
        interval: Duration,
        timeout: Duration,
    ) -> Result<Result<(), String>, GateError> {
        let _ = (target, interval, timeout);
        Err(GateError::Gone)
    }

    /// All that is known of the gate, now and whenever it changes.
    pub fn state(&self) -> watch::Receiver<GateState> {
        self.state.clone()
    }

    /// Waits until the child runs or is over; its start in microseconds since 1970.
    pub async fn started(&self) -> Result<i64, GateError> {
        Err(GateError::Gone)
    }

    /// Waits for the end of the child. [`GateError::Gone`]: the gate went without leaving a status (killed container).
    pub async fn exited(&self) -> Result<ExitStatus, GateError> {
        Err(GateError::Gone)
    }
}

/// The `status` file of a gate's folder, if its child is over.
pub fn read_status(folder: &Path) -> Option<ExitStatus> {
    let _ = folder;
    None
}
