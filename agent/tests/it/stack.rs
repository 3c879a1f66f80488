//! Stacks of services on a real engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use agent::engine::ContainerPlan;
use agent::sandbox::{Pool, Reuse, Sandbox};
use agent::stack::{FailureKind, Stack, StackEvent, StackFailure, StackSpec, Stage};
use job_specs::model::{Dependency, DependencyCondition, HealthTest, Healthcheck, Ready, ReadyProbe, ServiceSpec};
use protocol::attempt::{ReasonCode, ServiceState};
use tokio::sync::mpsc;

use crate::world::{World, soon, text, want};

/// A stack in a sandbox, and what it has told.
struct Running {
    world: World,
    pool: Pool,
    sandbox: Sandbox,
    stack: Stack,
    events: mpsc::UnboundedReceiver<StackEvent>,
}

async fn start(services: Vec<ServiceSpec>) -> Running {
    let world = World::new().await;
    let spec = StackSpec::new(world.agent.clone(), services, world.data().join("stack"));
    start_in(world, spec).await
}

async fn start_in(world: World, spec: StackSpec) -> Running {
    let pool = world.pool(1, 0).await;
    let sandbox = pool.take(&want("t1", "app")).await.unwrap();
    let (observer, events) = mpsc::unbounded_channel();
    let stack = Stack::start(&world.engine, &sandbox, spec, observer);
    Running {
        world,
        pool,
        sandbox,
        stack,
        events,
    }
}

impl Running {
    /// Waits until the service is in a state that `is_it` likes.
    async fn until(&mut self, service: &str, is_it: impl Fn(&ServiceState) -> bool) -> ServiceState {
        loop {
            let event = soon(self.events.recv()).await.expect("the stack still runs");
            if event.service == service && is_it(&event.state) {
                return event.state;
            }
        }
    }

    async fn ready(&self) {
        soon(self.stack.ready()).await.unwrap();
    }

    async fn failed(&self) -> StackFailure {
        soon(self.stack.ready()).await.expect_err("a service fails")
    }

    /// Connects to port 81 of a service, as a step would.
    async fn knock(&self, service: &str) {
        let engine = &self.world.engine;
        let plan = ContainerPlan {
            entrypoint: Some(text(&[
                "sh",
                "-c",
                "until nc $0 81 -e true; do usleep 10000; done",
                service,
            ])),
            network: self.sandbox.join(),
            labels: self.sandbox.labels(BTreeMap::new()),
            ..ContainerPlan::of("busybox")
        };
        let knocker = engine.create(&plan).await.unwrap();
        engine.start(&knocker).await.unwrap();
        assert_eq!(soon(engine.wait_exit(&knocker)).await.unwrap().code, Some(0));
        engine.remove_forced(&knocker).await.unwrap();
    }

