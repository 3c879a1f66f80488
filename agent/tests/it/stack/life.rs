//! Tasks, services without a gate, and a restart of the agent.

use std::collections::BTreeMap;

use agent::sandbox::Pool;
use agent::stack::{Stack, StackSpec};
use job_specs::model::{DependencyCondition, HealthTest, ReadyProbe, ServiceSpec};
use tokio::sync::mpsc;

use super::{Running, after, healthcheck, ready, service, shell, start, start_in};
use crate::world::{World, soon};

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
    let told = running.close().await;
    assert_eq!(told["redis"], "starting running ready(tcp 6379) stopped");
    assert_eq!(told["seed"], "running ready(exited 0) exited(Some(0))");
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
