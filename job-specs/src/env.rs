//! What a build knows about its commit ([`Facts`]) and the environment that every step gets from it. Separate from
//! expansion because the agent and `drover run` add it to a step long after the file was read.

use serde::{Deserialize, Serialize};

use crate::model::Env;

/// The event and the commit that a build is for; the values of `${{ git.x }}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// `push`, `tag`, `pull_request`, `schedule` or `manual`.
    pub event: String,
    /// The branch, without `refs/heads/`; `None` for a tag.
    pub branch: Option<String>,
    /// The tag, without `refs/tags/`.
    pub tag: Option<String>,
    /// The full reference: `refs/heads/main`.
    pub reference: String,
    /// The commit, in full.
    pub sha: String,
    /// The repository's name in the coordinator.
    pub repository: String,
    /// The build's number; `None` for `drover run`.
    pub build: Option<i64>,
    /// First line of the commit message.
    pub title: Option<String>,
    /// The commit's author.
    pub author: Option<String>,
}

/// The environment that every step gets, whatever its file says: `DROVER`, `CI`, and what [`Facts`] know. Unknown
/// facts give no variable.
pub fn builtin_env(facts: &Facts) -> Env {
    let build = facts.build.map(|number| number.to_string());
    let known = [
        ("DROVER", Some("true")),
        ("CI", Some("true")),
        ("DROVER_EVENT", Some(facts.event.as_str())),
        ("DROVER_BRANCH", facts.branch.as_deref()),
        ("DROVER_TAG", facts.tag.as_deref()),
        ("DROVER_REF", Some(facts.reference.as_str())),
        ("DROVER_SHA", Some(facts.sha.as_str())),
        ("DROVER_REPOSITORY", Some(facts.repository.as_str())),
        ("DROVER_BUILD", build.as_deref()),
        ("DROVER_COMMIT_TITLE", facts.title.as_deref()),
        ("DROVER_COMMIT_AUTHOR", facts.author.as_deref()),
    ];
    known
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect()
}
