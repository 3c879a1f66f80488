//! The git program: libgit2 speaks no protocol v2 and cannot fetch a bare commit id. Every call is closed in as
//! [`protocol::git`] says, has a limit in time, and its whole process group is killed when it is given up.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use protocol::git::{Address, KEPT, PROTOCOLS, SETTINGS, Trouble, environment, reason, trouble, without_credentials};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::{CheckoutError, Say};

/// One call may take this long.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// A call that takes long says so this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// What git prints to standard output is kept up to this many bytes.
const OUTPUT_LIMIT: u64 = 16 << 20;

/// How git is called on behalf of one build.
#[derive(Debug, Clone)]
pub struct Git {
    /// The file with [`protocol::git::GLOBAL_CONFIG`].
    global: PathBuf,
    /// The transports that it may use.
    protocols: Vec<String>,
    /// A folder without credentials that stands in for our home.
    home: Option<PathBuf>,
}

/// How a call ended.
pub enum Ended {
    /// Exit code 0; what it printed.
    Well(Vec<u8>),
    /// Another exit code; what it said.
    Badly(String),
}

impl Git {
    /// With these transports; a coordinator that does not say which allows [`PROTOCOLS`].
    pub fn new(global: PathBuf, protocols: &[String]) -> Git {
        let protocols = match protocols {
            [] => PROTOCOLS.map(str::to_owned).to_vec(),
            given => given.to_vec(),
        };
        Git {
            global,
            protocols,
            home: None,
        }
    }

    /// The same for what a stranger asks for: over the web only, and without any credential of ours.
    pub fn anonymous(&self) -> Git {
        let web = |protocol: &&String| matches!(protocol.as_str(), "http" | "https");
        Git {
            global: self.global.clone(),
            protocols: self.protocols.iter().filter(web).cloned().collect(),
            home: self.global.parent().map(Path::to_owned),
        }
    }

    /// The transports that it may use.
    pub fn protocols(&self) -> &[String] {
        &self.protocols
    }

    /// Runs `git <arguments>` in a bare repository. `what` is what `say` hears about while it takes long.
    pub async fn run<A: AsRef<OsStr>>(
        &self,
        folder: &Path,
        arguments: &[A],
        (what, say): (&str, &Say),
        cancel: &CancellationToken,
    ) -> Result<Ended, CheckoutError> {
        let mut child = self
            .command(folder, arguments)
            .spawn()
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => CheckoutError::NoGit,
                _ => super::io("start", Path::new("git"))(error),
            })?;
        let group = ProcessGroup::of(&child);
        let stderr = child.stderr.take().expect("stderr is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let output = async {
            let mut bytes = Vec::new();
            let mut stdout = stdout.take(OUTPUT_LIMIT);
            // A stream that breaks gives what it gave; the exit code tells the rest.
            let _ = stdout.read_to_end(&mut bytes).await;
            let _ = tokio::io::copy(&mut stdout.into_inner(), &mut tokio::io::sink()).await;
            bytes
        };
        let (output, told) = tokio::select! {
            both = async { tokio::join!(output, listen(stderr, what, say)) } => both,
            () = tokio::time::sleep(LIMIT) => {
                group.end(child).await;
                return Err(CheckoutError::TimedOut { what: what.to_owned(), limit: LIMIT });
            }
            () = cancel.cancelled() => {
                group.end(child).await;
                return Err(CheckoutError::Cancelled);
            }
        };
        let status = child.wait().await.map_err(super::io("wait for", Path::new("git")))?;
        Ok(if status.success() {
            Ended::Well(output)
        } else {
            Ended::Badly(told)
        })
    }

    fn command<A: AsRef<OsStr>>(&self, folder: &Path, arguments: &[A]) -> Command {
        let mut command = Command::new("git");
        command.env_clear();
        for name in KEPT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let global = self.global.to_string_lossy();
        for (name, value) in environment(&self.protocols.join(":"), &global) {
            command.env(name, value.as_ref());
        }
        if let Some(home) = &self.home {
            command.env("HOME", home).env_remove("SSH_AUTH_SOCK");
        }
        for setting in SETTINGS {
            command.arg("-c").arg(setting);
        }
        command.arg("--git-dir").arg(folder).args(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

/// One fetch into a bare repository.
pub struct Fetch<'a> {
    /// How git is called.
    pub git: &'a Git,
    /// The bare repository.
    pub mirror: &'a Path,
    /// From where.
    pub address: &'a Address,
    /// What.
    pub refspecs: &'a [String],
}

impl Fetch<'_> {
    /// Runs it, and drops what matches the refspecs and is no more; `say` hears how it goes while it takes long.
    pub async fn run(&self, say: &Say, cancel: &CancellationToken) -> Result<(), CheckoutError> {
        let url = self.address.as_str();
        let mut arguments = vec!["-c", "fetch.unpackLimit=1", "fetch", "--force", "--prune", "--no-tags"];
        arguments.extend([
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
        ]);
        arguments.extend(["--progress", "--end-of-options", url]);
        arguments.extend(self.refspecs.iter().map(String::as_str));
        let shown = without_credentials(url);
        let what = format!("fetching {shown}");
        match self.git.run(self.mirror, &arguments, (&what, say), cancel).await? {
            Ended::Well(_) => Ok(()),
            Ended::Badly(said) => {
                let message = reason(&said).replace(url, &shown);
                Err(match trouble(&said) {
                    Trouble::Remote => CheckoutError::Unreachable { url: shown, message },
                    Trouble::References => CheckoutError::References(message),
                    Trouble::Mirror => CheckoutError::Mirror(message),
                })
            }
        }
    }
}

/// The processes of one call: git starts ssh and helpers of its own.
struct ProcessGroup(Option<rustix::process::Pid>);

impl ProcessGroup {
    fn of(child: &Child) -> ProcessGroup {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        ProcessGroup(id.and_then(rustix::process::Pid::from_raw))
    }

    /// Ends all of them and waits for the first.
    async fn end(self, mut child: Child) {
        if let Some(group) = self.0
            && let Err(error) = rustix::process::kill_process_group(group, rustix::process::Signal::KILL)
        {
            tracing::debug!(%error, "the call had ended by itself");
        }
        if let Err(error) = child.wait().await {
            tracing::warn!(%error, "wait for a git that was killed");
        }
    }
}

/// Reads what git says until it says no more; tells `say` where it stands now and then.
async fn listen(mut stderr: ChildStderr, what: &str, say: &Say) -> String {
    let mut told = Vec::new();
    let mut tick = interval_at(Instant::now() + PROGRESS_EVERY, PROGRESS_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut buffer = [0; 4096];
    loop {
        tokio::select! {
            read = stderr.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return String::from_utf8_lossy(&told).into_owned(),
                Ok(len) => {
                    told.extend_from_slice(&buffer[..len]);
                    // Progress lines are many; the end is what matters.
                    if told.len() > 64 * 1024 {
                        told.drain(..32 * 1024);
                    }
                }
            },
            _ = tick.tick() => {
                let text = String::from_utf8_lossy(&told);
                let now = text.split(['\r', '\n']).rev().find(|line| !line.trim().is_empty()).unwrap_or("no answer yet");
                say(format!("{what}: {}", now.trim()));
            }
        }
    }
}
