//! The code of an attempt, put into its workspace: a commit from a bare mirror ([`commit`]), or a copy of a working
//! tree ([`tree()`]). Separate from the attempt so that it can be fast on its own terms: when the commit is known, no
//! process is started and only the files of the commit are written.

mod git_cli;
mod mirrors;
mod shell;
mod tree;
mod workspace;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::lease::Source;
use tokio_util::sync::CancellationToken;

pub use mirrors::Mirrors;
pub use tree::files;

/// Where a step finds the objects of the repository: the mirror's own, mounted read-only, so that no step can spoil
/// them for the next job.
pub const OBJECTS_MOUNT: &str = "/.drover/objects";

/// Takes the words about a checkout that takes long.
pub type Say = Arc<dyn Fn(String) + Send + Sync>;

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// The source is not one that may be given to git.
    #[error("{0}")]
    BadSource(String),
    /// The repository answers, and does not have the commit.
    #[error("commit {commit} is not in {url} any more (was {reference} deleted or force-pushed?)")]
    UnknownCommit {
        /// Its id.
        commit: String,
        /// Where it was looked for, without credentials.
        url: String,
        /// Where it had been.
        reference: String,
    },
    /// The repository does not answer, or refuses us.
    #[error("cannot fetch {url}: {message}")]
    Unreachable {
        /// Which, without credentials.
        url: String,
        /// What git said.
        message: String,
    },
    /// It took too long.
    #[error("fetching {url} took longer than {limit_secs} s")]
    TimedOut {
        /// Which, without credentials.
        url: String,
        /// The limit.
        limit_secs: u64,
    },
    /// Somebody stopped it.
    #[error("cancelled")]
    Cancelled,
    /// The git program is missing.
    #[error("the program `git` is not installed on the agent")]
    NoGit,
    /// A local file or folder.
    #[error("{action} {path}: {source}")]
    Io {
        /// `write`, `read`, …
        action: &'static str,
        /// What.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A bug of ours.
    #[error("the checkout broke: {0}")]
    Broken(tokio::task::JoinError),
    /// libgit2 says no.
    #[error("git: {}", .0.message())]
    Git(#[from] git2::Error),
}

impl CheckoutError {
    /// Whether it is the user's to mend; else another attempt may help.
    pub fn is_users(&self) -> bool {
        match self {
            CheckoutError::BadSource(_) | CheckoutError::UnknownCommit { .. } => true,
            CheckoutError::Unreachable { .. }
            | CheckoutError::TimedOut { .. }
            | CheckoutError::Cancelled
            | CheckoutError::NoGit
            | CheckoutError::Io { .. }
            | CheckoutError::Broken(_)
            | CheckoutError::Git(_) => false,
        }
    }
}

/// Turns an I/O error into ours, with what was done to which path.
fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> CheckoutError {
    let path = path.display().to_string();
    move |source| CheckoutError::Io { action, path, source }
}

/// The folder to mount at [`OBJECTS_MOUNT`], known before the checkout is done. `None`: the workspace will be no git
/// repository.
pub async fn objects_of_commit(mirrors: &Mirrors, source: &Source) -> Result<PathBuf, CheckoutError> {
    Ok(mirrors.open(source).await?.join("objects"))
}

/// Puts `source` into `workspace`, which exists and is empty (or has the rest of a checkout that was interrupted).
/// Fetches only when the mirror does not have the commit.
pub async fn commit(
    mirrors: &Mirrors,
    source: &Source,
    workspace: &Path,
    say: Say,
    cancel: &CancellationToken,
) -> Result<(), CheckoutError> {
    let mirror = mirrors.with_commit(source, say, cancel).await?;
    let (source, workspace) = (source.clone(), workspace.to_owned());
    blocking(move || workspace::fill(&mirror, &source, &workspace)).await
}

/// The folder to mount at [`OBJECTS_MOUNT`] for a copy of the working tree at `from`. `None`: it is no repository of
/// its own.
pub async fn objects_of_tree(from: &Path) -> Result<Option<PathBuf>, CheckoutError> {
    let from = from.to_owned();
    blocking(move || Ok(tree::objects(&from))).await
}

/// Copies the working tree at `from` into `workspace`: what git tracks, and what it does not track and does not
/// ignore; everything when it is no repository.
pub async fn tree(from: &Path, workspace: &Path) -> Result<(), CheckoutError> {
    let (from, workspace) = (from.to_owned(), workspace.to_owned());
    blocking(move || tree::copy(&from, &workspace)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CheckoutError> + Send + 'static,
) -> Result<T, CheckoutError> {
    tokio::task::spawn_blocking(work).await.map_err(CheckoutError::Broken)?
}
