//! From "something happened in a repository" to a build with queued jobs: fetch the commit, read its job files, ask
//! whether they want the event, expand, store. Deliveries, schedules and triggers by hand take the same way; jobs that
//! need outputs are expanded later, from what the build keeps.

mod commands;
mod commit_check;
mod deferred;
mod deliveries;
mod make;
mod polling;
mod read;
mod schedules;
mod target;
mod times;
mod worker;

use crate::git::{BadAddress, BadName, GitError};
use crate::store::StoreError;

use make::build;
use target::Target;

pub(crate) use commit_check::rerun;
pub(crate) use deferred::expand_forever;
pub(crate) use deliveries::process;
pub(crate) use polling::poll_forever;
pub(crate) use read::job_files;
pub(crate) use schedules::{look_at, tick as schedules};
pub(crate) use target::trigger;
pub(crate) use worker::work;

/// Why there is no build. Each is a sentence for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoBuild {
    /// The commit cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The name of the branch or tag, or the commit's id, is malformed.
    #[error(transparent)]
    Name(#[from] BadName),
    /// The repository's address is not allowed any more.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// There is nothing to build there.
    #[error("there is no .drover.yml (and no .drover/*.yml) at {0}")]
    NoJobFile(String),
    /// The job file does not want such an event.
    #[error("no build of {commit}: {why}")]
    NotWanted {
        /// The commit.
        commit: String,
        /// In one sentence.
        why: String,
    },
    /// Inputs that are not as the job file wants them, a sentence each.
    #[error("{}", .0.join("; "))]
    Inputs(Vec<String>),
    /// The same push was delivered before.
    #[error("the same push was delivered before: it is build #{0}")]
    SamePush(i64),
    /// Other pushes of the reference are processed all the time.
    #[error("the reference moves faster than it can be looked at")]
    Moving,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}
