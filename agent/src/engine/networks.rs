//! The verbs on networks. The engine removes about six networks a second whatever the concurrency, so few are under
//! way at once and the sandbox pool uses networks again.

use std::time::Duration;

use super::connect::Engine;
use super::convert;
use super::error::EngineError;
use super::labels::Labels;
use super::plan::NetworkId;

/// How often a network that is in use is looked at again.
const LOOKS: u32 = 40;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);

impl Engine {
    /// Makes a bridge network of that name.
    pub async fn create_network(&self, name: &str, labels: &Labels) -> Result<NetworkId, EngineError> {
        let _turn = self.network_turn().await?;
        let bridge = self.bridge_name();
        let body = convert::network_body(name, labels, &self.inner.config.agent, bridge.as_deref());
        let created = self.docker().create_network(body).await;
        let created = created.map_err(|error| EngineError::of("create a network", error))?;
        if let Some(bridge) = &bridge {
            self.look_for_bridge(bridge);
        }
        Ok(NetworkId(created.id))
    }

    /// Removes it; one that is gone is fine. What is still in it has a few seconds to go.
    pub async fn remove_network(&self, id: &NetworkId) -> Result<(), EngineError> {
        for _ in 0..LOOKS {
            let turn = self.network_turn().await?;
            match remove(self.docker(), &id.0).await {
                Err(error) if error.is_in_use() => {}
                removed => return removed,
            }
            drop(turn);
            tokio::time::sleep(PAUSE).await;
        }
        let _turn = self.network_turn().await?;
        remove(self.docker(), &id.0).await
    }

    async fn network_turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, EngineError> {
        self.inner.networks.acquire().await.map_err(|_| EngineError::Stopping)
    }
}

/// Removes a network; one that is gone is fine.
pub(crate) async fn remove(docker: &bollard::Docker, id: &str) -> Result<(), EngineError> {
    let removed = docker.remove_network(id).await;
    match removed.map_err(|error| EngineError::of("remove a network", error)) {
        Err(error) if error.is_gone() => Ok(()),
        other => other,
    }
}
