//! Bytes to files. The archive may come from anybody: its names are looked at before anything is made, it is unpacked
//! through [`super::beneath`] only, and it may have neither too many files nor too many bytes.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use protocol::blobs::LONGEST_NAME;
use rustix::fs::{Gid, Mode, Timespec, Timestamps, Uid};
use sha2::{Digest, Sha256};
use tar::{Archive, Entry, EntryType};

use super::names;
use super::rules::{Links, Modes, Rules, UnpackError, UnpackTarget, Unpacked};
use crate::beneath::{Beneath, Parents};

/// Bytes that are copied at once. So many zeros become a hole: a small archive of a large empty disk takes no disk.
const COPY_LEN: usize = 128 * 1024;
static ZEROS: [u8; COPY_LEN] = [0; COPY_LEN];

/// Unpacks an archive. It blocks; memory is flat. Who knows the archive's SHA-256 compares it with [`Unpacked`]'s.
pub fn unpack(from: impl Read, into: &[UnpackTarget], rules: Rules) -> Result<Unpacked, UnpackError> {
    let tee = Tee {
        from,
        hash: Sha256::new(),
        bytes: 0,
    };
    let decoder = zstd::Decoder::new(tee).map_err(UnpackError::Damaged)?;
    let mut archive = Archive::new(decoder);
    let mut unpacking = Unpacking::new(into, rules)?;
    // Raw: long names are ours to read, with a limit.
    let entries = archive.entries().map_err(UnpackError::Damaged)?.raw(true);
    for entry in entries {
        unpacking.entry(entry.map_err(UnpackError::Damaged)?)?;
    }
    unpacking.set_folder_attributes()?;
    let mut decoder = archive.into_inner();
    io::copy(&mut decoder, &mut io::sink()).map_err(UnpackError::Damaged)?;
    let mut tee = decoder.finish().into_inner();
    io::copy(&mut tee, &mut io::sink()).map_err(UnpackError::Damaged)?;
    Ok(Unpacked {
        bytes: tee.bytes,
        sha256: hex::encode(tee.hash.finalize()),
        ..unpacking.done
    })
}

/// Removes what an archive was unpacked to, where that did not come from elsewhere.
pub fn discard(into: &UnpackTarget) -> io::Result<()> {
    let mut root = Beneath::open(&into.root)?;
    if !into.at.as_os_str().is_empty() {
        return root.remove(&into.at);
    }
    for (name, _) in root.list(Path::new(""))? {
        root.remove(Path::new(&name))?;
    }
    Ok(())
}

struct Unpacking<'a> {
    into: &'a [UnpackTarget],
    roots: Vec<Beneath>,
    rules: Rules,
    entries: usize,
    done: Unpacked,
    long_name: Option<PathBuf>,
    long_link: Option<PathBuf>,
    /// Folders get their modes and times last, when nothing more comes into them.
    folders: Vec<(File, FileAttributes)>,
}

/// What a file looks like besides its content.
struct FileAttributes {
    mode: u32,
    owner: Option<(u32, u32)>,
    mtime: i64,
}

