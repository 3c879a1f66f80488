//! What a build knows about its commit ([`Facts`]): the values of `${{ git.x }}`, and the environment that every step
//! gets from them. One table for both, because a script reads as `$DROVER_BRANCH` what a field reads as
//! `${{ git.branch }}`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::Env;

/// The event and the commit that a build is for.
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
    /// The branch that a pull request wants to go into.
    #[serde(default)]
    pub base: Option<String>,
    /// The pull request's number.
    #[serde(default)]
    pub pull_request: Option<i64>,
    /// Paths that differ from what was there before: the base of a pull request, the branch's commit before a push.
    /// `None`: nothing to compare with, and every path counts as changed.
    #[serde(default)]
    pub changed: Option<Vec<String>>,
    /// Values of `inputs`, defaults filled in.
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
    /// Globs of `hash('…')` and their values; see [`crate::file::JobFile::hash_globs`].
    #[serde(default)]
    pub hashes: BTreeMap<String, String>,
}

/// The environment variable of `${{ git.name }}`.
pub fn git_variable(name: &str) -> Option<&'static str> {
    let fact = FACTS.iter().find(|fact| fact.name == name)?;
    Some(fact.variable)
}

/// The fact that a name of GitHub's `github` context means: `ref_name` is `branch`.
pub fn github_fact(name: &str) -> Option<&'static str> {
    Some(match name {
        "ref_name" | "head_ref" => "branch",
        "ref" => "ref",
        "sha" => "sha",
        "event_name" => "event",
        "repository" => "repository",
        "run_number" | "run_id" => "build",
        "actor" => "author",
        "base_ref" => "base",
        _ => return None,
    })
}

/// One fact: its name after `git.`, its environment variable, and where it comes from.
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    pub(crate) variable: &'static str,
    pub(crate) value: fn(&Facts) -> Option<String>,
}

/// Every fact.
pub(crate) const FACTS: &[Fact] = &[
    fact("event", "DROVER_EVENT", |facts| Some(facts.event.clone())),
    fact("branch", "DROVER_BRANCH", |facts| facts.branch.clone()),
    fact("tag", "DROVER_TAG", |facts| facts.tag.clone()),
    fact("ref", "DROVER_REF", |facts| Some(facts.reference.clone())),
    fact("sha", "DROVER_SHA", |facts| Some(facts.sha.clone())),
    fact("short_sha", "DROVER_SHORT_SHA", |facts| {
        Some(facts.sha.chars().take(8).collect())
    }),
    fact("repository", "DROVER_REPOSITORY", |facts| {
        Some(facts.repository.clone())
    }),
    fact("build", "DROVER_BUILD", |facts| {
        facts.build.map(|number| number.to_string())
    }),
    fact("title", "DROVER_COMMIT_TITLE", |facts| facts.title.clone()),
    fact("author", "DROVER_COMMIT_AUTHOR", |facts| facts.author.clone()),
    fact("base", "DROVER_BASE", |facts| facts.base.clone()),
    fact("pull_request", "DROVER_PULL_REQUEST", |facts| {
        facts.pull_request.map(|number| number.to_string())
    }),
];

const fn fact(name: &'static str, variable: &'static str, value: fn(&Facts) -> Option<String>) -> Fact {
    Fact { name, variable, value }
}

/// The environment that every step gets, whatever its file says: `DROVER`, `CI`, and what [`Facts`] know, inputs
/// included. Unknown facts give no variable.
pub fn builtin_env(facts: &Facts) -> Env {
    let always = ["DROVER", "CI"].map(|name| (name.to_owned(), "true".to_owned()));
    let known = FACTS
        .iter()
        .filter_map(|fact| Some((fact.variable.to_owned(), (fact.value)(facts)?)));
    let inputs = facts.inputs.iter();
    let inputs = inputs.map(|(name, value)| (input_variable(name), value.clone()));
    always.into_iter().chain(known).chain(inputs).collect()
}

/// The environment variable of an input: `dry-run` is `DROVER_INPUT_DRY_RUN`.
pub(crate) fn input_variable(name: &str) -> String {
    format!("DROVER_INPUT_{}", name.to_ascii_uppercase().replace('-', "_"))
}

/// The environment variable of a matrix axis: `node-version` is `MATRIX_NODE_VERSION`.
pub fn matrix_variable(axis: &str) -> String {
    format!("MATRIX_{}", axis.to_ascii_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_get_what_is_known_about_the_commit() {
        let facts = Facts {
            event: "push".into(),
            branch: Some("main".into()),
            reference: "refs/heads/main".into(),
            sha: "0123456789abcdef".into(),
            repository: "shop".into(),
            build: Some(7),
            pull_request: Some(12),
            inputs: [("dry-run".into(), "true".into())].into(),
            ..Facts::default()
        };
        let env: Vec<String> = builtin_env(&facts)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        insta::assert_snapshot!(env.join("\n"), @r"
        CI=true
        DROVER=true
        DROVER_BRANCH=main
        DROVER_BUILD=7
        DROVER_EVENT=push
        DROVER_INPUT_DRY_RUN=true
        DROVER_PULL_REQUEST=12
        DROVER_REF=refs/heads/main
        DROVER_REPOSITORY=shop
        DROVER_SHA=0123456789abcdef
        DROVER_SHORT_SHA=01234567
        ");
    }
}
