//! Live events, as a browser reads them.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::Value;

use super::support::{Leased, Live, PASSING, SimAgent, SseEvent, TestApp, TestRepository};

async fn running_job() -> (TestApp, TestRepository, SimAgent, Leased, String) {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let build = app.push(&repository, &[(".drover.yml", PASSING)]).await;
    let job = build["jobs"][0]["id"].as_str().unwrap().to_owned();
    let mut agent = SimAgent::enrol(&app).await;
    let lease = agent.take(&app).await;
    agent.started(&app, &lease).await;
    (app, repository, agent, lease, job)
}

/// Adds what an event brings, and checks that it follows on what there was.
fn add(had: &mut BTreeMap<String, Vec<String>>, event: &SseEvent) {
    let data = event.json();
    let lines = had.entry(data["stream"].as_str().unwrap().to_owned()).or_default();
    assert_eq!(data["from"], lines.len() as u64 + 1, "no gap and no doubling");
    for line in data["lines"].as_array().unwrap() {
        assert_eq!(line["n"], lines.len() as u64 + 1);
        lines.push(line["text"].as_str().unwrap().to_owned());
    }
}

fn count(had: &BTreeMap<String, Vec<String>>) -> usize {
    had.values().map(Vec::len).sum()
}

#[tokio::test]
async fn lines_come_as_they_are_printed() {
    let (app, _repository, agent, lease, job) = running_job().await;
    let mut live = Live::open(&app, &format!("/events?job={job}")).await;
    let mut had = BTreeMap::new();
    let end = agent.log(&app, &lease, ("step-0", 0), &["one"]).await;
    let event = live.next_named("lines").await;
    assert_eq!(event.id.as_deref(), Some("step-0:1@1"));
    add(&mut had, &event);
    agent.log(&app, &lease, ("step-0", end), &["two"]).await;
    agent.log(&app, &lease, ("job", 0), &["pulling busybox"]).await;
    while count(&had) < 3 {
        add(&mut had, &live.next_named("lines").await);
    }
    assert_eq!(had["step-0"], ["one", "two"]);
    assert_eq!(had["job"], ["pulling busybox"]);
}

#[tokio::test]
async fn a_broken_stream_goes_on_without_gap_or_doubling() {
    let (app, _repository, mut agent, lease, job) = running_job().await;
    let path = format!("/events?job={job}");
    let mut had = BTreeMap::new();
    let mut last: Option<String> = None;
    let (mut step, mut service) = (0, 0);
    for round in 0..6 {
        let lines: Vec<String> = (0..700).map(|n| format!("{round} {n}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        step = agent.log(&app, &lease, ("step-0", step), &lines).await;
        service = agent.log(&app, &lease, ("service-db", service), &lines[..3]).await;
        // One event, then the browser is gone; what it has not seen must come to the next one.
        let mut live = Live::resume(&app, &path, last.as_deref()).await;
        let event = live.next_named("lines").await;
        add(&mut had, &event);
        last = event.id;
    }
    agent.pass(&app, &lease).await;
    let mut live = Live::resume(&app, &path, last.as_deref()).await;
    while count(&had) < 6 * 703 {
        add(&mut had, &live.next_named("lines").await);
    }
    assert_eq!(had["step-0"].last().unwrap(), "5 699");
}

#[tokio::test]
async fn the_page_says_where_its_stream_goes_on() {
    let (app, _repository, agent, lease, job) = running_job().await;
    let end = agent.log(&app, &lease, ("step-0", 0), &["on the page"]).await;
    let page = app.get(&format!("/jobs/{job}")).await.expect(200).text;
    assert!(page.contains("on the page"));
    let events = page.split_once("data-events=\"").unwrap().1.split('"').next().unwrap();
    let events = events.replace("&amp;", "&").replace("&#38;", "&");
    let mut live = Live::open(&app, &events).await;
    agent.log(&app, &lease, ("step-0", end), &["in the stream"]).await;
    let event = live.next_named("lines").await.json();
    assert_eq!(event["from"], 2);
    assert_eq!(event["lines"][0]["text"], "in the stream");
    assert_eq!(event["attempt"], lease.attempt.0);
}

#[tokio::test]
async fn a_new_attempt_is_followed_from_its_beginning() {
    let (app, _repository, mut agent, lease, job) = running_job().await;
    agent.log(&app, &lease, ("step-0", 0), &["first attempt"]).await;
    let mut live = Live::open(&app, &format!("/events?job={job}")).await;
    live.next_named("lines").await;
    use protocol::attempt::{AttemptResult, ReasonCode, Verdict};
    let broke = AttemptResult::because(Verdict::Errored, ReasonCode::Infrastructure, "the engine went away");
    agent.finish(&app, &lease, broke).await.expect(200);
    let second = agent.take(&app).await;
    assert_eq!((second.number, second.build), (2, lease.build));
    agent.log(&app, &second, ("step-0", 0), &["second attempt"]).await;
    let event = live.next_named("lines").await;
    assert_eq!(event.id.as_deref(), Some("step-0:1@2"));
    assert_eq!(event.json()["attempt"], second.attempt.0);
    let mut old = Live::open(&app, &format!("/events?job={job}&attempt=1")).await;
    assert_eq!(old.next_named("lines").await.json()["attempt"], lease.attempt.0);
    let mut old = Live::open(&app, &format!("/events?job={job}&cursor=step-0:0@1")).await;
    assert_eq!(
        old.next_named("lines").await.json()["attempt"],
        lease.attempt.0,
        "an old attempt's page stays there"
    );
}

#[tokio::test]
async fn a_page_hears_of_changes_that_concern_it() {
    let (app, repository, mut agent, lease, _) = running_job().await;
    let mut one = Live::open(&app, &format!("/events?build={}", lease.build)).await;
    let mut list = Live::open(&app, "/events?page=builds").await;
    let mut queue = Live::open(&app, "/events?page=queue").await;
    for live in [&mut one, &mut list, &mut queue] {
        live.next_named("change").await;
    }
    app.push(&repository, &[(".drover.yml", PASSING), ("a", "b")]).await;
    list.next_named("change").await;
    queue.next_named("change").await;
    agent.pass(&app, &lease).await;
    let change = one.next_named("change").await;
    assert_eq!(change.json()["fragment"], Value::from("live"));
    let build = app.build(lease.build).await;
    assert_eq!(build["status"], "passed", "what is told is stored");
}

#[tokio::test]
async fn a_stream_about_nothing_is_refused() {
    let app = TestApp::start().await;
    for (path, status) in [
        ("/events", 400),
        ("/events?page=everything", 400),
        ("/events?build=1&page=queue", 400),
        ("/events?build=77", 404),
        ("/events?job=nobody", 404),
    ] {
        app.send(app.request(Method::GET, path)).await.expect(status);
    }
}
