//! Paths beneath a folder, found without ever leaving it: a link in it may lead anywhere, and whoever can write there
//! may change it at any time.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

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

/// Makes the folder at `relative` with all that lead to it, as far as they are not there; through no link.
///
/// # Errors
/// There is a link or a file on the way, which is said.
pub fn make_folder(root: &Path, relative: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut folder = rustix::fs::open(root, flags, Mode::empty())?;
    for part in relative.components() {
        let Component::Normal(name) = part else {
            match part {
                Component::CurDir => continue,
                _ => return Err(io::ErrorKind::InvalidInput.into()),
            }
        };
        match rustix::fs::mkdirat(&folder, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        folder = rustix::fs::openat(&folder, name, flags, Mode::empty()).map_err(|error| match error {
            Errno::NOTDIR | Errno::LOOP if is_link(&folder, name) => {
                io::Error::other("there is a link on the way to it")
            }
            other => io::Error::from(other),
        })?;
    }
    Ok(())
}

fn is_link(folder: &OwnedFd, name: &std::ffi::OsStr) -> bool {
    let found = rustix::fs::statat(folder, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
    found.is_ok_and(|found| rustix::fs::FileType::from_raw_mode(found.st_mode).is_symlink())
}
