//! Artifacts and caches as rows: replaced, expired, evicted, within their room.

use coordinator::store::artifacts::{self, NewArtifact};
use coordinator::store::blobs::{self, Blob, Claim};
use coordinator::store::caches::{self, NewCache};
use coordinator::store::queue::{self, AgentLease};
use coordinator::store::{StoreError, testing};
use protocol::attempt::AttemptResult;

use super::world::{CONSOLE, World};

async fn hold(world: &World) -> (i64, AgentLease) {
    let build = world.build(vec![testing::spec("build")]).await;
    let agent = world.agent(&format!("agent-{build}")).await;
    let claim = queue::Claim {
        agent: agent.clone(),
        free_slots: 1,
        labels: Default::default(),
        memory: None,
    };
    let claimed = queue::claim(&world.store, &claim).await.unwrap().pop().unwrap();
    (
        build,
        AgentLease {
            agent,
            attempt: claimed.attempt,
            epoch: claimed.epoch,
        },
    )
}

async fn blob(world: &World, sha: &str, bytes: u64) -> Blob {
    let blob = Blob { sha: sha.into(), bytes };
    assert_eq!(blobs::claim(&world.store, &blob).await.unwrap(), Claim::Granted);
    blob
}

fn artifact(name: &str, blob: Blob, expires_at: i64) -> NewArtifact {
    NewArtifact {
        name: name.into(),
        blob,
        files: 1,
        expires_at,
        repository_limit: 1_000,
    }
}

// key: artifacts
pub async fn artifacts_have_room_and_expire(world: World) {
    let (build, hold) = hold(&world).await;
    let first = artifact("a", blob(&world, "s1", 600).await, 50);
    assert!(
        artifacts::keep(&world.store, &hold, first.clone())
            .await
            .unwrap()
            .is_some()
    );
    let too_much = artifact("b", blob(&world, "s2", 500).await, 50);
    assert_eq!(
        artifacts::keep(&world.store, &hold, too_much).await.unwrap(),
        None,
        "over the room"
    );
    let instead = artifact("a", blob(&world, "s3", 900).await, 80);
    artifacts::keep(&world.store, &hold, instead)
        .await
        .unwrap()
        .expect("it takes the place of the first");
    let listed = artifacts::of_build(&world.store, build).await.unwrap();
    assert_eq!(
        listed
            .iter()
            .map(|one| (one.name.as_str(), one.bytes))
            .collect::<Vec<_>>(),
        [("a", 900)]
    );
    assert_eq!(
        artifacts::total_bytes(&world.store, &world.repository).await.unwrap(),
        900
    );

    let doomed = blobs::doom(&world.store, i64::MAX).await.unwrap();
    assert_eq!(doomed, ["s1", "s2"], "nobody names them");
    assert_eq!(
        blobs::claim(
            &world.store,
            &Blob {
                sha: "s1".into(),
                bytes: 600
            }
        )
        .await
        .unwrap(),
        Claim::Doomed
    );
    let late = artifacts::keep(&world.store, &hold, first).await;
    assert!(
        matches!(late, Err(StoreError::NotFound(_))),
        "its archive is being removed"
    );
    blobs::forget(&world.store, "s1").await.unwrap();
    blob(&world, "s1", 600).await;

    assert_eq!(artifacts::expire(&world.store, 79).await.unwrap(), 0);
    assert_eq!(artifacts::expire(&world.store, 80).await.unwrap(), 1);
    queue::finish(&world.store, &hold, &[], AttemptResult::passed())
        .await
        .unwrap();
    let over = artifacts::keep(&world.store, &hold, artifact("z", blob(&world, "s9", 1).await, 99)).await;
    assert!(
        matches!(over, Err(StoreError::StaleLease)),
        "an attempt that is over keeps nothing"
    );
}

// key: cache
pub async fn caches_are_found_by_scope_and_go_when_unused(world: World) {
    let (_, hold) = hold(&world).await;
    for (scope, key, bytes) in [
        ("main", "cargo-1", 400),
        ("main", "cargo-2", 400),
        ("side", "cargo-3", 400),
    ] {
        let new = NewCache {
            repository: world.repository.clone(),
            scope: scope.into(),
            key: key.into(),
            blob: blob(&world, &format!("sha-{key}"), bytes).await,
        };
        caches::save(&world.store, &hold, new).await.unwrap();
    }
    let (store, repository) = (&world.store, &world.repository);
    assert_eq!(caches::exact(store, repository, "side", "cargo-1").await.unwrap(), None);
    let newest = caches::newest(store, repository, "main", "cargo-")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(newest.key, "cargo-2");
    assert_eq!(
        caches::newest(store, repository, "main", "cargo_").await.unwrap(),
        None,
        "no wildcard"
    );
    let first = caches::exact(store, repository, "main", "cargo-1")
        .await
        .unwrap()
        .unwrap();
    caches::used(store, repository, &first).await.unwrap();
    assert!(
        caches::has(store, repository, &["main".into()], "sha-cargo-1")
            .await
            .unwrap()
    );
    assert!(
        !caches::has(store, repository, &["side".into()], "sha-cargo-1")
            .await
            .unwrap()
    );

    assert_eq!(caches::evict(store, repository, 900).await.unwrap(), 1);
    let left: Vec<String> = caches::list(store, repository)
        .await
        .unwrap()
        .into_iter()
        .map(|cache| cache.key)
        .collect();
    assert_eq!(left, ["cargo-1", "cargo-3"], "the least recently used is gone");
    assert_eq!(
        caches::prune(store, CONSOLE, repository, Some("side".into()))
            .await
            .unwrap(),
        1
    );
    assert_eq!(caches::prune(store, CONSOLE, repository, None).await.unwrap(), 1);
}
