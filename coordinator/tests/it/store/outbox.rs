//! What forges are still to be told: kept with the change that it is about, tried until it is told, the newest alone.

use coordinator::forges::{Forge, Location};
use coordinator::store::outbox::{self, Due, Hold, Outcome};
use coordinator::store::repositories::{self, NewRepository};
use coordinator::store::{StoreError, builds, connections, retention, testing};
use job_specs::model::JobSpec;
use protocol::api::{OutboxEntry, OutboxKind, OutboxStatus};
use protocol::ids::RepositoryId;
use protocol::work::SecretValue;

use super::world::{CONSOLE, World};

/// In microseconds.
const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 3_600 * SECOND;

fn location(api: &str) -> Location {
    Location {
        api: api.into(),
        project: "acme/app".into(),
    }
}

fn token() -> SecretValue {
    SecretValue("t0ken".into())
}

async fn connected(world: &World, name: &str, api: &str) -> RepositoryId {
    let new = NewRepository {
        name: name.into(),
        git: format!("https://git.example/acme/{name}"),
        forge: Forge::Gitea,
        connection: Some((location(api), token())),
    };
    repositories::add(&world.store, CONSOLE, new).await.unwrap().id
}

async fn due(world: &World) -> Option<Due> {
    outbox::claim_due(&world.store, world.store.now()).await.unwrap()
}

async fn settle(world: &World, due: Due, outcome: Outcome) {
    outbox::settle(&world.store, due, outcome).await.unwrap();
}

/// Connected, and its forge knows the webhook.
async fn told(world: &World, name: &str, api: &str) -> RepositoryId {
    let repository = connected(world, name, api).await;
    let webhook = due(world).await.unwrap();
    assert_eq!(webhook.kind, OutboxKind::Webhook);
    settle(world, webhook, Outcome::Sent).await;
    repository
}

async fn build_of(world: &World, repository: &RepositoryId, sha: &str) -> i64 {
    let mut new = testing::build(repository, vec![builds::NewJob::new(JobSpec::default())]);
    new.facts.sha = sha.into();
    new.facts.event = "push".into();
    builds::create(&world.store, new).await.unwrap()
}

async fn entries(world: &World, repository: &RepositoryId) -> Vec<OutboxEntry> {
    outbox::list(&world.store, repository, 50).await.unwrap()
}

fn not_now(hold: Option<Hold>) -> Outcome {
    Outcome::NotNow {
        why: "not now".into(),
        hold,
    }
}

fn wait(world: &World, micros: i64) {
    testing::pass_time(&world.store, micros);
}

/// A build of a repository that is not connected tells nobody anything; one that is tells of each change of its status.
pub async fn a_change_of_a_build_is_to_be_told(world: World) {
    build_of(&world, &world.repository.clone(), "a").await;
    assert!(due(&world).await.is_none());
    let repository = told(&world, "app", "https://git.example/api/v1").await;
    let build = build_of(&world, &repository, "a").await;
    let first = due(&world).await.unwrap();
    assert_eq!(
        (first.kind, first.subject.as_str(), first.build),
        (OutboxKind::CommitStatus, "a drover/push", Some(build))
    );
    assert_eq!(first.connection.token.0, "t0ken");
    assert!(due(&world).await.is_none(), "it is hidden while it is sent");
    // It changes while it is sent.
    builds::cancel(&world.store, CONSOLE, build).await.unwrap();
    assert!(due(&world).await.is_none(), "and is not sent twice at once");
    settle(&world, first, Outcome::Sent).await;
    let second = due(&world).await.unwrap();
    settle(&world, second, Outcome::Sent).await;
    assert!(due(&world).await.is_none());
    let all = entries(&world, &repository).await;
    assert!(
        all.iter()
            .all(|entry| entry.status == OutboxStatus::Sent && entry.sent_at.is_some()),
        "{all:?}"
    );
}

/// Of two builds of one commit the forge hears of the newer one, however they come.
pub async fn an_older_build_never_hides_a_newer_one(world: World) {
    let repository = told(&world, "app", "https://git.example/api/v1").await;
    let older = build_of(&world, &repository, "a").await;
    let newer = build_of(&world, &repository, "a").await;
    builds::cancel(&world.store, CONSOLE, older).await.unwrap();
    let about = due(&world).await.unwrap();
    assert_eq!(about.build, Some(newer));
    settle(&world, about, Outcome::Sent).await;
    assert!(due(&world).await.is_none());
}

/// A sender that dies has its claim for 2 minutes; a coordinator that starts does not wait for that.
pub async fn what_a_dead_sender_had_is_sent_again(world: World) {
    let repository = told(&world, "app", "https://git.example/api/v1").await;
    build_of(&world, &repository, "a").await;
    drop(due(&world).await.unwrap());
    wait(&world, 119 * SECOND);
    assert!(due(&world).await.is_none());
    wait(&world, 2 * SECOND);
    drop(due(&world).await.unwrap());
    outbox::recover(&world.store).await.unwrap();
    assert!(due(&world).await.is_some());
}

