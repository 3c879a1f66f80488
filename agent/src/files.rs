//! The agent's own files: written whole or not at all, notes as JSON, folders that no other user of the machine enters.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Makes a folder, and those around it, that only the agent may enter.
pub fn make_private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes a file so that it is there whole or not at all.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let half = path.with_extension("new");
    fs::write(&half, bytes)?;
    fs::rename(half, path)
}

/// Writes a note, whole or not at all.
pub fn write_note(path: &Path, note: &impl Serialize) -> io::Result<()> {
    write_whole(path, &serde_json::to_vec(note)?)
}

/// A note, unless it is not there or makes no sense.
pub fn read_note<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Removes a folder with all in it, or a file; a link is a file.
pub fn remove_any(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

/// What a removal says, except that something that is gone is fine.
pub fn unless_gone(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}
