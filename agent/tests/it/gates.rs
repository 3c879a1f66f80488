//! A gate as a plain process with a folder of its own, and what tests ask of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use agent::gate::{BINARY, ExitStatus, GateClient, GatePhase, GateState, Go, read_status};
use agent::logs::lines::LineAssembler;
use agent::logs::mask::Masker;
use agent::logs::tail::{Tail, Tailed, Watcher};
use protocol::record::{Source, records};
use tempfile::TempDir;

/// Long enough that only a hang reaches it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The gate program on disk, once per test run.
pub fn program() -> &'static Path {
    static PROGRAM: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gate");
        fs::write(&path, BINARY).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        (folder, path)
    });
    &PROGRAM.1
}

/// A gate outside any container.
pub struct Gate {
    /// Its folder.
    pub folder: TempDir,
    /// Its process.
    pub process: Child,
}

impl Gate {
    /// Starts one in the given mode.
    pub fn start(mode: &str) -> Gate {
        Gate::start_by(|gate| gate.arg(mode))
    }

    /// Starts one by a command that the caller completes; `--folder` is added.
    pub fn start_by(complete: impl FnOnce(&mut Command) -> &mut Command) -> Gate {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(program());
        complete(&mut command).arg("--folder").arg(folder.path());
        let process = command.spawn().unwrap();
        Gate { folder, process }
    }

    /// A client.
    pub async fn client(&self) -> GateClient {
        GateClient::connect(self.folder.path(), PATIENCE).await.unwrap()
    }

    /// The gate's exit code, once it has gone.
    pub fn wait(&mut self) -> i32 {
        self.process.wait().unwrap().code().unwrap_or(-1)
    }

    /// The whole log so far: standard output and standard error.
    pub fn printed(&self) -> (String, String) {
        printed(self.folder.path())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a folder's log holds: standard output and standard error.
pub fn printed(folder: &Path) -> (String, String) {
    let log = fs::read(folder.join("log")).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    for record in records(&log).map(|record| record.unwrap()) {
        match record.source {
            Source::Stderr => err.extend_from_slice(record.bytes),
            Source::Stdout | Source::System => out.extend_from_slice(record.bytes),
        }
    }
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// A command.
pub fn command(argv: &[&str]) -> Go {
    Go {
        argv: argv.iter().map(|&arg| arg.to_owned()).collect(),
        ..Go::default()
    }
}

/// A script for `sh`, as a step has it, for a gate with this folder.
pub fn script(folder: &Path, text: &str) -> Go {
    let path = folder.join("script");
    Go {
        script: Some(text.as_bytes().to_vec()),
        ..command(&["sh", "-e", path.to_str().unwrap()])
    }
}

/// Waits for the child's end.
pub async fn end_of(client: &GateClient) -> ExitStatus {
    tokio::time::timeout(PATIENCE, client.exited())
        .await
        .expect("it hangs")
        .unwrap()
}

/// Waits until the client knows this.
pub async fn until(client: &GateClient, holds: impl FnMut(&GateState) -> bool) -> GateState {
    let mut state = client.state();
    let state = tokio::time::timeout(PATIENCE, state.wait_for(holds))
        .await
        .expect("it hangs")
        .unwrap();
    state.clone()
}

/// Waits until the client has lost its gate.
pub async fn until_lost(client: &GateClient) {
    until(client, |state| state.phase == GatePhase::Lost).await;
}

/// Runs a whole child under a fresh gate.
pub async fn run(go: impl FnOnce(&Path) -> Go) -> (Gate, ExitStatus) {
    let mut gate = Gate::start("step");
    let client = gate.client().await;
    client.go(go(gate.folder.path())).await.unwrap();
    let status = end_of(&client).await;
    assert_eq!(gate.wait(), status.code(), "the gate exits like its child");
    (gate, status)
}

/// Follows a log to its end and makes lines of it.
pub struct Follower {
    folder: PathBuf,
    tail: Tail,
    lines: LineAssembler,
    /// The line records.
    pub records: Vec<u8>,
    buffer: Vec<u8>,
}

impl Follower {
    /// Of a gate's folder.
    pub fn new(folder: &Path) -> Follower {
        Follower {
            folder: folder.to_owned(),
            tail: Watcher::new().follow(&folder.join("log"), 0).unwrap(),
            lines: LineAssembler::new(Arc::new(Masker::default())),
            records: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// One step; false at the end.
    pub async fn next(&mut self) -> bool {
        self.buffer.clear();
        let tailed = tokio::time::timeout(PATIENCE, self.tail.next(&mut self.buffer)).await;
        let tailed = tailed
            .unwrap_or_else(|_| panic!("nothing comes; status: {:?}", read_status(&self.folder)))
            .unwrap();
        match tailed {
            Tailed::More => self.lines.push(&self.buffer, &mut self.records),
            Tailed::Eof => self.lines.finish(&mut self.records),
        }
        tailed == Tailed::More
    }

    /// Everything until the end, which the end of the gate's child announces.
    pub async fn finish(&mut self, client: &GateClient) -> ExitStatus {
        let finisher = self.tail.finisher();
        let announce = async {
            let status = end_of(client).await;
            finisher.finish();
            status
        };
        let read = async { while self.next().await {} };
        tokio::join!(announce, read).0
    }
}
