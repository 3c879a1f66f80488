//! Builds of strangers' pull requests wait for approval of their commit: so do jobs that are made later.

use coordinator::store::facts::Trust;
use coordinator::store::{StoreError, approvals, builds, queue, testing};
use job_specs::model::JobSpec;
use protocol::api::{Approval, ApprovalPolicy};

use super::world::{CONSOLE, World, ann};

async fn request(world: &World, pull_request: i64, sha: &str) -> i64 {
    let mut new = testing::build(&world.repository, vec![builds::NewJob::new(JobSpec::default())]);
    new.facts.sha = sha.into();
    new.facts.pull_request = Some(pull_request);
    new.trust = Trust::Fork;
    builds::create(&world.store, new).await.unwrap()
}

async fn approval(world: &World, build: i64) -> (Approval, Option<String>) {
    let build = builds::show(&world.store, build).await.unwrap().build;
    let approved = build.approval.unwrap();
    (approved.state, approved.by)
}

async fn ready(world: &World) -> usize {
    let agent = testing::agent(&world.store, &uuid::Uuid::now_v7().to_string(), 100)
        .await
        .unwrap();
    world.claim(&agent, 100).await.len()
}

pub async fn a_commit_is_approved_for_all_of_its_builds(world: World) {
    let (one, same) = (request(&world, 7, "a").await, request(&world, 7, "a").await);
    let (other, elsewhere) = (request(&world, 7, "b").await, request(&world, 8, "a").await);
    assert_eq!(ready(&world).await, 0);
    let waiting = queue::waiting(&world.store, 10).await.unwrap();
    assert_eq!(waiting.len(), 4);
    assert!(
        waiting.iter().all(|job| job.why.contains("drover approve")),
        "{waiting:?}"
    );
    approvals::approve(&world.store, &ann(), one).await.unwrap();
    for build in [one, same] {
        assert_eq!(approval(&world, build).await, (Approval::Approved, Some("ann".into())));
    }
    for build in [other, elsewhere] {
        assert_eq!(approval(&world, build).await, (Approval::Needed, None));
    }
    assert_eq!(ready(&world).await, 2);
    let later = request(&world, 7, "a").await;
    assert_eq!(approval(&world, later).await, (Approval::Approved, Some("ann".into())));
    assert_eq!(ready(&world).await, 1);
    for (build, refused) in [(one, true), (99, false)] {
        match approvals::approve(&world.store, CONSOLE, build).await {
            Err(StoreError::Refused(why)) => assert!(refused && why.contains("does not wait"), "{why}"),
            Err(StoreError::NotFound(_)) => assert!(!refused),
            other => panic!("{other:?}"),
        }
    }
    // Who is not to wait does not; who waits already goes on waiting.
    approvals::set_policy(&world.store, CONSOLE, &world.repository, ApprovalPolicy::Never)
        .await
        .unwrap();
    let free = request(&world, 9, "c").await;
    assert_eq!(builds::show(&world.store, free).await.unwrap().build.approval, None);
    assert_eq!(ready(&world).await, 1);
}
