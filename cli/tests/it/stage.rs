//! The stage of every story: a data folder, a `drover up` on a free port, a bare repository with a working copy, and
//! the looks that a story ends with. Dropping it stops what it started and fails the test when something is left.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A wait that takes longer is a failure, not slowness.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One Drover of its own.
pub struct Stage {
    pub folder: tempfile::TempDir,
    up: Option<Up>,
    pub agent: String,
}

struct Up {
    process: Child,
    url: String,
}

impl Stage {
    /// A folder, and nothing running yet.
    pub fn new() -> Stage {
        Stage {
            folder: tempfile::tempdir().unwrap(),
            up: None,
            agent: String::new(),
        }
    }

    /// With `drover up` running.
    pub fn up() -> Stage {
        let mut stage = Stage::new();
        stage.start();
        stage
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts `drover up` and waits until it says that it is ready.
    pub fn start(&mut self) {
        let mut process = self
            .command()
            .args(["up", "--listen", "127.0.0.1:0", "--slots", "2"])
            .env_remove("DROVER_URL")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = process.stderr.take().unwrap();
        let log = self.folder.path().join("up.log");
        let (send, said) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            use std::io::Write;
            let mut log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = writeln!(log, "{line}");
                if let Some(url) = line.strip_prefix("ready  ") {
                    let _ = send.send(url.trim().to_owned());
                }
            }
        });
        let Ok(url) = said.recv_timeout(PATIENCE) else {
            panic!("drover up is not ready; it said:\n{}", self.said());
        };
        self.up = Some(Up { process, url });
        // What the agent marks everything with that it makes.
        let label = self.data().join("agent/agent-label");
        self.agent = eventually("the agent's label", || {
            let label = std::fs::read_to_string(&label).ok()?;
            Some(label.trim().to_owned()).filter(|label| !label.is_empty())
        });
    }

    pub fn url(&self) -> &str {
        &self.up.as_ref().unwrap().url
    }

    /// A one-time link.
    pub fn login_link(&self) -> String {
        self.ok(&["login-link"]).trim().to_owned()
    }

    /// What `drover up` wrote so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("up.log")).unwrap_or_default()
    }

    /// `kill -9` of the whole process: coordinator and agent at once.
    pub fn kill(&mut self) {
        let mut up = self.up.take().unwrap();
        up.process.kill().unwrap();
        up.process.wait().unwrap();
    }

    /// A calm end by SIGTERM.
    pub fn stop(&mut self) {
        let Some(mut up) = self.up.take() else { return };
        let pid = rustix::process::Pid::from_child(&up.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let until = Instant::now() + PATIENCE;
        while up.process.try_wait().unwrap().is_none() {
            if Instant::now() > until {
                up.process.kill().unwrap();
                up.process.wait().unwrap();
                panic!("drover up does not end on SIGTERM; it said:\n{}", self.said());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The binary, told where this stage's data is.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drover"));
        command
            .env("DROVER_DATA", self.data())
            .env("XDG_CACHE_HOME", self.folder.path().join("cache"))
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"))
            .env("XDG_RUNTIME_DIR", self.folder.path().join("runtime"))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs `drover` with these words.
    pub fn drover(&self, words: &[&str]) -> Output {
        self.command().args(words).output().unwrap()
    }

    /// Runs `drover`, which must end well, and gives its standard output.
    pub fn ok(&self, words: &[&str]) -> String {
        let output = self.drover(words);
        assert!(output.status.success(), "drover {words:?}: {}", output_text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `drover` with `--json` and reads what it prints.
    pub fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.ok(words)).unwrap()
    }

    /// Adds a repository with the printed post-receive hook installed; gives its working copy.
    pub fn repository(&self, name: &str) -> WorkingCopy {
        let bare = self.folder.path().join(format!("{name}.git"));
        let copy = WorkingCopy {
            folder: self.folder.path().join(name),
        };
        git(
            self.folder.path(),
            &["init", "-q", "--bare", "-b", "main", bare.to_str().unwrap()],
        );
        git(
            self.folder.path(),
            &["init", "-q", "-b", "main", copy.folder.to_str().unwrap()],
        );
        copy.git(&["remote", "add", "origin", bare.to_str().unwrap()]);
        self.ok(&["repo", "add", name, "--git", bare.to_str().unwrap(), "--json"]);
        let hook = bare.join("hooks/post-receive");
        std::fs::write(&hook, self.ok(&["repo", "hook", name, "--post-receive"])).unwrap();
        std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        copy
    }

    /// Waits until there is a build with that number.
    pub fn build(&self, number: i64) -> Value {
        eventually(&format!("build {number}"), || {
            let output = self.drover(&["build", "show", &number.to_string(), "--json"]);
            output
                .status
                .success()
                .then(|| serde_json::from_slice(&output.stdout).unwrap())
        })
    }

    /// Runs a command inside a service's container, as a person with the engine's own tool would.
    pub fn set_in_service(&self, service: &str, words: &[&str]) {
        let filters = [
            format!("label=drover.service={service}"),
            format!("label=drover.agent={}", self.agent),
        ];
        let words_of_ps = ["ps", "-q", "--filter", &filters[0], "--filter", &filters[1]];
        let id = eventually(
            &format!("one container of {service}, among {:?}", in_engine("drover.service")),
            || {
                let found = engine_says(&words_of_ps);
                let mut ids = found.split_whitespace();
                ids.next().filter(|_| ids.next().is_none()).map(str::to_owned)
            },
        );
        let output = Command::new("docker").args(["exec", &id]).args(words).output().unwrap();
        assert!(output.status.success(), "{}", output_text(&output));
    }

    /// Waits until the agent has removed what is retained of a job.
    pub fn let_go(&self) {
        let attempts = self.data().join("agent/attempts");
        eventually("what was retained is removed", || {
            std::fs::read_dir(&attempts).unwrap().next().is_none().then_some(())
        });
    }

    /// Nothing of this stage's agent is in the engine, and no folder of an attempt is on disk.
    pub fn nothing_left(&self) {
        let left = in_engine(&format!("drover.agent={}", self.agent));
        assert!(left.is_empty(), "left in the engine: {left:?}");
        let attempts = self.data().join("agent/attempts");
        let folders: Vec<_> = std::fs::read_dir(&attempts)
            .map(|dir| dir.flatten().collect())
            .unwrap_or_default();
        assert!(folders.is_empty(), "left on disk: {folders:?}");
    }

    /// Follows a build to its end; its exit code and what was said.
    pub fn watch(&self, number: i64) -> (i32, String) {
        let output = self.drover(&["watch", &number.to_string(), "--timeout", "180"]);
        (output.status.code().unwrap(), output_text(&output))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("drover up said:\n{}", self.said());
        }
        if let Some(mut up) = self.up.take() {
            let pid = rustix::process::Pid::from_child(&up.process);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            let until = Instant::now() + Duration::from_secs(30);
            while up.process.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = up.process.kill();
            let _ = up.process.wait();
        }
    }
}

/// A clone that can be pushed.
pub struct WorkingCopy {
    pub folder: PathBuf,
}

impl WorkingCopy {
    pub fn git(&self, words: &[&str]) -> String {
        git(&self.folder, words)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).unwrap();
    }

    /// Commits everything and pushes it.
    pub fn push(&self, title: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", title]);
        self.git(&["push", "-q", "origin", "HEAD"]);
    }
}

fn git(folder: &Path, words: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"])
        .args(words)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {words:?}: {}", output_text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Everything that a process said.
pub fn output_text(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Looks until there is an answer.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(Instant::now() < until, "{what} did not come");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// Ids of containers, networks and volumes in the engine that carry `label`.
pub fn in_engine(label: &str) -> Vec<String> {
    let filter = format!("label={label}");
    let lists = [["ps", "-aq"], ["network", "ls"], ["volume", "ls"]];
    let lists = lists.map(|words| {
        let quiet = if words[0] == "ps" { "--no-trunc" } else { "-q" };
        engine_says(&[words[0], words[1], quiet, "--filter", &filter])
    });
    lists.iter().flat_map(|list| list.lines()).map(str::to_owned).collect()
}

/// What the engine's own command prints. Asked again when it fails: this engine cannot list while it removes.
fn engine_says(words: &[&str]) -> String {
    eventually("an answer of the engine", || {
        let output = Command::new("docker").args(words).output().unwrap();
        output
            .status
            .success()
            .then(|| String::from_utf8(output.stdout).unwrap())
    })
}
