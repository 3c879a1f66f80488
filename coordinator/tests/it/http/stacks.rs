//! What is retained of a job, as its agent and people see it.

use protocol::work::StackReport;
use reqwest::Method;
use serde_json::json;

use super::support::{PASSING, SimAgent, TestApp, TestRepository};

async fn app() -> (TestApp, SimAgent) {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    app.push(&repository, &[(".drover.yml", PASSING)]).await;
    let agent = SimAgent::enrol(&app).await;
    (app, agent)
}

#[tokio::test]
async fn a_stack_is_seen_extended_and_removed() {
    let (app, mut agent) = app().await;
    let lease = agent.take(&app).await;
    agent.started(&app, &lease).await;
    let stack = agent.fail_and_retain(&app, &lease, 600).await;
    let listed = app.get("/api/v1/stacks").await.expect(200).json();
    assert_eq!(
        (
            &listed[0]["id"],
            &listed[0]["kind"],
            &listed[0]["state"],
            &listed[0]["agent"]
        ),
        (&json!(stack.0), &json!("retained"), &json!("running"), &json!("sim"))
    );
    let build = app.build(lease.build).await;
    assert_eq!(build["jobs"][0]["stack"]["id"], stack.0);
    let path = format!("/api/v1/stacks/{stack}");
    let extended = app.post(&format!("{path}/extend"), json!({})).await.expect(200).json();
    assert!(extended["expires_at"].as_i64() > listed[0]["expires_at"].as_i64());
    assert!(agent.poll(&app, 1).await.release.is_empty());
    app.send(app.request(Method::DELETE, &path)).await.expect(202);
    assert_eq!(agent.poll(&app, 1).await.release, std::slice::from_ref(&stack));
    assert_eq!(app.get(&path).await.expect(200).json()["state"], "deleting");
    agent.stacks.clear();
    agent.poll(&app, 1).await;
    app.get(&path).await.expect(404);
    app.send(app.request(Method::DELETE, &path)).await.expect(404);
    app.post(&format!("{path}/extend"), json!({})).await.expect(404);
}

#[tokio::test]
async fn an_agent_of_version_1_calls_a_stack_by_its_attempt() {
    let (app, mut agent) = app().await;
    let lease = agent.take(&app).await;
    agent.started(&app, &lease).await;
    let until = jiff::Timestamp::now().as_microsecond() + 600_000_000;
    let end = json!({"epoch": lease.epoch, "held_until": until,
        "result": {"verdict": "failed", "reason": {"code": "step_failed", "sentence": "no"}}});
    agent.finish_as(&app, &lease, end).await.expect(200);
    let listed = app.get("/api/v1/stacks").await.expect(200).json();
    assert_eq!(listed[0]["id"], lease.attempt.0);
    agent.stacks = vec![StackReport {
        stack: protocol::ids::StackId(lease.attempt.0.clone()),
        epoch: 0,
    }];
    assert!(agent.poll(&app, 1).await.release.is_empty(), "it keeps it");
    app.send(app.request(Method::DELETE, &format!("/api/v1/stacks/{}", lease.attempt)))
        .await
        .expect(202);
    assert_eq!(agent.poll(&app, 1).await.release.len(), 1);
}
