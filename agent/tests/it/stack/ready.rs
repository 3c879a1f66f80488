//! Readiness: every probe, dependencies, and a service that never gets there.

use agent::stack::{FailureKind, Stack, StackSpec, WaitEnd};
use futures_util::FutureExt;
use job_specs::model::{DependencyCondition, HealthTest, Healthcheck, ReadyProbe, ServiceSpec};
use protocol::attempt::ServiceState;
use tokio::sync::mpsc;

use super::{Running, after, healthcheck, ready, service, shell, start};
use crate::world::{World, soon, text, want};

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
    let message = running.close().await;
    assert_eq!(message["exec"], "starting running ready(healthcheck) stopped");
    assert_eq!(message["shell"], "starting running ready(healthcheck) stopped");
}

// key: services.image
#[tokio::test(flavor = "multi_thread")]
async fn without_a_healthcheck_an_exposed_port_says_it() {
    let running = start(vec![service("redis", "redis:7")]).await;
    running.ready().await;
    assert_eq!(
        running.close().await["redis"],
        "starting running ready(tcp 6379) stopped"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_only_initialises_the_image_is_not_the_service() {
    // answers on its socket, goes, and only then is there a server that others reach
    let db = ServiceSpec {
        expose: vec![443, 5432],
        healthcheck: Some(Healthcheck {
            interval_ms: 50,
            ..healthcheck(HealthTest::Exec(text(&["test", "-e", "/tmp/socket"]))).unwrap()
        }),
        ..shell(
            "db",
            "touch /tmp/socket; usleep 700000; rm /tmp/socket; usleep 200000; touch /tmp/served /tmp/socket; \
             exec nc -ll -p 5432 -e cat /tmp/served",
        )
    };
    let client = ServiceSpec {
        depends_on: vec![after("db", DependencyCondition::ServiceHealthy)],
        run_once: true,
        ..shell("client", "nc db 5432 </dev/null || exit 9")
    };
    let by_command = ServiceSpec {
        healthcheck: None,
        ready: ready(ReadyProbe::Cmd(HealthTest::Shell("test -e /tmp/socket".into())), 60_000),
        ..db.clone()
    };
    for (db, probe) in [(db, "healthcheck"), (by_command, "cmd")] {
        let running = start(vec![client.clone(), db]).await;
        running.ready().await;
        let message = format!("starting running ready({probe}) stopped");
        assert_eq!(running.close().await["db"], message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_exposed_port_will_do() {
    let proxy = ServiceSpec {
        expose: vec![443, 8080, 8443],
        ..shell("proxy", "exec nc -ll -p 8080 -e true")
    };
    let running = start(vec![proxy]).await;
    running.ready().await;
    assert_eq!(
        running.close().await["proxy"],
        "starting running ready(tcp 8080) stopped"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn used_up_retries_end_the_wait_and_its_noise_pushes_nothing_out() {
    let sick = ServiceSpec {
        expose: vec![5432],
        healthcheck: Some(Healthcheck {
            interval_ms: 10,
            retries: 60,
            own_retries: true,
            ..healthcheck(HealthTest::Shell(
                "test -p /tmp/f && echo asked by process $$ >/tmp/f; echo no table; exit 1".into(),
            ))
            .unwrap()
        }),
        ..shell(
            "sick",
            "mkfifo /tmp/f; echo disk is full; while true; do cat /tmp/f; done",
        )
    };
    let running = start(vec![sick]).await;
    let failure = running.failed().await;
    let FailureKind::NotReady { over, .. } = &failure.kind else {
        panic!("{failure:?}")
    };
    assert_eq!(*over, WaitEnd::Retries(60));
    let sentence = failure.sentence();
    let said = "its healthcheck failed 60 times in a row, which is as often as it may: no table";
    assert!(
        sentence.starts_with("service `sick` was not ready after ") && sentence.ends_with(said),
        "{sentence}"
    );
    assert_eq!(failure.last_lines.first().map(String::as_str), Some("disk is full"));
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_of_what_nobody_and_nothing_waits_for_is_said_and_no_death() {
    let of_compose = |name: &str, script: &str| ServiceSpec {
        may_end: true,
        ..shell(name, script)
    };
    let mut running = start(vec![
        shell("own", "nc -l -p 81 -e true"),
        of_compose("refused", "exit 9"),
    ])
    .await;
    running.ready().await;
    for (name, expected) in [
        ("refused", "it exited with 9; nothing waits for it, so the job goes on"),
        (
            "own",
            "it exited with 0; with `run_once: true` the steps wait for its end",
        ),
    ] {
        if name == "own" {
            running.knock(name).await;
        }
        let exited = running
            .until(name, |state| matches!(state, ServiceState::Exited { .. }))
            .await;
        let ServiceState::Exited { warning, .. } = exited else {
            unreachable!()
        };
        assert_eq!(warning.as_deref(), Some(expected));
    }
    assert!(running.stack.death().now_or_never().is_none());
    running.close().await;

    // In the job's own file an end with another code is a death, and so it is where somebody waits.
    let awaited = of_compose("awaited", "exit 9");
    let waiting = ServiceSpec {
        depends_on: vec![after("awaited", DependencyCondition::ServiceStarted)],
        ..shell("waiting", "sleep 1000")
    };
    for services in [vec![shell("own", "sleep 0.3; exit 9")], vec![awaited, waiting]] {
        let running = start(services).await;
        let failure = soon(running.stack.death()).await;
        assert!(failure.sentence().contains("exited with 9"), "{}", failure.sentence());
        running.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_a_compose_file_may_end_with_0_at_any_time() {
    let once = |name: &str, script: &str| ServiceSpec {
        may_end: true,
        ..shell(name, script)
    };
    let bucket = once("bucket", "nc -l -p 81 -e true; echo made");
    let early = ServiceSpec {
        expose: vec![8000],
        ..once("early", "echo migrated")
    };
    let web = ServiceSpec {
        depends_on: vec![after("early", DependencyCondition::ServiceStarted)],
        ..once("web", "sleep 1000")
    };
    let mut running = start(vec![bucket, early, web]).await;
    running.ready().await;
    running.knock("bucket").await;
    running
        .until("bucket", |state| matches!(state, ServiceState::Exited { .. }))
        .await;
    assert!(running.stack.death().now_or_never().is_none(), "an end is no death");
    assert_eq!(running.log("bucket"), ["made"]);
    assert_eq!(running.log("early"), ["migrated"]);
    running.close().await;

    let waited = ServiceSpec {
        ready: ready(ReadyProbe::Tcp(1), 60_000),
        ..once("waited", "true")
    };
    let waiting = ServiceSpec {
        depends_on: vec![after("waited", DependencyCondition::ServiceHealthy)],
        ..once("waiting", "sleep 1000")
    };
    for (services, sentence) in [(
        vec![waited, waiting],
        "service `waited` exited with 0 before it was ready",
    )] {
        let running = start(services).await;
        let failure = soon(running.stack.death()).await.sentence();
        assert!(failure.starts_with(sentence), "{failure}");
        running.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn services_that_share_an_alias_are_both_found_by_it() {
    let replica = |name: &str| ServiceSpec {
        aliases: vec!["api".into()],
        expose: vec![80],
        ..shell(name, "exec nc -ll -p 80 -e hostname")
    };
    let client = ServiceSpec {
        depends_on: vec![
            after("one", DependencyCondition::ServiceHealthy),
            after("two", DependencyCondition::ServiceHealthy),
        ],
        run_once: true,
        ..shell("client", "nslookup api | grep -A9 'Name:' | grep -c 'Address'")
    };
    let running = start(vec![replica("one"), replica("two"), client]).await;
    running.ready().await;
    assert_eq!(running.log("client"), ["2"]);
    running.close().await;
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

// key: services.ready
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
    let message = running.close().await;
    assert_eq!(
        message
            .values()
            .map(|line| line.split(' ').nth(2).unwrap_or_default())
            .collect::<Vec<_>>(),
        ["ready(cmd)", "ready(http", "ready(log)", "ready(running)", "ready(tcp"],
        "{message:#?}"
    );
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
        "service `sick` was not ready within 500ms (cmd): not yet"
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
