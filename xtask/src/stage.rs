//! A Drover of our own: the binary, a data folder that goes when we go, a server on a free port, and bare repositories
//! that push to it. Demo and bench stand on it; they use the binary's commands and nothing of its code.

use crate::keeper::Keeper;
use crate::process;
use anyhow::{Context, bail};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const READY: Duration = Duration::from_secs(60);

/// A running `drover up`.
pub struct Stage {
    binary: PathBuf,
    folder: PathBuf,
    server: Keeper,
    /// Where its pages are.
    pub url: String,
}

/// Builds `drover` in a profile (`dev` or `release`) and says where it is.
///
/// # Errors
/// When it does not compile.
pub fn build(profile: &str) -> anyhow::Result<PathBuf> {
    process::run(&mut compile(profile))?;
    binary(profile)
}

/// The command that builds `drover`.
pub fn compile(profile: &str) -> Command {
    let mut cargo = process::cargo();
    cargo.args(["build", "--quiet", "--package", "drover", "--profile", profile]);
    cargo
}

/// Where `drover` is once it is built.
///
/// # Errors
/// When it is not.
pub fn binary(profile: &str) -> anyhow::Result<PathBuf> {
    let folder = if profile == "dev" { "debug" } else { profile };
    let binary = process::target().join(folder).join("drover");
    binary
        .canonicalize()
        .with_context(|| format!("find {}", binary.display()))
}

impl Stage {
    /// Starts `drover up` on a free loopback port with an empty data folder.
    ///
    /// # Errors
    /// When it does not say that it is ready.
    pub fn up(binary: &Path, slots: u32) -> anyhow::Result<Stage> {
        let folder = tempfile::Builder::new().prefix("drover-stage-").tempdir()?.keep();
        let log = folder.join("up.log");
        let mut up = at_home(binary, &folder);
        up.args(["up", "--listen", "127.0.0.1:0", "--slots", &slots.to_string()]);
        let server = Keeper::start(&folder, &log, "TERM", &up)?;
        let said = |word: &str| said(&log, word);
        server.wait_until(READY, || said("ready").is_some())?;
        let stage = Stage {
            binary: binary.to_owned(),
            url: said("ready").context("read the address")?,
            folder: folder.clone(),
            server,
        };
        stage.wait_for("an agent", || {
            stage
                .json(&["agent", "ls", "--json"])
                .is_ok_and(|agents| agents[0].is_object())
        })?;
        Ok(stage)
    }

    /// The stage's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The server's process id.
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    /// `drover` with these words, on this stage.
    pub fn drover(&self, words: &[&str]) -> Command {
        let mut command = at_home(&self.binary, &self.folder);
        command.args(words).current_dir(&self.folder);
        command
    }

    /// Runs `drover` and reads the JSON that it prints.
    ///
    /// # Errors
    /// When it says no or prints something else.
    pub fn json(&self, words: &[&str]) -> anyhow::Result<Value> {
        let text = process::output(&mut self.drover(words))?;
        serde_json::from_str(&text).with_context(|| format!("read the JSON of `drover {}`", words.join(" ")))
    }

    /// A link that logs in once.
    ///
    /// # Errors
    /// When `drover login-link` says no.
    pub fn login_link(&self) -> anyhow::Result<String> {
        let text = process::output(&mut self.drover(&["login-link"]))?;
        Ok(text.trim().to_owned())
    }

    /// Makes a bare repository, tells Drover of it, and installs the printed hook; gives a clone's folder.
    ///
    /// # Errors
    /// When Git or Drover says no.
    pub fn repository(&self, name: &str) -> anyhow::Result<PathBuf> {
        let bare = self.folder.join(format!("{name}.git"));
        let clone = self.folder.join(name);
        let bare_path = bare.to_string_lossy().into_owned();
        git(&self.folder, &["init", "-q", "--bare", "-b", "main", &bare_path])?;
        git(&self.folder, &["init", "-q", "-b", "main", name])?;
        git(&clone, &["remote", "add", "origin", &bare_path])?;
        process::output(&mut self.drover(&["repo", "add", name, "--git", &bare_path]))?;
        let hook = process::output(&mut self.drover(&["repo", "hook", name, "--post-receive"]))?;
        let path = bare.join("hooks/post-receive");
        std::fs::write(&path, hook).context("write the hook")?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).context("make the hook a program")?;
        Ok(clone)
    }

    /// The newest build, once it is not `before`.
    ///
    /// # Errors
    /// When none appears in time.
    pub fn build_after(&self, before: i64) -> anyhow::Result<i64> {
        let mut number = before;
        self.wait_for("the build", || {
            let builds = self.json(&["build", "ls", "--json"]).unwrap_or_default();
            number = builds[0]["number"].as_i64().unwrap_or(before);
            number > before
        })?;
        Ok(number)
    }

    /// Leaves it running after us; gives the process id.
    pub fn release(self) -> Option<u32> {
        let pid = self.server.pid();
        self.server.release();
        pid
    }

    fn wait_for(&self, what: &str, mut there: impl FnMut() -> bool) -> anyhow::Result<()> {
        let begin = Instant::now();
        while !there() {
            if begin.elapsed() > READY {
                bail!(
                    "{what} did not come; the server said:\n{}",
                    process::tail(&self.folder.join("up.log"), 20)
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// Commits everything in the clone and pushes it to `reference`.
///
/// # Errors
/// When Git says no.
pub fn push(clone: &Path, title: &str, reference: &str) -> anyhow::Result<()> {
    git(clone, &["add", "--all"])?;
    git(clone, &["commit", "-q", "-m", title])?;
    git(clone, &["push", "-q", "origin", &format!("HEAD:{reference}")])
}

/// Runs Git there, as a person who needs no configuration.
///
/// # Errors
/// When it says no.
pub fn git(folder: &Path, words: &[&str]) -> anyhow::Result<()> {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"])
        .args(words)
        .current_dir(folder);
    process::output(&mut git).map(drop)
}

/// The binary with everything it keeps in `folder`, deaf to what the shell says.
pub fn at_home(binary: &Path, folder: &Path) -> Command {
    let mut command = Command::new(binary);
    for name in [
        "DROVER_URL",
        "DROVER_TOKEN",
        "DROVER_DATABASE",
        "DROVER_LOG",
        "RUST_BACKTRACE",
    ] {
        command.env_remove(name);
    }
    command.env("DROVER_DATA", folder.join("data"));
    command
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("XDG_CONFIG_HOME", folder.join("config"));
    command
}

/// The word after `name` at the beginning of a line of the log: `ready   http://…`.
pub fn said(log: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(log).ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next().map(str::to_owned)
}
