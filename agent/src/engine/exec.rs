//! Commands beside the one that a container was made for: what a shell is. An engine ends such a command never by
//! itself; who starts one sees to its end (the gate does, by the session's mark).

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use bollard::Docker;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bollard::query_parameters::ResizeExecOptions;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::io::AsyncWrite;

use super::connect::{self, Engine};
use super::error::EngineError;
use super::labels;
use super::plan::ContainerId;

/// How often an engine is asked whether a command whose output has ended is over, and how many times.
const ASK_AGAIN: Duration = Duration::from_millis(20);
const ASKS: u32 = 100;

/// A command to run in a container that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecPlan {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// `NAME=value`, over the container's own. It stands in the engine's configuration: no secrets.
    pub env: Vec<String>,
    /// Working folder; `None`: the container's.
    pub workdir: Option<String>,
    /// With a terminal of so many columns and rows.
    pub terminal: Option<(u16, u16)>,
}

/// A command that runs.
pub struct Exec {
    /// What it prints, standard output and error as they come.
    pub output: Pin<Box<dyn Stream<Item = Result<Bytes, EngineError>> + Send>>,
    /// What it reads.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// What else can be done with it.
    pub control: ExecControl,
}

/// A hand on a command.
#[derive(Clone)]
pub struct ExecControl {
    docker: Docker,
    id: String,
}

impl Engine {
    /// Runs a command in a container that runs.
    pub async fn exec(&self, container: &ContainerId, plan: ExecPlan) -> Result<Exec, EngineError> {
        exec(self.docker().clone(), &container.0, plan).await
    }
}

/// Runs a command in the container of this machine that carries all these labels; `None`: there is none that runs.
/// Needs no [`Engine`].
pub async fn exec_by_labels(
    socket: Option<PathBuf>,
    wanted: &[(&str, &str)],
    plan: ExecPlan,
) -> Result<Option<Exec>, EngineError> {
    let docker = connect::reach(socket).await?;
    let filters = wanted.iter().map(|(key, value)| labels::filter(key, value)).collect();
    let Some(container) = super::sweep::containers(&docker, filters).await?.into_iter().next() else {
        return Ok(None);
    };
    exec(docker, &container.id, plan).await.map(Some)
}

async fn exec(docker: Docker, container: &str, plan: ExecPlan) -> Result<Exec, EngineError> {
    let config = ExecConfig {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(plan.terminal.is_some()),
        env: Some(plan.env),
        cmd: Some(plan.argv),
        working_dir: plan.workdir,
        ..ExecConfig::default()
    };
    let created = docker.create_exec(container, config).await;
    let id = created.map_err(|error| EngineError::of("make a command", error))?.id;
    let options = StartExecOptions {
        detach: false,
        tty: plan.terminal.is_some(),
        output_capacity: None,
    };
    let started = docker.start_exec(&id, Some(options)).await;
    let (output, input) = match started.map_err(|error| EngineError::of("start a command", error))? {
        StartExecResults::Attached { output, input } => (output, input),
        StartExecResults::Detached => {
            return Err(EngineError::other("start a command", "the engine did not attach to it"));
        }
    };
    let output = output.map(|part| match part {
        Ok(part) => Ok(part.into_bytes()),
        Err(error) => Err(EngineError::of("read a command's output", error)),
    });
    let control = ExecControl { docker, id };
    if let Some((cols, rows)) = plan.terminal {
        control.resize(cols, rows).await;
    }
    Ok(Exec {
        output: Box::pin(output),
        input,
        control,
    })
}

impl ExecControl {
    /// Gives its terminal another size. One that is over does not mind.
    pub async fn resize(&self, cols: u16, rows: u16) {
        let options = ResizeExecOptions {
            h: i32::from(rows),
            w: i32::from(cols),
        };
        if let Err(error) = self.docker.resize_exec(&self.id, options).await {
            tracing::debug!(%error, "a terminal cannot be resized");
        }
    }

    /// Its exit code, once its output has ended. `None`: it still runs.
    pub async fn exit_code(&self) -> Result<Option<i32>, EngineError> {
        for _ in 0..ASKS {
            let state = self.docker.inspect_exec(&self.id).await;
            let state = state.map_err(|error| EngineError::of("ask how a command ended", error))?;
            if state.running != Some(true) {
                let code = state.exit_code.and_then(|code| i32::try_from(code).ok());
                return Ok(code);
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
        Ok(None)
    }
}
