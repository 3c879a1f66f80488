//! The verbs on networks. The engine removes about six networks a second whatever the concurrency, so few are under
//! way at once and the sandbox pool uses networks again.

use super::connect::Engine;
use super::error::EngineError;
use super::labels::Labels;
use super::plan::NetworkId;

impl Engine {
    /// Makes a bridge network of that name.
    pub async fn create_network(&self, name: &str, labels: Labels) -> Result<NetworkId, EngineError> {
        let _ = (name, labels);
        unimplemented!()
    }

    /// Removes it; one that is gone is fine.
    pub async fn remove_network(&self, id: &NetworkId) -> Result<(), EngineError> {
        let _ = id;
        unimplemented!()
    }
}
