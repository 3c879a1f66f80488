//! Whose code is trusted: attacks by people who can make a pull request, and see what they get.

use reqwest::Method;
use serde_json::{Value, json};

use super::blobs::{archive, put};
use super::support::{PASSING, SimAgent, TestApp, TestRepository};

const UNTRUSTED: &str = "built as untrusted: the commit is on no branch or tag of the repository";

const STEALS: &str = "jobs:
  test: {image: busybox, steps: [echo hi]}
  steal: {image: busybox, steps: [{run: ./print, secrets: [TOKEN]}]}
";

/// What they get once they run: nobody has to approve of them first.
async fn ready(forge: &str) -> (TestApp, TestRepository) {
    let (app, mut repository) = (TestApp::start().await, TestRepository::new("app"));
    repository.commit("main", &[(".drover.yml", PASSING)]);
    app.add_as(&mut repository, forge).await;
    let secret = json!({"value": "s3cret-value"});
    let path = "/api/v1/repositories/app/secrets/TOKEN";
    app.send(app.request(Method::PUT, path).json(&secret)).await.expect(204);
    let change = json!({"approval": "never"});
    let path = "/api/v1/repositories/app";
    app.send(app.request(Method::PATCH, path).json(&change))
        .await
        .expect(200);
    (app, repository)
}

/// The build that a delivery of a forge makes.
pub async fn built(app: &TestApp, repository: &TestRepository, event: &str, body: &Value) -> Value {
    let request = app.webhook(repository, event, body.to_string());
    let delivery = app.send(request).await.expect(202).json();
    let delivery = app.delivery_over(delivery["delivery"].as_str().unwrap()).await;
    app.build(
        delivery["build"]
            .as_i64()
            .unwrap_or_else(|| panic!("no build: {delivery}")),
    )
    .await
}

async fn triggered(app: &TestApp, reference: &str) -> Value {
    let made = app
        .post("/api/v1/repositories/app/trigger", json!({"ref": reference}))
        .await;
    app.build(made.expect(201).json()["number"].as_i64().unwrap()).await
}

