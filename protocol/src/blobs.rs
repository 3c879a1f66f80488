//! Caches and artifacts between agent and coordinator. A blob is a tar stream in zstd; its name is the SHA-256 of its
//! bytes, in hexadecimal. Every call names attempt and epoch as in [`crate::lease`]; a stale epoch is 409.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `GET /agent/v1/attempts/{id}/limits?epoch=E` | | [`BlobLimits`] |
//! | `PUT /agent/v1/attempts/{id}/artifacts/{name}?epoch=E&files=N&expires=SECS` | the blob | [`Kept`] |
//! | `POST /agent/v1/attempts/{id}/caches/find` | [`CacheWanted`] | [`CacheFound`], or 204 |
//! | `PUT /agent/v1/attempts/{id}/caches/{key}?epoch=E` | the blob | [`Kept`] |
//! | `GET /agent/v1/attempts/{id}/needs?epoch=E` | | [`NeededArtifact`]s, in the order to unpack them |
//! | `GET /agent/v1/attempts/{id}/blobs/{sha256}?epoch=E` | | the blob, if the attempt may read it |
//!
//! A blob that is larger than there is room for is answered with 413 and [`OVER_QUOTA`]; the caches of a build that is
//! not trusted are read-only: 422 and [`READ_ONLY`].

use serde::{Deserialize, Serialize};

/// No archive has more files, folders and links: who packs refuses them, so that who unpacks can take all there are.
pub const MOST_ENTRIES: usize = 1_000_000;
/// No archive has more bytes of files, holes and zeros included.
pub const MOST_CONTENT_BYTES: u64 = 100 << 30;
/// No archive has a longer name or target of a link, in bytes: no system opens a longer path.
pub const LONGEST_NAME: usize = 4_096;
/// Bytes of all names of an archive: who looks into it must be able to hold them.
pub const MOST_NAME_BYTES: usize = 64 << 20;

/// The error's code when a blob is larger than there is room for.
pub const OVER_QUOTA: &str = "over_quota";
/// The error's code when the build may not write caches.
pub const READ_ONLY: &str = "read_only";

/// How large a blob may be, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobLimits {
    /// The most that one artifact may have.
    pub artifact_bytes: u64,
    /// What all further artifacts of the repository may have together.
    pub repository_bytes_left: u64,
    /// The most that one cache may have.
    pub cache_bytes: u64,
}

/// A blob that the coordinator keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Of the bytes that it received.
    pub sha256: String,
    /// How many.
    pub bytes: u64,
}

/// Looks for a cache: by the exact key, then the newest whose key begins with one of `fallback`, in their order; each
/// in the scopes that the build may read, its own first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheWanted {
    /// Under which epoch.
    pub epoch: i64,
    /// Exactly.
    pub key: String,
    /// Beginnings of keys.
    #[serde(default)]
    pub fallback: Vec<String>,
}

/// A cache that the attempt may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheFound {
    /// Its key; not the wanted one when a fallback was taken.
    pub key: String,
    /// Names its blob.
    pub sha256: String,
    /// Of the blob.
    pub bytes: u64,
}

/// An artifact of a job that this one needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeededArtifact {
    /// `build (arch=arm64)`: who made it.
    pub job: String,
    /// Its name.
    pub name: String,
    /// Names its blob.
    pub sha256: String,
    /// Of the blob.
    pub bytes: u64,
    /// How many files it has.
    pub files: u64,
}
