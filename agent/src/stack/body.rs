//! A service's container: under the gate, or (for images that must be PID 1) by itself. The two differ in how they
//! are started, watched and ended; everything above treats them alike.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use protocol::attempt::Micros;
use protocol::record::Source;
use tokio::task::JoinHandle;

use super::failure::FailureKind;
use super::launch::Launch;
use crate::clock::now;
use crate::engine::{ContainerId, Engine, EngineError, Exit, LogOutput};
use crate::gate::{GateClient, GateError, GateState, Health, HealthState, exit};
use crate::logs::writer::LogWriter;

/// An ended container's output may still be on its way for so long.
const DRAIN: Duration = Duration::from_secs(2);
/// A killed process is gone in milliseconds; after this the container is removed by force.
const KILL: Duration = Duration::from_secs(5);

/// A container that was made for a service.
pub(super) enum Body {
    /// The gate is PID 1 and waits for *go*.
    Gated {
        /// Which.
        id: ContainerId,
        /// Its gate.
        gate: GateClient,
    },
    /// The image's own process is PID 1.
    Plain {
        /// Which.
        id: ContainerId,
        /// Writes its output to the log file.
        output: tokio::sync::Mutex<JoinHandle<()>>,
    },
    /// It ended while nobody looked, and its container is gone.
    Gone(ServiceExit),
}

/// How a service's process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServiceExit {
    pub(super) at: Micros,
    pub(super) code: Option<i32>,
    pub(super) oom: bool,
    /// Why its command could not be run.
    pub(super) error: Option<String>,
    /// It was the gate that broke.
    pub(super) ours: bool,
}

impl ServiceExit {
    pub(super) fn of_gate(status: exit::ExitStatus) -> ServiceExit {
        ServiceExit {
            at: status.ended_us,
            code: Some(status.code()),
            oom: status.oom,
            ours: status.exit_code == Some(exit::GATE_BROKE) && status.error.is_some(),
            error: status.error,
        }
    }

    pub(super) fn of_container(exit: Exit) -> ServiceExit {
        ServiceExit {
            at: now(),
            code: exit.code,
            oom: exit.oom,
            error: None,
            ours: false,
        }
    }
}

impl Body {
    /// Lets it run; when it runs already nothing changes. Since when it runs.
    pub(super) async fn go(&self, engine: &Engine, launch: &Launch) -> Result<Micros, FailureKind> {
        match self {
            Body::Gated { gate, .. } => match gate.go(launch.go(engine.log_limit())).await {
                Ok(()) | Err(GateError::Gone) => Ok(gate.started().await.unwrap_or_else(|_| now())),
                Err(error) => Err(EngineError::from(error).into()),
            },
            Body::Plain { id, .. } => {
                engine.start(id).await?;
                Ok(now())
            }
            Body::Gone(_) => Ok(now()),
        }
    }

    /// Waits for its end.
    pub(super) async fn ended(&self, engine: &Engine) -> Result<ServiceExit, EngineError> {
        match self {
            Body::Gated { id, gate } => match gate.exited().await {
                Ok(status) => Ok(ServiceExit::of_gate(status)),
                Err(_) => {
                    let exit = engine.wait_exit(id).await?; // the gate itself was killed
                    Ok(ServiceExit::of_container(engine.explain_exit(id, exit).await))
                }
            },
            Body::Plain { id, output } => {
                let exit = engine.wait_exit(id).await?;
                let mut writer = output.lock().await;
                if !writer.is_finished() {
                    let _ = tokio::time::timeout(DRAIN, &mut *writer).await; // its log is as complete as it gets
                }
                Ok(ServiceExit::of_container(engine.explain_exit(id, exit).await))
            }
            Body::Gone(ended) => Ok(ended.clone()),
        }
    }

    /// Waits until its health command says this; for ever when it ends before.
    pub(super) async fn health(&self, engine: &Engine, wanted: HealthState) {
        let reached = match self {
            Body::Gated { gate, .. } => {
                let is_it = |state: &GateState| state.health.as_ref().is_some_and(|health| health.state == wanted);
                gate.state().wait_for(is_it).await.is_ok()
            }
            Body::Plain { id, .. } => {
                let is_healthy = wanted == HealthState::Healthy;
                engine.wait_health(id, is_healthy).await.is_ok()
            }
            Body::Gone(_) => false,
        };
        if !reached {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until its health command succeeds in tries that begin from now on; for ever when it ends before.
    pub(super) async fn healthy_from_now(&self, engine: &Engine) {
        let reached = match self {
            Body::Gated { gate, .. } => gate.healthy_from_now().await.is_ok(),
            Body::Plain { id, .. } => engine.wait_healthy_from_now(id).await.is_ok(),
            Body::Gone(_) => false,
        };
        if !reached {
            std::future::pending::<()>().await;
        }
    }

    /// What its health command said last.
    pub(super) async fn last_health(&self, engine: &Engine) -> Option<String> {
        match self {
            Body::Gated { gate, .. } => gate.state().borrow().health.as_ref().map(words_of),
            Body::Plain { id, .. } => engine.health_output(id).await,
            Body::Gone(_) => None,
        }
    }

    /// Ends and removes it. By message first: removing an exited container costs 5 ms, a running one 90.
    pub(super) async fn remove(&self, engine: &Engine, stop_signal: i32, grace: Duration) -> Result<(), EngineError> {
        let id = match self {
            Body::Gated { id, .. } | Body::Plain { id, .. } => id,
            Body::Gone(_) => return Ok(()),
        };
        if !grace.is_zero() && self.signal(engine, stop_signal).await.is_ok() {
            let _ = tokio::time::timeout(grace, self.ended(engine)).await; // else by force
        }
        let killed = match self {
            Body::Gated { gate, .. } => gate.kill().await.is_ok(),
            Body::Plain { .. } | Body::Gone(_) => false,
        };
        if killed {
            let _ = tokio::time::timeout(KILL, engine.wait_exit(id)).await; // else by force
        }
        engine.remove_forced(id).await
    }

    async fn signal(&self, engine: &Engine, signal: i32) -> Result<(), EngineError> {
        match self {
            Body::Gated { gate, .. } => Ok(gate.signal(signal).await?),
            Body::Plain { id, .. } => engine.signal(id, &signal.to_string()).await,
            Body::Gone(_) => Ok(()),
        }
    }
}

fn words_of(health: &Health) -> String {
    let output = health.output.trim();
    match (health.exit_code, output.is_empty()) {
        (Some(code), true) => format!("exit code {code}"),
        (None, true) => "it took too long".into(),
        (_, false) => output.to_owned(),
    }
}

/// Writes what a container without a gate says to its log file, until it ends.
pub(super) async fn write_output(
    mut output: impl Stream<Item = Result<LogOutput, EngineError>> + Send + Unpin,
    log: &Path,
    limit: u64,
) {
    let file = match LogWriter::limited(log, limit) {
        Ok(file) => Arc::new(file),
        Err(error) => {
            tracing::warn!(%error, log = %log.display(), "a service's log cannot be written");
            return;
        }
    };
    while let Some(Ok(chunk)) = output.next().await {
        let source = match &chunk {
            LogOutput::StdErr { .. } => Source::Stderr,
            LogOutput::StdOut { .. } | LogOutput::StdIn { .. } | LogOutput::Console { .. } => Source::Stdout,
        };
        if let Err(error) = file.append(source, &chunk.into_bytes()) {
            tracing::warn!(%error, log = %log.display(), "a service's log cannot be written");
        }
    }
}
