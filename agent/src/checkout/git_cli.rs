//! The git program, for transport only: libgit2 speaks no protocol v2 and cannot fetch a bare commit id. Every call
//! is closed in: no prompt, no hooks, no system configuration, an allow-list of protocols, a limit in time, and its
//! whole process group is killed when it is given up.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::{CheckoutError, Say};

/// A fetch may take this long.
const FETCH_LIMIT: Duration = Duration::from_secs(15 * 60);
/// A fetch that takes long says so this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// What a user may name as a repository: no helper programs.
const PROTOCOLS: &str = "http:https:ssh:git:file";

/// One fetch into a bare repository.
pub struct Fetch<'a> {
    /// The bare repository.
    pub mirror: &'a Path,
    /// From where.
    pub url: &'a str,
    /// What.
    pub refspecs: &'a [String],
    /// Global configuration for this call.
    pub config: &'a Path,
}

impl Fetch<'_> {
    /// Runs it; `say` hears how it goes while it takes long.
    pub async fn run(&self, say: &Say, cancel: &CancellationToken) -> Result<(), CheckoutError> {
        let mut child = self.command().spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => CheckoutError::NoGit,
            _ => super::io("start", Path::new("git"))(error),
        })?;
        let group = ProcessGroup::of(&child);
        let stderr = child.stderr.take().expect("stderr is piped");
        let told = tokio::select! {
            told = listen(stderr, self.url, say) => told,
            () = tokio::time::sleep(FETCH_LIMIT) => {
                group.end(child).await;
                return Err(CheckoutError::TimedOut { url: without_credentials(self.url), limit_secs: FETCH_LIMIT.as_secs() });
            }
            () = cancel.cancelled() => {
                group.end(child).await;
                return Err(CheckoutError::Cancelled);
            }
        };
        let status = child.wait().await.map_err(super::io("wait for", Path::new("git")))?;
        if status.success() {
            return Ok(());
        }
        Err(CheckoutError::Unreachable {
            url: without_credentials(self.url),
            message: complaint(&told, self.url),
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        command
            .args([
                "-c",
                "core.hooksPath=/dev/null",
                "-c",
                "protocol.version=2",
                "-c",
                "fetch.unpackLimit=1",
            ])
            .arg("--git-dir")
            .arg(self.mirror)
            .args([
                "fetch",
                "--force",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-auto-maintenance",
                "--progress",
            ])
            .args(["--end-of-options", self.url])
            .args(self.refspecs)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", self.config)
            .env("GIT_ALLOW_PROTOCOL", PROTOCOLS)
            .env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
            .env("LC_ALL", "C")
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE")
            .env_remove("GIT_CONFIG_COUNT")
            .env_remove("GIT_CONFIG_PARAMETERS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
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
            tracing::debug!(%error, "the fetch had ended by itself");
        }
        if let Err(error) = child.wait().await {
            tracing::warn!(%error, "wait for a git that was killed");
        }
    }
}

/// Reads what git says until it says no more; tells `say` where it stands now and then.
async fn listen(mut stderr: ChildStderr, url: &str, say: &Say) -> String {
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
                say(format!("fetching {}: {}", without_credentials(url), now.trim()));
            }
        }
    }
}

/// What matters in what git said.
fn complaint(told: &str, url: &str) -> String {
    let lines: Vec<&str> = told
        .split(['\r', '\n'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let said = ["fatal: ", "error: ", "ERROR: ", "remote: "]
        .iter()
        .find_map(|prefix| lines.iter().find_map(|line| line.strip_prefix(prefix)))
        .or(lines.last().copied())
        .unwrap_or("git ended without a word");
    said.replace(url, &without_credentials(url))
}

/// The URL as it may be shown: `https://user:token@host/x` is `https://host/x`.
pub fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let host_end = rest.find('/').unwrap_or(rest.len());
            let (host, path) = rest.split_at(host_end);
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_url_is_never_shown() {
        let url = "https://bot:s3cret@git.example/a/b.git";
        assert_eq!(without_credentials(url), "https://git.example/a/b.git");
        assert_eq!(
            without_credentials("git@git.example:a/b.git"),
            "git@git.example:a/b.git"
        );
        let told = format!("remote: hello\nfatal: unable to access '{url}/': Could not resolve host: git.example\n");
        assert_eq!(
            complaint(&told, url),
            "unable to access 'https://git.example/a/b.git/': Could not resolve host: git.example"
        );
    }
}
