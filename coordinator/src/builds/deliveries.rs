//! One delivery: what it says, what comes of it, and whether another try may help.

use protocol::ids::DeliveryId;

use crate::app::App;
use crate::git::{Compare, ObjectId, Reference};
use crate::store::deliveries::{FullDelivery, Outcome};
use crate::store::repositories::Repository;
use crate::store::{Micros, StoreError, deliveries, repositories};
use crate::webhooks::{self, Message, Origin, PullRequest, Push};

use super::{NoBuild, Target, build, target};

/// Pauses before the next try, in seconds; after the last one it is given up.
const PAUSES: [i64; 7] = [2, 5, 15, 60, 300, 900, 3_600];

/// What came of a delivery.
enum Became {
    /// Done; this is the build, or why there is none.
    Done(Outcome),
    /// Not now: this is why.
    NotNow(String),
    /// Never: this is why.
    Never(String),
}

/// Processes a claimed delivery and stores what came of it.
///
/// # Errors
/// Only when the store fails; then the claim runs out and the delivery is tried again.
pub(crate) async fn process(app: &App, delivery: FullDelivery) -> Result<(), StoreError> {
    let id = delivery.delivery.id.clone();
    let tries = usize::try_from(delivery.delivery.tries).unwrap_or(0);
    let (store, now) = (&app.store, app.store.now());
    match became(app, delivery).await {
        Became::Done(outcome) => deliveries::done(store, &id, outcome).await,
        Became::Never(why) => deliveries::failed(store, &id, &why).await,
        Became::NotNow(why) => match next_try(tries, now) {
            Some(at) => deliveries::retry_later(store, &id, at, &why).await,
            None => deliveries::failed(store, &id, &format!("{why}; given up after {tries} tries")).await,
        },
    }
}

/// When to try again after `tries` tries. `None`: not again.
fn next_try(tries: usize, now: Micros) -> Option<Micros> {
    PAUSES.get(tries.saturating_sub(1)).map(|pause| now + pause * 1_000_000)
}

async fn became(app: &App, delivery: FullDelivery) -> Became {
    let said = |sentence: &str| {
        Became::Done(Outcome {
            build: None,
            message: Some(sentence.to_owned()),
        })
    };
    let repository = match repositories::by_id(&app.store, &delivery.delivery.repository).await {
        Ok(repository) => repository,
        Err(error) => return from_store(error),
    };
    match webhooks::parse(repository.forge, &delivery.delivery.event, &delivery.body) {
        Err(malformed) => Became::Never(malformed.to_string()),
        Ok(Message::Ping) => said("ping: the webhook works"),
        Ok(Message::Other(event)) => said(&format!("`{event}` events start no build")),
        Ok(Message::Push(push)) if push.is_deletion() => said("the branch or tag was deleted: nothing to build"),
        Ok(Message::Push(push)) => started(app, &repository, pushed(push, &delivery)).await,
        Ok(Message::PullRequest(request)) => match request.unwanted() {
            Some(why) => said(&why),
            None => started(app, &repository, requested(request, &delivery)).await,
        },
    }
}

/// One that has made its build and is delivered again by hand makes another.
fn once(delivery: &FullDelivery) -> Option<DeliveryId> {
    delivery.delivery.build.is_none().then(|| delivery.delivery.id.clone())
}

fn pushed(push: Push, delivery: &FullDelivery) -> Result<Target, NoBuild> {
    let reference = Reference::parse(&push.reference)?;
    let event = if reference.tag().is_some() { "tag" } else { "push" };
    let compare = match push.before.as_deref().map(ObjectId::parse) {
        Some(Ok(before)) => Compare::Before(before),
        // All zeros: the branch is new. Nothing at all: a sender that does not say.
        Some(Err(_)) if reference.branch().is_some() => Compare::DefaultBranch,
        Some(Err(_)) | None => Compare::Nothing,
    };
    Ok(Target {
        id: push.after.as_deref().map(ObjectId::parse).transpose()?,
        delivery: once(delivery),
        compare,
        ..Target::new(event, reference)
    })
}

/// The trust of a pull request is decided here, by whose repository its code comes from, and is kept with the build.
fn requested(request: PullRequest, delivery: &FullDelivery) -> Result<Target, NoBuild> {
    let reference = Reference::parse(&request.reference)?;
    let base = Reference::from_people(&request.base)?;
    let id = request.head.as_deref().map(ObjectId::parse).transpose()?;
    Ok(Target {
        id,
        branch: request.branch,
        delivery: once(delivery),
        trusted: request.origin == Origin::SameRepository,
        compare: Compare::Base(base.clone()),
        pull_request: Some(target::PullRequest {
            number: request.number,
            base: base.branch().unwrap_or_default().to_owned(),
        }),
        ..Target::new("pull_request", reference)
    })
}

async fn started(app: &App, repository: &Repository, target: Result<Target, NoBuild>) -> Became {
    let built = match target {
        Ok(target) => build(app, repository, target).await,
        Err(error) => Err(error),
    };
    match built {
        Ok(number) => Became::Done(Outcome {
            build: Some(number),
            message: None,
        }),
        Err(NoBuild::Git(error)) if error.is_passing() => Became::NotNow(error.to_string()),
        Err(NoBuild::Store(error)) => from_store(error),
        Err(nothing @ (NoBuild::NoJobFile(_) | NoBuild::NotWanted { .. })) => Became::Done(Outcome {
            build: None,
            message: Some(nothing.to_string()),
        }),
        Err(never @ (NoBuild::Git(_) | NoBuild::Name(_) | NoBuild::Address(_) | NoBuild::Inputs(_))) => {
            Became::Never(never.to_string())
        }
    }
}

fn from_store(error: StoreError) -> Became {
    match error {
        StoreError::NotFound(_) => Became::Never("the repository was removed".into()),
        StoreError::Refused(sentence) => Became::Never(sentence),
        error => {
            tracing::error!(%error, "a delivery cannot be processed");
            Became::NotNow("something went wrong on our side; the coordinator's log says what".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_ever_slower_and_then_end() {
        let pauses: Vec<_> = (1..=8)
            .map(|tries| next_try(tries, 0).map(|at| at / 1_000_000))
            .collect();
        let expected = [
            Some(2),
            Some(5),
            Some(15),
            Some(60),
            Some(300),
            Some(900),
            Some(3_600),
            None,
        ];
        assert_eq!(pauses, expected);
    }
}
