//! Running git, closed in as [`protocol::git`] says, with an end in time. The process gets its own group, so that its
//! helpers (ssh, git-remote-https) end with it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use protocol::git::{KEPT, SETTINGS, environment};

use crate::config;

/// What git prints to either stream is kept up to this many bytes.
const OUTPUT_LIMIT: u64 = 4 << 20;

/// How a run of git ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Exit code 0; what it printed.
    Well(String),
    /// Another exit code; what it printed on standard error.
    Badly(String),
    /// It was ended after the time of the configuration.
    TimedOut,
}

/// Runs `git <arguments>` in the bare repository `folder`.
///
/// # Errors
/// When git cannot be started.
pub(super) async fn git<A: AsRef<OsStr>>(
    settings: &config::Git,
    folder: &Path,
    arguments: &[A],
) -> std::io::Result<Ended> {
    let mut child = Group(command(settings, folder, arguments).spawn()?);
    let (stdout, stderr) = (child.0.stdout.take(), child.0.stderr.take());
    let whole = async { tokio::join!(text(stdout), text(stderr), child.0.wait()) };
    match tokio::time::timeout(Duration::from_secs(settings.timeout_secs), whole).await {
        Err(_) => Ok(Ended::TimedOut),
        Ok((out, _, status)) if status.as_ref().is_ok_and(|status| status.success()) => Ok(Ended::Well(out)),
        Ok((_, err, _)) => Ok(Ended::Badly(err)),
    }
}

fn command<A: AsRef<OsStr>>(settings: &config::Git, folder: &Path, arguments: &[A]) -> Command {
    let mut command = Command::new("git");
    command.env_clear();
    for name in KEPT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let global = global_config(folder).to_string_lossy().into_owned();
    for (name, value) in environment(&settings.protocols.join(":"), &global) {
        command.env(name, value.as_ref());
    }
    for setting in SETTINGS {
        command.arg("-c").arg(setting);
    }
    command.arg("--git-dir").arg(folder).args(arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    command
}

/// Where the global configuration of our calls is: beside the mirrors.
pub(super) fn global_config(mirror: &Path) -> PathBuf {
    mirror.with_file_name("gitconfig")
}

async fn text(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else {
        return String::new();
    };
    let mut bytes = Vec::new();
    // A stream that breaks gives what it gave; the exit code tells the rest.
    let _ = (&mut stream).take(OUTPUT_LIMIT).read_to_end(&mut bytes).await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A child and all it started: dropped while it runs (a timeout, the coordinator's end), the whole group is killed.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // `id` is `None` once the child was waited for, so a number that was given to somebody else is never hit.
        let group = self
            .0
            .id()
            .and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = group {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transport_that_is_not_listed_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        git2::Repository::init_bare(folder.path()).unwrap();
        let settings = config::Git {
            timeout_secs: 10,
            protocols: vec!["https".into()],
        };
        let fetch = ["fetch", "--end-of-options", "ext::sh -c 'touch run'", "main"];
        match git(&settings, folder.path(), &fetch).await.unwrap() {
            Ended::Badly(error) => insta::assert_snapshot!(error.trim(), @"fatal: transport 'ext' not allowed"),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_git_that_hangs_is_ended_with_its_helpers() {
        let folder = tempfile::tempdir().unwrap();
        git2::Repository::init_bare(folder.path()).unwrap();
        let settings = config::Git {
            timeout_secs: 1,
            protocols: vec!["git".into()],
        };
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("git://{}/app.git", silent.local_addr().unwrap());
        let ended = git(&settings, folder.path(), &["ls-remote", "--end-of-options", &address])
            .await
            .unwrap();
        assert!(matches!(ended, Ended::TimedOut), "{ended:?}");
        let (mut peer, _) = silent.accept().await.unwrap();
        let mut said = Vec::new();
        peer.read_to_end(&mut said).await.unwrap();
        assert!(!said.is_empty(), "git spoke, and its end closed the connection");
    }
}
