//! Rights that a job's file asks for, and containers that stay.

use agent::attempt::retained::{Decision, RetainLimits, Retained, RetainedStack};
use job_specs::model::ServiceSpec;
use protocol::ids::StreamId;

use super::{fork, run, trusted};
use crate::stage::{Stage, job, service, step};

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_gets_neither_strong_capabilities_nor_its_own_seccomp_profile() {
    let stage = Stage::new(1).await;
    let with = |service: ServiceSpec| {
        let mut spec = job(vec![step("true")]);
        spec.services = vec![service];
        spec
    };
    let strong = |caps: &[&str]| {
        with(ServiceSpec {
            cap_add: caps.iter().map(|cap| (*cap).to_owned()).collect(),
            run_once: true,
            command: Some(vec!["true".into()]),
            ..service("strong", "busybox")
        })
    };
    let profile = with(ServiceSpec {
        seccomp: Some(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#.into()),
        ..service("open", "busybox")
    });
    for (spec, why) in [
        (strong(&["NET_ADMIN"]), "cap_add: [NET_ADMIN]"),
        (
            strong(&["CHOWN", "SYS_PTRACE", "NET_RAW"]),
            "cap_add: [SYS_PTRACE, NET_RAW]",
        ),
        (profile, "a seccomp profile of its own"),
    ] {
        let story = run(&stage, fork(&stage, "app", spec)).await;
        assert!(
            story.message().starts_with("Failed") && story.message().contains(why),
            "{}",
            story.message()
        );
        assert!(story.step(0).is_empty());
    }
    let message = run(&stage, fork(&stage, "app", strong(&["CHOWN", "SETUID"])))
        .await
        .message();
    assert_eq!(message, "Passed", "what it has anyway it may name");
    let message = run(&stage, trusted(&stage, "app", strong(&["NET_ADMIN"])))
        .await
        .message();
    assert_eq!(message, "Passed");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_fork_is_retained_and_nobody_retains_without_end() {
    let mut stage = Stage::new(1).await;
    stage.context.retained = Retained::limited(RetainLimits {
        agent: 2,
        repository: 1,
    });
    let failing = || {
        let mut spec = job(vec![step("exit 1")]);
        spec.hold_on_failure_secs = Some(12 * 3600);
        spec
    };
    let story = run(&stage, fork(&stage, "app", failing())).await;
    let said = story.log(&StreamId::job()).join("\n");
    assert!(
        said.contains("containers and services are not retained: its code is not trusted"),
        "{said}"
    );

    let holding = {
        let (context, input) = (stage.context.clone(), trusted(&stage, "app", failing()));
        let (events, _told) = tokio::sync::mpsc::unbounded_channel();
        let (streams, _news) = tokio::sync::mpsc::unbounded_channel();
        let outlet = agent::attempt::Outlet { events, streams };
        agent::attempt::run(&context, input, outlet, Default::default()).await
    };
    let time = std::time::Duration::from_secs(600);
    let stack = RetainedStack::new(protocol::ids::StackId("s1".into()), 1, time, "app");
    holding.retain.unwrap().decide(Decision::Retain(stack));
    let story = run(&stage, trusted(&stage, "app", failing())).await;
    let said = story.log(&StreamId::job()).join("\n");
    assert!(
        said.contains("not retained: those of 1 jobs of `app` stay on this agent already"),
        "{said}"
    );
    while stage.context.retained.list().is_empty() {
        tokio::task::yield_now().await;
    }
    stage.context.retained.release_all();
    holding.removal.await.unwrap();
    stage.close().await;
}
