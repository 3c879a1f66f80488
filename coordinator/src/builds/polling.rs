//! Polling: repositories that send no webhooks are asked for their references, and each that moved becomes a delivery, as if
//! a webhook had said so. Separate from `deliveries` because nothing is built here: the deliveries go their usual way.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use protocol::ids::RepositoryId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::App;
use crate::forges::{self, Message, Push};
use crate::git::Address;
use crate::store::deliveries::{NewDelivery, Part};
use crate::store::polling::{self, Answer, Due, Interval, References, Remembered};
use crate::store::repositories::{self, Repository};
use crate::store::{Micros, StoreError};

/// How often to look for a repository that is due.
const LOOK: Duration = Duration::from_secs(1);
/// Repositories that are asked at the same time: one that is slow holds up none of the others.
const AT_ONCE: usize = 8;
/// Back-off goes up to this pause, in seconds; a longer interval stays as it is.
const LONGEST_PAUSE_SECS: u64 = 3_600;
/// A claim lives this much longer than git may take, in seconds.
const MARGIN_SECS: u64 = 15;

/// Asks repositories as they become due; ends with the coordinator.
pub(crate) fn poll_forever(app: &App) {
    let app = app.clone();
    app.tasks.clone().spawn(async move {
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = ask_due(&app) => {}
        }
    });
}

async fn ask_due(app: &App) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let permit = room.clone().acquire_owned().await.expect("nobody closes it");
        match claim(app).await {
            Ok(Some(due)) => {
                ask(app, due, permit);
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "repositories that are polled cannot be read"),
        }
        drop(permit);
        tokio::time::sleep(LOOK).await;
    }
}

async fn claim(app: &App) -> Result<Option<Due>, StoreError> {
    let now = app.store.now();
    let life = app.config.git.timeout_secs + MARGIN_SECS;
    polling::claim_due(&app.store, (now, now + micros(life as f64))).await
}

/// Asks one repository, in a task of its own.
fn ask(app: &App, due: Due, permit: OwnedSemaphorePermit) {
    let app = app.clone();
    app.tasks.clone().spawn(async move {
        let _until_it_is_done = permit;
        tokio::select! {
            () = app.stop.cancelled() => {}
            asked = poll(&app, due) => if let Err(error) = asked {
                tracing::error!(%error, "what a repository answered cannot be stored; it is asked again");
            }
        }
    });
}

async fn poll(app: &App, due: Due) -> Result<(), StoreError> {
    let repository = match repositories::by_id(&app.store, &due.repository).await {
        // Removed meanwhile.
        Err(StoreError::NotFound(_)) => return Ok(()),
        found => found?,
    };
    let found = references(app, &repository, due.remembered.as_ref()).await;
    let failures = if found.is_ok() {
        0
    } else {
        due.failures.saturating_add(1)
    };
    let next_at = app.store.now() + pause(due.interval, failures, chance());
    match found {
        Ok(references) => {
            metrics::counter!("drover_polls_total", "answer" => "references").increment(1);
            let deliveries = match &due.remembered {
                Some(known) => deliveries(&due.repository, known, &references),
                None => Vec::new(),
            };
            let moved = deliveries.len();
            let answer = Answer { references, deliveries };
            if polling::answered(&app.store, due, answer, next_at).await? && moved > 0 {
                tracing::info!(repository.name, references = moved, "polling found what moved");
                app.delivered.notify_one();
            }
        }
        Err(problem) => {
            metrics::counter!("drover_polls_total", "answer" => "none").increment(1);
            tracing::warn!(repository.name, problem, failures, "a repository cannot be polled");
            polling::failed(&app.store, due, (problem, next_at)).await?;
        }
    }
    Ok(())
}

/// What the repository says now, or why that is not known, in a sentence.
async fn references(app: &App, repository: &Repository, known: Option<&Remembered>) -> Result<References, String> {
    let address = Address::parse(&repository.git, &app.config.git.protocols).map_err(|error| error.to_string())?;
    let found = app.mirrors.branches_and_tags(&address).await;
    let found = found.map_err(|error| error.to_string())?;
    // Else all that it had would be gone now, and new once it is back.
    if found.is_empty() && known.is_some_and(|known| !known.references.is_empty()) {
        return Err("the repository says that it has neither branches nor tags, and it had some before".into());
    }
    Ok(found)
}

/// When a repository is asked again, in microseconds: after its interval, and after twice as long each time that it does
/// not answer. `chance`, from 0 to 1, spreads polls over a fifth of that.
fn pause(interval: Interval, failures: u32, chance: f64) -> Micros {
    let interval = u64::from(interval.secs());
    let doubled = interval.saturating_mul(1 << failures.min(16));
    let secs = doubled.min(LONGEST_PAUSE_SECS).max(interval);
    micros(secs as f64 * (0.9 + 0.2 * chance))
}

