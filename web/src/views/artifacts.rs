//! What jobs kept: rows on the pages of builds and jobs, and the page that looks into one; the view behind
//! `/artifacts/{id}`.

use serde::Serialize;

use super::{BuildSummary, Micros};

/// One artifact, in lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArtifactRow {
    /// Its id, for its addresses.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The job that kept it.
    pub job: String,
    /// `test (postgres=15)`
    pub job_title: String,
    /// Bytes of its archive.
    pub bytes: u64,
    /// How many files it has.
    pub files: u64,
    /// When it goes.
    pub expires_at: Micros,
}

/// The page that looks into an artifact, one folder at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArtifactPage {
    /// Its build.
    pub build: BuildSummary,
    /// The artifact.
    pub artifact: ArtifactRow,
    /// SHA-256 of its archive.
    pub sha256: String,
    /// The folder that is shown, without a slash at its end; empty for the top.
    pub at: String,
    /// What is in that folder: folders first.
    pub entries: Vec<ArtifactEntry>,
    /// Entries of the folder that are not shown, because there are so many.
    pub more: u64,
}

/// One name in a folder of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArtifactEntry {
    /// Its name in the folder.
    pub name: String,
    /// Its whole name in the artifact.
    pub path: String,
    /// What it is.
    pub kind: ArtifactEntryKind,
}

/// What a name in an artifact is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum ArtifactEntryKind {
    /// A folder with so many files below it.
    Folder(u64),
    /// A file of so many bytes.
    File(u64),
    /// A link that leads there.
    Link(String),
}
