//! Agents that are killed in the middle of their work, and the next ones on the same data folder.

use job_specs::model::{Retry, StepSpec};
use protocol::attempt::{EventKind, StepStatus, Verdict};
use protocol::ids::StreamId;

use super::{Site, until_there};
use crate::retained::stack_id;
use crate::stage::{job, message, secrets, service, step};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_goes_on_in_mid_step() {
    let site = Site::new().await;
    let agent = site.agent(site.config());
    let counting = "seq 1 500; until [ -e /workspace/go ]; do sleep 0.05; done; seq 501 1000";
    let mut spec = job(vec![step("echo before"), step(counting), step("echo after $TOKEN")]);
    spec.steps[2].secrets = vec!["TOKEN".into()];
    let mut lease = site.lease(spec);
    lease.secrets = secrets(&[("TOKEN", "s3cr3t-t0ken")]);
    let attempt = site.coordinator.queue_attempt(lease);
    let counting = StreamId::step(1);
    site.coordinator.said(&attempt, &counting, "500").await;
    agent.kill().await;

    let folder = site.data().join("attempts").join(attempt.as_str());
    let kept = std::fs::read_to_string(folder.join("attempt.json")).unwrap();
    assert!(!kept.contains("s3cr3t"), "no secret is written down");
    std::fs::write(folder.join("workspace/go"), "").unwrap();
    let agent = site.agent(site.config());
    assert_eq!(message(&site.coordinator.finished(&attempt).await), "Passed");
    agent.drain().await;
    {
        let truth = site.coordinator.truth();
        let expected: Vec<String> = (1..=1000).map(|n| n.to_string()).collect();
        assert_eq!(truth.lines(&attempt, &counting), expected);
        assert_eq!(truth.lines(&attempt, &StreamId::step(0)), ["before"]);
        assert_eq!(truth.lines(&attempt, &StreamId::step(2)), ["after •••"]);
        let starts = truth.events[&attempt]
            .values()
            .filter(|e| matches!(e.kind, EventKind::StepStarted { .. }));
        assert_eq!(starts.count(), 3, "every step ran once");
    }
    site.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_outlive_a_killed_agent_too() {
    let site = Site::new().await;
    let agent = site.agent(site.config());
    let ping = "echo PING | nc -w 1 db 6379";
    let wait = format!("{ping}; until [ -e /workspace/go ]; do sleep 0.05; done; {ping}");
    let mut spec = job(vec![step(&wait), step(ping)]);
    spec.services = vec![service("db", "redis:7")];
    let attempt = site.queue(spec);
    site.coordinator.said(&attempt, &StreamId::step(0), "+PONG\r").await;
    agent.kill().await;

    let folder = site.data().join("attempts").join(attempt.as_str());
    std::fs::write(folder.join("workspace/go"), "").unwrap();
    let agent = site.agent(site.config());
    assert_eq!(message(&site.coordinator.finished(&attempt).await), "Passed");
    agent.drain().await;
    {
        let truth = site.coordinator.truth();
        assert_eq!(truth.lines(&attempt, &StreamId::step(0)), ["+PONG\r", "+PONG\r"]);
        assert_eq!(truth.lines(&attempt, &StreamId::step(1)), ["+PONG\r"]);
        let log = truth.lines(&attempt, &StreamId::service("db"));
        let starts = log
            .iter()
            .filter(|line| line.contains("Ready to accept connections"))
            .count();
        assert_eq!(starts, 1, "it was not started again, nor its log doubled: {log:?}");
        let states = truth.events[&attempt].values().filter_map(|event| match &event.kind {
            EventKind::Service { state, .. } => Some(format!("{state:?}").split(' ').next().unwrap().to_owned()),
            _ => None,
        });
        assert_eq!(states.collect::<Vec<_>>(), ["Starting", "Running", "Ready", "Stopped"]);
    }
    site.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_outlives_the_agent_that_could_not_tell_it() {
    let site = Site::new().await;
    let agent = site.agent(site.config());
    let attempt = site.queue(job(vec![step(
        "echo one; until [ -e /workspace/go ]; do sleep 0.05; done; exit 5",
    )]));
    site.coordinator.step_started(&attempt, 0).await;
    site.coordinator.set_away(true);
    let folder = site.data().join("attempts").join(attempt.as_str());
    std::fs::write(folder.join("workspace/go"), "").unwrap();
    until_there(&folder.join("ended")).await;
    agent.kill().await;
    site.coordinator.set_away(false);
    let agent = site.agent(site.config());
    assert_eq!(site.coordinator.finished(&attempt).await.verdict, Verdict::Failed);
    assert_eq!(site.coordinator.truth().lines(&attempt, &StreamId::step(0)), ["one"]);
    agent.drain().await;
    site.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_agent_held_and_lost_is_swept() {
    let site = Site::new().await;
    let agent = site.agent(site.config());
    let attempt = site.queue(job(vec![step("sleep 1000"), step("echo held")]));
    site.coordinator.step_started(&attempt, 0).await;
    agent.kill().await;
    site.coordinator.give_away(&attempt);
    let agent = site.agent(site.config());
    let next = site.queue(job(vec![step("echo next")]));
    assert_eq!(message(&site.coordinator.finished(&next).await), "Passed");
    agent.drain().await;
    assert_eq!(site.coordinator.truth().result(&attempt), None);
    site.assert_clean().await;
}

// key: steps.retry
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_goes_on_in_mid_retry() {
    let site = Site::new().await;
    let agent = site.agent(site.config());
    let script = "echo try >> tries; echo try $(wc -l < tries)\ntest $(wc -l < tries) -ge 2\n\
                  until [ -e go ]; do sleep 0.05; done; echo done";
    let flaky = StepSpec {
        name: "flaky".into(),
        retry: Retry { max: 3, on: Vec::new() },
        ..step(script)
    };
    let attempt = site.queue(job(vec![flaky]));
    let log = StreamId::step(0);
    site.coordinator.said(&attempt, &log, "try 2").await;
    agent.kill().await;

    let folder = site.data().join("attempts").join(attempt.as_str());
    std::fs::write(folder.join("workspace/go"), "").unwrap();
    let agent = site.agent(site.config());
    assert_eq!(message(&site.coordinator.finished(&attempt).await), "Passed");
    agent.drain().await;
    {
        let truth = site.coordinator.truth();
        let expected = ["try 1", "try 2 of 4: step `flaky` exited with 1", "try 2", "done"];
        assert_eq!(truth.lines(&attempt, &log), expected);
        let ends = truth.events[&attempt].values().filter_map(|event| match &event.kind {
            EventKind::StepFinished { outcome, .. } => Some((outcome.status, outcome.tries)),
            _ => None,
        });
        assert_eq!(ends.collect::<Vec<_>>(), [(StepStatus::Passed, 2)]);
    }
    site.assert_clean().await;
}

// key: hold_on_failure
#[tokio::test(flavor = "multi_thread")]
async fn a_stack_outlives_agents_that_are_killed_and_that_are_drained() {
    let site = Site::new().await;
    let mut spec = job(vec![step("exit 3")]);
    spec.services = vec![service("db", "redis:7")];
    spec.hold_on_failure_secs = Some(3600);
    let agent = site.agent(site.config());
    let attempt = site.queue(spec);
    assert_eq!(site.coordinator.finished(&attempt).await.verdict, Verdict::Failed);
    let held = |from: usize| {
        let (site, coordinator, attempt) = (&site, &site.coordinator, &attempt);
        async move {
            // Other work makes it poll again.
            coordinator.finished(&site.queue(job(vec![step("true")]))).await;
            let names =
                |poll: &protocol::lease::Poll| poll.stacks.iter().any(|report| report.stack == stack_id(attempt));
            coordinator.until(|truth| truth.polls[from..].iter().any(names)).await;
            coordinator.truth().polls.len()
        }
    };
    let seen = held(0).await;
    agent.kill().await;
    let agent = site.agent(site.config());
    let seen = held(seen).await;
    agent.drain().await;
    let agent = site.agent(site.config());
    held(seen).await;
    site.coordinator
        .change(|truth| truth.release.extend([stack_id(&attempt)]));
    let next = site.queue(job(vec![step("echo next")]));
    assert_eq!(message(&site.coordinator.finished(&next).await), "Passed");
    super::until_gone(&site.data().join("attempts").join(attempt.as_str())).await;
    agent.drain().await;
    site.assert_clean().await;
}
