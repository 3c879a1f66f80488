//! How to unpack an archive, and what came of it: plain data.

use std::io;
use std::path::PathBuf;

use protocol::blobs::{MOST_CONTENT_BYTES, MOST_ENTRIES};

/// Where a part of an archive goes. What has no place is left out.
#[derive(Debug, Clone)]
pub struct UnpackTarget {
    /// The folder on the host that is not left.
    pub root: PathBuf,
    /// Under it; clean, and empty for the folder itself.
    pub at: PathBuf,
    /// The part's name in the archive; empty for all of it.
    pub name: PathBuf,
}

impl UnpackTarget {
    /// The whole archive, into that folder.
    pub fn all_into(root: PathBuf) -> UnpackTarget {
        UnpackTarget {
            root,
            at: PathBuf::new(),
            name: PathBuf::new(),
        }
    }
}

/// Where links may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// Inside the folder only.
    Inside,
    /// Anywhere: only steps will follow them, in their own containers.
    Anywhere,
}

/// Which modes and owners files get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modes {
    /// As in the archive; nobody's owner.
    Own,
    /// Anybody may write, as in every workspace; nobody's owner.
    OpenToAll,
    /// As in the archive, and its owners too where that is allowed to us.
    OwnWithOwners,
}

/// How to unpack.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Where links may lead.
    pub links: Links,
    /// Modes and owners.
    pub modes: Modes,
    /// How much it may be.
    pub limits: Limits,
}

impl Rules {
    /// These, with the usual limits.
    pub fn of(links: Links, modes: Modes) -> Rules {
        Rules {
            links,
            modes,
            limits: Limits::default(),
        }
    }
}

/// How much an archive may unpack to: by default what [`super::pack`] takes, so that all that is kept can be had back.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files, folders and links.
    pub entries: usize,
    /// Bytes of all files.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            entries: MOST_ENTRIES,
            bytes: MOST_CONTENT_BYTES,
        }
    }
}

/// What was unpacked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Files and links.
    pub files: u64,
    /// Bytes of files.
    pub content_bytes: u64,
    /// Of the archive.
    pub bytes: u64,
    /// Of the archive's bytes, in hexadecimal.
    pub sha256: String,
}

/// Why it was not unpacked, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It has something that does not belong in an archive of ours.
    #[error("the archive is refused: `{name}`: {why}")]
    Hostile {
        /// The entry.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// It is larger than it may be.
    #[error("the archive is refused: it has more than {0}")]
    TooMuch(String),
    /// It is no archive, or was cut off.
    #[error("the archive is damaged: {0}")]
    Damaged(io::Error),
    /// A file cannot be written.
    #[error("`{name}` cannot be written: {error}")]
    Unwritable {
        /// The entry.
        name: String,
        /// Why.
        error: io::Error,
    },
}
