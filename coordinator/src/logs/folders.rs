//! Where the logs of an attempt are: `logs/<last two of the id>/<attempt>/`, or the marker `<attempt>.removed` once
//! retention took them. An attempt's id comes from outside, so it is checked before it becomes a path.

use std::fs::DirEntry;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use protocol::ids::{AttemptId, StreamId};

use super::files::{Files, io};
use super::{LogError, LogKey};

/// The ending of a marker.
const REMOVED: &str = ".removed";
/// The ending of a folder that is being removed.
const GONE: &str = ".gone";

/// The folder of all logs.
pub(super) struct Folders {
    root: PathBuf,
}

impl Folders {
    pub(super) fn new(root: PathBuf) -> Folders {
        Folders { root }
    }

    /// The attempt's folder, whether it exists or not. Ids begin with a time, so the last digits spread them.
    fn folder(&self, attempt: &AttemptId) -> Result<PathBuf, LogError> {
        let id = attempt.as_str();
        let is_plain = id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !(2..=64).contains(&id.len()) || !is_plain {
            return Err(LogError::BadAttempt);
        }
        Ok(self.root.join(&id[id.len() - 2..]).join(id))
    }

    /// The files of a stream that may exist.
    pub(super) fn files(&self, key: &LogKey) -> Result<Files, LogError> {
        let folder = self.folder(&key.attempt)?;
        if !folder.exists() && marker(&folder).exists() {
            return Err(LogError::Removed);
        }
        Ok(Files::new(&folder, key.stream.as_str()))
    }

    /// The files of a stream to write.
    pub(super) fn make(&self, key: &LogKey) -> Result<Files, LogError> {
        let folder = self.folder(&key.attempt)?;
        if !folder.exists() {
            if marker(&folder).exists() {
                return Err(LogError::Removed);
            }
            std::fs::create_dir_all(&folder).map_err(io("make a folder of logs"))?;
        }
        Ok(Files::new(&folder, key.stream.as_str()))
    }

    /// The streams of an attempt: `job`, then steps, then services.
    pub(super) fn streams(&self, attempt: &AttemptId) -> Result<Vec<StreamId>, LogError> {
        let folder = self.folder(attempt)?;
        let mut streams: Vec<StreamId> = Vec::new();
        for entry in list(&folder)? {
            let name = entry.file_name();
            let stream = name
                .to_str()
                .and_then(|name| name.rsplit_once('.'))
                .filter(|(_, ending)| is_ours(ending));
            streams.extend(stream.and_then(|(stream, _)| StreamId::parse(stream)));
        }
        if streams.is_empty() && !folder.exists() && marker(&folder).exists() {
            return Err(LogError::Removed);
        }
        streams.sort_by_key(order);
        streams.dedup();
        Ok(streams)
    }

    /// The folders of all attempts.
    pub(super) fn attempts(&self) -> Result<Vec<(AttemptId, PathBuf)>, LogError> {
        let mut attempts = Vec::new();
        for folder in list(&self.root)? {
            for entry in list(&folder.path())? {
                if let Ok(name) = entry.file_name().into_string()
                    && self
                        .folder(&AttemptId(name.clone()))
                        .is_ok_and(|folder| folder == entry.path())
                {
                    attempts.push((AttemptId(name), entry.path()));
                }
            }
        }
        attempts.sort();
        Ok(attempts)
    }

    /// Finishes removals that a crash left half done.
    pub(super) fn sweep(&self) -> Result<(), LogError> {
        for folder in list(&self.root)? {
            for entry in list(&folder.path())? {
                if entry.file_name().to_string_lossy().ends_with(GONE) {
                    std::fs::remove_dir_all(entry.path()).map_err(io("remove a folder of logs"))?;
                }
            }
        }
        Ok(())
    }
}

/// Removes an attempt's folder; its marker stands first, so that nobody takes the log for one that never was.
pub(super) fn remove(folder: &Path) -> Result<(), LogError> {
    std::fs::write(marker(folder), b"").map_err(io("mark a removed log"))?;
    let gone = with_ending(folder, GONE);
    std::fs::rename(folder, &gone).map_err(io("remove a folder of logs"))?;
    std::fs::remove_dir_all(gone).map_err(io("remove a folder of logs"))
}

fn marker(folder: &Path) -> PathBuf {
    with_ending(folder, REMOVED)
}

fn with_ending(folder: &Path, ending: &str) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn is_ours(ending: &str) -> bool {
    ["zst", "idx", "tail"].contains(&ending)
}

/// The job's own, then steps by number, then services by name.
fn order(stream: &StreamId) -> (u8, usize, String) {
    match (stream.step_index(), stream.service_name()) {
        (Some(index), _) => (1, index, String::new()),
        (None, Some(name)) => (2, 0, name.to_owned()),
        (None, None) => (0, 0, String::new()),
    }
}

/// What is in a folder, which need not exist.
pub(super) fn list(folder: &Path) -> Result<Vec<DirEntry>, LogError> {
    match std::fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Vec::new()),
        entries => entries.and_then(Iterator::collect).map_err(io("list a folder of logs")),
    }
}
