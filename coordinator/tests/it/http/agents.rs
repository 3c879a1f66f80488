//! What agents ask and report.

use protocol::attempt::{AttemptResult, EventKind, ReasonCode, Verdict};
use protocol::lease::{LogAnswer, PollAnswer};
use reqwest::{Method, Response};
use serde_json::json;
use tokio::task::JoinHandle;

use super::support::{Leased, PASSING, SimAgent, TestApp, TestRepository, records, within};

async fn app_with_build() -> (TestApp, TestRepository, i64) {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let build = app.push(&repository, &[(".drover.yml", PASSING)]).await;
    let number = build["number"].as_i64().unwrap();
    (app, repository, number)
}

/// Begins a poll, and waits until the coordinator has seen it.
async fn hold(app: &TestApp, agent: &SimAgent, free_slots: u32) -> JoinHandle<reqwest::Result<Response>> {
    let poll = app.anonymous(Method::POST, "/agent/v1/poll").bearer_auth(&agent.token);
    let polling = tokio::spawn(poll.json(&agent.poll_body(free_slots)).send());
    app.until(async || {
        let agents = app.get("/api/v1/agents").await.json();
        agents[0]["seen_at"].is_i64().then_some(())
    })
    .await;
    polling
}

#[tokio::test]
async fn a_lease_says_all_that_an_agent_must_know() {
    let (app, repository, number) = app_with_build().await;
    let mut agent = SimAgent::enrol(&app).await;
    let lease = agent.take(&app).await;
    let build = app.build(number).await;
    assert_eq!(
        (lease.build, lease.number, lease.repository.as_str()),
        (number, 1, "app")
    );
    assert_eq!(lease.source.git, repository.address);
    assert_eq!(lease.source.commit, build["commit"]);
    assert_eq!(lease.source.reference, "refs/heads/main");
    assert_eq!(lease.spec.name, "test");
    assert_eq!(lease.env["DROVER_BUILD"], number.to_string());
    assert_eq!(lease.env["DROVER_BRANCH"], "main");
    assert!(lease.trusted && lease.secrets.is_empty());
    assert_eq!(app.build(number).await["status"], "running");
    agent.started(&app, &lease).await;
    agent.pass(&app, &lease).await;
    let build = app.until_status(number, "passed").await;
    assert_eq!(build["jobs"][0]["attempts"][0]["verdict"], "passed");
    assert_eq!(build["jobs"][0]["agent"], "sim");
}

#[tokio::test]
async fn a_held_poll_is_answered_by_the_push() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let agent = SimAgent::enrol(&app).await;
    let (answer, build) = tokio::join!(agent.poll(&app, 1), app.push(&repository, &[(".drover.yml", PASSING)]));
    let leases: Vec<Leased> = answer.leases.into_iter().map(Leased::from).collect();
    assert_eq!(leases.len(), 1);
    assert_eq!(leases[0].build, build["number"]);
}

const LABELLED: &str = "jobs:
  deploy: {image: busybox, runs_on: {env: prod}, steps: [echo hi]}
";

