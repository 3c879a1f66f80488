//! A run of git, closed in, with an end in time and a bounded output. The process gets its own group, so that its helpers
//! (ssh, git-remote-https) end with it.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::environment::{GLOBAL_CONFIG, KEPT, SETTINGS, environment};

/// A run that takes long reports its progress this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// What git prints to standard output is kept up to this many bytes.
pub const OUTPUT_LIMIT: u64 = 16 << 20;
/// Of what it prints to standard error the last bytes are kept, at most so many: progress lines are many.
const ERRORS_LIMIT: usize = 64 << 10;

/// How git is called for one repository.
#[derive(Debug, Clone)]
pub struct Git {
    global: PathBuf,
    protocols: Vec<String>,
    home: Option<PathBuf>,
    limit: Duration,
}

/// How a run ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// Exit code 0; what it printed to standard output, 16 MiB at most.
    Success(Vec<u8>),
    /// Another exit code; the end of what it printed to standard error.
    Failure(String),
}

/// Why a run did not end by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such program.
    #[error("the program `git` is not installed")]
    NotInstalled,
    /// The system does not start it, or loses it.
    #[error("git cannot be run: {0}")]
    Io(io::Error),
    /// It was ended after this time.
    #[error("git took longer than {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// It was ended by the token of its [`Watch`].
    #[error("cancelled")]
    Cancelled,
}

/// Who may end a run, and who hears how far it is.
#[derive(Clone, Copy, Default)]
pub struct Watch<'a> {
    /// Ends it.
    pub cancel: Option<&'a CancellationToken>,
    /// Gets the line at which a run that takes long is, every ten seconds.
    pub progress: Option<&'a (dyn Fn(&str) + Send + Sync)>,
}

impl Git {
    /// With these transports and no other; each run ends after `limit`. `global` is the file of its global configuration,
    /// which [`Git::configure`] writes.
    pub fn new(global: PathBuf, protocols: &[String], limit: Duration) -> Git {
        Git {
            global,
            protocols: protocols.to_vec(),
            home: None,
            limit,
        }
    }

    /// The same for what a stranger asks for: over the web only, and without any credential of ours.
    pub fn anonymous(&self) -> Git {
        let web = |protocol: &&String| matches!(protocol.as_str(), "http" | "https");
        Git {
            global: self.global.clone(),
            protocols: self.protocols.iter().filter(web).cloned().collect(),
            home: self.global.parent().map(Path::to_owned),
            limit: self.limit,
        }
    }

    /// The transports that it may use.
    pub fn protocols(&self) -> &[String] {
        &self.protocols
    }

    /// Writes the global configuration, unless the file is as it should be. Its folder must be there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn configure(&self) -> io::Result<()> {
        match tokio::fs::read(&self.global).await {
            Ok(content) if content == GLOBAL_CONFIG.as_bytes() => Ok(()),
            _ => tokio::fs::write(&self.global, GLOBAL_CONFIG).await,
        }
    }

    /// Runs `git <arguments>` in the bare repository `folder`. Dropped before its end, git and all that it started are
    /// killed; after a timeout or a cancel it is gone when this returns.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn run<A: AsRef<OsStr>>(
        &self,
        folder: &Path,
        arguments: &[A],
        watch: Watch<'_>,
    ) -> Result<Exit, RunError> {
        let child = self.command(folder, arguments).spawn();
        let mut group = ProcessGroup(child.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => RunError::NotInstalled,
            _ => RunError::Io(error),
        })?);
        let (stdout, stderr) = (group.0.stdout.take(), group.0.stderr.take());
        let whole = async { tokio::join!(output(stdout), errors(stderr, watch.progress), group.0.wait()) };
        let cancelled = async {
            match watch.cancel {
                Some(cancel) => cancel.cancelled().await,
                None => std::future::pending().await,
            }
        };
        let error = tokio::select! {
            (output, errors, status) = whole => {
                return Ok(match status.map_err(RunError::Io)?.success() {
                    true => Exit::Success(output),
                    false => Exit::Failure(errors),
                });
            }
            () = tokio::time::sleep(self.limit) => RunError::TimedOut(self.limit),
            () = cancelled => RunError::Cancelled,
        };
        group.end().await;
        Err(error)
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
            .stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        command
    }
}

/// A child and all it started.
struct ProcessGroup(Child);

impl ProcessGroup {
    /// Kills all of them and waits for the child.
    async fn end(mut self) {
        self.kill();
        // It was killed: the system knows its status, or nothing more can be done about it.
        let _ = self.0.wait().await;
    }

