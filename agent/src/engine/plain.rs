//! The verbs on containers that run without a gate: their output by attaching, their health as the engine sees it.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::HealthcheckResult;
use bollard::query_parameters::AttachContainerOptions;
use futures_util::{Stream, StreamExt};

use super::connect::Engine;
use super::error::EngineError;
use super::plan::ContainerId;

/// Between two looks at what the engine's own tries of a health command say.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

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

    /// Waits until its health command succeeds, or has failed too often. Errors when it ends before.
    pub async fn wait_health(&self, id: &ContainerId, is_healthy: bool) -> Result<(), EngineError> {
        let reached = self.wait_seen(id, |seen| match seen.exit {
            Some(_) => Some(false),
            None => (seen.healthy == Some(is_healthy)).then_some(true),
        });
        if reached.await? {
            return Ok(());
        }
        Err(has_ended(id))
    }

    /// Waits until two tries of its health command in a row succeed that end from now on: the first may have begun
    /// before. Errors when it ends before.
    pub async fn wait_healthy_from_now(&self, id: &ContainerId) -> Result<(), EngineError> {
        let mut seen = self.last_try(id).await.and_then(|last| last.start);
        let mut successes = 0;
        while successes < 2 {
            tokio::select! {
                ended = self.wait_exit(id) => {
                    ended?;
                    return Err(has_ended(id));
                }
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            let last = self.last_try(id).await;
            let Some(last) = last.filter(|last| last.start.is_some() && last.start != seen) else {
                continue;
            };
            successes = if last.exit_code == Some(0) { successes + 1 } else { 0 };
            seen = last.start;
        }
        Ok(())
    }

    /// The last try of its health command.
    async fn last_try(&self, id: &ContainerId) -> Option<HealthcheckResult> {
        self.look_at(id).await.ok()?.state?.health?.log?.pop()
    }

    /// What its health command printed last.
    pub async fn health_output(&self, id: &ContainerId) -> Option<String> {
        let last = self.last_try(id).await?;
        let output = last.output.unwrap_or_default();
        match output.trim() {
            "" => last.exit_code.map(|code| format!("exit code {code}")),
            text => Some(text.to_owned()),
        }
    }
}

fn has_ended(id: &ContainerId) -> EngineError {
    EngineError::gone("wait for a container's health", format!("{} has ended", id.0))
}