#[tokio::test]
async fn an_agent_has_the_labels_that_it_was_let_in_with() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    app.push(&repository, &[(".drover.yml", LABELLED)]).await;
    let ask = async |agent: &SimAgent| {
        let mut poll = agent.poll_body(1);
        poll.labels = [("env".to_owned(), "prod".to_owned())].into();
        poll.hold_secs = Some(0);
        let answer = agent.poll_with(&app, &poll).await.expect(200);
        serde_json::from_str::<PollAnswer>(&answer.text).unwrap()
    };
    // It came in without labels, or its code has others: whatever it says later, or said then, it gets no such job.
    let late = SimAgent::enrol(&app).await;
    let bold = SimAgent::enrol_with(&app, json!({"labels": {"env": "test"}}), json!({"env": "prod"})).await;
    for (agent, labels) in [(&late, json!({})), (&bold, json!({"env": "test"}))] {
        let answer = ask(agent).await;
        assert!(answer.leases.is_empty());
        assert_eq!(json!(answer.labels), labels, "and hears so");
    }
    let agents = app.get("/api/v1/agents").await.json();
    assert_eq!(agents[0]["asked_labels"], json!({"env": "prod"}), "{agents}");
    let page = app.get("/agents").await.expect(200).text;
    assert!(page.contains("does not get them"), "{page}");
    // Only people change them.
    let labels = |labels| {
        app.request(Method::PUT, "/api/v1/agents/sim/labels")
            .json(&json!({"labels": labels}))
    };
    app.send(labels(json!({"": "x"}))).await.expect(422);
    let changed = app.send(labels(json!({"env": "prod"}))).await.expect(200).json();
    assert_eq!(changed["labels"], json!({"env": "prod"}), "{changed}");
    let answer = ask(&late).await;
    assert_eq!((answer.leases.len(), answer.labels), (1, None));
    let asked = SimAgent::enrol_with(&app, json!({}), json!({"env": "prod"})).await;
    assert_eq!(
        ask(&asked).await.labels,
        None,
        "a code without labels leaves it to the agent, once"
    );
    let bad = app
        .post("/api/v1/agents/enrolment-codes", json!({"labels": {"a": "b\n"}}))
        .await;
    bad.expect(422);
}

#[tokio::test]
async fn a_poll_with_nothing_to_say_ends_in_its_time() {
    let app = TestApp::start().await;
    let agent = SimAgent::enrol(&app).await;
    let mut poll = agent.poll_body(1);
    poll.hold_secs = Some(0);
    let answer: PollAnswer = serde_json::from_str(&agent.poll_with(&app, &poll).await.expect(200).text).unwrap();
    assert!(answer.leases.is_empty() && answer.cancel.is_empty() && answer.lost.is_empty() && !answer.drain);
}

#[tokio::test]
async fn a_cancellation_reaches_the_agent_at_once_and_is_news_only_once() {
    let (app, repository, number) = app_with_build().await;
    let mut agent = SimAgent::enrol(&app).await;
    let lease = agent.take(&app).await;
    agent.started(&app, &lease).await;
    let path = format!("/api/v1/builds/{number}/cancel");
    let (answer, cancelled) = tokio::join!(agent.poll(&app, 1), app.post(&path, json!({})));
    cancelled.expect(202);
    assert_eq!(answer.cancel, std::slice::from_ref(&lease.attempt));
    // The agent is still stopping it: what answers its next poll is the next push.
    let files = [(".drover.yml", PASSING), ("next", "1")];
    let (again, _) = tokio::join!(agent.poll(&app, 1), app.push(&repository, &files));
    assert_eq!((again.cancel, again.leases.len()), (answer.cancel, 1));
    let mut result = AttemptResult::because(Verdict::Cancelled, ReasonCode::Cancelled, "cancelled in step `a`");
    result.reason.as_mut().unwrap().during = Some("in step `a`".into());
    agent.finish(&app, &lease, result).await.expect(200);
    app.until_status(number, "cancelled").await;
    let reason = app.build(number).await["jobs"][0]["reason"].to_string();
    assert!(
        reason.contains("cancelled by administrator, in step `a`"),
        "who stopped it, and what it was at: {reason}"
    );
}

#[tokio::test]
async fn a_drained_agent_hears_it_at_once_and_gets_nothing() {
    let (app, _repository, _) = app_with_build().await;
    let agent = SimAgent::enrol(&app).await;
    let polling = hold(&app, &agent, 0).await;
    app.post("/api/v1/agents/sim/drain", json!({})).await.expect(200);
    let answer: PollAnswer = polling.await.unwrap().unwrap().json().await.unwrap();
    assert!(answer.drain);
    let mut poll = agent.poll_body(1);
    poll.hold_secs = Some(0);
    let answer: PollAnswer = serde_json::from_str(&agent.poll_with(&app, &poll).await.expect(200).text).unwrap();
    assert!(answer.drain && answer.leases.is_empty());
    app.post("/api/v1/agents/sim/undrain", json!({})).await.expect(200);
    assert_eq!(agent.poll(&app, 1).await.leases.len(), 1);
}

