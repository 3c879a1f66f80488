//! Images: here already, or pulled once for all who ask.

use std::sync::Arc;

use super::connect::Engine;
use super::error::EngineError;
use super::plan::EngineHealth;
use super::pull::PullProgress;

/// What an image says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// `sha256:…`; containers are made of this, so a tag that moves meanwhile changes nothing.
    pub id: String,
    /// ENTRYPOINT.
    pub entrypoint: Vec<String>,
    /// CMD.
    pub cmd: Vec<String>,
    /// ENV, `NAME=value`.
    pub env: Vec<String>,
    /// USER; empty: root.
    pub user: String,
    /// WORKDIR; empty: `/`.
    pub workdir: String,
    /// EXPOSEd TCP ports, ascending.
    pub tcp_ports: Vec<u16>,
    /// STOPSIGNAL, as written: `SIGINT`, `3`.
    pub stop_signal: Option<String>,
    /// HEALTHCHECK.
    pub health: Option<ImageHealth>,
}

/// HEALTHCHECK of an image, in the engine's own form.
pub type ImageHealth = EngineHealth;

impl Engine {
    /// The image when it is here, else pulls it; callers that want the same one at the same time share one pull, and
    /// each is told its progress. A pull goes on when its callers are gone.
    pub async fn ensure_image(
        &self,
        reference: &str,
        on_progress: impl FnMut(PullProgress) + Send,
    ) -> Result<Arc<ImageInfo>, EngineError> {
        let _ = (reference, on_progress);
        unimplemented!()
    }
}
