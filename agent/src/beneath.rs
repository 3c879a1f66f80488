//! Paths beneath a folder, without ever leaving it: a link in it may lead anywhere, and whoever can write there may change it
//! at any time. [`open`] follows links that stay beneath; in a [`Beneath`] every component that is a link is an error.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{self as rfs, AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, Timestamps};
use rustix::io::Errno;

/// A path beneath a folder, opened.
pub struct OpenedPath {
    /// Without any link in it.
    pub path: PathBuf,
    /// Held open (`O_PATH`): what is there, whatever becomes of its name.
    pub file: OwnedFd,
}

/// Finds what is at `relative`, links followed as long as they stay beneath `root`.
///
/// # Errors
/// `CrossesDevices`: it leads out of the folder. `NotFound`: it is not there.
pub fn open(root: &Path, relative: &Path) -> io::Result<OpenedPath> {
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
    Ok(OpenedPath { path, file })
}

/// A folder that is not left.
pub struct Beneath {
    root: OwnedFd,
    /// The folder that was gone to last; names come sorted, so the next is mostly there too.
    last: Option<(PathBuf, OwnedFd)>,
}

/// Whether folders that are missing on the way are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parents {
    /// They must be there.
    MustExist,
    /// They are made, with this mode.
    Made(u32),
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Beneath {
    /// Opens the folder; its own path may lead through links.
    pub fn open(folder: &Path) -> io::Result<Beneath> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Beneath {
            root: rfs::open(folder, flags, Mode::empty())?,
            last: None,
        })
    }

    /// Opens a folder under it, by a clean name.
    fn folder(&mut self, path: &Path, way: Parents) -> io::Result<&OwnedFd> {
        if path.as_os_str().is_empty() {
            return Ok(&self.root);
        }
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            let mut folder = self.root.try_clone()?;
            for part in path.components() {
                match part {
                    Component::Normal(name) => folder = step_into(&folder, name, way)?,
                    Component::CurDir => {}
                    _ => return Err(io::ErrorKind::InvalidInput.into()),
                }
            }
            self.last = Some((path.to_owned(), folder));
        }
        Ok(&self.last.as_ref().expect("it was just opened").1)
    }

    /// The names in a folder, sorted, each with what it is.
    pub fn list(&mut self, path: &Path) -> io::Result<Vec<(OsString, Stat)>> {
        let folder = self.folder(path, Parents::MustExist)?;
        let mut found = Vec::new();
        for entry in rfs::Dir::read_from(folder)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name == b"." || name == b".." {
                continue;
            }
            let name = OsString::from_vec(name);
            match rfs::statat(folder, name.as_os_str(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => found.push((name, stat)),
                // It was there a moment ago.
                Err(rustix::io::Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    }

    /// What a name is, links as such.
    pub fn stat(&mut self, path: &Path) -> io::Result<Stat> {
        let Some((folder, name)) = split(path) else {
            return Ok(rfs::fstat(&self.root)?);
        };
        let folder = self.folder(folder, Parents::MustExist)?;
        Ok(rfs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Opens a plain file to read.
    pub fn read(&mut self, path: &Path) -> io::Result<File> {
        let (folder, name) = split(path).ok_or(io::ErrorKind::IsADirectory)?;
        let folder = self.folder(folder, Parents::MustExist)?;
        // A pipe that was put in its place must not hold us up.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rfs::openat(folder, name, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a plain file any more"));
        }
        Ok(file)
    }

    /// Where a link leads.
    pub fn read_link(&mut self, path: &Path) -> io::Result<PathBuf> {
        let (folder, name) = split(path).ok_or(io::ErrorKind::IsADirectory)?;
        let folder = self.folder(folder, Parents::MustExist)?;
        let target = rfs::readlinkat(folder, name, Vec::new())?;
        Ok(PathBuf::from(OsStr::from_bytes(target.as_bytes())))
    }

    /// Makes a file, in the place of a file or link that is there.
    pub fn create(&mut self, path: &Path, way: Parents) -> io::Result<File> {
        let (folder, name) = split(path).ok_or(io::ErrorKind::IsADirectory)?;
        let folder = self.folder(folder, way)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        match rfs::openat(folder, name, flags, mode) {
            Err(rustix::io::Errno::EXIST) => {
                rfs::unlinkat(folder, name, AtFlags::empty())?;
                Ok(File::from(rfs::openat(folder, name, flags, mode)?))
            }
            other => Ok(File::from(other?)),
        }
    }

    /// Makes a link, in the place of a file or link that is there. Nobody here will ever follow it.
    pub fn link(&mut self, path: &Path, target: &Path, way: Parents) -> io::Result<()> {
        let (folder, name) = split(path).ok_or(io::ErrorKind::IsADirectory)?;
        let folder = self.folder(folder, way)?;
        match rfs::symlinkat(target, folder, name) {
            Err(rustix::io::Errno::EXIST) => {
                rfs::unlinkat(folder, name, AtFlags::empty())?;
                Ok(rfs::symlinkat(target, folder, name)?)
            }
            other => Ok(other?),
        }
    }

    /// Opens a folder, made if it is not there, and with all on the way to it.
    pub fn make_folder(&mut self, path: &Path, way: Parents) -> io::Result<File> {
        Ok(File::from(self.folder(path, way)?.try_clone()?))
    }

    /// Sets owner and time of a link itself. What the file system does not do is not done.
    pub fn set_link_attributes(
        &mut self,
        path: &Path,
        owner: Option<(u32, u32)>,
        times: &Timestamps,
    ) -> io::Result<()> {
        let (folder, name) = split(path).ok_or(io::ErrorKind::IsADirectory)?;
        let folder = self.folder(folder, Parents::MustExist)?;
        if let Some((user, group)) = owner {
            let (user, group) = (rustix::fs::Uid::from_raw(user), rustix::fs::Gid::from_raw(group));
            rfs::chownat(folder, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(rfs::utimensat(folder, name, times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Removes a file or a folder with all in it; one that is not there is fine.
    pub fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.last = None;
        let (parent, name) = split(path).ok_or(io::ErrorKind::IsADirectory)?;
        let folder = match self.folder(parent, Parents::MustExist) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        let removed = match rfs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error.into()),
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                // The open folder by its number: no component of this path can be a link by now.
                let open = format!("/proc/self/fd/{}", folder.as_fd().as_raw_fd());
                std::fs::remove_dir_all(Path::new(&open).join(name))
            }
            Ok(_) => rfs::unlinkat(folder, name, AtFlags::empty()).map_err(io::Error::from),
        };
        self.last = None;
        removed
    }
}

fn step_into(folder: &OwnedFd, name: &OsStr, way: Parents) -> io::Result<OwnedFd> {
    let opened = rfs::openat(folder, name, FOLDER, Mode::empty());
    match (opened, way) {
        (Err(rustix::io::Errno::NOENT), Parents::Made(mode)) => {
            match rfs::mkdirat(folder, name, Mode::from_raw_mode(0o700)) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            let made = rfs::openat(folder, name, FOLDER, Mode::empty())?;
            rfs::fchmod(&made, Mode::from_raw_mode(mode))?;
            Ok(made)
        }
        (Err(rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR), _) => Err(io::Error::other(format!(
            "`{}` on the way to it is a link or a file",
            name.to_string_lossy()
        ))),
        (other, _) => Ok(other?),
    }
}

/// The folder and the name in it; `None` for the root.
fn split(path: &Path) -> Option<(&Path, &OsStr)> {
    Some((path.parent()?, path.file_name()?))
}
