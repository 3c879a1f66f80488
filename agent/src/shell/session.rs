//! The command of a shell, from its start to its end. Input and output go their own ways, so that a command that does
//! not read is still heard. Whoever goes first, at the end nothing of it runs any more.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use protocol::shell::ShellSize;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::mask_buffer::MaskBuffer;
use super::target::{self, ShellContainer};
use crate::engine::{Engine, EngineError, Exec, ExecPlan};
use crate::gate::{self, GateClient};
use crate::logs::mask::Masker;

/// What may be the beginning of a secret is shown after this.
const PATIENCE: Duration = Duration::from_millis(25);
/// A gate that lives answers at once.
const GATE_ANSWERS: Duration = Duration::from_secs(2);
/// A session in which nothing is typed and nothing printed for so long is ended.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// A command in a container.
pub struct Session {
    exec: Exec,
    target: ShellContainer,
    mark: String,
    masker: Arc<Masker>,
}

/// What a person does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// Bytes.
    Bytes(Bytes),
    /// The terminal has a new size.
    Size(ShellSize),
    /// There is no more input.
    Eof,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEnd {
    /// By itself, with that code.
    Exited(i32),
    /// The person went.
    Closed,
    /// Nothing happened for too long.
    Idle,
    /// The engine broke the connection.
    Broken(String),
}

impl Session {
    /// Starts the command.
    pub async fn start(
        engine: &Engine,
        target: ShellContainer,
        command: &[String],
        terminal: Option<ShellSize>,
        masker: Arc<Masker>,
    ) -> Result<Session, EngineError> {
        let mark = uuid::Uuid::now_v7().simple().to_string();
        let mut env: Vec<String> = target
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if terminal.is_some() {
            env.push("TERM=xterm-256color".to_owned());
        }
        env.push(format!("{}={mark}", gate::SESSION));
        let plan = ExecPlan {
            argv: target::command(command),
            env,
            workdir: target.workdir.clone(),
            terminal: terminal.map(|size| (size.cols, size.rows)),
        };
        let exec = engine.exec(&target.container, plan).await?;
        Ok(Session {
            exec,
            target,
            mark,
            masker,
        })
    }

    /// Runs it to its end. What it prints goes to `shown`, which waits while nobody reads; `typed` ends when the person
    /// goes.
    pub async fn run(self, mut typed: mpsc::Receiver<Typed>, shown: mpsc::Sender<Bytes>) -> SessionEnd {
        let Session {
            exec: Exec {
                mut output,
                mut input,
                control,
            },
            target,
            mark,
            masker,
        } = self;
        let (alive, mut last_word) = tokio::sync::watch::channel(());
        let reads = async {
            while let Some(what) = typed.recv().await {
                alive.send_replace(());
                match what {
                    // A command that reads no more may still print.
                    Typed::Bytes(bytes) => drop(input.write_all(&bytes).await),
                    Typed::Size(ShellSize { cols, rows }) => control.resize(cols, rows).await,
                    Typed::Eof => drop(input.shutdown().await),
                }
            }
        };
        let prints = async {
            let mut mask_buffer = MaskBuffer::new(&masker);
            loop {
                let next = async {
                    match mask_buffer.waits() {
                        true => tokio::time::timeout(PATIENCE, output.next()).await,
                        false => Ok(output.next().await),
                    }
                };
                let part = match next.await {
                    Ok(Some(Ok(bytes))) => mask_buffer.push(&bytes),
                    Err(_) => mask_buffer.flush(),
                    Ok(Some(Err(error))) => return SessionEnd::Broken(error.to_string()),
                    Ok(None) => break,
                };
                if !part.is_empty() {
                    alive.send_replace(());
                    if shown.send(part.into()).await.is_err() {
                        return SessionEnd::Closed;
                    }
                }
            }
            let rest = mask_buffer.flush();
            if !rest.is_empty() && shown.send(rest.into()).await.is_err() {
                return SessionEnd::Closed;
            }
            match control.exit_code().await {
                Ok(code) => SessionEnd::Exited(code.unwrap_or(gate::exit::GATE_BROKE)),
                Err(error) => SessionEnd::Broken(error.to_string()),
            }
        };
        let sleeps = async { while let Ok(Ok(())) = tokio::time::timeout(IDLE, last_word.changed()).await {} };
        let end = tokio::select! {
            biased;
            end = prints => end,
            () = reads => SessionEnd::Closed,
            () = sleeps => SessionEnd::Idle,
        };
        end_processes(&target, &mark).await;
        end
    }
}

/// Ends what the session left running. Without a gate (`gate: off`) only its terminal's end tells it.
async fn end_processes(target: &ShellContainer, mark: &str) {
    match GateClient::connect(&target.gate, GATE_ANSWERS).await {
        Ok(gate) => {
            if let Err(error) = gate.end_session(mark).await {
                tracing::debug!(%error, "the container of a shell is gone");
            }
        }
        Err(error) => tracing::debug!(%error, "the container of a shell has no gate"),
    }
}
