//! Webhooks: kept before they are answered, processed from the store.

use std::collections::BTreeMap;

use coordinator::store::deliveries::{self, CLAIM_US, NewDelivery, Outcome, Part, Stored};
use coordinator::store::{StoreError, builds, retention, testing};

/// In microseconds.
const DAY: i64 = 24 * 3_600 * 1_000_000;

use super::world::{CONSOLE, World};
use protocol::api::{DeliveryStatus, Meaning};
use protocol::ids::DeliveryId;

fn part(branch: &str) -> Part {
    Part {
        reference: branch.into(),
        meaning: Some(Meaning {
            event: "push".into(),
            reference: Some(format!("refs/heads/{branch}")),
            ..Meaning::default()
        }),
    }
}

fn push(world: &World, external_id: Option<&str>) -> NewDelivery {
    NewDelivery {
        repository: world.repository.clone(),
        external_id: external_id.map(str::to_owned),
        parts: vec![part("main")],
        event: "push".into(),
        headers: BTreeMap::from([("X-GitHub-Event".to_owned(), "push".to_owned())]),
        body: vec![b'{', 0, 255, b'}'],
        polled: false,
    }
}

/// Stores one that is new.
async fn stored(world: &World, new: NewDelivery) -> DeliveryId {
    match &deliveries::store(&world.store, new).await.unwrap()[..] {
        [Stored::New(id)] => id.clone(),
        other => panic!("{other:?}"),
    }
}

pub async fn a_delivery_is_kept_once(world: World) {
    let first = stored(&world, push(&world, Some("1"))).await;
    let again = deliveries::store(&world.store, push(&world, Some("1"))).await.unwrap();
    assert_eq!(again, [Stored::Duplicate(first.clone())]);
    for _ in 0..2 {
        let anonymous = deliveries::store(&world.store, push(&world, None)).await.unwrap();
        assert!(
            matches!(anonymous[..], [Stored::New(_)]),
            "without an id nothing says that it is the same"
        );
    }
    let listed = deliveries::list(&world.store, Some(&world.repository), 10)
        .await
        .unwrap();
    assert_eq!(
        (listed.len(), listed[2].id.clone(), listed[2].repository_name.as_str()),
        (3, first.clone(), "hello")
    );
    let full = deliveries::get(&world.store, &first).await.unwrap();
    assert_eq!(
        (full.body, full.headers),
        (push(&world, None).body, push(&world, None).headers)
    );
}

pub async fn a_delivery_is_tried_until_it_is_done(world: World) {
    let store = &world.store;
    deliveries::store(store, push(&world, Some("1"))).await.unwrap();
    let now = store.now();
    let due = deliveries::claim_due(store, now).await.unwrap().expect("it is due");
    let id = due.delivery.id;
    assert!(
        deliveries::claim_due(store, now).await.unwrap().is_none(),
        "somebody has it"
    );
    // That one died: it comes back.
    let due = deliveries::claim_due(store, now + CLAIM_US)
        .await
        .unwrap()
        .expect("it is due again");
    assert_eq!(due.delivery.tries, 2);
    deliveries::retry_later(store, &id, now + 5_000_000, "the repository does not answer")
        .await
        .unwrap();
    assert!(deliveries::claim_due(store, now + 4_999_999).await.unwrap().is_none());
    assert!(deliveries::claim_due(store, now + 5_000_000).await.unwrap().is_some());
    deliveries::failed(store, &id, "the repository did not answer 5 times")
        .await
        .unwrap();
    let shown = deliveries::get(store, &id).await.unwrap().delivery;
    assert_eq!((shown.status, shown.tries), (DeliveryStatus::Failed, 3));
    assert!(
        deliveries::claim_due(store, now + 10 * CLAIM_US)
            .await
            .unwrap()
            .is_none()
    );
    deliveries::redeliver(store, CONSOLE, &id).await.unwrap();
    assert!(deliveries::claim_due(store, store.now()).await.unwrap().is_some());
    // The coordinator died with it, and starts again.
    assert!(deliveries::claim_due(store, store.now()).await.unwrap().is_none());
    deliveries::recover(store).await.unwrap();
    assert!(deliveries::claim_due(store, store.now()).await.unwrap().is_some());
    let outcome = Outcome {
        build: None,
        message: Some("branch deleted: nothing to build".into()),
    };
    deliveries::done(store, &id, outcome).await.unwrap();
    assert_eq!(
        deliveries::get(store, &id).await.unwrap().delivery.status,
        DeliveryStatus::Done
    );
    let unknown = deliveries::failed(store, &protocol::ids::DeliveryId("x".into()), "").await;
    assert!(matches!(unknown, Err(StoreError::NotFound("delivery"))));
}

