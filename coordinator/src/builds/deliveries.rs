//! One delivery: what it says, what comes of it, and whether another try may help.

use crate::app::App;
use crate::forges::{self, Forge, Message, Origin, PullRequest, Push};
use crate::git::{Compare, ObjectId, Reference};
use crate::store::deliveries::{FullDelivery, Outcome};
use crate::store::facts::Trust;
use crate::store::order;
use crate::store::repositories::Repository;
use crate::store::{Micros, StoreError, deliveries, repositories};

use super::commands::{self, CommandEnd};
use super::{NoBuild, Target, build, commit_check, target};

/// Pauses before the next try, in seconds; after the last one it is given up.
const PAUSES: [i64; 7] = [2, 5, 15, 60, 300, 900, 3_600];

/// What came of a delivery.
enum DeliveryEnd {
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
    match try_once(app, delivery).await {
        DeliveryEnd::Done(outcome) => deliveries::done(store, &id, outcome).await,
        DeliveryEnd::Never(why) => deliveries::failed(store, &id, &why).await,
        DeliveryEnd::NotNow(why) => match next_try(tries, now) {
            Some(at) => deliveries::retry_later(store, &id, at, &why).await,
            None => deliveries::failed(store, &id, &format!("{why}; given up after {tries} tries")).await,
        },
    }
}

/// When to try again after `tries` tries. `None`: not again.
fn next_try(tries: usize, now: Micros) -> Option<Micros> {
    PAUSES.get(tries.saturating_sub(1)).map(|pause| now + pause * 1_000_000)
}

async fn try_once(app: &App, delivery: FullDelivery) -> DeliveryEnd {
    let said = |sentence: &str| {
        DeliveryEnd::Done(Outcome {
            build: None,
            message: Some(sentence.to_owned()),
        })
    };
    let repository = match repositories::by_id(&app.store, &delivery.delivery.repository).await {
        Ok(repository) => repository,
        Err(error) => return from_store(error),
    };
    let now = app.store.now();
    let forge = match delivery.polled {
        true => Forge::Generic,
        false => repository.forge,
    };
    let mut messages = match forge.parse(&delivery.delivery.event, &delivery.body) {
        Ok(messages) => messages,
        Err(malformed) => return DeliveryEnd::Never(malformed.to_string()),
    };
    let part = usize::try_from(delivery.delivery.part).unwrap_or(usize::MAX);
    if part >= messages.len() {
        return DeliveryEnd::Never("the webhook does not say so much any more".into());
    }
    let message = messages.swap_remove(part);
    let ignored = message.ignored();
    match (message, ignored) {
        (Message::Push(push), Some(why)) => {
            let reference = (push.reference.as_str(), commit_before(&push, &delivery));
            match commit_check::removed(app, &repository, reference).await {
                Err(error) => from_store(error),
                Ok(()) => said(&why),
            }
        }
        (_, Some(why)) => said(&why),
        (Message::Push(push), None) => started(app, &repository, pushed(push, (&delivery, now))).await,
        (Message::PullRequest(request), None) => started(app, &repository, requested(request, (&delivery, now))).await,
        (Message::Command(command), None) => match commands::run(app, &repository, command).await {
            Ok(CommandEnd::NotNow(why)) => DeliveryEnd::NotNow(why),
            Ok(CommandEnd::Said(sentence, build)) => DeliveryEnd::Done(Outcome {
                build,
                message: Some(sentence),
            }),
            Err(error) => from_no_build(error),
        },
        (Message::Ping | Message::Other(_), None) => said("nothing to build"),
    }
}

/// One that has made its build and is delivered again by hand makes another: that is asked for now, and is no push.
fn by_hand(delivery: &FullDelivery) -> bool {
    delivery.delivery.build.is_some()
}

