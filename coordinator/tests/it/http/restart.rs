//! A coordinator that dies without a word and is started again over the same folder.

use protocol::lease::PollAnswer;
use serde_json::json;
use tokio::runtime::Runtime;

use super::support::{PASSING, SimAgent, TestApp, TestRepository};

/// Drops everything at once, as `kill -9` does: no drain, no close.
fn kill(runtime: Runtime) {
    runtime.shutdown_background();
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn nothing_is_lost_and_the_job_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let mut repository = TestRepository::new("app");
    let first = runtime();
    let (mut agent, lease, number, token) = first.block_on(async {
        let app = TestApp::over(data.path()).await;
        app.add(&mut repository).await;
        let build = app.push(&repository, &[(".drover.yml", PASSING)]).await;
        let mut agent = SimAgent::enrol(&app).await;
        let lease = agent.take(&app).await;
        agent.started(&app, &lease).await;
        agent.log(&app, &lease, ("step-0", 0), &["before", "the end"]).await;
        (agent, lease, build["number"].as_i64().unwrap(), app.token)
    });
    kill(first);
    let second = runtime();
    second.block_on(async {
        let app = TestApp::over(data.path()).await;
        assert_eq!(app.token, token, "the administrator keeps the token");
        assert_eq!(app.build(number).await["status"], "running");
        let mut poll = agent.poll_body(1);
        poll.hold_secs = Some(0);
        let answer = agent.poll_with(&app, &poll).await.expect(200);
        let answer: PollAnswer = serde_json::from_str(&answer.text).unwrap();
        assert!(answer.lost.is_empty(), "the lease is still the agent's");
        let meta = app
            .get(&format!("/api/v1/attempts/{}/logs/step-0/meta", lease.attempt))
            .await
            .expect(200)
            .json();
        let offset = meta["bytes"].as_u64().unwrap();
        agent.log(&app, &lease, ("step-0", offset), &["after"]).await;
        agent.pass(&app, &lease).await;
        app.until_status(number, "passed").await;
        let text = app
            .get(&format!("/api/v1/attempts/{}/logs/step-0/raw", lease.attempt))
            .await
            .expect(200)
            .text;
        assert_eq!(text, "before\nthe end\nafter\n");
        let next = app.push(&repository, &[(".drover.yml", PASSING), ("x", "y")]).await;
        assert_eq!(next["number"], number + 1);
    });
}

#[test]
fn a_delivery_that_was_accepted_becomes_its_build_after_the_restart() {
    let data = tempfile::tempdir().unwrap();
    let mut repository = TestRepository::new("app");
    let hidden = repository.folder.path().with_extension("away");
    let first = runtime();
    let id = first.block_on(async {
        let app = TestApp::over(data.path()).await;
        app.add(&mut repository).await;
        let sha = repository.commit("main", &[(".drover.yml", PASSING)]);
        std::fs::rename(repository.folder.path(), &hidden).unwrap();
        let body = json!({"ref": "refs/heads/main", "after": sha});
        let answer = app.deliver(&repository, &body).await.expect(202).json();
        answer["delivery"].as_str().unwrap().to_owned()
    });
    kill(first);
    std::fs::rename(&hidden, repository.folder.path()).unwrap();
    let second = runtime();
    second.block_on(async {
        let app = TestApp::over(data.path()).await;
        let delivery = app
            .until(async || {
                let delivery = app.get(&format!("/api/v1/deliveries/{id}")).await.json();
                (delivery["status"] == "done").then_some(delivery)
            })
            .await;
        assert!(delivery["build"].is_i64(), "{delivery}");
        assert_eq!(app.get("/api/v1/builds").await.json().as_array().unwrap().len(), 1);
    });
}
