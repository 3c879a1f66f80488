//! The container engine: the one that answers is used; when none does, Debian's `dockerd` is started in a session of
//! its own. It is left running: other tasks and people use it.

use super::Missing;
use crate::{process, say};
use anyhow::{Context, bail};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// True when an engine answers.
pub fn answers() -> bool {
    process::says_yes(&mut process::docker(&["version"]))
}

/// Makes sure that an engine answers.
///
/// # Errors
/// `Missing` when none answers and we are not root; otherwise why it did not start.
pub fn start() -> anyhow::Result<()> {
    if answers() {
        say::line(format_args!("the engine answers: docker {}", version()?));
        return Ok(());
    }
    if !process::is_root() {
        let hint = "Start the engine (`sudo systemctl start docker`) and let your user talk to it:\n  \
                    sudo usermod --append --groups docker $USER   (then log in again)";
        return Err(Missing::new("a running container engine", hint).into());
    }
    let begin = Instant::now();
    let log = process::scratch()?.join("dockerd.log");
    if Path::new("/run/systemd/system").exists() {
        process::run(Command::new("systemctl").args(["start", "docker"]))?;
    } else {
        start_dockerd(&log)?;
    }
    while !answers() {
        if begin.elapsed() > PATIENCE {
            bail!(
                "dockerd does not answer after {PATIENCE:?}:\n{}",
                process::tail(&log, 20)
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let took = say::duration(begin.elapsed());
    say::line(format_args!(
        "started the engine: docker {} ({took}; log {})",
        version()?,
        log.display()
    ));
    Ok(())
}

fn start_dockerd(log: &Path) -> anyhow::Result<()> {
    let dockerd = process::find("dockerd").context("find dockerd")?;
    let output = File::create(log).with_context(|| format!("make {}", log.display()))?;
    Command::new("setsid")
        .arg(dockerd)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .context("start dockerd")?;
    Ok(())
}

fn version() -> anyhow::Result<String> {
    let version = process::output(&mut process::docker(&["version", "--format", "{{.Server.Version}}"]))?;
    Ok(version.trim().to_owned())
}
