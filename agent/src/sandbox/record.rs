//! What a restarted agent must know of a sandbox, in a file beside the anchor's folder. No file: no code ever ran in
//! it. Whatever cannot be read counts as used by nobody knows whom.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::engine::EngineError;
use crate::files::write_note;

const FILE: &str = "used.json";

/// Who uses or used a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Who holds it now; `None`: nobody, it waits for the same repository.
    pub(super) holder: Option<String>,
    /// Whose code ran in it.
    pub(super) repository: String,
    /// The code was trusted.
    pub(super) trusted: bool,
}

/// A sandbox's past.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// No code ever ran in it.
    Fresh,
    /// As the record says.
    Used(Record),
    /// The record is there and makes no sense.
    Unknown,
}

pub(super) fn read(folder: &Path) -> Past {
    match std::fs::read(folder.join(FILE)) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_or(Past::Unknown, Past::Used),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Past::Fresh,
        Err(_) => Past::Unknown,
    }
}

/// Written before the sandbox is handed out; by rename, so a crash leaves the old or the new one.
pub(super) fn write(folder: &Path, record: &Record) -> Result<(), EngineError> {
    write_note(&folder.join(FILE), record).map_err(EngineError::io("note who uses a sandbox"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_and_garbage_is_not_taken_for_fresh() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()), Past::Fresh);
        let record = Record {
            holder: Some("t1".into()),
            repository: "app".into(),
            trusted: true,
        };
        write(folder.path(), &record).unwrap();
        assert_eq!(read(folder.path()), Past::Used(record));
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert_eq!(read(folder.path()), Past::Unknown);
    }
}