/// A forge that is down for a day is asked less and less often, by one thing at a time, and others are told meanwhile.
pub async fn a_forge_that_is_down_holds_up_only_itself(world: World) {
    let (down, up) = ("https://down.example/api/v1", "https://up.example/api/v1");
    let (one, other) = (told(&world, "one", down).await, told(&world, "other", down).await);
    let elsewhere = told(&world, "elsewhere", up).await;
    build_of(&world, &one, "a").await;
    build_of(&world, &other, "b").await;
    let mut tries = 0;
    let end = world.store.now() + DAY;
    while world.store.now() < end {
        if let Some(about) = due(&world).await {
            settle(&world, about, not_now(Some(Hold::BackOff))).await;
            tries += 1;
            assert!(outbox::held_until(&world.store, down).await.unwrap().is_some());
            assert!(due(&world).await.is_none(), "the other one of that forge waits, too");
        }
        wait(&world, 30 * SECOND);
    }
    assert!((200..320).contains(&tries), "{tries} tries in a day");
    assert_eq!(outbox::held_until(&world.store, up).await.unwrap(), None);
    build_of(&world, &elsewhere, "c").await;
    let about = due(&world).await.unwrap();
    assert_eq!(about.connection.repository.name, "elsewhere");
    settle(&world, about, Outcome::Sent).await;
    // It is up again: both are told, the second at once behind the first.
    wait(&world, DAY);
    for _ in 0..2 {
        let about = due(&world).await.unwrap();
        settle(&world, about, Outcome::Sent).await;
    }
    assert_eq!(outbox::held_until(&world.store, down).await.unwrap(), None);
    assert!(due(&world).await.is_none());
}

/// Who asks for a pause gets it, whatever comes meanwhile.
pub async fn a_pause_that_a_forge_asks_for_is_kept(world: World) {
    let repository = told(&world, "app", "https://git.example/api/v1").await;
    build_of(&world, &repository, "a").await;
    let about = due(&world).await.unwrap();
    settle(&world, about, not_now(Some(Hold::Asked(600)))).await;
    build_of(&world, &repository, "b").await;
    wait(&world, 599 * SECOND);
    assert!(due(&world).await.is_none());
    wait(&world, 2 * SECOND);
    assert!(due(&world).await.is_some() && due(&world).await.is_some());
}

/// One thing that the forge will not take now holds up nothing else.
pub async fn one_thing_that_fails_holds_up_nothing_else(world: World) {
    let repository = told(&world, "app", "https://git.example/api/v1").await;
    build_of(&world, &repository, "a").await;
    let about = due(&world).await.unwrap();
    settle(&world, about, not_now(None)).await;
    build_of(&world, &repository, "b").await;
    let about = due(&world).await.unwrap();
    assert_eq!(about.subject, "b drover/push");
    settle(&world, about, Outcome::Failed("no such commit".into())).await;
    assert!(due(&world).await.is_none(), "it is not tried again by itself");
    let all = entries(&world, &repository).await;
    assert_eq!(
        (all[0].status, all[0].message.as_deref()),
        (OutboxStatus::Failed, Some("no such commit"))
    );
    assert_eq!(
        (all[1].status, all[1].tries, all[1].message.as_deref()),
        (OutboxStatus::Pending, 1, Some("not now"))
    );
    connections::connect(
        &world.store,
        CONSOLE,
        &repository,
        (location("https://git.example/api/v1"), token()),
    )
    .await
    .unwrap();
    let mut again = Vec::new();
    while let Some(about) = due(&world).await {
        again.push(about.subject.clone());
        settle(&world, about, Outcome::Sent).await;
    }
    again.sort();
    assert_eq!(again, ["", "a drover/push", "b drover/push"]);
}

/// What is disconnected or removed is told nothing more, and a token is never readable.
pub async fn what_is_disconnected_is_told_nothing_more(world: World) {
    let repository = told(&world, "app", "https://git.example/api/v1").await;
    build_of(&world, &repository, "a").await;
    connections::disconnect(&world.store, CONSOLE, &repository)
        .await
        .unwrap();
    assert!(due(&world).await.is_none() && entries(&world, &repository).await.is_empty());
    assert_eq!(connections::location(&world.store, &repository).await.unwrap(), None);
    build_of(&world, &repository, "b").await;
    assert!(due(&world).await.is_none());
    let other = told(&world, "other", "https://git.example/api/v1").await;
    build_of(&world, &other, "a").await;
    repositories::remove(&world.store, CONSOLE, &other).await.unwrap();
    assert!(due(&world).await.is_none());
    let gone = connections::connect(&world.store, CONSOLE, &other, (location("https://x"), token())).await;
    assert!(matches!(gone, Err(StoreError::NotFound(_))), "{gone:?}");
}

/// What was told long ago goes; what is still to be told, and the webhook, stay.
pub async fn what_was_told_long_ago_goes(world: World) {
    let repository = told(&world, "app", "https://git.example/api/v1").await;
    build_of(&world, &repository, "a").await;
    let about = due(&world).await.unwrap();
    settle(&world, about, Outcome::Sent).await;
    build_of(&world, &repository, "b").await;
    wait(&world, DAY);
    assert_eq!(
        retention::remove_outbox(&world.store, world.store.now()).await.unwrap(),
        1
    );
    let left: Vec<_> = entries(&world, &repository)
        .await
        .into_iter()
        .map(|entry| entry.subject)
        .collect();
    assert_eq!(left, ["b drover/push", ""]);
}