pub async fn a_delivery_makes_one_build(world: World) {
    let id = stored(&world, push(&world, Some("1"))).await;
    let mut new = testing::build(&world.repository, vec![]);
    new.delivery = Some(id.clone());
    // The coordinator died between the build and `done`, or two of them had it.
    let both = tokio::join!(
        builds::create(&world.store, new.clone()),
        builds::create(&world.store, new)
    );
    assert_eq!(both.0.unwrap(), both.1.unwrap());
    assert_eq!(
        builds::list(&world.store, &builds::Filter::default())
            .await
            .unwrap()
            .len(),
        1
    );
}

pub async fn what_an_old_webhook_said_goes(world: World) {
    let store = &world.store;
    let mut ids = Vec::new();
    for (n, age) in [("done", 40), ("pending", 40), ("young", 20)] {
        testing::pass_time(store, -age * DAY);
        let id = stored(&world, push(&world, Some(n))).await;
        testing::pass_time(store, age * DAY);
        if n != "pending" {
            deliveries::done(store, &id, Outcome::default()).await.unwrap();
        }
        ids.push(id);
    }
    let month_ago = store.now() - 30 * DAY;
    assert_eq!(retention::empty_deliveries(store, month_ago).await.unwrap(), 1);
    let mut lengths = Vec::new();
    for id in &ids {
        lengths.push(deliveries::get(store, id).await.unwrap().body.len());
    }
    assert_eq!(
        lengths,
        [0, 4, 4],
        "one that is still to be processed keeps what it says"
    );
    let refused = deliveries::redeliver(store, CONSOLE, &ids[0])
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("not kept any more"), "{refused}");
    let again = deliveries::store(store, push(&world, Some("done"))).await.unwrap();
    assert_eq!(again[0], Stored::Duplicate(ids[0].clone()), "it is still known");
    assert_eq!(retention::remove_deliveries(store, month_ago).await.unwrap(), 1);
    assert!(matches!(
        deliveries::get(store, &ids[0]).await,
        Err(StoreError::NotFound(_))
    ));
}

/// One webhook that moves several branches: each part is processed for itself, and has the one body.
pub async fn what_says_several_things_is_kept_in_parts(world: World) {
    let store = &world.store;
    let both = || NewDelivery {
        parts: vec![part("main"), part("next")],
        ..push(&world, Some("1"))
    };
    let [Stored::New(main), Stored::New(next)] = &deliveries::store(store, both()).await.unwrap()[..] else {
        panic!("both are new");
    };
    let again = deliveries::store(store, both()).await.unwrap();
    assert_eq!(
        again,
        [Stored::Duplicate(main.clone()), Stored::Duplicate(next.clone())]
    );
    for (id, part, branch) in [(main, 0, "main"), (next, 1, "next")] {
        let due = deliveries::claim_due(store, store.now())
            .await
            .unwrap()
            .expect("it is due");
        assert_eq!((&due.delivery.id, due.delivery.part), (id, part));
        assert_eq!(due.body, push(&world, None).body);
        let meaning = due.meaning.expect("it was read");
        assert_eq!(meaning.reference, Some(format!("refs/heads/{branch}")));
        deliveries::done(store, id, Outcome::default()).await.unwrap();
    }
    let after = store.now() + DAY;
    while retention::empty_deliveries(store, after).await.unwrap() > 0 {}
    for id in [main, next] {
        let refused = deliveries::redeliver(store, CONSOLE, id).await;
        assert!(matches!(refused, Err(StoreError::Refused(why)) if why.contains("not kept any more")));
    }
}
