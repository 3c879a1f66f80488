//! Jobs with services: ready before the first step, and what their ends make of the job.

use job_specs::model::{BuildSpec, HealthTest, Healthcheck, Ready, ReadyProbe, ServiceSpec, StepSpec};
use protocol::attempt::{EventKind, ServiceState, StepStatus};
use protocol::ids::StreamId;
use tokio_util::sync::CancellationToken;

use crate::stage::{Stage, Story, after_failure, env, job, service, step};
use crate::world::soon;

fn states(story: &Story, name: &str) -> Vec<String> {
    let states = story.events.iter().filter_map(|event| match &event.kind {
        EventKind::Service { service, state } if service == name => Some(match state {
            ServiceState::Ready { probe, .. } => format!("ready by {probe}"),
            ServiceState::Exited { code, .. } => format!("exited {code:?}"),
            ServiceState::Pulling | ServiceState::Starting | ServiceState::Running => format!("{state:?}"),
            ServiceState::Unhealthy { .. } | ServiceState::Stopped => format!("{state:?}"),
        }),
        _ => None,
    });
    states.collect()
}

fn script(name: &str, script: &str) -> ServiceSpec {
    ServiceSpec {
        command: Some(vec!["sh".into(), "-c".into(), script.into()]),
        ..service(name, "busybox")
    }
}

