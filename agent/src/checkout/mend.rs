//! Mending a mirror that a killed git or a full disk left behind, without git: what it trips over is removed, and the
//! next fetch brings it again.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::remove_any;

/// Removes lock files, and references that are none. Only while no other git works in the mirror.
pub fn references(mirror: &Path) -> io::Result<()> {
    let entries = fs::read_dir(mirror)?;
    for entry in entries.chain(fs::read_dir(mirror.join("objects/info"))?) {
        let path = entry?.path();
        if is_lock(&path) {
            fs::remove_file(&path)?;
        }
    }
    let mut folders = vec![mirror.join("refs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if is_lock(&path) || !is_reference(&fs::read(&path)?) {
                fs::remove_file(&path)?;
            }
        }
    }
    Ok(())
}

/// Empties a mirror, but for the folder of its objects and the packs in there: containers have them mounted.
pub fn all_but_packs(mirror: &Path) -> io::Result<()> {
    let objects = mirror.join("objects");
    let packs = objects.join("pack");
    for folder in [mirror, &objects] {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() && !path.is_symlink() {
                if path != objects && path != packs {
                    fs::remove_dir_all(&path)?;
                }
            } else {
                fs::remove_file(&path)?;
            }
        }
    }
    Ok(())
}

/// The packs of a mirror, each by the path of its index; what is no whole pack is removed.
pub fn packs(mirror: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = mirror.join("objects/pack");
    let mut indexes = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        match path.extension().and_then(OsStr::to_str) {
            Some("idx") if path.with_extension("pack").is_file() => indexes.push(path),
            Some("pack") if path.with_extension("idx").is_file() => {}
            _ => remove_any(&path)?,
        }
    }
    Ok(indexes)
}

/// Removes a pack and its index.
pub fn remove_pack(index: &Path) -> io::Result<()> {
    remove_any(index)?;
    remove_any(&index.with_extension("pack"))
}

fn is_lock(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "lock")
}

/// A loose reference: an id and the end of a line.
fn is_reference(content: &[u8]) -> bool {
    let id = content.strip_suffix(b"\n").unwrap_or_default();
    matches!(id.len(), 40 | 64) && id.iter().all(u8::is_ascii_hexdigit)
}
