//! Polling: claims, answers, and what is remembered.

use coordinator::store::deliveries::{self, NewDelivery, Part};
use coordinator::store::polling::{self, Answer, Due, Interval, References};
use coordinator::store::{StoreError, repositories, testing};

use super::world::{CONSOLE, World};

/// In microseconds.
const SECOND: i64 = 1_000_000;

fn minute() -> Option<Interval> {
    Some(Interval::from_secs(60).unwrap())
}

fn references(main: &str) -> References {
    [("refs/heads/main".to_owned(), main.repeat(40))].into()
}

fn delivery(world: &World, id: &str) -> NewDelivery {
    NewDelivery {
        repository: world.repository.clone(),
        external_id: Some(id.into()),
        event: "push".into(),
        parts: vec![Part::default()],
        headers: Default::default(),
        body: b"{}".to_vec(),
        polled: true,
    }
}

impl World {
    async fn claim_poll(&self) -> Option<Due> {
        let now = self.store.now();
        polling::claim_due(&self.store, (now, now + 60 * SECOND)).await.unwrap()
    }

    /// Stores an answer with deliveries of these ids; the next poll is in a minute.
    async fn answered(&self, due: Due, main: &str, moved: &[&str]) -> bool {
        let answer = Answer {
            references: references(main),
            deliveries: moved.iter().map(|id| delivery(self, id)).collect(),
        };
        let next_at = self.store.now() + 60 * SECOND;
        polling::answered(&self.store, due, answer, next_at).await.unwrap()
    }

    async fn received(&self) -> Vec<String> {
        let all = deliveries::list(&self.store, None, 100).await.unwrap().into_iter();
        let mut ids: Vec<String> = all.filter_map(|delivery| delivery.external_id).collect();
        ids.sort();
        ids
    }
}

pub async fn a_repository_is_asked_by_one_coordinator(world: World) {
    let store = &world.store;
    assert!(world.claim_poll().await.is_none(), "nobody asked for polling");
    polling::set(store, CONSOLE, &world.repository, minute()).await.unwrap();
    let (one, other) = tokio::join!(world.claim_poll(), world.claim_poll());
    let due = one.xor(other).expect("one of them has it");
    assert_eq!((due.failures, &due.remembered), (0, &None));
    assert!(world.answered(due, "1", &[]).await);
    assert!(world.claim_poll().await.is_none());
    // A day without any coordinator: one poll makes up for all of it.
    testing::pass_time(store, 86_400 * SECOND);
    let due = world.claim_poll().await.expect("it is due");
    assert_eq!(due.remembered.as_ref().unwrap().references, references("1"));
    assert!(world.answered(due, "1", &[]).await);
    assert!(world.claim_poll().await.is_none());
    // Nobody answers.
    testing::pass_time(store, 60 * SECOND);
    for failures in 0..3 {
        let due = world.claim_poll().await.expect("it is due");
        assert_eq!(due.failures, failures);
        let why = ("no answer".to_owned(), store.now());
        assert!(polling::failed(store, due, why).await.unwrap());
        let shown = polling::of(store, &world.repository).await.unwrap().unwrap();
        assert_eq!(shown.problem.as_deref(), Some("no answer"));
        assert!(shown.polled_at.is_some());
    }
    let due = world.claim_poll().await.expect("it is due");
    assert!(world.answered(due, "2", &[]).await);
    let shown = polling::of(store, &world.repository).await.unwrap().unwrap();
    assert_eq!(shown.problem, None);
    testing::pass_time(store, 60 * SECOND);
    assert_eq!(world.claim_poll().await.unwrap().failures, 0);
}

