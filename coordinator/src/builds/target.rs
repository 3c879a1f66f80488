//! What is to be built, and builds that somebody asks for by hand.

use std::collections::BTreeMap;

use protocol::ids::DeliveryId;

use super::{NoBuild, build};
use crate::app::App;
use crate::git::{Address, Compare, GitError, ObjectId, Reference};
use crate::store::facts::Trust;
use crate::store::order::Push;
use crate::store::repositories::Repository;
use crate::store::{Actor, Micros};

/// What to build.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) event: &'static str,
    pub(super) reference: Reference,
    /// `None`: whatever the reference points at.
    pub(super) id: Option<ObjectId>,
    /// The branch, as people and job files know it.
    pub(super) branch: Option<String>,
    pub(super) delivery: Option<DeliveryId>,
    /// The schedule and the time that it is for.
    pub(super) due: Option<String>,
    pub(super) pull_request: Option<PullRequest>,
    /// Whose code it is.
    pub(super) trust: Trust,
    /// What its paths are compared with.
    pub(super) compare: Compare,
    /// Values of inputs, as they were given.
    pub(super) inputs: BTreeMap<String, String>,
    /// When somebody asked for it, or its delivery came.
    pub(super) at: Micros,
    /// The push that it is for; what it moved to is filled in once that is known.
    pub(super) push: Option<Push>,
    /// Whose caches it may write, when that is not its reference.
    pub(super) cache_scope: Option<String>,
    /// Who asked for it, if it was a person.
    pub(super) by: Option<Actor>,
}

/// The part of a target that only a pull request has.
#[derive(Debug, Clone)]
pub(super) struct PullRequest {
    pub(super) number: i64,
    /// The branch that it wants to go into.
    pub(super) base: String,
}

impl Target {
    /// Of a branch, tag or commit of the repository itself, asked for at that time. Whoever may push there is trusted with
    /// its secrets; the head of a pull request is whoever's.
    pub(super) fn new(event: &'static str, reference: Reference, at: Micros) -> Target {
        Target {
            event,
            branch: reference.branch().map(str::to_owned),
            trust: match reference.branch().is_some() || reference.tag().is_some() {
                true => Trust::Trusted,
                false => Trust::Fork,
            },
            reference,
            id: None,
            delivery: None,
            due: None,
            pull_request: None,
            compare: Compare::Nothing,
            inputs: BTreeMap::new(),
            at,
            push: None,
            cache_scope: None,
            by: None,
        }
    }
}

/// Builds a branch, tag or commit that somebody asked for by hand; gives the build's number. A plain name is a branch,
/// or else a tag.
pub(crate) async fn trigger(
    app: &App,
    actor: &Actor,
    repository: &Repository,
    (wanted, inputs): (Option<&str>, BTreeMap<String, String>),
) -> Result<i64, NoBuild> {
    let at = app.store.now();
    let (reference, id) = match wanted.map(ObjectId::parse) {
        None => (default_branch(app, repository).await?, None),
        Some(Ok(id)) => (default_branch(app, repository).await?, Some(id)),
        Some(Err(_)) => (Reference::from_people(wanted.unwrap_or_default())?, None),
    };
    let manual = |reference| Target {
        id: id.clone(),
        inputs: inputs.clone(),
        by: Some(actor.clone()),
        ..Target::new("manual", reference, at)
    };
    let name = wanted.filter(|name| !name.starts_with("refs/") && Some(*name) == reference.branch());
    match (build(app, repository, manual(reference)).await, name) {
        (Err(NoBuild::Git(GitError::NoSuchReference(_))), Some(name)) => {
            let tag = Reference::parse(&format!("refs/tags/{name}"))?;
            match build(app, repository, manual(tag)).await {
                Err(NoBuild::Git(GitError::NoSuchReference(_))) => {
                    Err(GitError::NoSuchReference(format!("branch or tag {name}")).into())
                }
                other => other,
            }
        }
        (other, _) => other,
    }
}

/// The repository's default branch, as it says now.
pub(super) async fn default_branch(app: &App, repository: &Repository) -> Result<Reference, NoBuild> {
    let address = Address::parse(&repository.git, &app.config.git.protocols)?;
    Ok(app.mirrors.default_branch(repository.id.as_str(), &address).await?)
}
