//! The gate's folder as the agent sees it. It belongs to the container's user, who may put anything in place of a file:
//! no link is followed and nothing but plain files is read.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use ::gate::exit::ExitStatus;
use ::gate::{LOG, SOCKET, STATUS};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use tokio::net::UnixStream;

/// A status file is far smaller; more is not ours.
const MAX_STATUS: u64 = 64 * 1024;

/// The `status` file of a gate's folder, if its child is over.
pub fn read_status(folder: &Path) -> Option<ExitStatus> {
    status_in(&open_directory(folder).ok()?)
}

pub(super) fn open_directory(folder: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(folder, flags, Mode::empty())?)
}

pub(super) fn status_in(directory: &OwnedFd) -> Option<ExitStatus> {
    let mut text = String::new();
    let file = open_in(directory, STATUS, OFlags::RDONLY).ok()??;
    file.take(MAX_STATUS).read_to_string(&mut text).ok()?;
    ExitStatus::from_text(&text)
}

/// A file of a gate's folder, whole. `Ok(None)`: it is not there.
///
/// # Errors
/// It is no plain file, has more than `limit` bytes, or cannot be read.
pub fn read_file(folder: &Path, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open_in(&open_directory(folder)?, name, OFlags::RDONLY)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(
            ErrorKind::FileTooLarge,
            format!("the file has more than {limit} bytes"),
        ));
    }
    Ok(Some(bytes))
}

/// Removes what a gate that is over has left, except its log: its container is about to be started again.
///
/// # Errors
/// Whatever the disk says.
pub fn forget(folder: &Path) -> io::Result<()> {
    let directory = open_directory(folder)?;
    for name in [STATUS, SOCKET] {
        match rustix::fs::unlinkat(&directory, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The log of a gate's folder, to append to. `Ok(None)`: it is not there.
pub fn open_log(folder: &Path) -> io::Result<Option<File>> {
    open_in(&open_directory(folder)?, LOG, OFlags::WRONLY | OFlags::APPEND)
}

/// The folder belongs to the container's user: a file there may be a link to anywhere, or no file at all.
fn open_in(directory: &OwnedFd, name: &str, flags: OFlags) -> io::Result<Option<File>> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(directory, name, flags, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        other => File::from(other?),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a plain file"));
    }
    Ok(Some(file))
}

/// Connects by a short path: a socket's path may have 107 bytes and a data folder may be deep. No link is followed.
pub(super) async fn connect_in(directory: &OwnedFd) -> io::Result<UnixStream> {
    let entry = rustix::fs::statat(directory, SOCKET, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(entry.st_mode) != FileType::Socket {
        return Err(io::Error::new(ErrorKind::InvalidInput, "ctl.sock is not a socket"));
    }
    UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd())).await
}
