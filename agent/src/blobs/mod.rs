//! Where caches and artifacts are kept: at the coordinator, or for `drover run` in a folder of this machine. Both take
//! and give the same archives, so a job does not know which.
//!
//! # Layout
//! [`Blobs`] the two places · `remote` the coordinator · [`Folder`] this machine · [`archive`] what is kept, as bytes.

pub mod archive;
mod folder;
mod remote;

use std::io;

use bytes::Bytes;
use protocol::blobs::{BlobLimits, CacheFound, Kept, NeededArtifact};
use tokio::sync::mpsc;

pub use folder::Folder;
pub use remote::Remote;

/// The bytes of an archive under way; an error in it means that there is no archive.
pub type Bytestream = mpsc::Receiver<io::Result<Bytes>>;

/// Where an attempt keeps and finds archives.
#[derive(Debug, Clone)]
pub enum Blobs {
    /// At the coordinator, under the attempt's lease.
    Coordinator(Remote),
    /// In a folder of this machine.
    Folder(Folder),
}

/// An artifact to keep.
#[derive(Debug, Clone)]
pub struct NewArtifact {
    /// Unique in the job.
    pub name: String,
    /// How many it has.
    pub files: u64,
    /// It goes after this time. `None`: the keeper's default.
    pub expires_secs: Option<u64>,
}

/// Why something is not kept or not found.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The keeper does not answer, or the connection broke: once more may help.
    #[error("{0}")]
    Away(String),
    /// It is larger than there is room for.
    #[error("{0}")]
    OverQuota(String),
    /// It is not to be had, or not allowed.
    #[error("{0}")]
    Refused(String),
}

impl Blobs {
    /// How large things may be.
    pub async fn limits(&self) -> Result<BlobLimits, BlobError> {
        match self {
            Blobs::Coordinator(remote) => remote.limits().await,
            Blobs::Folder(_) => Ok(folder::ROOM),
        }
    }

    /// The best cache for a key. `None`: there is none.
    pub async fn find_cache(&self, key: &str, fallback: &[String]) -> Result<Option<CacheFound>, BlobError> {
        match self {
            Blobs::Coordinator(remote) => remote.find_cache(key, fallback).await,
            Blobs::Folder(folder) => folder.find_cache(key, fallback).await,
        }
    }

    /// Keeps a cache under a key.
    pub async fn save_cache(&self, key: &str, body: Bytestream) -> Result<Kept, BlobError> {
        match self {
            Blobs::Coordinator(remote) => remote.save_cache(key, body).await,
            Blobs::Folder(folder) => folder.save_cache(key, body).await,
        }
    }

    /// Keeps an artifact; one of this attempt with the same name is replaced.
    pub async fn keep_artifact(&self, new: &NewArtifact, body: Bytestream) -> Result<Kept, BlobError> {
        match self {
            Blobs::Coordinator(remote) => remote.keep_artifact(new, body).await,
            Blobs::Folder(folder) => folder.keep_artifact(new, body).await,
        }
    }

    /// The artifacts of the jobs that this one needs and wants them from.
    pub async fn needed(&self) -> Result<Vec<NeededArtifact>, BlobError> {
        match self {
            Blobs::Coordinator(remote) => remote.needed().await,
            Blobs::Folder(folder) => folder.needed().await,
        }
    }

    /// The bytes of an archive that was found.
    pub async fn open(&self, sha256: &str) -> Result<Bytestream, BlobError> {
        match self {
            Blobs::Coordinator(remote) => remote.open(sha256).await,
            Blobs::Folder(folder) => folder.open(sha256).await,
        }
    }

    /// Where people find an artifact of that name, if that is a folder here.
    pub fn shown_at(&self, artifact: &str) -> Option<std::path::PathBuf> {
        match self {
            Blobs::Coordinator(_) => None,
            Blobs::Folder(folder) => Some(folder.shown_at(artifact)),
        }
    }
}