/// A coordinator that asked and was slow, or died, and another one that asked after it.
pub async fn an_answer_is_stored_whole_or_not_at_all(world: World) {
    let (store, repository) = (&world.store, &world.repository);
    polling::set(store, CONSOLE, repository, minute()).await.unwrap();
    let first = world.claim_poll().await.unwrap();
    assert!(world.answered(first, "1", &[]).await);
    testing::pass_time(store, 60 * SECOND);
    let slow = world.claim_poll().await.unwrap();
    testing::pass_time(store, 61 * SECOND);
    let second = world.claim_poll().await.expect("the claim ran out");
    assert!(world.answered(second, "3", &["a", "b"]).await);
    assert!(
        !world.answered(slow.clone(), "2", &["c"]).await,
        "it was asked again since"
    );
    let why = ("no answer".to_owned(), 0);
    assert!(!polling::failed(store, slow, why).await.unwrap());
    assert_eq!(world.received().await, ["a", "b"]);
    // What cannot be stored whole is not stored: the next one finds all of it.
    testing::pass_time(store, 60 * SECOND);
    let due = world.claim_poll().await.unwrap();
    assert_eq!(due.remembered.as_ref().unwrap().references, references("3"));
    let stray = NewDelivery {
        repository: protocol::ids::RepositoryId("nobody".into()),
        ..delivery(&world, "e")
    };
    let answer = Answer {
        references: references("4"),
        deliveries: vec![delivery(&world, "d"), stray],
    };
    let broken = polling::answered(store, due, answer, 0).await;
    assert!(matches!(broken, Err(StoreError::NotFound(_))), "{broken:?}");
    testing::pass_time(store, 61 * SECOND);
    let due = world.claim_poll().await.expect("the claim ran out");
    assert_eq!(due.remembered.as_ref().unwrap().references, references("3"));
    assert_eq!(world.received().await, ["a", "b"]);
    assert!(world.answered(due, "4", &["d"]).await);
    assert_eq!(world.received().await, ["a", "b", "d"]);
    let claimed = deliveries::claim_due(store, store.now()).await.unwrap().unwrap();
    assert!(claimed.polled);
}

/// Each locks rows that the other one wants, too.
pub async fn a_change_and_an_answer_let_each_other_pass(world: World) {
    let (store, repository) = (&world.store, &world.repository);
    polling::set(store, CONSOLE, repository, minute()).await.unwrap();
    for round in 0..30 {
        let due = world.claim_poll().await.expect("whoever was last, it is due");
        let id = format!("{round}");
        let moved = [id.as_str()];
        let answered = world.answered(due, "1", &moved);
        let (changed, _) = tokio::join!(polling::set(store, CONSOLE, repository, minute()), answered);
        changed.unwrap();
    }
}

pub async fn who_is_not_polled_is_forgotten(world: World) {
    let (store, repository) = (&world.store, &world.repository);
    for secs in [0, 9, 86_401] {
        let refused = Interval::from_secs(secs).unwrap_err().to_string();
        assert!(refused.contains("10 seconds"), "{refused}");
    }
    polling::set(store, CONSOLE, repository, minute()).await.unwrap();
    let due = world.claim_poll().await.unwrap();
    assert!(world.answered(due, "1", &[]).await);
    // Another interval: it is asked at once, and what it had is still known.
    let hour = Interval::from_secs(3_600).unwrap();
    polling::set(store, CONSOLE, repository, Some(hour)).await.unwrap();
    let due = world.claim_poll().await.expect("at once");
    assert_eq!((due.interval, due.remembered.is_some()), (hour, true));
    polling::set(store, CONSOLE, repository, None).await.unwrap();
    assert!(!world.answered(due, "2", &["a"]).await, "it is not polled any more");
    assert_eq!(polling::of(store, repository).await.unwrap(), None);
    polling::set(store, CONSOLE, repository, minute()).await.unwrap();
    let due = world.claim_poll().await.unwrap();
    assert_eq!(due.remembered, None, "it begins anew");
    assert_eq!(polling::all(store).await.unwrap().len(), 1);
    repositories::remove(store, CONSOLE, repository).await.unwrap();
    assert!(!world.answered(due, "2", &["a"]).await, "it was removed");
    assert!(polling::all(store).await.unwrap().is_empty());
    assert_eq!(world.received().await, [""; 0]);
    let gone = polling::set(store, CONSOLE, repository, minute()).await;
    assert!(matches!(gone, Err(StoreError::NotFound(_))), "{gone:?}");
}

pub async fn ten_thousand_references_are_remembered(world: World) {
    let store = &world.store;
    polling::set(store, CONSOLE, &world.repository, minute()).await.unwrap();
    let name = |n: usize| (format!("refs/heads/topic/{n}"), format!("{n:040}"));
    let references: References = (1..=10_000).map(name).collect();
    let due = world.claim_poll().await.unwrap();
    let answer = Answer {
        references: references.clone(),
        deliveries: Vec::new(),
    };
    let next_at = store.now();
    assert!(polling::answered(store, due, answer, next_at).await.unwrap());
    let due = world.claim_poll().await.unwrap();
    assert_eq!(due.remembered.unwrap().references, references);
}
