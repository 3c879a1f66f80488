//! What an attempt is given: the job and its code, and what all attempts of an agent share. Separate because everything
//! beneath an attempt reads it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use job_specs::model::{Env, JobSpec};
use protocol::ids::AttemptId;
use protocol::work::{SecretValue, Source};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::retained::Retained;
use crate::blobs::Blobs;
use crate::checkout::Mirrors;
use crate::engine::{Engine, ImageUser};
use crate::logs::mask::Masker;
use crate::sandbox::Pool;

/// What to run.
#[derive(Debug, Clone)]
pub struct AttemptInput {
    /// Its id; names its folder and labels its containers.
    pub attempt: AttemptId,
    /// From 1.
    pub number: u32,
    /// Repository name.
    pub repository: String,
    /// The code.
    pub code: Code,
    /// The job.
    pub spec: JobSpec,
    /// `DROVER_*` variables for every step.
    pub env: Env,
    /// Secrets that steps may name.
    pub secrets: BTreeMap<String, SecretValue>,
    /// The code is trusted: the sandbox may be used again by the same repository.
    pub trusted: bool,
    /// Where its caches and artifacts are.
    pub blobs: Blobs,
}

impl AttemptInput {
    /// For whom it is done what is done in the engine.
    pub fn who(&self) -> ImageUser {
        ImageUser {
            repository: self.repository.clone(),
            trusted: self.trusted,
        }
    }

    /// Hides the secrets of this attempt in its logs.
    pub fn masker(&self) -> Masker {
        Masker::new(
            self.secrets
                .iter()
                .map(|(name, value)| (name.as_str(), value.0.as_str())),
        )
    }
}

/// Where an attempt's code comes from.
#[derive(Debug, Clone)]
pub enum Code {
    /// A commit of a repository.
    Git(Source),
    /// A folder as it is now, changes that are not committed included.
    Tree(PathBuf),
}

/// What every attempt of an agent shares.
#[derive(Clone)]
pub struct AttemptContext {
    /// The engine.
    pub engine: Engine,
    /// Where sandboxes come from.
    pub pool: Pool,
    /// Where commits come from.
    pub mirrors: Mirrors,
    /// The folder of the attempts' folders.
    pub attempts: PathBuf,
    /// What runs beside an attempt and behind its result.
    pub tasks: TaskTracker,
    /// The agent is stopped: every attempt ends, and none of them is to blame.
    pub shutdown: CancellationToken,
    /// What stays of attempts after their failure.
    pub retained: Retained,
}