#[tokio::test]
async fn another_version_learns_who_must_be_updated() {
    let app = TestApp::start().await;
    let agent = SimAgent::enrol(&app).await;
    let mut poll = agent.poll_body(1);
    poll.hold_secs = Some(0);
    poll.version = protocol::VERSION - 1;
    agent.poll_with(&app, &poll).await.expect(200);
    poll.version = protocol::VERSION + 1;
    let answer = agent.poll_with(&app, &poll).await.expect(426).json();
    assert_eq!(answer["code"], "protocol_version");
    assert!(
        answer["message"].as_str().unwrap().ends_with("update the coordinator"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_restarted_agent_gets_its_lease_again() {
    let (app, repository, _) = app_with_build().await;
    let secret = json!({"value": "s3cret-value"});
    app.send(
        app.request(Method::PUT, "/api/v1/repositories/app/secrets/TOKEN")
            .json(&secret),
    )
    .await
    .expect(204);
    let file = "jobs:\n  test:\n    image: busybox\n    steps: [{run: echo, secrets: [TOKEN]}]\n";
    let mut agent = SimAgent::enrol(&app).await;
    let first = agent.take(&app).await;
    agent.pass(&app, &first).await;
    app.push(&repository, &[(".drover.yml", file)]).await;
    let lease = agent.take(&app).await;
    assert_eq!(lease.secrets["TOKEN"].0, "s3cret-value");
    agent.held[0].resume = true;
    let again = agent.poll(&app, 0).await;
    let again: Vec<Leased> = again.leases.into_iter().map(Leased::from).collect();
    assert_eq!(again.len(), 1, "without a free slot");
    assert_eq!((&again[0].attempt, again[0].epoch), (&lease.attempt, lease.epoch));
    assert_eq!(again[0].secrets["TOKEN"].0, "s3cret-value");
    agent.held[0].epoch += 1;
    let lost = agent.poll(&app, 0).await;
    assert_eq!(lost.lost, std::slice::from_ref(&lease.attempt));
}

#[tokio::test]
async fn a_stale_epoch_stops_the_agent() {
    let (app, _repository, _) = app_with_build().await;
    let mut agent = SimAgent::enrol(&app).await;
    let mut lease = agent.take(&app).await;
    let other = SimAgent::enrol(&app).await;
    let stolen = other
        .report_events(&app, &lease, vec![(0, EventKind::Started)])
        .await
        .expect(409);
    assert_eq!(stolen.json()["code"], "stale_epoch");
    lease.epoch += 1;
    let stale = agent
        .report_events(&app, &lease, vec![(0, EventKind::Started)])
        .await
        .expect(409);
    assert_eq!(stale.json()["code"], "stale_epoch");
    let stale = agent
        .upload(&app, &lease, ("job", "offset=0"), &records(0, &["x"]))
        .await
        .expect(409);
    assert_eq!(stale.json()["code"], "stale_epoch");
    agent.finish(&app, &lease, AttemptResult::passed()).await.expect(409);
    agent.held.push(protocol::lease::LeaseRef {
        attempt: lease.attempt.clone(),
        epoch: lease.epoch,
        resume: false,
    });
    assert_eq!(agent.poll(&app, 0).await.lost, std::slice::from_ref(&lease.attempt));
}

#[tokio::test]
async fn events_and_the_end_can_be_reported_twice() {
    let (app, _repository, number) = app_with_build().await;
    let mut agent = SimAgent::enrol(&app).await;
    let lease = agent.take(&app).await;
    let events = vec![(0, EventKind::Started), (1, EventKind::StepStarted { step: 0 })];
    agent.report_events(&app, &lease, events.clone()).await.expect(204);
    agent.report_events(&app, &lease, events).await.expect(204);
    agent.pass(&app, &lease).await;
    agent.pass(&app, &lease).await;
    let reported = app
        .get(&format!("/api/v1/attempts/{}/events", lease.attempt))
        .await
        .expect(200)
        .json();
    let kinds: Vec<_> = reported
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["started", "step_started"]);
    assert_eq!(app.build(number).await["status"], "passed");
}

#[tokio::test]
async fn a_log_grows_only_at_its_end() {
    let (app, _repository, _) = app_with_build().await;
    let mut agent = SimAgent::enrol(&app).await;
    let lease = agent.take(&app).await;
    let first = records(0, &["one", "two"]);
    let end = first.len() as u64;
    agent
        .upload(&app, &lease, ("step-0", "offset=0"), &first)
        .await
        .expect(200);
    for wrong in [0, 1, end - 1, end + 1] {
        let answer = agent
            .upload(
                &app,
                &lease,
                ("step-0", &format!("offset={wrong}")),
                &records(9, &["x"]),
            )
            .await;
        let answer: LogAnswer = serde_json::from_str(&answer.expect(409).text).unwrap();
        assert_eq!(answer.next_offset, end, "offset {wrong}");
    }
    let last = records(9, &["three"]);
    let answer = agent
        .upload(&app, &lease, ("step-0", &format!("offset={end}&eof=1")), &last)
        .await
        .expect(200);
    let whole = end + last.len() as u64;
    assert_eq!(answer.json()["next_offset"], whole);
    let again = agent
        .upload(&app, &lease, ("step-0", &format!("offset={whole}&eof=1")), b"")
        .await
        .expect(200);
    assert_eq!(again.json()["next_offset"], whole, "the end can be told twice");
    let late = agent
        .upload(&app, &lease, ("step-0", &format!("offset={end}&eof=1")), &last)
        .await
        .expect(409);
    assert_eq!(late.json()["next_offset"], whole, "and sent twice");
    let text = app
        .get(&format!("/api/v1/attempts/{}/logs/step-0/raw", lease.attempt))
        .await
        .expect(200)
        .text;
    assert_eq!(text, "one\ntwo\nthree\n");
}

#[tokio::test]
async fn what_is_no_log_is_refused() {
    let (app, _repository, _) = app_with_build().await;
    let mut agent = SimAgent::enrol(&app).await;
    let lease = agent.take(&app).await;
    let path = format!(
        "/agent/v1/attempts/{}/logs/step-0?epoch={}&offset=0",
        lease.attempt, lease.epoch
    );
    let raw = |body: Vec<u8>| app.anonymous(Method::PATCH, &path).bearer_auth(&agent.token).body(body);
    app.send(raw(b"not zstd".to_vec())).await.expect(400);
    agent
        .upload(&app, &lease, ("step-0", "offset=0"), &[9; 40])
        .await
        .expect(400);
    let bomb = vec![0; 64 << 20];
    agent
        .upload(&app, &lease, ("step-0", "offset=0"), &bomb)
        .await
        .expect(413);
    agent
        .upload(&app, &lease, ("elsewhere", "offset=0"), b"")
        .await
        .expect(404);
    agent
        .upload(&app, &lease, ("..%2f..%2fx", "offset=0"), b"")
        .await
        .expect(404);
}

#[tokio::test]
async fn a_stop_releases_polls_and_streams() {
    let app = TestApp::start().await;
    let agent = SimAgent::enrol(&app).await;
    let mut live = super::support::Live::open(&app, "/events?page=queue").await;
    let polling = hold(&app, &agent, 1).await;
    within("the stop", app.running.stop()).await;
    assert_eq!(polling.await.unwrap().unwrap().status(), 200);
    while live.next().await.is_some() {}
}