    /// Ends everything; what the services went through, in order.
    async fn close(mut self) -> BTreeMap<String, String> {
        self.stack.stop().await;
        self.pool.put_back(self.sandbox, Reuse::Allowed);
        self.pool.stop().await;
        let mut told: BTreeMap<String, String> = BTreeMap::new();
        while let Ok(event) = self.events.try_recv() {
            let line = told.entry(event.service).or_default();
            let word = match event.state {
                ServiceState::Pulling => "pulling".to_owned(),
                ServiceState::Starting => "starting".to_owned(),
                ServiceState::Running => "running".to_owned(),
                ServiceState::Ready { probe, .. } => format!("ready({probe})"),
                ServiceState::Unhealthy { .. } => "unhealthy".to_owned(),
                ServiceState::Exited { code, oom } => format!("exited({code:?}{})", if oom { " oom" } else { "" }),
                ServiceState::Stopped => "stopped".to_owned(),
            };
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
        self.world.close().await;
        told
    }
}

fn service(name: &str, image: &str) -> ServiceSpec {
    ServiceSpec {
        name: name.into(),
        image: image.into(),
        environment: BTreeMap::new(),
        command: None,
        entrypoint: None,
        healthcheck: None,
        depends_on: Vec::new(),
        tmpfs: BTreeMap::new(),
        user: None,
        mem_limit_bytes: None,
        ready: None,
        run_once: false,
        allow_failure: false,
        gate: true,
    }
}

fn shell(name: &str, script: &str) -> ServiceSpec {
    ServiceSpec {
        entrypoint: Some(text(&["sh", "-c", script])),
        ..service(name, "busybox")
    }
}

fn after(service: &str, condition: DependencyCondition) -> Dependency {
    Dependency {
        service: service.into(),
        condition,
    }
}

fn ready(probe: ReadyProbe, timeout_ms: u64) -> Option<Ready> {
    Some(Ready { probe, timeout_ms })
}

fn healthcheck(test: HealthTest) -> Option<Healthcheck> {
    Some(Healthcheck {
        test: Some(test),
        interval_ms: 500,
        timeout_ms: 5000,
        retries: 20,
        start_period_ms: 0,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn two_redis_are_ready_by_both_forms_of_a_healthcheck() {
    let exec = ServiceSpec {
        healthcheck: healthcheck(HealthTest::Exec(text(&["redis-cli", "ping"]))),
        ..service("exec", "redis:7")
    };
    let shell = ServiceSpec {
        healthcheck: healthcheck(HealthTest::Shell("redis-cli ping | grep -q PONG".into())),
        ..service("shell", "redis:7")
    };
    let running = start(vec![exec, shell]).await;
    running.ready().await;
    let told = running.close().await;
    assert_eq!(told["exec"], "starting running ready(healthcheck) stopped");
    assert_eq!(told["shell"], "starting running ready(healthcheck) stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_healthcheck_the_first_exposed_port_says_it() {
    let running = start(vec![service("redis", "redis:7")]).await;
    running.ready().await;
    assert_eq!(
        running.close().await["redis"],
        "starting running ready(tcp 6379) stopped"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn services_start_while_the_anchor_of_a_cold_sandbox_does() {
    let world = World::new().await;
    let pool = world.pool(0, 0).await;
    let sandbox = pool.take_early(&want("t1", "app")).await.unwrap();
    let (observer, events) = mpsc::unbounded_channel();
    let spec = StackSpec::new(
        world.agent.clone(),
        vec![service("redis", "redis:7")],
        world.data().join("stack"),
    );
    let stack = Stack::start(&world.engine, &sandbox, spec, observer);
    sandbox.stands().await.unwrap();
    let running = Running {
        world,
        pool,
        sandbox,
        stack,
        events,
    };
    running.ready().await;
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_probe_finds_a_small_web_server() {
    let server = "mkdir /tmp/www; echo hi > /tmp/www/index.html; echo serving; exec httpd -f -p 8080 -h /tmp/www";
    let by = |name: &str, probe| ServiceSpec {
        ready: ready(probe, 30_000),
        ..shell(name, server)
    };
    let running = start(vec![
        by("tcp", ReadyProbe::Tcp(8080)),
        by(
            "http",
            ReadyProbe::Http {
                port: 8080,
                path: "/index.html".into(),
            },
        ),
        by("log", ReadyProbe::Log("^serv.ng$".into())),
        by(
            "cmd",
            ReadyProbe::Cmd(HealthTest::Shell("wget -q -O- localhost:8080".into())),
        ),
        shell("none", server),
    ])
    .await;
    running.ready().await;
    let told = running.close().await;
    assert_eq!(
        told.values()
            .map(|line| line.split(' ').nth(2).unwrap_or_default())
            .collect::<Vec<_>>(),
        ["ready(cmd)", "ready(http", "ready(log)", "ready(running)", "ready(tcp"],
        "{told:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_exits_fails_the_stack_at_once_with_its_last_lines() {
    let broken = ServiceSpec {
        ready: ready(ReadyProbe::Tcp(1), 600_000),
        ..shell(
            "db",
            "for n in $(seq 60); do echo line $n; done; echo the token is s3cret; exit 7",
        )
    };
    let world = World::new().await;
    let mut spec = StackSpec::new(world.agent.clone(), vec![broken], world.data().join("stack"));
    spec.mask = Some(Arc::new(|line: &str| line.replace("s3cret", "•••")));
    let running = start_in(world, spec).await;
    let failure = running.failed().await;
    assert_eq!(failure.sentence(), "service `db` exited with 7 before it was ready");
    assert_eq!(failure.reason_code(), ReasonCode::ServiceExited);
    assert_eq!(failure.last_lines.len(), 50);
    assert!(failure.last_lines.contains(&"line 60".to_owned()));
    assert!(failure.last_lines.contains(&"the token is •••".to_owned()));
    assert_eq!(running.close().await["db"], "starting running exited(Some(7))");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_never_gets_ready_says_what_was_tried() {
    let deaf = ServiceSpec {
        ready: ready(ReadyProbe::Tcp(5432), 300),
        ..shell("deaf", "echo deaf; sleep 1000")
    };
    let running = start(vec![deaf]).await;
    let failure = running.failed().await;
    let FailureKind::NotReady { probe, last_probe, .. } = &failure.kind else {
        panic!("{failure:?}")
    };
    assert_eq!(probe, "tcp 5432");
    assert!(
        last_probe.as_ref().is_some_and(|words| words.contains("refused")),
        "{last_probe:?}"
    );
    assert_eq!(failure.last_lines, ["deaf"]);
    assert_eq!(running.close().await["deaf"], "starting running");

    let sick = ServiceSpec {
        ready: ready(ReadyProbe::Cmd(HealthTest::Shell("echo not yet; exit 1".into())), 500),
        ..shell("sick", "sleep 1000")
    };
    let running = start(vec![sick]).await;
    let failure = running.failed().await;
    assert_eq!(
        failure.sentence(),
        "service `sick` was not ready within 0.5 s (cmd): not yet"
    );
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_wait_for_what_they_depend_on() {
    use DependencyCondition as C;
    // each leaves its mark only if it finds what it waited for
    let db = ServiceSpec {
        ready: ready(ReadyProbe::Tcp(5432), 30_000),
        ..shell("db", "usleep 300000; exec nc -ll -p 5432 -e true")
    };
    let seed = ServiceSpec {
        depends_on: vec![after("db", C::ServiceHealthy)],
        run_once: true,
        ..shell("seed", "nc db 5432 -e true || exit 9; usleep 200000")
    };
    let web = ServiceSpec {
        depends_on: vec![
            after("seed", C::ServiceCompletedSuccessfully),
            after("db", C::ServiceHealthy),
        ],
        ready: ready(ReadyProbe::Tcp(80), 30_000),
        ..shell("web", "nc db 5432 -e true || exit 9; exec nc -ll -p 80 -e true")
    };
    let watcher = ServiceSpec {
        depends_on: vec![after("web", C::ServiceStarted)],
        ..shell("watcher", "sleep 1000")
    };
    let mut running = start(vec![watcher, web, seed, db]).await;
    let mut order = Vec::new();
    while order.len() < 4 {
        let event = soon(running.events.recv()).await.unwrap();
        match event.state {
            ServiceState::Running if event.service != "seed" => order.push(event.service),
            ServiceState::Exited { code: Some(0), .. } => order.push(format!("{} done", event.service)),
            _ => {}
        }
    }
    running.ready().await;
    assert_eq!(order, ["db", "seed done", "web", "watcher"]);
    running.close().await;
}

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
async fn more_memory_than_allowed_is_said_in_words() {
    let hog = ServiceSpec {
        entrypoint: Some(text(&["tail", "/dev/zero"])),
        mem_limit_bytes: Some(16 << 20),
        ready: ready(ReadyProbe::Tcp(1), 600_000),
        ..service("hog", "busybox")
    };
    let running = start(vec![hog]).await;
    let failure = running.failed().await;
    assert_eq!(
        failure.sentence(),
        "service `hog` ran out of memory and was ended: it may use 16 MiB; give it more with `mem_limit`"
    );
    assert_eq!(failure.reason_code(), ReasonCode::OutOfMemory);
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_after_ready_is_told_unless_it_may_happen() {
    let mortal = |name: &str| ServiceSpec {
        ready: ready(ReadyProbe::Tcp(80), 30_000),
        ..shell(name, "nc -l -p 80; nc -l -p 81; exit 4")
    };
    let tolerated = ServiceSpec {
        allow_failure: true,
        ..mortal("tolerated")
    };
    let mut running = start(vec![mortal("db"), tolerated]).await;
    running.ready().await;
    running.knock("tolerated").await;
    running
        .until("tolerated", |state| matches!(state, ServiceState::Exited { .. }))
        .await;
    running.knock("db").await;
    let failure = soon(running.stack.death()).await;
    assert_eq!(failure.service, "db");
    assert!(
        matches!(
            failure.kind,
            FailureKind::Exited {
                code: Some(4),
                stage: Stage::Ready,
                ..
            }
        ),
        "{failure:?}"
    );
    assert_eq!(failure.sentence(), "service `db` exited with 4 while it was needed");
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
async fn what_cannot_run_is_the_user_s_to_mend() {
    let typo = ServiceSpec {
        entrypoint: Some(text(&["postgers"])),
        ..service("typo", "busybox")
    };
    let running = start(vec![typo]).await;
    let failure = running.failed().await;
    assert_eq!(failure.reason_code(), ReasonCode::CommandNotFound, "{failure:?}");
    assert!(failure.sentence().contains("`postgers`"), "{}", failure.sentence());
    running.close().await;

    let running = start(vec![service("nope", "127.0.0.1:1/nope:1")]).await;
    let failure = running.failed().await;
    assert_eq!(
        failure.reason_code(),
        ReasonCode::Infrastructure,
        "no registry answers there: {failure:?}"
    );
    let told = running.close().await;
    assert_eq!(told["nope"], "starting pulling exited(None)");

    let nobody = ServiceSpec {
        user: Some("no-such-user".into()),
        ..shell("nobody", "true")
    };
    let running = start(vec![nobody]).await;
    let failure = running.failed().await;
    assert!(matches!(failure.kind, FailureKind::CannotStart { .. }), "{failure:?}");
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
    assert_eq!(told["seed"], "starting running ready(exited 0) exited(Some(0))");
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
