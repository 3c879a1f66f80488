//! Files to bytes: a tar stream in zstd, the same for the same files whatever the file system says first. No names of
//! owners; artifacts have no owners at all.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::thread::available_parallelism;

use job_specs::units::size;
use protocol::blobs::MOST_CONTENT_BYTES;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::walk::{Entry, FileList, Kind, PackSource};
use crate::beneath::Beneath;

/// Level of compression: the fastest, so that a gigabyte goes at the disk's speed.
const LEVEL: i32 = 1;
/// Threads that compress at most.
const THREADS: u32 = 4;
/// Bytes read at once.
const READ_LEN: usize = 256 * 1024;

/// An archive that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Of its bytes, in hexadecimal.
    pub sha256: String,
    /// Of the archive.
    pub bytes: u64,
    /// Bytes of the files in it.
    pub content_bytes: u64,
}

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// It would have more bytes than it may.
    #[error("the archive has more than {limit} bytes")]
    OverLimit {
        /// The limit.
        limit: u64,
    },
    /// Its files have more bytes than anybody would unpack.
    #[error(
        "its files have more than {} together, holes included, up to `{path}`",
        size(MOST_CONTENT_BYTES)
    )]
    TooMuch {
        /// The file that is too much, by its name in the archive.
        path: String,
    },
    /// A file cannot be read.
    #[error("`{path}` cannot be read: {error}")]
    Unreadable {
        /// Its name in the archive.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// Whoever takes the bytes takes no more.
    #[error("the archive cannot be written: {0}")]
    Write(io::Error),
}

/// Writes the archive, `limit` bytes at most. It blocks; memory is flat.
pub fn pack(sources: &[PackSource], found: &FileList, limit: u64, to: impl Write) -> Result<Packed, PackError> {
    let tee = Tee {
        to,
        hash: Sha256::new(),
        bytes: 0,
        limit,
        is_over: false,
    };
    let mut encoder = zstd::Encoder::new(tee, LEVEL).map_err(PackError::Write)?;
    let threads = available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1));
    encoder.multithread(threads.min(THREADS)).map_err(PackError::Write)?;
    let mut tar = Builder::new(encoder);
    let mut roots = sources.iter().map(|source| Beneath::open(source.root()));
    let mut roots: Vec<Beneath> = roots.by_ref().collect::<Result<_, _>>().map_err(PackError::Write)?;
    let mut content_bytes = 0;
    for entry in &found.entries {
        let keeps_owner = matches!(sources[entry.from], PackSource::Path { .. });
        let left = MOST_CONTENT_BYTES.saturating_sub(content_bytes);
        let added = add(&mut tar, &mut roots[entry.from], entry, (keeps_owner, left));
        match added {
            Ok(bytes) => content_bytes += bytes,
            Err(_) if tar.get_ref().get_ref().is_over => return Err(PackError::OverLimit { limit }),
            Err(error) => return Err(error),
        }
    }
    let ended = tar.into_inner().and_then(zstd::Encoder::finish);
    let mut tee = match ended {
        Ok(tee) => tee,
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Err(PackError::OverLimit { limit }),
        Err(error) => return Err(PackError::Write(error)),
    };
    tee.to.flush().map_err(PackError::Write)?;
    Ok(Packed {
        sha256: hex::encode(tee.hash.finalize()),
        bytes: tee.bytes,
        content_bytes,
    })
}

/// Adds one, of at most `left` bytes; how many bytes its content has. What is gone by now is left out.
fn add(
    tar: &mut Builder<impl Write>,
    root: &mut Beneath,
    entry: &Entry,
    (keeps_owner, left): (bool, u64),
) -> Result<u64, PackError> {
    let stat = match root.stat(&entry.path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other.map_err(|error| unreadable(entry, error))?,
    };
    let mut header = Header::new_gnu();
    header.set_mode(stat.st_mode & 0o777);
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    let (user, group) = if keeps_owner {
        (stat.st_uid, stat.st_gid)
    } else {
        (0, 0)
    };
    header.set_uid(u64::from(user));
    header.set_gid(u64::from(group));
    header.set_size(0);
    match entry.kind {
        Kind::Folder => {
            header.set_entry_type(EntryType::Directory);
            tar.append_data(&mut header, &entry.name, io::empty())
                .map_err(PackError::Write)?;
            Ok(0)
        }
        Kind::Link => {
            let target = match &entry.target {
                Some(target) => target.clone(),
                None => root.read_link(&entry.path).map_err(|error| unreadable(entry, error))?,
            };
            header.set_entry_type(EntryType::Symlink);
            header.set_mode(0o777);
            tar.append_link(&mut header, &entry.name, &target)
                .map_err(PackError::Write)?;
            Ok(0)
        }
        Kind::File => {
            let file = root.read(&entry.path).map_err(|error| unreadable(entry, error))?;
            let len = file.metadata().map_err(|error| unreadable(entry, error))?.size();
            if len > left {
                let path = entry.name.display().to_string();
                return Err(PackError::TooMuch { path });
            }
            header.set_entry_type(EntryType::Regular);
            header.set_size(len);
            let whole = BufReader::with_capacity(READ_LEN, file).chain(io::repeat(0)).take(len);
            tar.append_data(&mut header, &entry.name, whole)
                .map_err(PackError::Write)?;
            Ok(len)
        }
    }
}

fn unreadable(entry: &Entry, error: io::Error) -> PackError {
    PackError::Unreadable {
        path: entry.name.display().to_string(),
        error,
    }
}

/// Counts and hashes what goes through.
struct Tee<W> {
    to: W,
    hash: Sha256,
    bytes: u64,
    limit: u64,
    is_over: bool,
}

impl<W: Write> Write for Tee<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        if self.bytes > self.limit {
            self.is_over = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
