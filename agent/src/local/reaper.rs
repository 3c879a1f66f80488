//! The reaper: a process that outlives the run and removes what is left of it. It waits for the end of its standard
//! input, which comes when the run is over and also when the run is killed; so a result need not wait for removals,
//! and `kill -9` leaves nothing.

use std::io::{BufRead, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::engine;

/// An engine that was asked for something when the run was killed may still make it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What the reaper is told on its first line.
#[derive(Debug, Serialize, Deserialize)]
struct ReapRequest {
    /// The value of `drover.agent`.
    agent: String,
    /// The run's folder.
    folder: PathBuf,
}

/// A reaper that waits. It begins when this is dropped, or when this process ends.
#[derive(Debug)]
pub struct Reaper {
    _child: Child,
}

impl Reaper {
    /// Starts one: `command` is a program with its arguments that ends in [`super::reap_main`].
    pub fn start(command: &[String], agent: &str, folder: &Path) -> anyhow::Result<Reaper> {
        let (program, arguments) = command.split_first().context("no command for the reaper")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for the run.
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {program} to clean up behind the run"))?;
        let request = ReapRequest {
            agent: agent.to_owned(),
            folder: folder.to_owned(),
        };
        let mut line = serde_json::to_vec(&request)?;
        line.push(b'\n');
        let stdin = child.stdin.as_mut().expect("its input is a pipe");
        stdin.write_all(&line).context("tell the reaper what to clean up")?;
        Ok(Reaper { _child: child })
    }
}

/// See [`super::reap_main`].
pub fn main() -> ExitCode {
    match reap() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cleaning up behind a run: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn reap() -> anyhow::Result<()> {
    let mut input = std::io::stdin().lock();
    let mut line = String::new();
    input.read_line(&mut line)?;
    let request: ReapRequest = serde_json::from_str(&line).context("read what to clean up")?;
    input.read_to_end(&mut Vec::new())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        engine::reap(None, &request.agent).await?;
        tokio::time::sleep(LOOK_AGAIN).await;
        engine::reap(None, &request.agent).await
    })?;
    std::fs::remove_dir_all(&request.folder).with_context(|| format!("remove {}", request.folder.display()))
}
