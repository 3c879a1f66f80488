//! A build's context: a folder of the workspace as a tar stream, without what `.dockerignore` leaves out. No link is
//! followed on the way and nothing outside the folder is read, whoever changes it meanwhile.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::Stream;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use tokio::task::JoinHandle;

use super::ignore::Ignore;
use crate::blobs::archive::{ByteWriter, byte_pipe, chunks};

/// Folders in folders; more is a mistake or worse.
const DEEPEST: usize = 200;
/// Under this name a Dockerfile that is written in the job file goes along.
pub(super) const INLINE: &str = ".drover.dockerfile";
const IGNORE_FILE: &str = ".dockerignore";

/// What is sent.
pub(super) struct Context {
    /// The folder, open.
    pub(super) folder: OwnedFd,
    /// What stays at home.
    pub(super) ignore: Ignore,
    /// `.dockerignore`, as it is.
    pub(super) ignore_text: String,
    /// The Dockerfile's path in the folder.
    pub(super) dockerfile: PathBuf,
    /// Its text, when it is not in the folder.
    pub(super) inline: Option<String>,
}

impl Context {
    /// The stream, and the task that feeds it: it ends with the stream, and knows why when the stream breaks off.
    pub(super) fn stream(
        self,
    ) -> (
        impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        JoinHandle<io::Result<()>>,
    ) {
        // the engine must not take half a context for a whole one: what is not brought to its end arrives as an error
        let (pieces, taken) = byte_pipe();
        let packing = tokio::task::spawn_blocking(move || self.pack(ByteWriter::new(pieces)));
        (chunks(taken), packing)
    }

    fn pack(self, to: ByteWriter) -> io::Result<()> {
        let mut tar = tar::Builder::new(to);
        if let Some(inline) = &self.inline {
            // the builder reads these two and then takes them out again
            let ignore = format!("{}\n{IGNORE_FILE}\n{INLINE}\n", self.ignore_text.trim_end());
            append_text(&mut tar, INLINE, inline)?;
            append_text(&mut tar, IGNORE_FILE, &ignore)?;
        }
        self.pack_folder(&mut tar, &self.folder, Path::new(""), 0)?;
        tar.into_inner()?.end();
        Ok(())
    }

    fn pack_folder(
        &self,
        tar: &mut tar::Builder<ByteWriter>,
        folder: &OwnedFd,
        path: &Path,
        depth: usize,
    ) -> io::Result<()> {
        if depth > DEEPEST {
            return Err(io::Error::other(format!(
                "{} has too many folders in folders",
                path.display()
            )));
        }
        // O_PATH cannot be read from
        let readable = rustix::fs::openat(
            folder,
            ".",
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::new(readable)? {
            let name = entry?.file_name().to_bytes().to_owned();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        names.sort(); // the same context is the same stream
        for name in names {
            let name = OsStr::from_bytes(&name);
            match self.pack_entry(tar, folder, name, &path.join(name), depth) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {} // gone meanwhile
                other => other?,
            }
        }
        Ok(())
    }

    fn pack_entry(
        &self,
        tar: &mut tar::Builder<ByteWriter>,
        folder: &OwnedFd,
        name: &OsStr,
        path: &Path,
        depth: usize,
    ) -> io::Result<()> {
        if self.inline.is_some() && (path == Path::new(INLINE) || path == Path::new(IGNORE_FILE)) {
            return Ok(()); // ours went before
        }
        let out = self.ignore.leaves_out(path) && !self.is_needed(path);
        let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        match kind {
            FileType::Directory if out && self.ignore.is_final() && !self.dockerfile.starts_with(path) => Ok(()),
            FileType::Directory => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let inner = rustix::fs::openat(folder, name, flags, Mode::empty())?;
                if !out {
                    let mut header = header(tar::EntryType::Directory, stat.st_mode, stat.st_mtime);
                    tar.append_data(&mut header, path, io::empty())?;
                }
                self.pack_folder(tar, &inner, path, depth + 1)
            }
            _ if out => Ok(()),
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(folder, name, Vec::new())?;
                let mut header = header(tar::EntryType::Symlink, stat.st_mode, stat.st_mtime);
                tar.append_link(&mut header, path, OsStr::from_bytes(target.to_bytes()))
            }
            FileType::RegularFile => pack_file(tar, folder, name, path),
            _ => Ok(()), // sockets, pipes and devices are nothing to build from
        }
    }

    /// The builder wants these two whatever `.dockerignore` says; it takes them out itself then.
    fn is_needed(&self, path: &Path) -> bool {
        self.inline.is_none() && (path == self.dockerfile || path == Path::new(IGNORE_FILE))
    }
}

fn pack_file(tar: &mut tar::Builder<ByteWriter>, folder: &OwnedFd, name: &OsStr, path: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(folder, name, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(()); // it was exchanged meanwhile
    }
    let mut header = header(tar::EntryType::Regular, metadata.mode(), metadata.mtime());
    header.set_size(metadata.len());
    // a file that shrinks meanwhile must not shift what comes after it
    let whole = file.chain(io::repeat(0)).take(metadata.len());
    tar.append_data(&mut header, path, whole)
}

fn append_text(tar: &mut tar::Builder<ByteWriter>, name: &str, text: &str) -> io::Result<()> {
    let mut header = header(tar::EntryType::Regular, 0o644, 0);
    header.set_size(text.len() as u64);
    tar.append_data(&mut header, name, text.as_bytes())
}

/// Everything belongs to root, as with other clients of the engine: the agent's user means nothing in an image.
fn header(kind: tar::EntryType, mode: u32, modified: i64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode & 0o7777);
    header.set_mtime(u64::try_from(modified).unwrap_or(0));
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header
}

/// `.dockerignore` of the folder; empty when there is none.
pub(super) fn ignore_text(folder: &OwnedFd) -> io::Result<String> {
    match read_text(folder, Path::new(IGNORE_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    }
}

/// A small text file beneath the folder.
pub(super) fn read_text(folder: &OwnedFd, path: &Path) -> io::Result<String> {
    const LONGEST: u64 = 1024 * 1024;
    let root = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    let found = crate::beneath::open(&root, path)?;
    let file = File::open(format!("/proc/self/fd/{}", found.file.as_raw_fd()))?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
