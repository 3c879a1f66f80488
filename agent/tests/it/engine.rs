//! The engine's verbs on a real engine.

use std::collections::BTreeMap;

use agent::engine::labels::{self, Labels};
use agent::engine::{ContainerPlan, Engine, EngineConfig, EngineError, Exit, Limits, Network, Owner, Policy};

use crate::wire::Wire;
use crate::world::{World, soon, text};

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_seen_however_it_comes() {
    let world = World::new().await;
    let image = world.engine.ensure_image("busybox", |_| ()).await.unwrap();
    assert_eq!(image.cmd, ["sh"]);
    let run = |script: &str| ContainerPlan {
        entrypoint: Some(text(&["sh", "-c", script])),
        ..ContainerPlan::of(&image.id)
    };

    let failing = world.engine.create(&run("exit 3")).await.unwrap();
    world.engine.start(&failing).await.unwrap();
    let exit = world.engine.wait_exit(&failing).await.unwrap();
    assert_eq!(
        exit,
        Exit {
            code: Some(3),
            oom: false
        }
    );

    let sleeping = world.engine.create(&run("sleep 1000")).await.unwrap();
    world.engine.start(&sleeping).await.unwrap();
    let (exit, killed) = tokio::join!(world.engine.wait_exit(&sleeping), world.engine.kill(&sleeping));
    killed.unwrap();
    assert_eq!(
        exit.unwrap(),
        Exit {
            code: Some(137),
            oom: false
        }
    );

    let removed = world.engine.create(&run("sleep 1000")).await.unwrap();
    world.engine.start(&removed).await.unwrap();
    let (exit, gone) = tokio::join!(world.engine.wait_exit(&removed), world.engine.remove_forced(&removed));
    gone.unwrap();
    assert!(exit.unwrap().code.is_none_or(|code| code == 137));

    for id in [failing, sleeping, removed] {
        world.engine.remove_forced(&id).await.unwrap();
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_memory_than_allowed_is_reported_as_such() {
    let world = World::new().await;
    let plan = ContainerPlan {
        entrypoint: Some(text(&["tail", "/dev/zero"])),
        limits: Limits {
            memory_bytes: Some(16 << 20),
            ..Limits::default()
        },
        ..ContainerPlan::of("busybox")
    };
    let hog = world.engine.create(&plan).await.unwrap();
    world.engine.start(&hog).await.unwrap();
    let exit = soon(world.engine.wait_exit(&hog)).await.unwrap();
    let exit = world.engine.explain_exit(&hog, exit).await;
    assert_eq!(
        exit,
        Exit {
            code: Some(137),
            oom: true
        }
    );
    world.engine.remove_forced(&hog).await.unwrap();
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_user_got_wrong_is_distinguished_from_our_trouble() {
    let world = World::new().await;
    let plan = ContainerPlan {
        user: Some("nobody-of-that-name".into()),
        ..ContainerPlan::of("busybox")
    };
    let container = world.engine.create(&plan).await.unwrap();
    let error = world.engine.start(&container).await.unwrap_err();
    assert!(error.is_users(), "{error}");
    world.engine.remove_forced(&container).await.unwrap();

    let error = world.engine.ensure_image("Not An Image", |_| ()).await.unwrap_err();
    assert!(matches!(error, EngineError::ImageNotFound { .. }), "{error}");
    // nobody listens on that port: not the user's fault
    let error = world.engine.ensure_image("127.0.0.1:1/x", |_| ()).await.unwrap_err();
    assert!(matches!(error, EngineError::Registry { .. }), "{error}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_after_a_crash_leaves_only_what_is_kept() {
    let world = World::new().await;
    let of = |attempt: &str| Labels::from([(labels::ATTEMPT.to_owned(), attempt.to_owned())]);
    let plan = |attempt: &str, network| ContainerPlan {
        entrypoint: Some(text(&["sleep", "1000"])),
        labels: of(attempt),
        network,
        ..ContainerPlan::of("busybox")
    };
    let network = world
        .engine
        .create_network(&format!("drover-{}", world.agent), &of("lost"))
        .await
        .unwrap();
    let on = Network::On {
        network,
        alias: "db".into(),
    };
    let lost = world.engine.create(&plan("lost", on)).await.unwrap();
    world.engine.start(&lost).await.unwrap();
    let never_started = world.engine.create(&plan("lost", Network::None)).await.unwrap();
    let kept = world.engine.create(&plan("kept", Network::None)).await.unwrap();
    let (agent, data) = world.crash().await;

    let world = World::again(agent, data).await;
    let live = world.engine.keep(Owner::Attempt("kept".into()));
    let swept = world.engine.sweep().await.unwrap();
    assert_eq!(
        (swept.containers, swept.networks, swept.left),
        (2, 1, 0),
        "{lost:?} {never_started:?}"
    );
    let left: Vec<String> = world
        .engine
        .list_owned()
        .await
        .unwrap()
        .into_iter()
        .map(|owned| owned.id)
        .collect();
    assert_eq!(left, [kept.as_str()]);
    drop(live);
    assert_eq!(world.engine.sweep().await.unwrap().containers, 1);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_removed_whoever_made_it() {
    let world = World::new().await;
    let stranger = World::new().await;
    let plan = |expires: &str| ContainerPlan {
        labels: BTreeMap::from([(labels::EXPIRES.to_owned(), expires.to_owned())]),
        ..ContainerPlan::of("busybox")
    };
    stranger.engine.create(&plan("1000")).await.unwrap();
    let later = stranger.engine.create(&plan("99999999999")).await.unwrap();
    world.engine.sweep().await.unwrap();
    let left: Vec<String> = stranger
        .engine
        .list_owned()
        .await
        .unwrap()
        .into_iter()
        .map(|owned| owned.id)
        .collect();
    assert_eq!(left, [later.as_str()]);
    stranger.engine.remove_forced(&later).await.unwrap();
    stranger.close().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_not_missed_while_the_engine_is_out_of_reach() {
    let wire = Wire::new();
    let world = World::over(wire.socket()).await;
    let beside = World::new().await; // the same engine by its own socket
    let plan = ContainerPlan {
        entrypoint: Some(text(&["sh", "-c", "sleep 1000"])),
        ..ContainerPlan::of("busybox")
    };
    let container = world.engine.create(&plan).await.unwrap();
    world.engine.start(&container).await.unwrap();
    let waiting = tokio::spawn({
        let (engine, container) = (world.engine.clone(), container.clone());
        async move { engine.wait_exit(&container).await }
    });

    wire.cut();
    beside.engine.kill(&container).await.unwrap();
    assert_eq!(soon(beside.engine.wait_exit(&container)).await.unwrap().code, Some(137));
    let error = world.engine.list_owned().await.unwrap_err();
    assert!(!error.is_users(), "{error}");
    assert!(!waiting.is_finished());
    wire.mend();
    let exit = soon(waiting).await.unwrap().unwrap();
    assert_eq!(exit.code, Some(137));

    world.engine.remove_forced(&container).await.unwrap();
    beside.close().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_engine_answers_the_error_says_where_it_was_looked_for() {
    let (tasks, stop) = (Default::default(), Default::default());
    let folder = tempfile::tempdir().unwrap();
    let config = EngineConfig {
        agent: "a".into(),
        data: folder.path().to_owned(),
        socket: Some(folder.path().join("no.sock")),
        limits: Limits::default(),
        policy: Policy::default(),
    };
    let error = Engine::connect(config, tasks, stop).await.err().unwrap();
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("no.sock"), "{error}");
}
