//! The bytes of caches and artifacts: which archive is named by whom is in the store, the archives themselves are in a
//! local folder or an S3-compatible service, under the SHA-256 of their bytes.
//!
//! # Layout
//! [`BlobStore`] the place · `receive` an upload until it is whole ·
//! `browse` what is in an archive, `read_slots` for how many at once · `sweep` what goes.

pub mod browse;
mod objects;
mod read_slots;
mod receive;
mod sweep;

pub use objects::{BlobStore, Opened};
pub use receive::Received;
pub(crate) use sweep::sweep;

/// Why the blob store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// It has no such archive.
    #[error("the archive is not there any more")]
    NotFound,
    /// The upload has more bytes than it may.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// The sender broke off.
    #[error("the upload broke off: {0}")]
    BrokenOff(String),
    /// The same archive is just being removed.
    #[error("the archive is just being removed; try again")]
    Busy,
    /// Too many look into archives.
    #[error("too many archives are being looked into; try again")]
    Crowded,
    /// What was kept is no archive of ours.
    #[error("{0}")]
    BadArchive(String),
    /// The place itself.
    #[error(transparent)]
    Storage(#[from] object_store::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// Something of ours broke.
    #[error("{0}")]
    Broken(String),
}
