//! The pool of warm sandboxes on a real engine.

use std::collections::BTreeSet;

use agent::engine::labels::Labels;
use agent::engine::{ContainerPlan, OwnedKind};
use agent::sandbox::{Pool, PoolConfig, Reuse, SandboxRequest};

use crate::world::{World, text, want};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_repository_gets_its_sandbox_again_and_another_one_does_not() {
    let world = World::new().await;
    let pool = world.pool(1, 1).await;

    let first = pool.take(&want("t1", "app")).await.unwrap();
    let id = first.id().to_owned();
    pool.put_back(first, Reuse::Allowed);
    let again = loop {
        // while it is on its way back, the spare one is handed out
        let taken = pool.take(&want("t2", "app")).await.unwrap();
        if taken.id() == id {
            break taken;
        }
        pool.put_back(taken, Reuse::Never);
    };
    let other = pool.take(&want("t3", "other")).await.unwrap();
    assert_ne!(other.id(), id);

    pool.put_back(again, Reuse::Allowed);
    pool.put_back(other, Reuse::Never);
    pool.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_in_a_sandbox_shares_the_anchor_s_network() {
    let world = World::new().await;
    let pool = world.pool(1, 0).await;
    let sandbox = pool.take(&want("t1", "app")).await.unwrap();

    let image = world
        .engine
        .ensure_image("busybox", |_| panic!("a local image is never pulled"))
        .await
        .unwrap();
    let plan = ContainerPlan {
        entrypoint: Some(text(&["sh", "-c", "test \"$(hostname -i)\" && exit 7"])),
        network: sandbox.join(),
        labels: sandbox.labels(Labels::new()),
        ..ContainerPlan::of(&image.id)
    };
    let step = world.engine.create(&plan).await.unwrap();
    world.engine.start(&step).await.unwrap();
    assert_eq!(world.engine.wait_exit(&step).await.unwrap().code, Some(7));
    assert_eq!(
        world.engine.wait_exit(&step).await.unwrap().code,
        Some(7),
        "also when it is over already"
    );

    // the step was forgotten: the pool removes it, and only the network is used again
    let (before, network) = (sandbox.join(), sandbox.network().clone());
    pool.put_back(sandbox, Reuse::Allowed);
    let again = pool.take(&want("t2", "app")).await.unwrap();
    assert_eq!(again.network(), &network);
    assert_ne!(again.join(), before);
    pool.put_back(again, Reuse::Allowed);
    pool.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_namespace_of_a_tainted_sandbox_is_nobody_elses() {
    let world = World::new().await;
    let pool = world.pool(1, 0).await;
    let sandbox = pool.take(&want("t1", "app")).await.unwrap();
    let before = sandbox.join();
    sandbox.taint();
    pool.put_back(sandbox, Reuse::Allowed);
    let again = pool.take(&want("t2", "app")).await.unwrap();
    assert_ne!(again.join(), before);
    pool.put_back(again, Reuse::Allowed);
    pool.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_untrusted_code_ran_only_the_network_is_used_again() {
    let world = World::new().await;
    let pool = world.pool(1, 0).await;
    let untrusted = SandboxRequest {
        trusted: false,
        ..want("t1", "app")
    };
    let sandbox = pool.take(&untrusted).await.unwrap();
    let (before, network) = (sandbox.join(), sandbox.network().clone());
    pool.put_back(sandbox, Reuse::Allowed);
    let again = pool.take(&want("t2", "app")).await.unwrap();
    assert_eq!(again.network(), &network);
    assert_ne!(again.join(), before);
    pool.put_back(again, Reuse::Never);
    pool.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_anchor_is_not_handed_out() {
    let world = World::new().await;
    let pool = world.pool(1, 0).await;
    let sandbox = pool.take(&want("t1", "app")).await.unwrap();
    pool.put_back(sandbox, Reuse::Allowed);
    for owned in world.engine.list_owned().await.unwrap() {
        if owned.kind == OwnedKind::Container {
            world.engine.kill(&agent::engine::ContainerId(owned.id)).await.unwrap();
        }
    }
    let next = pool.take(&want("t2", "app")).await.unwrap();
    next.anchor_handle().gate().await.unwrap().signal(0).await.unwrap(); // it answers
    pool.put_back(next, Reuse::Never);
    pool.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_agent_adopts_what_goes_on_and_cleans_up_the_rest() {
    let world = World::new().await;
    let pool = world.pool(2, 1).await;
    let goes_on = pool.take(&want("t1", "app")).await.unwrap();
    let ends = pool.take(&want("t2", "app")).await.unwrap();
    let (goes_on_id, ends_id) = (goes_on.id().to_owned(), ends.id().to_owned());
    drop((goes_on, ends, pool));
    let (agent, data) = world.crash().await;

    let world = World::again(agent, data).await;
    let config = PoolConfig {
        slots: 2,
        spare: 1,
        holders: BTreeSet::from(["t1".to_owned()]),
        expires: None,
    };
    let pool = Pool::start(&world.engine, config, world.tasks.clone(), world.stop.clone())
        .await
        .unwrap();
    let swept = world.engine.sweep().await.unwrap();
    assert_eq!(swept.left, 0);
    assert!(pool.adopt("t2").await.is_none());
    let sandbox = pool.adopt("t1").await.expect("its anchor stood all the time");
    assert_eq!(sandbox.id(), goes_on_id);
    assert_ne!(sandbox.id(), ends_id);
    pool.put_back(sandbox, Reuse::Never);
    pool.stop().await;
    world.close().await;
}
