//! Where the commit of a target is in its repository, as the repository says now, and what follows from it: whether its
//! code is ours, whose caches it may write, and where its push stands among others. Code is trusted only if a branch or a
//! tag leads to it: heads of pull requests are in the repository too, and anybody makes those.

use super::{NoBuild, Target};
use crate::app::App;
use crate::git::{Address, Asked, CommitPosition, ObjectId, Reference};
use crate::store::builds::{self, Rerun};
use crate::store::facts::Trust;
use crate::store::order::{NOTHING, Observed, Push};
use crate::store::pushes::{self, Stream};
use crate::store::repositories::Repository;
use crate::store::{Actor, StoreError, repositories};

/// A commit as pushes name it.
pub(super) fn commit(id: &str) -> String {
    ObjectId::parse(id).map_or(NOTHING.to_owned(), |id| id.as_str().to_owned())
}

/// Where a target is.
pub(super) struct CommitCheck<'a> {
    pub(super) app: &'a App,
    pub(super) repository: &'a Repository,
    pub(super) address: &'a Address,
    pub(super) commit: &'a ObjectId,
}

impl CommitCheck<'_> {
    /// Decides about trust and caches.
    pub(super) async fn settle(&self, target: &mut Target) -> Result<Option<Observed>, NoBuild> {
        let (stream, position) = self.position(target, target.trust.is_trusted()).await?;
        match &position.on {
            _ if !target.trust.is_trusted() => {}
            None => {
                target.trust = Trust::NoBranch;
                if target.event == "manual" {
                    target.branch = None;
                }
            }
            Some(on) if *on == target.reference || target.pull_request.is_some() => {}
            Some(on) if target.event == "manual" => {
                target.branch = on.branch().map(str::to_owned);
                target.reference = on.clone();
            }
            // It says one reference and is on another: whatever it writes, the reference does not read.
            Some(_) => target.cache_scope = Some(format!("{}@{}", target.reference.as_str(), self.commit.as_str())),
        }
        if let Some(push) = &mut target.push {
            push.after = self.commit.as_str().to_owned();
        }
        Ok(stream.map(|stream| observed(&stream, position)))
    }

    /// What the repository says once more about the order of a push.
    pub(super) async fn check_again(&self, target: &Target) -> Result<Option<Observed>, NoBuild> {
        let (stream, position) = self.position(target, false).await?;
        Ok(stream.map(|stream| observed(&stream, position)))
    }

    /// The build that the same push has made before.
    pub(super) async fn built(&self, target: &Target, observed: Option<&Observed>) -> Result<Option<i64>, NoBuild> {
        let (Some(push), Some(observed)) = (&target.push, observed) else {
            return Ok(None);
        };
        let stream = pushes::of(&self.app.store, &self.repository.id, &push.stream).await?;
        Ok(stream.build_of(push, observed))
    }

    /// Nobody builds it: that it was pushed is remembered all the same.
    pub(super) async fn note(&self, target: &Target, observed: Option<&Observed>) -> Result<(), NoBuild> {
        if let (Some(push), Some(observed)) = (&target.push, observed) {
            pushes::note(&self.app.store, &self.repository.id, push.clone(), observed.clone()).await?;
        }
        Ok(())
    }

    /// What is known is read before the repository is asked.
    async fn position(&self, target: &Target, search: bool) -> Result<(Option<Stream>, CommitPosition), NoBuild> {
        let stream = match &target.push {
            Some(push) => Some(pushes::of(&self.app.store, &self.repository.id, &push.stream).await?),
            None => None,
        };
        if stream.is_none() && !search {
            return Ok((None, CommitPosition::default()));
        }
        let others = stream.as_ref().map(Stream::commits).unwrap_or_default();
        let branch = target.branch.as_deref().filter(|_| target.pull_request.is_some());
        let branch = branch.and_then(|branch| Reference::from_people(branch).ok());
        let asked = Asked {
            repository: self.repository.id.as_str(),
            address: self.address,
            reference: &target.reference,
            branch: branch.as_ref(),
            commit: self.commit,
            search,
            others: &others,
        };
        Ok((stream, self.app.mirrors.position(&asked).await?))
    }
}

fn observed(stream: &Stream, position: CommitPosition) -> Observed {
    Observed {
        seen: stream.newest(),
        tip: position.tip,
        descendants: position.before,
        ancestors: position.after,
    }
}

/// A branch or tag is gone: what is pushed there from now on is new. A repository that does not answer is believed to say
/// the same as the delivery.
pub(super) async fn removed(
    app: &App,
    repository: &Repository,
    (name, before): (&str, Option<String>),
) -> Result<(), StoreError> {
    let Ok(reference) = Reference::parse(name) else {
        return Ok(());
    };
    let push = Push {
        stream: reference.as_str().to_owned(),
        before,
        after: NOTHING.to_owned(),
        ..Push::default()
    };
    let seen = pushes::of(&app.store, &repository.id, &push.stream).await?.newest();
    let tip = match Address::parse(&repository.git, &app.config.git.protocols) {
        Ok(address) => app.mirrors.tip(repository.id.as_str(), &address, &reference).await,
        Err(_) => Ok(None),
    };
    let observed = Observed {
        seen,
        tip: tip.ok().flatten(),
        ..Observed::default()
    };
    pushes::note(&app.store, &repository.id, push, observed).await
}

/// Makes a new build of the same commit. It is trusted if the first one was, and a branch or tag still leads to the
/// commit.
pub(crate) async fn rerun(app: &App, actor: &Actor, number: i64, which: Rerun) -> Result<i64, NoBuild> {
    let first = builds::show(&app.store, number).await?.build;
    let trusted = match first.trust.is_trusted() {
        true => is_ours(app, &first).await?,
        false => false,
    };
    Ok(builds::rerun(&app.store, actor, number, (which, trusted)).await?)
}

async fn is_ours(app: &App, build: &builds::Build) -> Result<bool, NoBuild> {
    let repository = repositories::by_id(&app.store, &build.repository_id).await?;
    let address = Address::parse(&repository.git, &app.config.git.protocols)?;
    let branch = build.facts.branch.as_deref();
    let branch = branch.and_then(|branch| Reference::from_people(branch).ok());
    let asked = Asked {
        repository: repository.id.as_str(),
        address: &address,
        reference: &Reference::parse(&build.facts.reference)?,
        branch: branch.as_ref(),
        commit: &ObjectId::parse(&build.facts.sha)?,
        search: true,
        others: &[],
    };
    Ok(app.mirrors.position(&asked).await?.on.is_some())
}