impl Unpacking<'_> {
    fn new(into: &[UnpackTarget], rules: Rules) -> Result<Unpacking<'_>, UnpackError> {
        let open = |into: &UnpackTarget| {
            Beneath::open(&into.root).map_err(|error| UnpackError::Unwritable {
                name: into.root.display().to_string(),
                error,
            })
        };
        Ok(Unpacking {
            roots: into.iter().map(open).collect::<Result<_, _>>()?,
            into,
            rules,
            entries: 0,
            done: Unpacked::default(),
            long_name: None,
            long_link: None,
            folders: Vec::new(),
        })
    }

    fn entry<R: Read>(&mut self, mut entry: Entry<'_, R>) -> Result<(), UnpackError> {
        match entry.header().entry_type() {
            EntryType::GNULongName => {
                self.long_name = Some(long(&mut entry)?);
                return Ok(());
            }
            EntryType::GNULongLink => {
                self.long_link = Some(long(&mut entry)?);
                return Ok(());
            }
            _ => {}
        }
        let name = match self.long_name.take() {
            Some(name) => name,
            None => PathBuf::from(OsStr::from_bytes(&entry.header().path_bytes())),
        };
        let long_link = self.long_link.take();
        self.entries += 1;
        if self.entries > self.rules.limits.entries {
            return Err(UnpackError::TooMuch(format!("{} files", self.rules.limits.entries)));
        }
        let hostile = |why: &str| UnpackError::Hostile {
            name: name.display().to_string(),
            why: why.to_owned(),
        };
        let clean = names::inside(&name).map_err(hostile)?;
        self.count(entry.size())?;
        let Some((root, path)) = self.place(&clean) else {
            return Ok(());
        };
        let unwritable = |error| UnpackError::Unwritable {
            name: name.display().to_string(),
            error,
        };
        match entry.header().entry_type() {
            EntryType::Directory => self.folder(root, &path, &entry).map_err(unwritable),
            EntryType::Regular | EntryType::Continuous => self.file(root, &path, &mut entry),
            EntryType::Symlink => {
                let target = match long_link {
                    Some(target) => target,
                    None => {
                        let target = entry.header().link_name_bytes();
                        PathBuf::from(OsStr::from_bytes(&target.unwrap_or_default()))
                    }
                };
                if self.rules.links == Links::Inside && !names::link_stays_inside(&clean, &target) {
                    return Err(hostile(&format!(
                        "it is a link that leads out (to `{}`)",
                        target.display()
                    )));
                }
                self.link(root, &path, &target, &entry).map_err(unwritable)
            }
            EntryType::Link => Err(hostile("it is a hard link")),
            EntryType::Char | EntryType::Block => Err(hostile("it is a device")),
            EntryType::Fifo => Err(hostile("it is a pipe")),
            other => Err(hostile(&format!("it is of a kind that we do not make (`{other:?}`)"))),
        }
    }

    /// Which root, and where under it.
    fn place(&self, clean: &Path) -> Option<(usize, PathBuf)> {
        self.into.iter().enumerate().find_map(|(index, into)| {
            let rest = clean.strip_prefix(&into.name).ok()?;
            Some((index, into.at.join(rest).components().collect()))
        })
    }

    fn way(&self) -> Parents {
        match self.rules.modes {
            Modes::OpenToAll => Parents::Made(0o777),
            Modes::Own | Modes::OwnWithOwners => Parents::Made(0o755),
        }
    }

    fn attributes<R: Read>(&self, entry: &Entry<'_, R>) -> FileAttributes {
        let header = entry.header();
        let mode = header.mode().unwrap_or(0o644) & 0o777;
        let id = |id: io::Result<u64>| id.ok().and_then(|id| u32::try_from(id).ok());
        let owner = match self.rules.modes {
            Modes::OwnWithOwners if rustix::process::geteuid().is_root() => id(header.uid()).zip(id(header.gid())),
            _ => None,
        };
        let open = if mode & 0o100 == 0 { 0o666 } else { 0o777 };
        FileAttributes {
            mode: if self.rules.modes == Modes::OpenToAll {
                open
            } else {
                mode
            },
            owner,
            mtime: i64::try_from(header.mtime().unwrap_or(0)).unwrap_or(0),
        }
    }

    fn folder<R: Read>(&mut self, root: usize, path: &Path, entry: &Entry<'_, R>) -> io::Result<()> {
        let way = self.way();
        let folder = self.roots[root].make_folder(path, way)?;
        let mut attributes = self.attributes(entry);
        if self.rules.modes == Modes::OpenToAll {
            attributes.mode = 0o777;
        }
        // Open files are few; a folder that is not kept open keeps the mode it was made with.
        if self.folders.len() < 200 {
            self.folders.push((folder, attributes));
        } else {
            set_file_attributes(&folder, &attributes)?;
        }
        Ok(())
    }

    fn file<R: Read>(&mut self, root: usize, path: &Path, entry: &mut Entry<'_, R>) -> Result<(), UnpackError> {
        let name = path.display().to_string();
        let unwritable = |error| UnpackError::Unwritable {
            name: name.clone(),
            error,
        };
        let size = entry.size();
        let (way, attributes) = (self.way(), self.attributes(entry));
        let mut file = self.roots[root].create(path, way).map_err(unwritable)?;
        copy(entry, &mut file, size, unwritable)?;
        set_file_attributes(&file, &attributes).map_err(unwritable)?;
        self.done.files += 1;
        Ok(())
    }

    /// Counts the bytes that an entry says it has.
    fn count(&mut self, size: u64) -> Result<(), UnpackError> {
        let limit = self.rules.limits.bytes;
        self.done.content_bytes = self.done.content_bytes.saturating_add(size);
        match self.done.content_bytes > limit {
            true => Err(UnpackError::TooMuch(format!("{limit} bytes of files"))),
            false => Ok(()),
        }
    }

    fn link<R: Read>(&mut self, root: usize, path: &Path, target: &Path, entry: &Entry<'_, R>) -> io::Result<()> {
        let (way, attributes) = (self.way(), self.attributes(entry));
        self.roots[root].link(path, target, way)?;
        self.roots[root].set_link_attributes(path, attributes.owner, &times(attributes.mtime))?;
        self.done.files += 1;
        Ok(())
    }

    fn set_folder_attributes(&mut self) -> Result<(), UnpackError> {
        for (folder, attributes) in self.folders.drain(..).rev() {
            set_file_attributes(&folder, &attributes).map_err(|error| UnpackError::Unwritable {
                name: "a folder".into(),
                error,
            })?;
        }
        Ok(())
    }
}

