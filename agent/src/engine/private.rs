//! Folders for files that containers find and that must not be kept: the agent's alone, in memory where the engine
//! sees the same memory as we do, else in the data folder. Found by the stack's id, and swept like everything else.

use std::fs::remove_dir_all;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::connect::Engine;
use super::live::Owner;
use crate::files::{make_private, unless_gone};

const MEMORY: &str = "/dev/shm";
/// Files by which a process knows that it is in a container: then the host's memory folder is another than ours.
const IN_CONTAINER: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

impl Engine {
    /// Makes the folder of a stack's private files, and in it one of that name, empty.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn private_folder(&self, stack: &str, name: &str) -> io::Result<PathBuf> {
        let folder = self.private_root().join(stack).join(name);
        unless_gone(remove_dir_all(&folder))?;
        make_private(&folder)?;
        Ok(folder)
    }

    /// Removes the private files of a stack; its containers must be gone.
    pub fn remove_private(&self, stack: &str) {
        let folder = self.private_root().join(stack);
        if let Err(error) = unless_gone(remove_dir_all(&folder)) {
            tracing::warn!(%error, folder = %folder.display(), "private files cannot be removed yet");
        }
    }

    /// Removes the private files of stacks that nobody keeps.
    pub(crate) fn sweep_private(&self) {
        let Ok(folders) = std::fs::read_dir(self.private_root()) else {
            return; // there were never any
        };
        for folder in folders.flatten() {
            let stack = folder.file_name().to_string_lossy().into_owned();
            if !self.is_kept(&Owner::Stack(stack.clone())) {
                self.remove_private(&stack);
            }
        }
    }

    fn private_root(&self) -> PathBuf {
        root(&self.inner.config.agent, &self.inner.config.data)
    }
}

/// Removes the private files of an agent that are in memory; those in its data folder go with that.
pub(crate) fn reap(agent: &str) {
    let folder = in_memory(agent);
    if let Err(error) = unless_gone(remove_dir_all(&folder)) {
        tracing::warn!(%error, folder = %folder.display(), "private files cannot be removed");
    }
}

fn root(agent: &str, data: &Path) -> PathBuf {
    let shared = !IN_CONTAINER.iter().any(|mark| Path::new(mark).exists());
    if shared && Path::new(MEMORY).is_dir() {
        in_memory(agent)
    } else {
        data.join("private")
    }
}

fn in_memory(agent: &str) -> PathBuf {
    let mut name = hex::encode(Sha256::digest(agent));
    name.truncate(16);
    Path::new(MEMORY).join(format!("drover-{name}"))
}