    /// `id` is `None` once the child was waited for, so a number that was given to somebody else is never hit.
    fn kill(&self) {
        let id = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(rustix::process::Pid::from_raw) {
            // It may have ended by itself in this moment.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads what git prints, and past the limit reads on. A stream that breaks gives what it gave; the exit code tells the
/// rest.
async fn output(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        let _ = (&mut stream).take(OUTPUT_LIMIT).read_to_end(&mut bytes).await;
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
    bytes
}

/// Reads what git says until it says no more; `progress` hears now and then where it is.
async fn errors(stream: Option<impl AsyncRead + Unpin>, progress: Option<&(dyn Fn(&str) + Send + Sync)>) -> String {
    let mut said = Vec::new();
    let Some(mut stream) = stream else {
        return String::new();
    };
    let mut tick = interval_at(Instant::now() + PROGRESS_EVERY, PROGRESS_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut buffer = [0; 4096];
    loop {
        tokio::select! {
            read = stream.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return String::from_utf8_lossy(&said).into_owned(),
                Ok(len) => {
                    said.extend_from_slice(&buffer[..len]);
                    if said.len() > ERRORS_LIMIT {
                        said.drain(..ERRORS_LIMIT / 2);
                    }
                }
            },
            _ = tick.tick() => {
                if let Some(progress) = progress {
                    progress(last_line(&String::from_utf8_lossy(&said)));
                }
            }
        }
    }
}

fn last_line(said: &str) -> &str {
    let mut lines = said.split(['\r', '\n']).rev().map(str::trim);
    lines.find(|line| !line.is_empty()).unwrap_or("no answer yet")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bare repository with the configuration beside it, and how git is called for it.
    async fn repository(protocols: &[&str], limit: Duration) -> (tempfile::TempDir, PathBuf, Git) {
        let folder = tempfile::tempdir().unwrap();
        let protocols: Vec<String> = protocols.iter().map(|&name| name.to_owned()).collect();
        let git = Git::new(folder.path().join("gitconfig"), &protocols, limit);
        git.configure().await.unwrap();
        let bare = folder.path().join("bare.git");
        let made = git
            .run(&bare, &["init", "--bare", "--quiet"], Watch::default())
            .await
            .unwrap();
        assert_eq!(made, Exit::Success(Vec::new()));
        (folder, bare, git)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_transport_that_is_not_listed_is_not_used() {
        let (_folder, bare, git) = repository(&["https"], LONG).await;
        let fetch = ["fetch", "--end-of-options", "ext::sh -c 'touch run'", "main"];
        match git.run(&bare, &fetch, Watch::default()).await.unwrap() {
            Exit::Failure(said) => insta::assert_snapshot!(said.trim(), @"fatal: transport 'ext' not allowed"),
            other => panic!("{other:?}"),
        }
        let (_folder, bare, git) = repository(&["file", "https"], LONG).await;
        let address = format!("file://{}", bare.display());
        let list = ["ls-remote", "--end-of-options", &address];
        assert!(matches!(
            git.run(&bare, &list, Watch::default()).await.unwrap(),
            Exit::Success(_)
        ));
        match git.anonymous().run(&bare, &list, Watch::default()).await.unwrap() {
            Exit::Failure(said) => insta::assert_snapshot!(said.trim(), @"fatal: transport 'file' not allowed"),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn no_configuration_but_ours_is_read() {
        let (folder, bare, git) = repository(&["https"], LONG).await;
        let home = folder.path().join("home");
        std::fs::create_dir(&home).unwrap();
        std::fs::write(home.join(".gitconfig"), "[user]\n\tname = home\n").unwrap();
        let mut git = git;
        git.home = Some(home);
        let list = ["config", "--list", "--show-origin"];
        let Exit::Success(said) = git.run(&bare, &list, Watch::default()).await.unwrap() else {
            panic!("git does not list its configuration");
        };
        let said = String::from_utf8(said).unwrap();
        let file = format!("file:{}/", folder.path().display());
        assert!(said.contains("safe.directory=*"), "{said}");
        assert!(said.contains("core.hookspath=/dev/null"), "{said}");
        assert!(!said.contains("user.name"), "{said}");
        let is_ours = |line: &str| line.starts_with("command line:") || line.starts_with(&file);
        assert!(said.lines().all(is_ours), "{said}");
    }

    /// A server that takes a connection and says nothing.
    async fn silent() -> (tokio::net::TcpListener, String) {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("git://{}/app.git", silent.local_addr().unwrap());
        (silent, address)
    }

    /// Waits for the end of the connection: whoever had it is gone.
    async fn closed(silent: &tokio::net::TcpListener) {
        let (mut peer, _) = silent.accept().await.unwrap();
        let mut said = Vec::new();
        peer.read_to_end(&mut said).await.unwrap();
        assert!(!said.is_empty(), "git spoke, and its end closed the connection");
    }

    #[tokio::test]
    async fn a_git_that_hangs_is_ended_with_its_helpers() {
        let (_folder, bare, git) = repository(&["git"], Duration::from_secs(1)).await;
        let (server, address) = silent().await;
        let list = ["ls-remote", "--end-of-options", &address];
        let ended = git.run(&bare, &list, Watch::default()).await;
        assert!(matches!(ended, Err(RunError::TimedOut(_))), "{ended:?}");
        closed(&server).await;
    }

    #[tokio::test]
    async fn a_git_that_is_cancelled_or_dropped_is_ended_too() {
        let (_folder, bare, git) = repository(&["git"], LONG).await;
        let (server, address) = silent().await;
        let list = ["ls-remote", "--end-of-options", &address];
        let cancel = CancellationToken::new();
        let watch = Watch {
            cancel: Some(&cancel),
            progress: None,
        };
        let connected = async {
            let (peer, _) = server.accept().await.unwrap();
            cancel.cancel();
            peer
        };
        let (ended, mut peer) = tokio::join!(git.run(&bare, &list, watch), connected);
        assert!(matches!(ended, Err(RunError::Cancelled)), "{ended:?}");
        peer.read_to_end(&mut Vec::new()).await.unwrap();

        let connected = tokio::select! {
            ended = git.run(&bare, &list, Watch::default()) => panic!("{ended:?}"),
            connected = server.accept() => connected,
        };
        connected.unwrap().0.read_to_end(&mut Vec::new()).await.unwrap();
    }

    #[test]
    fn the_last_line_says_how_far_it_is() {
        assert_eq!(
            last_line("Counting\rReceiving objects: 10%\r\n \n"),
            "Receiving objects: 10%"
        );
        assert_eq!(last_line("\n"), "no answer yet");
    }
}
