//! One build through its whole life, over HTTP alone.

use protocol::attempt::EventKind;
use reqwest::Method;
use serde_json::json;

use super::support::{SimAgent, TestApp, TestRepository};

const MATRIX: &str = r#"
jobs:
  lint: {image: busybox, steps: [echo lint]}
  test:
    needs: [lint]
    image: busybox
    matrix: {postgres: ["15", "17"], redis: ["6", "7"]}
    services: {db: {image: "postgres:${{ matrix.postgres }}"}}
    steps: [echo test]
"#;

#[tokio::test]
async fn a_matrix_waits_for_its_need_and_then_runs_in_every_cell() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let build = app.push(&repository, &[(".drover.yml", MATRIX)]).await;
    let number = build["number"].as_i64().unwrap();
    let jobs = build["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 5);
    assert_eq!(jobs[1]["matrix"], json!({"postgres": "15", "redis": "6"}));
    assert_eq!(jobs[1]["title"], "test (postgres=15, redis=6)");
    let mut agent = SimAgent::enrol(&app).await;
    let lint = agent.take(&app).await;
    assert_eq!(lint.spec.name, "lint");
    agent.started(&app, &lint).await;
    agent.pass(&app, &lint).await;
    let mut images = Vec::new();
    for _ in 0..4 {
        let lease = agent.take(&app).await;
        images.push(lease.spec.services[0].image.clone());
        let events = vec![(0, EventKind::Started), (1, EventKind::StepStarted { step: 0 })];
        agent.report_events(&app, &lease, events).await.expect(204);
        agent.pass(&app, &lease).await;
    }
    images.sort();
    assert_eq!(images, ["postgres:15", "postgres:15", "postgres:17", "postgres:17"]);
    let build = app.until_status(number, "passed").await;
    assert_eq!(build["counts"], json!({"passed": 5}));
    let page = app.get(&format!("/builds/{number}")).await.expect(200).text;
    assert!(
        page.contains("<table class=\"matrix") && page.contains("passed"),
        "{page}"
    );
    let badge = app
        .send(app.request(Method::GET, "/badge/app.svg"))
        .await
        .expect(200)
        .text;
    assert!(badge.contains("<svg") && badge.contains("passed"), "{badge}");
}

#[tokio::test]
async fn a_failing_need_skips_the_rest() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let build = app.push(&repository, &[(".drover.yml", MATRIX)]).await;
    let number = build["number"].as_i64().unwrap();
    let mut agent = SimAgent::enrol(&app).await;
    let lint = agent.take(&app).await;
    agent.started(&app, &lint).await;
    agent
        .log(&app, &lint, ("step-0", 0), &["src/main.rs:1: error: bad"])
        .await;
    agent.fail(&app, &lint).await;
    let build = app.until_status(number, "failed").await;
    assert_eq!(build["counts"], json!({"failed": 1, "skipped": 4}));
    let page = app.get(&format!("/builds/{number}")).await.expect(200).text;
    assert!(
        page.contains("src/main.rs:1: error: bad"),
        "the first failure and its lines are on top"
    );
}