fn set_file_attributes(file: &File, attributes: &FileAttributes) -> io::Result<()> {
    if let Some((user, group)) = attributes.owner {
        rustix::fs::fchown(file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?;
    }
    rustix::fs::fchmod(file, Mode::from_raw_mode(attributes.mode))?;
    Ok(rustix::fs::futimens(file, &times(attributes.mtime))?)
}

fn times(mtime: i64) -> Timestamps {
    let time = Timespec {
        tv_sec: mtime,
        tv_nsec: 0,
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// A name or target that is longer than a header has room for.
fn long<R: Read>(entry: &mut Entry<'_, R>) -> Result<PathBuf, UnpackError> {
    // The name ends with a zero byte.
    if entry.size() > LONGEST_NAME as u64 + 1 {
        return Err(UnpackError::TooMuch(format!("{LONGEST_NAME} bytes in a name")));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(UnpackError::Damaged)?;
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    Ok(PathBuf::from(OsStr::from_bytes(&bytes)))
}

/// Copies exactly `len` bytes into a new file.
fn copy(
    from: &mut impl Read,
    to: &mut File,
    len: u64,
    unwritable: impl Fn(io::Error) -> UnpackError,
) -> Result<(), UnpackError> {
    let mut buffer = vec![0; COPY_LEN];
    let (mut left, mut hole) = (len, 0);
    while left > 0 {
        let most = COPY_LEN.min(usize::try_from(left).unwrap_or(usize::MAX));
        from.read_exact(&mut buffer[..most]).map_err(UnpackError::Damaged)?;
        left -= most as u64;
        if buffer[..most] == ZEROS {
            hole += i64::try_from(most).unwrap_or(0);
            continue;
        }
        to.seek_relative(hole).map_err(&unwritable)?;
        hole = 0;
        to.write_all(&buffer[..most]).map_err(&unwritable)?;
    }
    // A hole at the end is made by the length alone.
    to.set_len(len).map_err(&unwritable)
}

/// Counts and hashes what goes through.
struct Tee<R> {
    from: R,
    hash: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}
