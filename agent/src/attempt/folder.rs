//! The folder of one attempt: everything about it that must outlive the agent's process. It holds no secret.
//!
//! ```text
//! <attempt>/workspace/            mounted at /workspace
//!           checked-out           the workspace is complete
//!           caches/0-1            content of a cache's absolute path
//!           restored              caches and needed artifacts are there
//!           events                what happened, one JSON text per line
//!           tests                 what the test reports said, JSON, once they are read
//!           stack                 which stack its leftovers are, JSON
//!           ended                 the result and the lengths of the logs, once it is known
//!           job/log  step-0/…  service-db/…   a log and what else its gate needs
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use protocol::attempt::AttemptResult;
use protocol::ids::{AttemptId, StreamId};
use protocol::reports::TestReport;
use serde::{Deserialize, Serialize};

use crate::files::{make_private, read_note, remove_any, unless_gone, write_note};
use crate::sandbox::open_folder;

/// The folder of one attempt.
#[derive(Debug, Clone)]
pub struct AttemptFolder(PathBuf);

/// How an attempt ended, as it is kept until the coordinator knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedEnd {
    /// How.
    pub result: AttemptResult,
    /// The logs that there are, each with the number of bytes of its file that count. A service may say more while
    /// it is being removed; nobody sees that, now or after a restart.
    pub logs: BTreeMap<StreamId, u64>,
    /// What its steps wrote to `$DROVER_OUTPUT`.
    #[serde(default)]
    pub outputs: BTreeMap<String, String>,
    /// What it left is to be retained, and each use is to give it so many seconds.
    #[serde(default)]
    pub retain_secs: Option<u64>,
}

impl AttemptFolder {
    /// Where it is or will be.
    pub fn of(attempts: &Path, attempt: &AttemptId) -> AttemptFolder {
        AttemptFolder(attempts.join(attempt.as_str()))
    }

    /// The one that is there.
    pub fn at(path: PathBuf) -> AttemptFolder {
        AttemptFolder(path)
    }

    /// Makes it, if it is not there: closed to other users of the machine.
    pub fn create(&self) -> io::Result<()> {
        make_private(&self.0)?;
        open_folder(&self.workspace())?;
        fs::create_dir_all(self.0.join(StreamId::job().as_str()))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The job's code.
    pub fn workspace(&self) -> PathBuf {
        self.0.join("workspace")
    }

    /// The journal's file.
    pub fn events(&self) -> PathBuf {
        self.0.join("events")
    }

    /// The folder of a step's gate.
    pub fn step(&self, step: usize) -> PathBuf {
        self.0.join(StreamId::step(step).as_str())
    }

    /// Makes the folder of a step's gate, which runs as any user; without what an earlier container left there.
    pub fn create_step(&self, step: usize) -> io::Result<PathBuf> {
        let folder = self.step(step);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        open_folder(&folder)?;
        Ok(folder)
    }

    /// Clears the folder of a step's gate for another try of the step; the log stays and goes on.
    pub fn renew_step(&self, step: usize) -> io::Result<PathBuf> {
        let folder = self.step(step);
        open_folder(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if !path.ends_with(crate::gate::LOG) {
                remove_any(&path)?;
            }
        }
        Ok(folder)
    }

    /// The file of a log.
    pub fn log(&self, stream: &StreamId) -> PathBuf {
        self.run_of(stream).join(crate::gate::LOG)
    }

    /// The folder of the gate that writes it.
    pub fn run_of(&self, stream: &StreamId) -> PathBuf {
        self.0.join(stream.as_str())
    }

    /// Bytes in the file of a log; 0 when there is none. Never those of something that a step put in its place.
    pub fn log_len(&self, stream: &StreamId) -> u64 {
        match fs::symlink_metadata(self.log(stream)) {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            _ => 0,
        }
    }

    /// Whether the checkout is done.
    pub fn is_checked_out(&self) -> bool {
        self.0.join("checked-out").exists()
    }

    /// Notes that it is.
    pub fn set_checked_out(&self) -> io::Result<()> {
        fs::write(self.0.join("checked-out"), "")
    }

    /// Where the content of a cache's absolute path is, for every step: by the places of cache and path in the job.
    pub fn cache(&self, cache: usize, path: usize) -> PathBuf {
        self.0.join("caches").join(format!("{cache}-{path}"))
    }

    /// Whether caches and needed artifacts are where they belong.
    pub fn is_restored(&self) -> bool {
        self.0.join("restored").exists()
    }

    /// Notes that they are.
    pub fn set_restored(&self) -> io::Result<()> {
        fs::write(self.0.join("restored"), "")
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<RecordedEnd> {
        read_note(&self.0.join("ended"))
    }

    /// Notes how it ended.
    pub fn set_ended(&self, ended: &RecordedEnd) -> io::Result<()> {
        write_note(&self.0.join("ended"), ended)
    }

    /// What its test reports said, if they have been read.
    pub fn tests(&self) -> Option<TestReport> {
        read_note(&self.0.join("tests"))
    }

    /// Keeps what they said.
    pub fn set_tests(&self, report: &TestReport) -> io::Result<()> {
        write_note(&self.0.join("tests"), report)
    }

    /// Removes it and all in it; one that is gone is fine.
    pub fn remove(&self) -> io::Result<()> {
        unless_gone(fs::remove_dir_all(&self.0))
    }
}