fn target_of(
    (event, reference): (&'static str, Reference),
    push: order::Push,
    (delivery, now): (&FullDelivery, Micros),
) -> Target {
    match by_hand(delivery) {
        true => Target::new(event, reference, now),
        false => Target {
            delivery: Some(delivery.delivery.id.clone()),
            push: Some(push),
            ..Target::new(event, reference, delivery.delivery.received_at)
        },
    }
}

/// The commit before, for the order of pushes. Between two polls there may have been several pushes, so what was found the
/// time before need not be it: polling does not say.
fn commit_before(push: &Push, delivery: &FullDelivery) -> Option<String> {
    let before = push.before.as_deref().filter(|_| !delivery.polled);
    before.map(commit_check::commit)
}

fn pushed(push: Push, delivery: (&FullDelivery, Micros)) -> Result<Target, NoBuild> {
    let reference = Reference::parse(&push.reference)?;
    let event = if reference.tag().is_some() { "tag" } else { "push" };
    let compare = match push.before.as_deref().map(ObjectId::parse) {
        Some(Ok(before)) => Compare::Before(before),
        // All zeros: the branch is new. Nothing at all: a sender that does not say.
        Some(Err(_)) if reference.branch().is_some() => Compare::DefaultBranch,
        Some(Err(_)) | None => Compare::Nothing,
    };
    let moved = order::Push {
        stream: reference.as_str().to_owned(),
        before: commit_before(&push, delivery.0),
        ..order::Push::default()
    };
    Ok(Target {
        id: push.after.as_deref().map(ObjectId::parse).transpose()?,
        compare,
        ..target_of((event, reference), moved, delivery)
    })
}

/// Whether a pull request may be trusted is decided here, by whose repository its code comes from.
fn requested(request: PullRequest, delivery: (&FullDelivery, Micros)) -> Result<Target, NoBuild> {
    let reference = Reference::parse(request.reference.as_deref().unwrap_or_default())?;
    let base = Reference::from_people(&request.base)?;
    let is_again = request.action.as_deref() == Some("reopened");
    let branch = request.label();
    let id = match request.head.as_deref() {
        // Bitbucket Cloud shortens it: whatever the reference points at.
        Some(short) if short.len() < 40 => None,
        head => head.map(ObjectId::parse).transpose()?,
    };
    let moved = order::Push {
        stream: format!("pull request {}", request.number),
        before: request.before.as_deref().map(commit_check::commit),
        // Opened again, it has no new commits: the body alone tells one such delivery from another.
        mark: if is_again {
            forges::hash(&delivery.0.body)
        } else {
            String::new()
        },
        forge_at: request.updated_at,
        ..order::Push::default()
    };
    Ok(Target {
        id,
        branch,
        trust: match request.origin {
            Origin::SameRepository => Trust::Trusted,
            Origin::Fork => Trust::Fork,
        },
        compare: Compare::Base(base.clone()),
        pull_request: Some(target::PullRequest {
            number: request.number,
            base: base.branch().unwrap_or_default().to_owned(),
        }),
        ..target_of(("pull_request", reference), moved, delivery)
    })
}

async fn started(app: &App, repository: &Repository, target: Result<Target, NoBuild>) -> DeliveryEnd {
    let built = match target {
        Ok(target) => build(app, repository, target).await,
        Err(error) => Err(error),
    };
    match built {
        Ok(number) => DeliveryEnd::Done(Outcome {
            build: Some(number),
            message: None,
        }),
        Err(error) => from_no_build(error),
    }
}

fn from_no_build(error: NoBuild) -> DeliveryEnd {
    match error {
        NoBuild::Git(error) if error.is_passing() => DeliveryEnd::NotNow(error.to_string()),
        NoBuild::Store(error) => from_store(error),
        same @ NoBuild::SamePush(number) => DeliveryEnd::Done(Outcome {
            build: Some(number),
            message: Some(same.to_string()),
        }),
        NoBuild::Moving => DeliveryEnd::NotNow(NoBuild::Moving.to_string()),
        nothing @ (NoBuild::NoJobFile(_) | NoBuild::NotWanted { .. }) => DeliveryEnd::Done(Outcome {
            build: None,
            message: Some(nothing.to_string()),
        }),
        never @ (NoBuild::Git(_) | NoBuild::Name(_) | NoBuild::Address(_) | NoBuild::Inputs(_)) => {
            DeliveryEnd::Never(never.to_string())
        }
    }
}

fn from_store(error: StoreError) -> DeliveryEnd {
    match error {
        StoreError::NotFound(_) => DeliveryEnd::Never("the repository was removed".into()),
        StoreError::Refused(sentence) => DeliveryEnd::Never(sentence),
        error => {
            tracing::error!(%error, "a delivery cannot be processed");
            DeliveryEnd::NotNow("something went wrong on our side; the coordinator's log says what".into())
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
