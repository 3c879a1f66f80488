//! The agent as a service against a coordinator that is made for it: work, bad connections, cancels, crashes.

use std::path::PathBuf;

use agent::daemon::{self, AgentConfig, Stop};
use agent::engine;
use job_specs::model::{JobSpec, StepSpec};
use protocol::attempt::{EventKind, StepStatus, Verdict};
use protocol::ids::{AttemptId, StreamId};
use protocol::lease::Lease;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::checkout::Repository;
use crate::coordinator::{Coordinator, Fault, TOKEN};
use crate::stage::{job, secrets, step, told};

/// A coordinator, a repository, and a data folder for one agent after the other.
struct Site {
    coordinator: Coordinator,
    folder: TempDir,
    repository: Repository,
}

/// An agent on a runtime of its own, so that it can be killed with all its tasks.
struct Agent {
    runtime: Runtime,
    ended: JoinHandle<anyhow::Result<()>>,
    stop: Stop,
}

impl Site {
    async fn new() -> Site {
        let folder = tempfile::tempdir().unwrap();
        Site {
            coordinator: Coordinator::new().await,
            repository: Repository::new(folder.path()),
            folder,
        }
    }

    fn config(&self) -> AgentConfig {
        AgentConfig {
            coordinator_url: self.coordinator.url.clone(),
            token: TOKEN.into(),
            data: self.data(),
            slots: 1,
            labels: Default::default(),
            name: "tester".into(),
            once: false,
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts an agent on the data folder.
    fn agent(&self, config: AgentConfig) -> Agent {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let stop = Stop::default();
        let ended = runtime.spawn(daemon::run(config, stop.clone()));
        Agent { runtime, ended, stop }
    }

    /// Queues a job.
    fn queue(&self, spec: JobSpec) -> AttemptId {
        let lease = self.lease(spec);
        let attempt = lease.attempt.clone();
        self.coordinator.queue(lease);
        attempt
    }

    fn lease(&self, spec: JobSpec) -> Lease {
        Lease {
            attempt: AttemptId::generate(),
            epoch: 3,
            number: 1,
            build: 1,
            repository: "demo".into(),
            source: self.repository.source(),
            spec,
            env: Default::default(),
            secrets: Default::default(),
            trusted: true,
        }
    }

    /// Nothing of this agent is left in the engine, and no attempt in its folder.
    async fn assert_clean(&self) {
        let label = std::fs::read_to_string(self.data().join("agent-label")).unwrap();
        let swept = engine::reap(None, &label).await.unwrap();
        assert_eq!(
            (swept.containers, swept.networks, swept.volumes, swept.left),
            (0, 0, 0, 0),
            "left in the engine"
        );
        let attempts: Vec<_> = std::fs::read_dir(self.data().join("attempts")).unwrap().collect();
        assert!(attempts.is_empty(), "{attempts:?}");
    }
}

impl Agent {
    /// Lets it finish what it has, and waits for its end.
    async fn drain(self) {
        self.stop.drain.cancel();
        self.end().await.unwrap();
    }

    async fn end(self) -> anyhow::Result<()> {
        let ended = self.ended.await.unwrap();
        self.runtime.shutdown_background();
        ended
    }

    /// Ends it in the middle of whatever it does, without a word.
    async fn kill(self) {
        let end = move || self.runtime.shutdown_timeout(std::time::Duration::from_secs(5));
        tokio::task::spawn_blocking(end).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_and_everything_is_told() {
    let site = Site::new().await;
    let agent = site.agent(site.config());
    let attempt = site.queue(job(vec![step("cat code"), step("echo two; echo three >&2; exit 4")]));
    let result = site.coordinator.finished(&attempt).await;
    assert_eq!(
        told(&result),
        "Failed StepFailed: step `echo two; echo three >&2; exit 4` exited with 4"
    );
    agent.drain().await;
    {
        let truth = site.coordinator.truth();
        assert_eq!(truth.lines(&attempt, &StreamId::step(0)), ["first"]);
        let mut second = truth.lines(&attempt, &StreamId::step(1));
        second.sort();
        assert_eq!(second, ["three", "two"]);
        let told = truth.lines(&attempt, &StreamId::job());
        assert!(
            told.iter()
                .any(|line| line == "step 2 of 2: echo two; echo three >&2; exit 4"),
            "{told:?}"
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
    assert_eq!(told(&site.coordinator.finished(&attempt).await), "Passed");
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
    assert_eq!(told(&site.coordinator.finished(&attempt).await), "Passed");
    assert_eq!(
        site.coordinator.truth().lines(&attempt, &StreamId::step(1)),
        ["went on"]
    );
    agent.drain().await;
    site.assert_clean().await;
}

/// Waits for a file.
async fn until_there(file: &std::path::Path) {
    let watcher = agent::logs::tail::Watcher::new();
    let mut tail = watcher.follow(file, 0).unwrap();
    tail.next(&mut Vec::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_reaches_the_step() {
    let site = Site::new().await;
    let agent = site.agent(site.config());
    let attempt = site.queue(job(vec![step("sleep 1000"), step("echo never")]));
    site.coordinator.step_started(&attempt, 0).await;
    site.coordinator.cancel(&attempt);
    let result = site.coordinator.finished(&attempt).await;
    assert_eq!(told(&result), "Cancelled Cancelled: cancelled in step `sleep 1000`");
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
async fn a_killed_agent_goes_on_in_mid_step() {
    let site = Site::new().await;
    let agent = site.agent(site.config());
    let counting = "seq 1 500; until [ -e /workspace/go ]; do sleep 0.05; done; seq 501 1000";
    let mut spec = job(vec![step("echo before"), step(counting), step("echo after $TOKEN")]);
    spec.steps[2].secrets = vec!["TOKEN".into()];
    let mut lease = site.lease(spec);
    lease.secrets = secrets(&[("TOKEN", "s3cr3t-t0ken")]);
    let attempt = lease.attempt.clone();
    site.coordinator.queue(lease);
    let counting = StreamId::step(1);
    site.coordinator.said(&attempt, &counting, "500").await;
    agent.kill().await;

    let folder = site.data().join("attempts").join(attempt.as_str());
    let kept = std::fs::read_to_string(folder.join("attempt.json")).unwrap();
    assert!(!kept.contains("s3cr3t"), "no secret is written down");
    std::fs::write(folder.join("workspace/go"), "").unwrap();
    let agent = site.agent(site.config());
    assert_eq!(told(&site.coordinator.finished(&attempt).await), "Passed");
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
    assert_eq!(told(&site.coordinator.finished(&next).await), "Passed");
    agent.drain().await;
    assert_eq!(site.coordinator.truth().result(&attempt), None);
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
    let truth = site.coordinator.truth();
    assert_eq!(
        (truth.result(&first).is_some(), truth.result(&second).is_some()),
        (true, false)
    );
    drop(truth);
    site.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_stopped_at_once_blames_no_step() {
    let site = Site::new().await;
    let agent = site.agent(site.config());
    let attempt = site.queue(job(vec![step("sleep 1000")]));
    site.coordinator.step_started(&attempt, 0).await;
    agent.stop.now.cancel();
    let result = site.coordinator.finished(&attempt).await;
    assert_eq!(told(&result), "Errored Infrastructure: the agent was stopped");
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
        assert_eq!(told(&site.coordinator.finished(attempt).await), "Passed");
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