fn ready_by_command(test: &str, timeout_ms: u64) -> Option<Ready> {
    Some(Ready {
        probe: ReadyProbe::Cmd(HealthTest::Shell(test.into())),
        timeout_ms,
        own_timeout: true,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_finds_its_service_ready_under_its_name() {
    let stage = Stage::new(1).await;
    let mut with_redis = job(vec![step("echo PING | nc -w 1 db 6379"), step("echo done")]);
    with_redis.services = vec![ServiceSpec {
        healthcheck: Some(Healthcheck {
            test: Some(HealthTest::Exec(vec!["redis-cli".into(), "ping".into()])),
            interval_ms: 500,
            timeout_ms: 2_000,
            ..Healthcheck::default()
        }),
        ..service("db", "redis:7")
    }];
    let story = stage.run(with_redis).await;
    assert_eq!(story.message(), "Passed", "{:?}", story.log(&StreamId::job()));
    assert_eq!(story.step(0), ["+PONG\r"]);
    assert_eq!(
        states(&story, "db"),
        ["Starting", "Running", "ready by healthcheck", "Stopped"]
    );
    let ready = story.at(|kind| {
        matches!(
            kind,
            EventKind::Service {
                state: ServiceState::Ready { .. },
                ..
            }
        )
    });
    let first = story.at(|kind| matches!(kind, EventKind::StepStarted { step: 0 }));
    assert!(ready <= first, "the first step began before its service was ready");
    let log = story.log(&StreamId::service("db"));
    assert!(
        log.iter().any(|line| line.contains("Ready to accept connections")),
        "{log:?}"
    );
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_exits_fails_the_job_with_its_last_words() {
    let stage = Stage::new(1).await;
    let mut broken = job(vec![step("echo never"), after_failure("echo looking after it")]);
    broken.services = vec![ServiceSpec {
        ready: ready_by_command("test -e /never", 60_000),
        ..script("db", "echo cannot open its files >&2; exit 7")
    }];
    let story = stage.run(broken).await;
    let message = story.message();
    assert!(
        message.starts_with("Failed ServiceExited: service `db` exited with 7"),
        "{message}"
    );
    let said = story.log(&StreamId::job()).join("\n");
    assert!(said.contains("cannot open its files"), "{said}");
    assert_eq!(story.log(&StreamId::service("db")), ["cannot open its files"]);
    assert_eq!(story.steps(), [(0, StepStatus::Skipped), (1, StepStatus::Passed)]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_never_ready_says_what_was_tried() {
    let stage = Stage::new(1).await;
    let mut slow = job(vec![step("echo never")]);
    slow.services = vec![ServiceSpec {
        ready: ready_by_command("echo not yet; false", 300),
        ..script("db", "sleep 1000")
    }];
    let message = stage.run(slow).await.message();
    assert!(message.starts_with("Failed ServiceNotReady: service `db`"), "{message}");
    assert!(message.contains("not yet"), "{message}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_dies_stops_the_step_that_runs() {
    let stage = Stage::new(1).await;
    let mut dying = job(vec![
        step("sleep 1000"),
        step("echo never"),
        after_failure("echo after"),
    ]);
    // It ends when the step is on its way.
    dying.services = vec![ServiceSpec {
        ready: ready_by_command("true", 60_000),
        environment: env(&[("LAST", "goodbye")]),
        ..script("db", "sleep 1; echo $LAST; exit 3")
    }];
    let story = stage.run(dying).await;
    let message = story.message();
    assert!(message.starts_with("Failed ServiceExited: service `db`"), "{message}");
    use StepStatus as S;
    assert_eq!(story.steps(), [(0, S::Failed), (1, S::Skipped), (2, S::Passed)]);
    assert_eq!(story.log(&StreamId::service("db")), ["goodbye"]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_may_fail_fails_nothing() {
    let stage = Stage::new(1).await;
    let mut lenient = job(vec![step("echo went on")]);
    lenient.services = vec![ServiceSpec {
        allow_failure: true,
        ready: ready_by_command("true", 60_000),
        ..script("extra", "exit 1")
    }];
    let story = stage.run(lenient).await;
    assert_eq!((story.message().as_str(), story.step(0)), ("Passed", vec!["went on"]));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_does_not_wait_for_a_service() {
    let stage = Stage::new(1).await;
    let mut slow = job(vec![step("echo never")]);
    slow.services = vec![ServiceSpec {
        ready: ready_by_command("false", 600_000),
        ..script("db", "echo up; sleep 1000")
    }];
    let input = stage.input(slow);
    let cancel = CancellationToken::new();
    let (story, ()) = tokio::join!(stage.run_input(input.clone(), cancel.clone()), async {
        stage.said(&input, &StreamId::service("db"), "up").await;
        cancel.cancel();
    });
    assert_eq!(
        story.message(),
        "Cancelled Cancelled: cancelled while its services were starting"
    );
    assert_eq!(story.steps(), [(0, StepStatus::Skipped)]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_of_a_job_without_a_network_reach_not_even_its_services() {
    let stage = Stage::new(1).await;
    let mut alone = job(vec![step("ls /sys/class/net; nc -w 1 db 81 || echo alone")]);
    alone.network_none = true;
    alone.services = vec![script("db", "nc -ll -p 81 -e hostname")];
    let story = stage.run(alone).await;
    assert_eq!(story.message(), "Passed", "{:?}", story.log(&StreamId::job()));
    assert_eq!(story.step(0), ["lo", "nc: bad address 'db'", "alone"]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_and_builds_are_reported_under_their_names() {
    let stage = Stage::new(1).await;
    let mut scaled = job(vec![step("cat /dev/null | nc web-1 81; cat /dev/null | nc web-2 81")]);
    let build = BuildSpec {
        context: ".".into(),
        dockerfile_inline: Some("FROM busybox\nCOPY hello /hello\n".into()),
        ..BuildSpec::default()
    };
    scaled.services = vec![ServiceSpec {
        build: Some(build),
        image: String::new(),
        scale: 2,
        expose: vec![81],
        ..script("web", "cat /hello; nc -ll -p 81 -e hostname")
    }];
    let story = stage.run(scaled).await;
    assert_eq!(story.message(), "Passed", "{:?}", story.log(&StreamId::job()));
    assert_eq!(story.step(0), ["web-1", "web-2"]);
    assert_eq!(
        states(&story, "web-2"),
        [
            "Starting",
            "Pulling",
            "Starting",
            "Running",
            "ready by tcp 81",
            "Stopped"
        ]
    );
    let log = story.log(&StreamId::service("web-2"));
    assert_eq!(log.first(), Some(&"Step 1/2 : FROM busybox"), "{log:?}");
    assert_eq!(log.last(), Some(&"hello from the tree"), "{log:?}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_the_image_of_a_service_that_cannot_be_built() {
    const IMAGE: &str = "127.0.0.1:1/app:1"; // and no registry has it
    let stage = Stage::new(1).await;
    // its container would be made ahead, of the image that the service is built into
    let mut broken = job(vec![StepSpec {
        image: IMAGE.into(),
        ..step("echo never")
    }]);
    let build = BuildSpec {
        context: ".".into(),
        dockerfile_inline: Some("FROM busybox\nRUN exit 9\n".into()),
        ..BuildSpec::default()
    };
    broken.services = vec![ServiceSpec {
        build: Some(build),
        ..service("app", IMAGE)
    }];
    let story = soon(stage.run(broken)).await;
    let message = story.message();
    assert!(
        message.starts_with("Failed ") && message.contains("`RUN exit 9`"),
        "{message}"
    );
    assert_eq!(story.steps(), [(0, StepStatus::Skipped)]);
    stage.close().await;
}
