//! Services that fail: in words, with their last lines.

use std::sync::Arc;

use agent::attempt::report::reasons::code_of;
use agent::stack::{FailureKind, StackSpec, Stage};
use job_specs::model::{ReadyProbe, ServiceSpec};
use protocol::attempt::{ReasonCode, ServiceState};

use super::{ready, service, shell, start, start_in};
use crate::world::{World, soon, text};

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
    assert_eq!(code_of(&failure), ReasonCode::ServiceExited);
    assert_eq!(failure.last_lines.len(), 50);
    assert!(failure.last_lines.contains(&"line 60".to_owned()));
    assert!(failure.last_lines.contains(&"the token is •••".to_owned()));
    assert_eq!(running.close().await["db"], "starting running exited(Some(7))");
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
    assert_eq!(code_of(&failure), ReasonCode::OutOfMemory);
    running.close().await;
}

// key: services.allow_failure
#[tokio::test(flavor = "multi_thread")]
async fn a_death_after_ready_is_reported_unless_it_may_happen() {
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
async fn what_cannot_run_is_the_user_s_to_mend() {
    let typo = ServiceSpec {
        entrypoint: Some(text(&["postgers"])),
        ..service("typo", "busybox")
    };
    let running = start(vec![typo]).await;
    let failure = running.failed().await;
    assert_eq!(code_of(&failure), ReasonCode::CommandNotFound, "{failure:?}");
    assert!(failure.sentence().contains("`postgers`"), "{}", failure.sentence());
    running.close().await;

    let running = start(vec![service("nope", "127.0.0.1:1/nope:1")]).await;
    let failure = running.failed().await;
    assert_eq!(
        code_of(&failure),
        ReasonCode::Infrastructure,
        "no registry answers there: {failure:?}"
    );
    let message = running.close().await;
    assert_eq!(message["nope"], "starting pulling exited(None)");

    let nobody = ServiceSpec {
        user: Some("no-such-user".into()),
        ..shell("nobody", "true")
    };
    let running = start(vec![nobody]).await;
    let failure = running.failed().await;
    assert!(matches!(failure.kind, FailureKind::CannotStart { .. }), "{failure:?}");
    running.close().await;
}
