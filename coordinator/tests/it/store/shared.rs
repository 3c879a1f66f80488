//! Several coordinators on one PostgreSQL.

use coordinator::store::{Change, Store, queue};
use tokio::task::JoinSet;

use super::world::{World, cells, job};

pub async fn two_coordinators(world: World) {
    let second = Store::open(world.config.clone()).await.unwrap();
    let agent = world.agent("a").await;
    for _ in 0..4 {
        world.build(cells("test", 50)).await;
    }
    let mut crowd = JoinSet::new();
    for index in 0..16 {
        let store = if index % 2 == 0 {
            world.store.clone()
        } else {
            second.clone()
        };
        let claim = queue::Claim {
            agent: agent.clone(),
            free_slots: 3,
            labels: Default::default(),
            memory: None,
        };
        crowd.spawn(async move {
            let mut jobs = Vec::new();
            loop {
                let claimed = queue::claim(&store, &claim).await.unwrap();
                if claimed.is_empty() {
                    return jobs;
                }
                jobs.extend(claimed.into_iter().map(|claimed| claimed.job));
            }
        });
    }
    let mut jobs: Vec<_> = crowd.join_all().await.into_iter().flatten().collect();
    jobs.sort();
    jobs.dedup();
    assert_eq!(jobs.len(), 200);
    let lock = world.store.try_lock("schedules").await.unwrap().expect("it is free");
    assert!(second.try_lock("schedules").await.unwrap().is_none());
    assert!(second.try_lock("retention").await.unwrap().is_some());
    drop(lock);
    second.close().await;
}

pub async fn wake_ups_cross(world: World) {
    let second = Store::open(world.config.clone()).await.unwrap();
    let mut changes = second.changes();
    // It listens from here on.
    while changes.recv().await.unwrap() != Change::All {}
    let build = world.build(vec![job("test")]).await;
    while changes.recv().await.unwrap() != Change::Build(build) {}
    second.close().await;
}
