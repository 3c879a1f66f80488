//! Tasks, services without a gate, and a restart of the agent.

use std::collections::BTreeMap;

use agent::sandbox::Pool;
use agent::stack::{Stack, StackSpec};
use job_specs::model::{DependencyCondition, HealthTest, PullPolicy, ReadyProbe, ServiceSpec};
use tokio::sync::mpsc;

use super::{Running, after, healthcheck, ready, service, shell, start, start_in};
use crate::world::{World, soon};

// key: services.run_once
#[tokio::test(flavor = "multi_thread")]
async fn a_task_must_exit_with_0() {
    let task = |name: &str, script: &str| ServiceSpec {
        run_once: true,
        ..shell(name, script)
    };
    let running = start(vec![task("seed", "echo seeded")]).await;
    running.ready().await;
    assert_eq!(
        running.close().await["seed"],
        "starting running ready(exited 0) exited(Some(0))"
    );

    let late = ServiceSpec {
        depends_on: vec![after("seed", DependencyCondition::ServiceCompletedSuccessfully)],
        ..shell("late", "sleep 1000")
    };
    let running = start(vec![task("seed", "echo no such table; exit 3"), late]).await;
    let failure = running.failed().await;
    assert_eq!(
        failure.sentence(),
        "service `seed` exited with 3; a `run_once` service must exit with 0"
    );
    assert_eq!(failure.last_lines, ["no such table"]);
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_gate_a_service_is_watched_and_logged_all_the_same() {
    let plain = |name: &str, script: &str| ServiceSpec {
        gate: false,
        environment: BTreeMap::from([("GREETING".into(), "hello".into())]),
        ..shell(name, script)
    };
    let healthy = ServiceSpec {
        healthcheck: healthcheck(HealthTest::Shell("test -e /tmp/up".into())),
        ..plain("healthy", "mkdir -p /tmp; touch /tmp/up; sleep 1000")
    };
    let running = start(vec![healthy]).await;
    running.ready().await;
    assert_eq!(
        running.close().await["healthy"],
        "starting running ready(healthcheck) stopped"
    );

    let dying = ServiceSpec {
        ready: ready(ReadyProbe::Log("never".into()), 600_000),
        ..plain("dying", "echo $GREETING; test $$ = 1 && exit 5")
    };
    let running = start(vec![dying]).await;
    let failure = running.failed().await;
    assert_eq!(failure.sentence(), "service `dying` exited with 5 before it was ready");
    assert_eq!(failure.last_lines, ["hello"]);
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_agent_goes_on_with_the_services_that_run() {
    let spec = |world: &World, id: &str| {
        let redis = service("redis", "redis:7");
        let seed = ServiceSpec {
            run_once: true,
            ..shell("seed", "echo once")
        };
        StackSpec::new(id, vec![redis, seed], world.data().join("stack"))
    };
    let world = World::new().await;
    let stack_id = world.agent.clone();
    let first_life = spec(&world, &stack_id);
    let Running {
        world,
        pool,
        sandbox,
        stack,
        ..
    } = start_in(world, first_life).await;
    soon(stack.ready()).await.unwrap();
    let before = ids(&world).await;
    drop((stack, sandbox, pool));
    let (agent, data) = world.crash().await;

    let world = World::again(agent, data).await;
    let config = agent::sandbox::PoolConfig {
        slots: 1,
        holders: ["t1".to_owned()].into(),
        ..agent::sandbox::PoolConfig::default()
    };
    let pool = Pool::start(&world.engine, config, world.tasks.clone(), world.stop.clone())
        .await
        .unwrap();
    let sandbox = pool.adopt("t1").await.expect("the anchor stood all the time");
    let (observer, events) = mpsc::unbounded_channel();
    let stack = Stack::resume(&world.engine, &sandbox, spec(&world, &stack_id), observer).await;
    soon(stack.ready()).await.unwrap();
    assert_eq!(ids(&world).await, before, "nothing was made anew");
    let running = Running {
        world,
        pool,
        sandbox,
        stack,
        events,
    };
    let message = running.close().await;
    assert_eq!(message["redis"], "starting running ready(tcp 6379) stopped");
    assert_eq!(message["seed"], "running ready(exited 0) exited(Some(0))");
}

async fn ids(world: &World) -> Vec<String> {
    let mut ids: Vec<String> = world
        .engine
        .list_owned()
        .await
        .unwrap()
        .into_iter()
        .map(|owned| owned.id)
        .collect();
    ids.sort();
    ids
}

// key: services.stop_grace_period
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_asks_for_time_to_end_has_it() {
    let db = ServiceSpec {
        stop_signal: Some("SIGUSR1".into()),
        stop_grace_period_ms: Some(60_000),
        ready: ready(ReadyProbe::Log("up".into()), 60_000),
        ..shell(
            "db",
            "trap 'echo wrote everything; exit 0' USR1; echo up; while true; do usleep 10000; done",
        )
    };
    let mut running = start(vec![db]).await;
    running.ready().await;
    let log = running.log_file("db");
    let (observer, _) = mpsc::unbounded_channel();
    let spec = StackSpec::new("none", Vec::new(), running.world.data().join("none"));
    let empty = Stack::start(&running.world.engine, &running.sandbox, spec, observer);
    std::mem::replace(&mut running.stack, empty).stop().await;
    assert_eq!(super::lines(&log).last().map(String::as_str), Some("wrote everything"));
    running.close().await;
}

// key: services.pull_policy
#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_fetched_when_the_service_says_so() {
    let registry = crate::registry::Registry::start().await;
    registry.let_go();
    let image = format!("{}/app:1", registry.address);
    let with = |pull_policy| ServiceSpec {
        pull_policy,
        entrypoint: Some(vec!["/hello".into()]),
        run_once: true,
        ..service("web", &image)
    };
    let mut message = Vec::new();
    for policy in [
        PullPolicy::Never,
        PullPolicy::Missing,
        PullPolicy::Missing,
        PullPolicy::Always,
        PullPolicy::Never,
    ] {
        let running = start(vec![with(policy)]).await;
        let sentence = running.failed().await.sentence().replace(&registry.address, "REGISTRY");
        let is_here = !sentence.contains("pull_policy"); // its program is none: the container was made
        message.push(format!(
            "{policy:?}: here {is_here}, asked {} times",
            registry.resolved()
        ));
        if !is_here {
            message.push(sentence);
        }
        running.close().await;
    }
    insta::assert_snapshot!(message.join("\n"), @"
    Never: here false, asked 0 times
    service `web`: image `REGISTRY/app:1` does not exist: it is not on this machine, and `pull_policy: never` says not to fetch it
    Missing: here true, asked 1 times
    Missing: here true, asked 1 times
    Always: here true, asked 2 times
    Never: here true, asked 2 times
    ");
    crate::layers::docker(&["rmi", &image]);
}
