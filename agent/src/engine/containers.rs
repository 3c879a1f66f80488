//! The verbs on containers.

use std::net::IpAddr;

use super::connect::Engine;
use super::error::EngineError;
use super::events::Exit;
use super::plan::{ContainerId, ContainerPlan};

impl Engine {
    /// Makes it; it does not run yet. Its events are followed from here on.
    pub async fn create(&self, plan: &ContainerPlan) -> Result<ContainerId, EngineError> {
        let _ = plan;
        unimplemented!()
    }

    /// Starts it.
    pub async fn start(&self, id: &ContainerId) -> Result<(), EngineError> {
        let _ = id;
        unimplemented!()
    }

    /// Ends it at once (SIGKILL). One that does not run is fine.
    pub async fn kill(&self, id: &ContainerId) -> Result<(), EngineError> {
        let _ = id;
        unimplemented!()
    }

    /// Removes it with its anonymous volumes, whatever its state; one that is gone is fine.
    pub async fn remove_forced(&self, id: &ContainerId) -> Result<(), EngineError> {
        let _ = id;
        unimplemented!()
    }

    /// Waits for its end; answers at once when it has ended already or is gone.
    pub async fn wait_exit(&self, id: &ContainerId) -> Result<Exit, EngineError> {
        let _ = id;
        unimplemented!()
    }

    /// Its address on its network, once it runs.
    pub async fn address(&self, id: &ContainerId) -> Result<IpAddr, EngineError> {
        let _ = id;
        unimplemented!()
    }
}
