//! Work that comes, goes well or badly, is cancelled or taken away, on good and bad roads.

use agent::daemon::AgentConfig;
use job_specs::model::StepSpec;
use protocol::attempt::{EventKind, StepStatus};
use protocol::ids::StreamId;

use super::{Site, until_there};
use crate::coordinator::Fault;
use crate::stage::{job, message, step};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_and_everything_is_reported() {
    let site = Site::new().await;
    let agent = site.agent(site.config());
    let attempt = site.queue(job(vec![step("cat code"), step("echo two; echo three >&2; exit 4")]));
    let result = site.coordinator.finished(&attempt).await;
    assert_eq!(
        message(&result),
        "Failed StepFailed: step `echo two; echo three >&2; exit 4` exited with 4"
    );
    agent.drain().await;
    {
        let truth = site.coordinator.truth();
        assert_eq!(truth.lines(&attempt, &StreamId::step(0)), ["first"]);
        let mut second = truth.lines(&attempt, &StreamId::step(1));
        second.sort();
        assert_eq!(second, ["three", "two"]);
        let message = truth.lines(&attempt, &StreamId::job());
        assert!(
            message
                .iter()
                .any(|line| line == "step 2 of 2: echo two; echo three >&2; exit 4"),
            "{message:?}"
        );
        let kinds: Vec<_> = truth.events[&attempt].values().map(|event| &event.kind).collect();
        assert_eq!(kinds[0], &EventKind::Started);
        assert!(kinds.contains(&&EventKind::StepStarted { step: 1 }));
    }
    site.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_is_lost_or_doubled_on_a_bad_road() {
    let site = Site::new().await;
    use Fault::{AnswerLost, Broken, Forgot};
    site.coordinator
        .break_logs([Broken, AnswerLost, Forgot, AnswerLost, Broken, Forgot]);
    let agent = site.agent(site.config());
    let attempt = site.queue(job(vec![step("for n in 1 2 3 4; do seq ${n}0001 ${n}5000; done")]));
    assert_eq!(message(&site.coordinator.finished(&attempt).await), "Passed");
    agent.drain().await;
    let expected = (1..=4).flat_map(|n| (n * 10_000 + 1..=n * 10_000 + 5_000).map(|line: u32| line.to_string()));
    let lines = site.coordinator.truth().lines(&attempt, &StreamId::step(0));
    assert_eq!(lines.len(), 20_000);
    assert!(lines.into_iter().eq(expected), "in order");
    site.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_while_the_coordinator_is_away() {
    let site = Site::new().await;
    let agent = site.agent(site.config());
    let go = "until [ -e /workspace/go ]; do sleep 0.05; done";
    let attempt = site.queue(job(vec![step(go), step("echo went on")]));
    site.coordinator.step_started(&attempt, 0).await;
    site.coordinator.set_away(true);
    let folder = site.data().join("attempts").join(attempt.as_str());
    std::fs::write(folder.join("workspace/go"), "").unwrap();
    until_there(&folder.join("ended")).await;
    site.coordinator.set_away(false);
    assert_eq!(message(&site.coordinator.finished(&attempt).await), "Passed");
    assert_eq!(
        site.coordinator.truth().lines(&attempt, &StreamId::step(1)),
        ["went on"]
    );
    agent.drain().await;
    site.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_reaches_the_step() {
    let site = Site::new().await;
    let agent = site.agent(site.config());
    let attempt = site.queue(job(vec![step("sleep 1000"), step("echo never")]));
    site.coordinator.step_started(&attempt, 0).await;
    site.coordinator.cancel(&attempt);
    let result = site.coordinator.finished(&attempt).await;
    assert_eq!(message(&result), "Cancelled Cancelled: cancelled in step `sleep 1000`");
    agent.drain().await;
    site.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_was_given_to_another_agent_stops() {
    let site = Site::new().await;
    let agent = site.agent(site.config());
    let attempt = site.queue(job(vec![step("while true; do echo on; sleep 0.1; done")]));
    site.coordinator.step_started(&attempt, 0).await;
    site.coordinator.give_away(&attempt);
    agent.drain().await;
    assert_eq!(
        site.coordinator.truth().result(&attempt),
        None,
        "nothing is told of what is not ours"
    );
    site.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_for_one_job_takes_one_job() {
    let site = Site::new().await;
    let (first, second) = (site.queue(job(vec![step("true")])), site.queue(job(vec![step("true")])));
    let agent = site.agent(AgentConfig {
        once: true,
        slots: 2,
        ..site.config()
    });
    agent.end().await.unwrap();
    let is_over = |attempt| site.coordinator.truth().result(attempt).is_some();
    assert_eq!((is_over(&first), is_over(&second)), (true, false));
    site.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_stopped_at_once_says_what_ran_and_fails_no_step() {
    let site = Site::new().await;
    let agent = site.agent(site.config());
    let attempt = site.queue(job(vec![step("sleep 1000")]));
    site.coordinator.step_started(&attempt, 0).await;
    agent.stop.now.cancel();
    let result = site.coordinator.finished(&attempt).await;
    assert_eq!(
        message(&result),
        "Errored Infrastructure: the agent was stopped in step `sleep 1000`"
    );
    agent.end().await.unwrap();
    site.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_ends_the_agent() {
    let site = Site::new().await;
    let agent = site.agent(AgentConfig {
        token: "wrong".into(),
        ..site.config()
    });
    let error = agent.end().await.unwrap_err();
    assert!(format!("{error:#}").contains("refuses this agent's token"), "{error:#}");
    site.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_are_used_and_held_work_is_renewed() {
    let site = Site::new().await;
    let agent = site.agent(AgentConfig {
        slots: 2,
        ..site.config()
    });
    let quick = StepSpec {
        allow_failure: true,
        ..step("exit 1")
    };
    let attempts: Vec<_> = (0..6).map(|_| site.queue(job(vec![quick.clone()]))).collect();
    for attempt in &attempts {
        assert_eq!(message(&site.coordinator.finished(attempt).await), "Passed");
    }
    agent.drain().await;
    {
        let truth = site.coordinator.truth();
        assert!(truth.polls.iter().all(|poll| poll.free_slots <= 2 && poll.slots == 2));
        assert!(
            truth
                .polls
                .iter()
                .filter(|poll| !poll.held.is_empty())
                .all(|poll| poll.hold_secs == Some(10))
        );
        let statuses = attempts
            .iter()
            .flat_map(|attempt| truth.events[attempt].values())
            .filter_map(|event| {
                let EventKind::StepFinished { outcome, .. } = &event.kind else {
                    return None;
                };
                Some(outcome.status)
            });
        assert_eq!(statuses.collect::<Vec<_>>(), [StepStatus::Failed; 6]);
    }
    site.assert_clean().await;
}
