//! Reading a commit of a repository: the git command line moves objects into a bare mirror (exact commits, protocol
//! v2, credentials of the system; [`git_cli`]), libgit2 reads them there. Names and ids from outside are checked types before they
//! come near a command line.

mod changes;
mod commit;
mod default_branches;
mod mirror;
mod names;
mod reach;
mod remote;
mod tree;

pub use changes::{Compare, Comparison};
pub use commit::{Commit, JobFiles};
pub(crate) use default_branches::DefaultBranches;
pub use git_cli::{Address, BadAddress};
pub use mirror::{Mirrors, Wanted};
pub use names::{BadName, ObjectId, Reference};
pub use reach::{Asked, CommitPosition};
pub use tree::{CommitTree, KeptFiles, ReadFiles};

/// Why a commit could not be read. The text is for people and says nothing that is secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// The repository has no such branch or tag.
    #[error("the repository has no {0}")]
    NoSuchReference(String),
    /// The repository has no such commit.
    #[error("the repository has no commit {0}; it may have been replaced by a later push")]
    NoSuchCommit(String),
    /// The repository does not answer, or refuses us; another try may help.
    #[error("the repository cannot be reached: {0}")]
    Unreachable(String),
    /// It says more of its references than is read.
    #[error("the repository has too many branches and tags to list them")]
    TooManyReferences,
    /// It took too long; another try may help.
    #[error("the repository did not answer within {0} seconds")]
    TimedOut(u64),
    /// A job file cannot be read as text.
    #[error("{0}")]
    BadFile(String),
    /// The mirror on our side is broken.
    #[error("the mirror of the repository cannot be used: {0}")]
    Mirror(String),
}

impl From<git_cli::RunError> for GitError {
    fn from(error: git_cli::RunError) -> GitError {
        match error {
            git_cli::RunError::TimedOut(limit) => GitError::TimedOut(limit.as_secs()),
            other => GitError::Mirror(other.to_string()),
        }
    }
}

/// An id as libgit2 has it; its length says by which algorithm it was made.
fn oid(id: &ObjectId) -> Result<git2::Oid, git2::Error> {
    let format = match id.as_str().len() {
        64 => git2::ObjectFormat::Sha256,
        _ => git2::ObjectFormat::Sha1,
    };
    git2::Oid::from_str_ext(id.as_str(), format)
}

impl GitError {
    /// Whether the same request may succeed later without anybody changing anything in it.
    pub fn is_passing(&self) -> bool {
        match self {
            GitError::Unreachable(_) | GitError::TimedOut(_) | GitError::Mirror(_) => true,
            GitError::NoSuchReference(_)
            | GitError::NoSuchCommit(_)
            | GitError::TooManyReferences
            | GitError::BadFile(_) => false,
        }
    }
}
