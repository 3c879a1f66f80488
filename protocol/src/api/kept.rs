//! What outlives a job: artifacts, caches, stacks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Micros;
use crate::work::StackState;

/// An artifact.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Artifact {
    /// Its id.
    pub id: String,
    /// Its build.
    pub build: i64,
    /// Its job.
    pub job: String,
    /// `test (postgres=15)`
    pub job_title: String,
    /// The attempt that kept it.
    pub attempt: String,
    /// Its name, unique in the job.
    pub name: String,
    /// SHA-256 of its archive, in hexadecimal.
    pub sha256: String,
    /// Bytes of its archive.
    pub bytes: u64,
    /// How many files it has.
    pub files: u64,
    /// When it was kept.
    pub created_at: Micros,
    /// When it goes.
    pub expires_at: Micros,
}

/// A file of an artifact.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ArtifactFile {
    /// Its name, with slashes.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Permissions, as a number.
    pub mode: u32,
    /// Where it leads, if it is a link.
    pub link: Option<String>,
}

/// A cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cache {
    /// The reference whose builds wrote it: `refs/heads/main`.
    pub scope: String,
    /// What it is found by.
    pub key: String,
    /// SHA-256 of its archive, in hexadecimal.
    pub sha256: String,
    /// Bytes of its archive.
    pub bytes: u64,
    /// When it was kept.
    pub created_at: Micros,
    /// When a build last asked for it.
    pub used_at: Micros,
}

/// How many were removed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RemovedCaches {
    /// So many.
    pub removed: u64,
}

/// A stack: services, and containers beside them, that stay until somebody ends them or their time is over.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Stack {
    /// Its id.
    pub id: String,
    /// `retained`: what an attempt left (`hold_on_failure`).
    pub kind: String,
    /// The attempt that left it.
    pub attempt: String,
    /// That attempt's job.
    pub job: String,
    /// `test (postgres=15)`
    pub title: String,
    /// The build of that job.
    pub build: i64,
    /// Name of the repository.
    pub repository: String,
    /// Name of the agent that has it.
    pub agent: String,
    /// `running`; `unreachable`: its agent is silent; `deleting`: its agent has not removed it yet.
    #[schema(value_type = String, example = "running")]
    pub state: StackState,
    /// Since when.
    pub created_at: Micros,
    /// Until when; each use moves that.
    pub expires_at: Micros,
}
