//! Concurrency groups: builds that share one road.

use coordinator::store::builds::{self, NewBuild, NewJob};
use coordinator::store::{jobs, queue, testing};
use job_specs::triggers::{Concurrency, ConcurrencyMode};
use protocol::attempt::Verdict;
use tokio::task::JoinSet;

use super::world::{World, hold, job, needing};

impl World {
    async fn grouped(&self, mode: ConcurrencyMode) -> i64 {
        builds::create(&self.store, self.deploy(mode)).await.unwrap()
    }

    fn deploy(&self, mode: ConcurrencyMode) -> NewBuild {
        let jobs = [job("build"), needing("deploy", &["build"])].map(NewJob::new);
        NewBuild {
            concurrency: Some(Concurrency {
                group: "deploy".into(),
                mode,
            }),
            ..testing::build(&self.repository, jobs.into())
        }
    }
}

pub async fn a_queue_lets_one_build_run(world: World) {
    let agent = world.agent("a").await;
    let first = world.grouped(ConcurrencyMode::Queue).await;
    let second = world.grouped(ConcurrencyMode::Queue).await;
    let third = world.grouped(ConcurrencyMode::Queue).await;
    let other = world.build(vec![job("free")]).await;
    let why = jobs::why(&world.store, &world.show(second).await.jobs[0].id)
        .await
        .unwrap();
    assert_eq!(why, "concurrency group `deploy` held by #1");
    let (mut order, mut running) = (Vec::new(), Vec::new());
    while let Some(claimed) = world.claim(&agent, 1).await.pop() {
        running.push(claimed.build);
        order.push(format!("#{} {}", claimed.build, claimed.spec.name));
        world.finish(&hold(&agent, &claimed), Verdict::Passed).await.unwrap();
    }
    assert_eq!(
        order.join(", "),
        "#1 build, #1 deploy, #2 build, #2 deploy, #3 build, #3 deploy, #4 free"
    );
    for build in [first, second, third, other] {
        assert!(world.show(build).await.build.status.is_final());
    }
    // Who waits may be cancelled, and who runs may be too: the road is free again.
    let first = world.grouped(ConcurrencyMode::Queue).await;
    let second = world.grouped(ConcurrencyMode::Queue).await;
    let third = world.grouped(ConcurrencyMode::Queue).await;
    builds::cancel(&world.store, second).await.unwrap();
    assert!(world.show(third).await.build.waits_for_group);
    builds::cancel(&world.store, first).await.unwrap();
    assert!(!world.show(third).await.build.waits_for_group);
    assert_eq!(world.claim_one(&agent).await.build, third);
}

pub async fn only_the_newest_waits(world: World) {
    let agent = world.agent("a").await;
    let first = world.grouped(ConcurrencyMode::Latest).await;
    let running = world.claim_one(&agent).await;
    let second = world.grouped(ConcurrencyMode::Latest).await;
    let third = world.grouped(ConcurrencyMode::Latest).await;
    assert_eq!(world.state(second).await, "cancelled: build=cancelled deploy=cancelled");
    let reason = world.show(second).await.jobs.remove(0).reason.unwrap();
    assert_eq!(reason.sentence, "superseded by #3");
    assert!(world.claim(&agent, 5).await.is_empty());
    world.finish(&hold(&agent, &running), Verdict::Failed).await.unwrap();
    assert_eq!(world.state(first).await, "failed: build=failed deploy=skipped");
    assert_eq!(world.claim_one(&agent).await.build, third);
}

pub async fn a_new_build_stops_the_older(world: World) {
    let agent = world.agent("a").await;
    let first = world.grouped(ConcurrencyMode::Cancel).await;
    let running = world.claim_one(&agent).await;
    let second = world.grouped(ConcurrencyMode::Cancel).await;
    assert_eq!(world.state(first).await, "running: build=assigned deploy=cancelled");
    let told = queue::renew(&world.store, &agent, &[super::world::held(&running)])
        .await
        .unwrap();
    assert_eq!(told.cancel, vec![running.attempt.clone()]);
    // Two never run at once: the new one waits until the agent has stopped the old.
    assert!(world.claim(&agent, 5).await.is_empty());
    world.finish(&hold(&agent, &running), Verdict::Cancelled).await.unwrap();
    assert_eq!(world.claim_one(&agent).await.build, second);
}

/// Builds are made and end in a crowd: never do two of the group run at once, and all end.
pub async fn a_crowd_shares_the_road(world: World) {
    let agent = world.agent("a").await;
    let mut makers = JoinSet::new();
    for _ in 0..12 {
        let (store, new) = (world.store.clone(), world.deploy(ConcurrencyMode::Queue));
        makers.spawn(async move { builds::create(&store, new).await.unwrap() });
    }
    let mut done = 0;
    loop {
        let claimed = world.claim(&agent, 5).await;
        let mut on_the_road: Vec<i64> = claimed.iter().map(|claimed| claimed.build).collect();
        on_the_road.dedup();
        assert!(on_the_road.len() <= 1, "{on_the_road:?}");
        for one in &claimed {
            world.finish(&hold(&agent, one), Verdict::Passed).await.unwrap();
            done += 1;
        }
        if claimed.is_empty() && makers.join_next().await.is_none() {
            break;
        }
    }
    assert_eq!(done, 24);
}
