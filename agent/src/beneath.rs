//! Paths beneath a folder, found without ever leaving it: a link in it may lead anywhere, and whoever can write there
//! may change it at any time.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// A place that was found to be beneath a folder.
pub struct Found {
    /// Without any link in it.
    pub path: PathBuf,
    /// Held open (`O_PATH`): what is there, whatever becomes of its name.
    pub file: OwnedFd,
}

/// Finds what is at `relative`, links followed as long as they stay beneath `root`.
///
/// # Errors
/// `CrossesDevices`: it leads out of the folder. `NotFound`: it is not there.
pub fn open(root: &Path, relative: &Path) -> io::Result<Found> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let root = rustix::fs::open(root, flags | OFlags::DIRECTORY, Mode::empty())?;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let relative = if relative == Path::new("") {
        Path::new(".")
    } else {
        relative
    };
    let file = loop {
        match rustix::fs::openat2(&root, relative, flags, Mode::empty(), beneath) {
            Err(Errno::AGAIN) => {} // somebody renames something right now
            other => break other?,
        }
    };
    let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    Ok(Found { path, file })
}
