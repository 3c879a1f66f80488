//! Strangers' pull requests wait until somebody has looked at exactly their commit.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{PASSING, SimAgent, TestApp, TestRepository};
use super::trust::built;

/// A repository with a stranger who sends pull requests to it.
struct Story {
    app: TestApp,
    repository: TestRepository,
    updates: u32,
}

impl Story {
    async fn begin() -> Story {
        let (app, mut repository) = (TestApp::start().await, TestRepository::new("app"));
        repository.commit("main", &[(".drover.yml", PASSING)]);
        app.add_as(&mut repository, "github").await;
        Story {
            app,
            repository,
            updates: 0,
        }
    }

    /// The stranger's next commit.
    fn commit(&self, text: &str) -> String {
        self.repository
            .commit_of_fork(7, &[(".drover.yml", PASSING), ("text", text)])
    }

    /// The build of a pull request whose head is that commit, of a fork or of a branch of our own.
    async fn request(&mut self, sha: &str, head: i64) -> Value {
        self.updates += 1;
        let body = json!({
            "action": "synchronize", "number": 7, "sender": {"login": "stranger"},
            "pull_request": {
                "updated_at": format!("2026-11-20T09:00:{:02}Z", self.updates),
                "head": {"ref": "feature", "sha": sha, "repo": {"id": head}},
                "base": {"ref": "main", "sha": "0".repeat(40), "repo": {"id": 1}},
            },
            "repository": {"id": 1, "full_name": "acme/app"},
        });
        built(&self.app, &self.repository, "pull_request", &body).await
    }

    async fn why(&self, build: &Value) -> String {
        let path = format!("/api/v1/builds/{}/why", build["number"]);
        let why = self.app.get(&path).await.expect(200).json();
        why[0]["why"].as_str().unwrap().to_owned()
    }

    async fn approve(&self, build: &Value) -> super::support::Answer {
        let path = format!("/api/v1/builds/{}/approve", build["number"]);
        self.app.post(&path, json!({})).await
    }

    async fn is_offered(&self, agent: &SimAgent) -> bool {
        let mut poll = agent.poll_body(1);
        poll.hold_secs = Some(0);
        let answer = agent.poll_with(&self.app, &poll).await.expect(200).json();
        answer["leases"].as_array().is_some_and(|leases| !leases.is_empty())
    }
}

const FORK: i64 = 2;
const OURS: i64 = 1;

#[tokio::test]
async fn a_strangers_commit_runs_once_somebody_has_looked_at_it() {
    let mut story = Story::begin().await;
    let mut agent = SimAgent::enrol(&story.app).await;
    let first = story.commit("first");
    let build = story.request(&first, FORK).await;
    assert_eq!(
        (&build["status"], &build["approval"]),
        (&json!("queued"), &json!("needed")),
        "{build}"
    );
    let why = story.why(&build).await;
    assert!(why.contains("drover approve 1"), "{why}");
    assert!(!story.is_offered(&agent).await, "an agent got what nobody has approved");
    let page = story.app.get("/builds/1").await.expect(200).text;
    assert!(
        page.contains("Approve this commit") && page.contains(&first[..10]),
        "{page}"
    );

    let approved = story.approve(&build).await.expect(200).json();
    assert_eq!(
        (&approved["approval"], &approved["commit"]),
        (&json!("approved"), &json!(first))
    );
    let page = story.app.get("/builds/1").await.expect(200).text;
    assert!(
        !page.contains("Approve this commit") && page.contains("has approved commit"),
        "{page}"
    );
    let lease = agent.take(&story.app).await;
    assert!(!lease.trusted, "approved, and still a stranger's");
    agent.started(&story.app, &lease).await;
    agent.pass(&story.app, &lease).await;
    story.app.until_status(1, "passed").await;
    story.approve(&build).await.expect(422);

    // Another build of the same commit needs nobody; a new commit does.
    let again = story
        .app
        .post("/api/v1/builds/1/rerun", json!({}))
        .await
        .expect(201)
        .json();
    let again = story.app.build(again["number"].as_i64().unwrap()).await;
    assert_eq!(again["approval"], "approved", "{again}");
    let second = story.commit("second");
    let build = story.request(&second, FORK).await;
    assert_eq!(build["approval"], "needed", "{build}");
    assert!(build["number"].as_i64() > again["number"].as_i64());
}

#[tokio::test]
async fn a_new_commit_takes_the_place_of_one_that_nobody_looked_at() {
    let mut story = Story::begin().await;
    let (first, second) = (story.commit("first"), story.commit("second"));
    story.repository.point("refs/pull/7/head", &first);
    let older = story.request(&first, FORK).await;
    story.repository.point("refs/pull/7/head", &second);
    let newer = story.request(&second, FORK).await;
    assert_eq!(newer["approval"], "needed", "{newer}");
    let older = story.app.build(older["number"].as_i64().unwrap()).await;
    assert_eq!(older["status"], "cancelled", "{older}");
    assert_eq!(
        older["jobs"][0]["reason"],
        format!("superseded by #{}", newer["number"])
    );
    // Run again, it waits as it did before.
    let path = format!("/api/v1/builds/{}/rerun", older["number"]);
    let again = story.app.post(&path, json!({})).await.expect(201).json();
    let again = story.app.build(again["number"].as_i64().unwrap()).await;
    assert_eq!(
        (&again["status"], &again["approval"]),
        (&json!("queued"), &json!("needed")),
        "{again}"
    );
}

#[tokio::test]
async fn who_is_no_stranger_never_waits() {
    let mut story = Story::begin().await;
    let ours = story.repository.commit("feature", &[(".drover.yml", PASSING)]);
    story.repository.point("refs/pull/7/head", &ours);
    let build = story.request(&ours, OURS).await;
    assert_eq!(
        (&build["trusted"], &build["approval"]),
        (&json!(true), &json!(null)),
        "{build}"
    );
    let refused = story.approve(&build).await.expect(422);
    assert!(refused.text.contains("does not wait for approval"), "{}", refused.text);
    story.approve(&json!({"number": 99})).await.expect(404);

    let change = json!({"approval": "never"});
    let request = story
        .app
        .request(Method::PATCH, "/api/v1/repositories/app")
        .json(&change);
    assert_eq!(story.app.send(request).await.expect(200).json()["approval"], "never");
    let theirs = story.commit("theirs");
    let build = story.request(&theirs, FORK).await;
    assert_eq!(
        (&build["trusted"], &build["approval"]),
        (&json!(false), &json!(null)),
        "{build}"
    );
}
