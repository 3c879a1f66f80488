//! The code of an attempt, put into its workspace: a commit from a bare mirror ([`commit`]), or a copy of a working
//! tree ([`tree()`]). Separate from the attempt so that it can be fast on its own terms: when the commit is known, no
//! process is started and only the files of the commit are written.

mod fetch;
mod lfs;
mod local;
mod mend;
mod mirrors;
mod shell;
mod submodules;
mod tree;
mod workspace;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use job_specs::units::duration;
use protocol::work::Source;
use tokio_util::sync::CancellationToken;

pub use local::{Head, LocalRepository};
use mirrors::Mirror;
pub use mirrors::Mirrors;
pub use shell::objects_mount;
pub use tree::files;

/// Where the job's code is in every step.
pub const WORKSPACE: &str = "/workspace";
/// Where a step finds the objects of the repository: the mirror's own, mounted read-only, so that no step can spoil
/// them for the next job.
pub const OBJECTS_MOUNT: &str = "/.drover/objects";

/// A folder or file of this machine that git in a step looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectsMount {
    /// Where it is on the host.
    pub host: PathBuf,
    /// Where it is to be in the container.
    pub inside: String,
}

/// Hears what a checkout does, a line at a time.
pub type Progress = Arc<dyn Fn(String) + Send + Sync>;

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
    /// References of our mirror cannot be written.
    #[error("the mirror's references cannot be written: {0}")]
    References(String),
    /// Our mirror is broken.
    #[error("the mirror is broken: {0}")]
    Mirror(String),
    /// It took too long.
    #[error("{what} took longer than {}", duration(*limit))]
    TimedOut {
        /// What, without credentials.
        what: String,
        /// The limit.
        limit: Duration,
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
            | CheckoutError::References(_)
            | CheckoutError::Mirror(_)
            | CheckoutError::TimedOut { .. }
            | CheckoutError::Cancelled
            | CheckoutError::NoGit
            | CheckoutError::Io { .. }
            | CheckoutError::Broken(_)
            | CheckoutError::Git(_) => false,
        }
    }

    /// Whether the mirror is at fault, and one that is made anew may be better.
    fn is_of_mirror(&self) -> bool {
        use git2::ErrorClass::{Config, Index, Indexer, Object, Odb, Reference, Repository, Tree, Zlib};
        match self {
            CheckoutError::Mirror(_) | CheckoutError::References(_) => true,
            CheckoutError::Git(error) => matches!(
                error.class(),
                Config | Index | Indexer | Object | Odb | Reference | Repository | Tree | Zlib
            ),
            _ => false,
        }
    }
}

/// Turns an I/O error into ours, with what was done to which path.
fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> CheckoutError {
    let path = path.display().to_string();
    move |source| CheckoutError::Io { action, path, source }
}

/// What is to be mounted for a commit, known before the checkout is done.
pub async fn objects_of_commit(
    mirrors: &Mirrors,
    source: &Source,
    trusted: bool,
) -> Result<ObjectsMount, CheckoutError> {
    Ok(ObjectsMount {
        host: mirrors.open(source, trusted).await?.folder.join("objects"),
        inside: OBJECTS_MOUNT.to_owned(),
    })
}

/// A commit for a build.
#[derive(Debug, Clone, Copy)]
pub struct Build<'a> {
    /// The commit.
    pub source: &'a Source,
    /// The code is trusted.
    pub trusted: bool,
    /// Where it goes.
    pub workspace: &'a Path,
}

/// Puts a commit into the workspace, with its submodules and the files of Git LFS. A mirror that turns out to be broken
/// is made anew, once.
pub async fn commit(
    mirrors: &Mirrors,
    build: Build<'_>,
    progress: Progress,
    cancel: &CancellationToken,
) -> Result<(), CheckoutError> {
    let mirror = mirrors.open(build.source, build.trusted).await?;
    match commit_once(mirrors, &mirror, build, &progress, cancel).await {
        Err(error) if error.is_of_mirror() => {
            progress(format!("the mirror of the repository is made anew: {error}"));
            let wanted = wanted(&mirror, build.source);
            mirrors.remake(&mirror.folder, &wanted, &progress, cancel).await?;
            commit_once(mirrors, &mirror, build, &progress, cancel).await
        }
        other => other,
    }
}

fn wanted<'a>(mirror: &'a Mirror, source: &'a Source) -> mirrors::Wanted<'a> {
    mirrors::Wanted {
        address: &mirror.address,
        git: &mirror.git,
        commit: &source.commit,
        reference: &source.reference,
        space: "refs",
    }
}

async fn commit_once(
    mirrors: &Mirrors,
    mirror: &Mirror,
    build: Build<'_>,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<(), CheckoutError> {
    let source = build.source;
    let wanted = wanted(mirror, source);
    mirrors.bring(&mirror.folder, &wanted, progress, cancel).await?;
    let (of, owned, workspace) = (mirror.clone(), source.clone(), build.workspace.to_owned());
    let mut filled = blocking(move || {
        let origin = workspace::Origin {
            mirror: &of.folder,
            address: &of.address,
            commit: &owned.commit,
            reference: Some(&owned.reference),
            space: "refs",
        };
        workspace::fill(&origin, &workspace)
    })
    .await?;
    let content = lfs::Content {
        mirror: &mirror.folder,
        git: &mirror.git,
        address: &mirror.address,
        trusted: mirror.trusted,
        commit: &source.commit,
        folder: build.workspace,
    };
    content
        .bring(std::mem::take(&mut filled.pointers), progress, cancel)
        .await?;
    let submodules = submodules::Checkout {
        mirrors,
        mirror,
        workspace: build.workspace,
        progress,
        cancel,
    };
    submodules.all(&source.commit, filled).await
}

/// What is to be mounted for a copy of the working tree at `from`; nothing when it is no repository. `nothing` is the
/// place for an empty file.
pub async fn objects_of_tree(from: &Path, nothing: PathBuf) -> Result<Vec<ObjectsMount>, CheckoutError> {
    let from = from.to_owned();
    blocking(move || tree::objects(&from, &nothing)).await
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
