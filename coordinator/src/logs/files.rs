//! The three files of a stream and the few ways in which they are written.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::LogError;

pub(super) const TAIL_MAGIC: &[u8; 8] = b"drvtail1";
pub(super) const TAIL_HEAD: u64 = 16;

/// Names the files of a stream.
#[derive(Debug, Clone)]
pub(super) struct Files {
    /// Folder and stream name, without an ending.
    pub(super) base: PathBuf,
}

impl Files {
    pub(super) fn new(folder: &Path, stream: &str) -> Files {
        Files {
            base: folder.join(stream),
        }
    }

    fn with(&self, ending: &str) -> PathBuf {
        let mut name = self.base.clone().into_os_string();
        name.push(ending);
        name.into()
    }

    pub(super) fn frames(&self) -> PathBuf {
        self.with(".zst")
    }

    pub(super) fn index(&self) -> PathBuf {
        self.with(".idx")
    }

    pub(super) fn tail(&self) -> PathBuf {
        self.with(".tail")
    }
}

/// What was tried, with what came of it.
pub(super) fn io(what: &'static str) -> impl Fn(std::io::Error) -> LogError {
    move |error| LogError::Io { what, error }
}

/// A file that need not be there.
pub(super) fn read_if_there(path: &Path) -> Result<Vec<u8>, LogError> {
    match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(io("read a log")),
    }
}

/// Replaces the tail, whole or not at all.
pub(super) fn write_tail(files: &Files, base: u64, records: &[u8]) -> Result<(), LogError> {
    let new = files.with(".tail.new");
    let bytes = [&TAIL_MAGIC[..], &base.to_le_bytes(), records].concat();
    std::fs::write(&new, bytes).map_err(io("write a log"))?;
    std::fs::rename(&new, files.tail()).map_err(io("rename a log"))
}

/// Writes at `offset`, where the file ends but for what a crash left.
pub(super) fn write_at_end(path: &Path, offset: u64, bytes: &[u8]) -> Result<(), LogError> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(io("open a log"))?;
    file.set_len(offset).map_err(io("write a log"))?;
    file.seek(SeekFrom::Start(offset)).map_err(io("write a log"))?;
    file.write_all(bytes).map_err(io("write a log"))
}

/// Adds items to the index.
pub(super) fn append_items(files: &Files, items: &[u8]) -> Result<(), LogError> {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(files.index())
        .map_err(io("open an index of a log"))?;
    file.write_all(items).map_err(io("write an index of a log"))
}
