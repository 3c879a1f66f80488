//! The verbs on containers that run without a gate: their output by attaching, their health as the engine sees it.

use bollard::container::LogOutput;
use bollard::query_parameters::{AttachContainerOptions, InspectContainerOptions};
use futures_util::{Stream, StreamExt};

use super::connect::Engine;
use super::error::EngineError;
use super::plan::ContainerId;

impl Engine {
    /// Its output from now on. Attach before the start and nothing is lost. To be read steadily: who does not read
    /// stops the container.
    pub async fn attach(
        &self,
        id: &ContainerId,
    ) -> Result<impl Stream<Item = Result<LogOutput, EngineError>> + Send + Unpin + 'static, EngineError> {
        let options = AttachContainerOptions {
            stdout: true,
            stderr: true,
            stream: true,
            ..AttachContainerOptions::default()
        };
        let attached = self.docker().attach_container(&id.0, Some(options)).await;
        let attached = attached.map_err(|error| EngineError::of("attach to a container", error))?;
        Ok(attached
            .output
            .map(|chunk| chunk.map_err(|error| EngineError::of("read a container's output", error))))
    }

    /// Waits until its health command succeeds. Errors when it ends before.
    pub async fn wait_healthy(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.wait_health(id, |healthy| healthy == Some(true)).await
    }

    /// Waits until its health command has failed too often. Errors when it ends before.
    pub async fn wait_unhealthy(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.wait_health(id, |healthy| healthy == Some(false)).await
    }

    async fn wait_health(&self, id: &ContainerId, is_it: fn(Option<bool>) -> bool) -> Result<(), EngineError> {
        let reached = self.wait_seen(id, |seen| match seen.exit {
            Some(_) => Some(false),
            None => is_it(seen.healthy).then_some(true),
        });
        if reached.await? {
            return Ok(());
        }
        Err(EngineError::NoSuchObject {
            what: "wait for a container's health",
            detail: format!("{} has ended", id.0),
        })
    }

    /// What its health command printed last.
    pub async fn health_output(&self, id: &ContainerId) -> Option<String> {
        let container = self
            .docker()
            .inspect_container(&id.0, None::<InspectContainerOptions>)
            .await
            .ok()?;
        let last = container.state?.health?.log?.pop()?;
        let output = last.output.unwrap_or_default();
        match output.trim() {
            "" => last.exit_code.map(|code| format!("exit code {code}")),
            text => Some(text.to_owned()),
        }
    }
}