/// It gets no secret, and what it would write stays with it.
async fn assert_untrusted(app: &TestApp, agent: &mut SimAgent, build: &Value) {
    assert_eq!(build["trusted"], false, "{build}");
    let steal = build["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|job| job["name"] == "steal");
    assert_eq!(steal.unwrap()["status"], "failed", "{build}");
    let lease = agent.take(app).await;
    assert!(!lease.trusted && lease.secrets.is_empty() && lease.spec.name == "test");
    let evil = archive(&[("workspace/target/a", "evil")]);
    let refused = put(app, agent, &lease, "caches/cargo-1", evil).await;
    assert!(!refused.status.is_success(), "{refused:?}");
    agent.started(app, &lease).await;
    agent.pass(app, &lease).await;
    let caches = app.get("/api/v1/repositories/app/caches").await.expect(200).json();
    assert_eq!(caches, json!([]), "{caches}");
}

#[tokio::test]
async fn a_pull_request_without_a_branch_is_a_strangers() {
    let (app, repository) = ready("gitea").await;
    let mut agent = SimAgent::enrol(&app).await;
    let theirs = repository.commit_of_fork(7, &[(".drover.yml", STEALS)]);
    let agit = include_str!("../../fixtures/webhooks/gitea-agit.json");
    let mut body: Value = serde_json::from_str(agit).unwrap();
    body["pull_request"]["head"]["sha"] = json!(theirs);
    let build = built(&app, &repository, "pull_request", &body).await;
    assert_untrusted(&app, &mut agent, &build).await;
    // Even a forge that calls it a branch of its own is not believed: no branch leads to it.
    let theirs = repository.commit_of_fork(7, &[(".drover.yml", STEALS), ("again", "1")]);
    body["pull_request"]["head"]["sha"] = json!(theirs);
    body["pull_request"]["head"]["ref"] = json!("feature");
    let build = built(&app, &repository, "pull_request", &body).await;
    assert_eq!(build["message"], UNTRUSTED);
    assert_untrusted(&app, &mut agent, &build).await;
}

/// The fork's pull request of other forges, whose heads are under other references.
#[tokio::test]
async fn a_fork_is_a_strangers_at_every_forge() {
    let gitlab = include_str!("../../fixtures/webhooks/gitlab-merge-request-fork-updated.json");
    let bitbucket_dc = include_str!("../../fixtures/webhooks/bitbucket-dc-pr-updated-fork.json");
    for (forge, event, reference, body, head) in [
        (
            "gitlab",
            "Merge Request Hook",
            "refs/merge-requests/7/head",
            gitlab,
            "/object_attributes/last_commit/id",
        ),
        (
            "bitbucket-dc",
            "pr:from_ref_updated",
            "refs/pull-requests/7/from",
            bitbucket_dc,
            "/pullRequest/fromRef/latestCommit",
        ),
    ] {
        let (app, repository) = ready(forge).await;
        let mut agent = SimAgent::enrol(&app).await;
        let theirs = repository.commit_of_fork(7, &[(".drover.yml", STEALS)]);
        repository.remove("refs/pull/7/head");
        repository.point(reference, &theirs);
        let mut body: Value = serde_json::from_str(body).unwrap();
        *body.pointer_mut(head).unwrap() = json!(theirs);
        let build = built(&app, &repository, event, &body).await;
        assert_eq!(
            (&build["pull_request"], &build["base"]),
            (&json!(7), &json!("main")),
            "{forge}"
        );
        assert_untrusted(&app, &mut agent, &build).await;
    }
}

/// Bitbucket Cloud says `updated` of a new title as of new commits, and names commits by their first 12 digits.
#[tokio::test]
async fn an_update_without_new_commits_makes_no_second_build() {
    let (app, repository) = ready("bitbucket").await;
    let created = include_str!("../../fixtures/webhooks/bitbucket-pullrequest-created.json");
    let mut body: Value = serde_json::from_str(created).unwrap();
    let mut sent = 0;
    let mut send = async |event: &str, sha: &str| {
        sent += 1;
        body["pullrequest"]["source"]["commit"]["hash"] = json!(sha[..12]);
        body["pullrequest"]["updated_on"] = json!(format!("2026-11-20T09:00:0{sent}.5+00:00"));
        built(&app, &repository, event, &body).await["number"].clone()
    };
    let first = repository.commit("feature/x", &[(".drover.yml", PASSING)]);
    assert_eq!(send("pullrequest:created", &first).await, 1);
    assert_eq!(send("pullrequest:updated", &first).await, 1);
    let second = repository.commit("feature/x", &[(".drover.yml", PASSING), ("more", "1")]);
    assert_eq!(send("pullrequest:updated", &second).await, 2);
    assert_eq!(send("pullrequest:updated", &second).await, 2);
    let build = app.build(2).await;
    assert_eq!(
        (&build["commit"], &build["branch"], &build["trusted"]),
        (&json!(second), &json!("feature/x"), &json!(true))
    );
}

#[tokio::test]
async fn a_commit_by_hand_is_ours_only_if_a_branch_or_tag_leads_to_it() {
    let (app, repository) = ready("generic").await;
    let mut agent = SimAgent::enrol(&app).await;
    let theirs = repository.commit_of_fork(7, &[(".drover.yml", STEALS)]);
    let build = triggered(&app, &theirs).await;
    assert_eq!((&build["message"], &build["branch"]), (&json!(UNTRUSTED), &Value::Null));
    assert_untrusted(&app, &mut agent, &build).await;
    let page = app.get(&format!("/builds/{}", build["number"])).await.expect(200).text;
    assert!(page.contains("the commit is on no branch or tag"), "{page}");
    // A delivery that names a commit of its choice is no better.
    let push = json!({"ref": "refs/heads/main", "after": theirs});
    let build = built(&app, &repository, "push", &push).await;
    assert_eq!(build["message"], UNTRUSTED);
    assert_untrusted(&app, &mut agent, &build).await;
    // Once it is merged, it is ours.
    repository.point("refs/tags/v1", &theirs);
    let build = triggered(&app, &theirs).await;
    assert_eq!((&build["trusted"], &build["message"]), (&json!(true), &Value::Null));
}

#[tokio::test]
async fn an_old_commit_is_on_the_branch_that_leads_to_it() {
    let (app, repository) = ready("generic").await;
    let mut agent = SimAgent::enrol(&app).await;
    let old = repository.commit("main", &[(".drover.yml", PASSING), ("a", "1")]);
    for at in 0..60 {
        repository.commit("main", &[(".drover.yml", PASSING), ("a", &format!("{at} more"))]);
    }
    repository.point("refs/heads/side", &old);
    let side = repository.commit("side", &[(".drover.yml", PASSING), ("side", "1")]);
    repository.commit("side", &[(".drover.yml", PASSING), ("side", "2")]);
    for (commit, branch) in [(&old, "main"), (&side, "side")] {
        let build = triggered(&app, commit).await;
        assert_eq!((&build["trusted"], &build["branch"]), (&json!(true), &json!(branch)));
    }
    // A delivery says `main` of a commit that is on `side` only: ours, and yet it writes nothing that `main` reads.
    let push = json!({"ref": "refs/heads/main", "after": side});
    let build = built(&app, &repository, "push", &push).await;
    assert_eq!(build["trusted"], true, "{build}");
    for _ in 0..3 {
        let lease = agent.take(&app).await;
        let cache = archive(&[("workspace/target/a", "new")]);
        put(&app, &agent, &lease, "caches/cargo-1", cache).await.expect(200);
        agent.started(&app, &lease).await;
        agent.pass(&app, &lease).await;
    }
    let caches = app.get("/api/v1/repositories/app/caches").await.expect(200).json();
    let scopes: Vec<_> = caches
        .as_array()
        .unwrap()
        .iter()
        .map(|cache| cache["scope"].clone())
        .collect();
    let own = format!("refs/heads/main@{side}");
    for scope in ["refs/heads/main", "refs/heads/side", own.as_str()] {
        assert!(scopes.contains(&json!(scope)), "{scope} of {scopes:?}");
    }
}

#[tokio::test]
async fn a_build_that_is_repeated_is_trusted_at_most_as_before() {
    let (app, repository) = ready("generic").await;
    let mut agent = SimAgent::enrol(&app).await;
    let rerun = async |build: &Value| {
        let path = format!("/api/v1/builds/{}/rerun", build["number"]);
        let made = app.post(&path, json!({})).await.expect(201).json();
        app.build(made["number"].as_i64().unwrap()).await
    };
    let ours = app
        .push_to(&repository, "side", &[(".drover.yml", PASSING), ("side", "1")])
        .await;
    let lease = agent.take(&app).await;
    agent.pass(&app, &lease).await;
    let again = rerun(&ours).await;
    assert_eq!(again["trusted"], true, "{again}");
    let lease = agent.take(&app).await;
    agent.pass(&app, &lease).await;
    repository.remove("refs/heads/side");
    let again = rerun(&ours).await;
    assert_eq!(
        (&again["trusted"], &again["message"]),
        (&json!(false), &json!(UNTRUSTED))
    );
    let lease = agent.take(&app).await;
    assert!(!lease.trusted);
    agent.pass(&app, &lease).await;
    // What was not trusted once stays so, wherever its commit is now.
    repository.point("refs/heads/side", ours["commit"].as_str().unwrap());
    let again = rerun(&again).await;
    assert_eq!(
        (&again["trusted"], &again["message"]),
        (&json!(false), &json!(UNTRUSTED))
    );
}