fn micros(secs: f64) -> Micros {
    (secs * 1e6) as Micros
}

/// Between 0 and 1. Not for secrets.
fn chance() -> f64 {
    let random = RandomState::new().hash_one(0u8);
    (random >> 11) as f64 / (1u64 << 53) as f64
}

/// A delivery for each reference that moved.
fn deliveries(repository: &RepositoryId, known: &Remembered, found: &References) -> Vec<NewDelivery> {
    let moved = moved(&known.references, found).into_iter();
    moved.map(|push| delivery(repository, push, known.at)).collect()
}

/// What moved, in the order of names; what is gone comes first.
fn moved(before: &References, after: &References) -> Vec<Push> {
    let zeros = |id: &String| "0".repeat(id.len());
    let push = |name: &String, before: String, after: String| Push {
        reference: name.clone(),
        before: Some(before),
        after: Some(after),
        ..Push::default()
    };
    let gone = before.iter().filter(|(name, _)| !after.contains_key(*name));
    let gone = gone.map(|(name, id)| push(name, id.clone(), zeros(id)));
    let there = after.iter().filter(|(name, id)| before.get(*name) != Some(id));
    let there = there.map(|(name, id)| push(name, before.get(name).cloned().unwrap_or_else(|| zeros(id)), id.clone()));
    gone.chain(there).collect()
}

/// What a generic sender would have sent. Its id is the same whoever finds the same, and another one when the reference
/// moves in this way again: `since` is when it was found where it was before.
fn delivery(repository: &RepositoryId, push: Push, since: Micros) -> NewDelivery {
    let (body, reference) = (forges::push_body(&push), push.reference.clone());
    let (before, after) = (push.before.clone(), push.after.clone());
    let id = forges::hash(format!("{reference}\n{before:?}\n{after:?}\n{since}").as_bytes());
    let message = Message::Push(push);
    NewDelivery {
        repository: repository.clone(),
        external_id: Some(format!("poll-{id}")),
        event: "push".into(),
        parts: vec![Part {
            reference: message.about(),
            meaning: Some(message.meaning()),
        }],
        headers: BTreeMap::from([
            ("user-agent".to_owned(), "drover (polling)".to_owned()),
            ("x-drover-event".to_owned(), "push".to_owned()),
        ]),
        body,
        polled: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(of: &[(&str, &str)]) -> References {
        let pairs = of.iter().map(|(name, digit)| (name.to_string(), digit.repeat(40)));
        pairs.collect()
    }

    #[test]
    fn what_moved_is_said_in_order() {
        let before = references(&[
            ("refs/heads/gone", "1"),
            ("refs/heads/main", "2"),
            ("refs/heads/same", "3"),
            ("refs/tags/v1", "4"),
        ]);
        let after = references(&[
            ("refs/heads/a/new", "5"),
            ("refs/heads/main", "6"),
            ("refs/heads/same", "3"),
            ("refs/tags/v1", "7"),
        ]);
        let digit = |id: &Option<String>| id.as_deref().unwrap()[..1].to_owned();
        let moved = moved(&before, &after);
        let lines = moved
            .iter()
            .map(|push| format!("{} {}->{}", push.reference, digit(&push.before), digit(&push.after)));
        assert_eq!(
            lines.collect::<Vec<_>>(),
            [
                "refs/heads/gone 1->0",
                "refs/heads/a/new 0->5",
                "refs/heads/main 2->6",
                "refs/tags/v1 4->7"
            ]
        );
    }

    #[test]
    fn one_move_has_one_id() {
        let known = |at| Remembered {
            references: references(&[("refs/heads/main", "1")]),
            at,
        };
        let id = |at, to| {
            let found = references(&[("refs/heads/main", to)]);
            let all = deliveries(&RepositoryId("r".into()), &known(at), &found);
            all[0].external_id.clone().unwrap()
        };
        assert_eq!(id(7, "2"), id(7, "2"));
        assert_ne!(id(7, "2"), id(8, "2"), "it was there before, and came back");
        assert_ne!(id(7, "2"), id(7, "3"));
    }

    #[test]
    fn who_does_not_answer_is_asked_less_and_less_often() {
        let secs = |interval, failures, chance| {
            let interval = Interval::from_secs(interval).unwrap();
            pause(interval, failures, chance) / 1_000_000
        };
        let of_300: Vec<_> = (0..6).map(|failures| secs(300, failures, 0.5)).collect();
        assert_eq!(of_300, [300, 600, 1_200, 2_400, 3_600, 3_600]);
        assert_eq!([secs(7_200, 0, 0.5), secs(7_200, 9, 0.5)], [7_200, 7_200]);
        assert_eq!(secs(10, u32::MAX, 0.5), 3_600);
        assert_eq!([secs(300, 0, 0.0), secs(300, 0, 1.0)], [270, 330]);
    }
}
