//! The coordinators that run on this machine for this user, wherever their data is: each keeps a locked note while it
//! runs, so that the other commands find it whatever its `--data` and `--listen`.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use coordinator::private;
use serde::{Deserialize, Serialize};

/// One that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Where it answers.
    pub url: String,
    /// Its data folder.
    pub data: PathBuf,
}

/// A note that says that an instance runs; gone when it is dropped, and worth nothing once its process is.
pub struct Note {
    path: PathBuf,
    _locked: File,
}

impl Note {
    /// Notes it for the other commands of this user.
    ///
    /// # Errors
    /// The folder is not ours alone, or cannot be written.
    pub fn write(instance: &Instance) -> anyhow::Result<Note> {
        let folder = folder();
        make(&folder)?;
        let path = folder.join(format!("{}.json", std::process::id()));
        let unlocked = path.with_extension("new");
        let file = private::make_file(&unlocked).with_context(|| format!("write {}", unlocked.display()))?;
        file.lock().with_context(|| format!("lock {}", unlocked.display()))?;
        serde_json::to_writer(&file, instance).with_context(|| format!("write {}", unlocked.display()))?;
        // Nobody finds it before it is locked.
        std::fs::rename(&unlocked, &path).with_context(|| format!("write {}", path.display()))?;
        Ok(Note { path, _locked: file })
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        // One that stays is not locked any more, and so says nothing.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Those that run now, by data folder. What cannot be read is none: it is a convenience.
pub fn instances() -> Vec<Instance> {
    let folder = folder();
    if !is_ours_alone(&folder) {
        return Vec::new();
    }
    let notes = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|note| note.path());
    let notes = notes.filter(|note| note.extension().is_some_and(|extension| extension == "json"));
    let mut found: Vec<Instance> = notes.filter_map(|note| read(&note)).collect();
    found.sort_by(|a, b| a.data.cmp(&b.data));
    found
}

/// The instance of a note whose process still holds it.
fn read(note: &Path) -> Option<Instance> {
    let mut file = File::open(note).ok()?;
    if file.try_lock_shared().is_ok() {
        let _ = std::fs::remove_file(note); // its process is gone
        return None;
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// `$XDG_RUNTIME_DIR/drover`, else a folder of this user's own in the one for temporary files.
fn folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty()) {
        Some(runtime) => Path::new(&runtime).join("drover"),
        None => std::env::temp_dir().join(format!("drover-{}", user())),
    }
}

fn make(folder: &Path) -> anyhow::Result<()> {
    private::make_folder(folder).with_context(|| format!("make {}", folder.display()))?;
    anyhow::ensure!(is_ours_alone(folder), "{} is not this user's alone", folder.display());
    Ok(())
}

/// A folder that somebody else made, or may write to, says nothing that we believe.
fn is_ours_alone(folder: &Path) -> bool {
    let found = std::fs::symlink_metadata(folder);
    found.is_ok_and(|found| found.is_dir() && found.uid() == user() && found.mode() & 0o077 == 0)
}

fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}
