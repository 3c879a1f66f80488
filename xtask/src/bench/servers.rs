//! What a server costs that does nothing: the time until it answers, the memory it holds, the size of the program.

use super::samples::Samples;
use crate::http::Server;
use crate::keeper::Keeper;
use crate::setup::postgres::free_port;
use crate::stage::{at_home, said};
use crate::{process, say};
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);

/// How long `drover up` takes until `/healthz` answers, in milliseconds.
#[derive(Default)]
pub struct Starts {
    /// In an empty folder: keys, token and database are made.
    pub first: Samples,
    /// In a folder that it knows.
    pub again: Samples,
}

/// Resident memory at rest, in megabytes (10^6 bytes).
pub struct Memory {
    /// `drover coordinator`
    pub coordinator: f64,
    /// `drover agent`
    pub agent: f64,
}

/// Starts `drover up` `rounds` times in an empty folder, and each time once more in the same one.
///
/// # Errors
/// When it does not answer.
pub fn starts(binary: &Path, rounds: usize) -> anyhow::Result<Starts> {
    let mut starts = Starts::default();
    for _ in 0..rounds {
        let home = tempfile::tempdir().context("make a folder")?;
        starts.first.push_duration(start(binary, home.path())?);
        starts.again.push_duration(start(binary, home.path())?);
    }
    Ok(starts)
}

fn start(binary: &Path, home: &Path) -> anyhow::Result<Duration> {
    let address = format!("127.0.0.1:{}", free_port()?);
    let mut up = at_home(binary, home);
    up.args(["up", "--slots", "2", "--listen", &address]);
    let begin = Instant::now();
    let _up = keep("up", &up)?;
    let server = Server::new(&format!("http://{address}"), None);
    while !server.answers("/healthz") {
        anyhow::ensure!(begin.elapsed() < LIMIT, "`drover up` does not answer after {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(begin.elapsed())
}

/// Starts a coordinator and an agent as two processes, lets them rest, and reads what they hold.
///
/// # Errors
/// When they do not start.
pub fn memory(binary: &Path, rest: Duration) -> anyhow::Result<Memory> {
    let home = tempfile::tempdir().context("make a folder")?;
    let (coordinator, url) = coordinator(binary, home.path())?;
    let token = home.path().join("agent.token");
    let code = process::output(at_home(binary, home.path()).args(["agent", "token"]))?;
    std::fs::write(&token, code).context("write the agent's code")?;
    let mut command = at_home(binary, home.path());
    command
        .args(["agent", "--slots", "2", "--coordinator", &url, "--token-file"])
        .arg(&token);
    let agent = keep("agent", &command)?;
    agent.keeper.wait_until(LIMIT, || {
        let agents = process::output(at_home(binary, home.path()).args(["agent", "ls", "--json"]));
        agents.is_ok_and(|agents| agents.contains("\"id\""))
    })?;
    say::line(format_args!("coordinator and agent rest for {}", say::duration(rest)));
    std::thread::sleep(rest);
    Ok(Memory {
        coordinator: resident(coordinator.keeper.pid())?,
        agent: resident(agent.keeper.pid())?,
    })
}

/// Starts a coordinator that keeps everything in `home`; it, and its address.
///
/// # Errors
/// When it does not say that it is ready.
pub fn coordinator(binary: &Path, home: &Path) -> anyhow::Result<(Running, String)> {
    let data = home.join("data");
    let file = home.join("coordinator.toml");
    let text = format!("listen = \"127.0.0.1:0\"\ndata = {:?}\n", data.display().to_string());
    std::fs::write(&file, text).context("write the coordinator's configuration")?;
    let mut command = at_home(binary, home);
    let coordinator = keep("coordinator", command.arg("coordinator").arg("--config").arg(&file))?;
    coordinator
        .keeper
        .wait_until(LIMIT, || said(&coordinator.log, "ready").is_some())?;
    let url = said(&coordinator.log, "ready").context("read the coordinator's address")?;
    Ok((coordinator, url))
}

/// Megabytes that a process holds.
///
/// # Errors
/// When it is gone.
pub fn resident(pid: Option<u32>) -> anyhow::Result<f64> {
    let pid = pid.context("the process did not start")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("look at the process")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .context("read VmRSS")?
        .parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}

/// Megabytes of the program's file.
///
/// # Errors
/// When it is not there.
pub fn size(binary: &Path) -> anyhow::Result<f64> {
    let metadata = std::fs::metadata(binary).with_context(|| format!("look at {}", binary.display()))?;
    Ok(metadata.len() as f64 / 1e6)
}

/// A server that goes when this goes.
pub struct Running {
    /// Holds its process.
    pub keeper: Keeper,
    log: PathBuf,
}

fn keep(name: &str, command: &Command) -> anyhow::Result<Running> {
    let folder = tempfile::Builder::new().prefix("drover-bench-").tempdir()?.keep();
    let log = process::scratch()?.join(format!("bench-{name}.log"));
    Ok(Running {
        keeper: Keeper::start(&folder, &log, "TERM", command)?,
        log,
    })
}
