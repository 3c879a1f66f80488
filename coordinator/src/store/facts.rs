//! What is known about the event of a build: columns of `builds`. Their only reader; what the job file alone asks for
//! (changed paths, hashes of files) is kept with the build's texts, in `origins`.

use job_specs::Facts;
use serde::{Deserialize, Serialize};

use super::from_word;
use crate::db::{DbError, Row};

/// Whether the code of a build is ours: it may have secrets and reuse sandboxes. Decided when the event came in, by
/// where the commit is and never by what it says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Of a branch or tag of the repository.
    Trusted,
    /// A pull request from another repository, or the head of any, asked for by name.
    #[default]
    Fork,
    /// The event was ours, and no branch or tag leads to the commit.
    NoBranch,
}

impl Trust {
    /// It may have secrets.
    pub fn is_trusted(self) -> bool {
        self == Trust::Trusted
    }

    /// The row's `trust`.
    pub(super) fn of(row: &Row) -> Result<Trust, DbError> {
        from_word("trust", &row.get::<String>("trust")?)
    }
}

/// The columns of [`from_row`], of `builds b` and its `repositories r`.
macro_rules! fact_columns {
    () => {
        "b.number as build_number, r.name as repository_name, b.event, b.branch, b.tag, b.reference, b.sha,
         b.title as commit_title, b.author, b.base, b.pull_request, b.inputs, b.trust"
    };
}
pub(super) use fact_columns;

/// The facts in a row with [`fact_columns`].
pub(super) fn from_row(row: &Row) -> Result<Facts, DbError> {
    Ok(Facts {
        event: row.get("event")?,
        branch: row.get("branch")?,
        tag: row.get("tag")?,
        reference: row.get("reference")?,
        sha: row.get("sha")?,
        repository: row.get("repository_name")?,
        build: Some(row.get("build_number")?),
        title: Some(row.get("commit_title")?),
        author: Some(row.get("author")?),
        base: row.get("base")?,
        pull_request: row.get("pull_request")?,
        inputs: row.json("inputs")?,
        ..Facts::default()
    })
}
