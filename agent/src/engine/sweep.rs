//! Cleaning up what nobody owns any more: at the agent's start and every minute, by label, never by name. Removal is
//! also done at once where it is due; the sweep is for what a crash left.

use std::path::PathBuf;

use super::connect::Engine;
use super::error::EngineError;
use super::labels::Labels;

/// Something in the engine that carries our label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// What it is.
    pub kind: OwnedKind,
    /// The engine's id (of a volume: its name).
    pub id: String,
    /// All its labels.
    pub labels: Labels,
}

/// The kinds of things that we make, in the order in which they can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnedKind {
    /// A container.
    Container,
    /// A network.
    Network,
    /// A volume.
    Volume,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Removed containers.
    pub containers: usize,
    /// Removed networks.
    pub networks: usize,
    /// Removed volumes.
    pub volumes: usize,
    /// What could not be removed this time; the next sweep tries again.
    pub left: usize,
}

impl Engine {
    /// Everything with this agent's label.
    pub async fn list_owned(&self) -> Result<Vec<Owned>, EngineError> {
        unimplemented!()
    }

    /// Removes what has this agent's label and no live owner, and what has any agent's label and is past its
    /// `drover.expires`.
    pub async fn sweep(&self) -> Result<Swept, EngineError> {
        unimplemented!()
    }

    /// Sweeps now and every minute until the engine's stop token. To be called once every owner that goes on after a
    /// restart is kept.
    pub fn start_sweeping(&self) {
        unimplemented!()
    }
}

/// Removes everything with that agent's label; for a process that outlives a killed agent. Needs no [`Engine`].
pub async fn reap(socket: Option<PathBuf>, agent: &str) -> Result<Swept, EngineError> {
    let _ = (socket, agent);
    unimplemented!()
}
