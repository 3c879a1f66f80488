//! From a delivery to a build, or to words that say why there is none.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{PASSING, TestApp, TestRepository};

/// Delivers and waits for what becomes of it.
async fn becomes(app: &TestApp, repository: &TestRepository, body: Value) -> Value {
    let answer = app.deliver(repository, &body).await.expect(202).json();
    app.delivery_over(answer["delivery"].as_str().unwrap()).await
}

async fn app_with(files: &[(&str, &str)]) -> (TestApp, TestRepository, String) {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    let sha = repository.commit("main", files);
    app.add(&mut repository).await;
    (app, repository, sha)
}

#[tokio::test]
async fn a_push_becomes_a_build_of_that_commit() {
    let (app, repository, sha) = app_with(&[(".drover.yml", PASSING)]).await;
    let delivery = becomes(&app, &repository, json!({"ref": "refs/heads/main", "after": sha})).await;
    let build = app.build(delivery["build"].as_i64().unwrap()).await;
    assert_eq!(build["repository"], "app");
    assert_eq!(build["event"], "push");
    assert_eq!(build["branch"], "main");
    assert_eq!(build["commit"], sha);
    assert_eq!(build["title"], "Say hi");
    assert_eq!(build["author"], "Ada Lovelace");
    assert_eq!(build["status"], "queued");
    assert_eq!(build["jobs"][0]["name"], "test");
    let list = app.get("/api/v1/builds").await.json();
    assert_eq!(list[0]["number"], build["number"]);
}

#[tokio::test]
async fn a_second_push_is_fetched_into_the_same_mirror() {
    let (app, repository, _) = app_with(&[(".drover.yml", PASSING)]).await;
    let first = app.push(&repository, &[(".drover.yml", PASSING), ("a", "1")]).await;
    let second = app.push(&repository, &[(".drover.yml", PASSING), ("a", "2")]).await;
    assert_ne!(first["commit"], second["commit"]);
    assert_eq!(second["status"], "queued");
}

#[tokio::test]
async fn a_commit_that_was_replaced_by_a_later_push_is_still_built() {
    let (app, repository, first) = app_with(&[(".drover.yml", PASSING)]).await;
    repository.commit("main", &[(".drover.yml", PASSING), ("later", "x")]);
    let delivery = becomes(&app, &repository, json!({"ref": "refs/heads/main", "after": first})).await;
    let build = app.build(delivery["build"].as_i64().unwrap()).await;
    assert_eq!(build["commit"], first);
}

#[tokio::test]
async fn several_files_are_one_job_file() {
    let a = "jobs:\n  a: {image: busybox, steps: [echo a]}\n";
    let b = "jobs:\n  b: {image: busybox, steps: [echo b], needs: [a]}\n";
    let (app, repository, sha) = app_with(&[(".drover/a.yml", a), (".drover/b.yml", b), (".drover/c.txt", "?")]).await;
    let delivery = becomes(&app, &repository, json!({"ref": "refs/heads/main", "after": sha})).await;
    let build = app.build(delivery["build"].as_i64().unwrap()).await;
    let statuses: Vec<_> = build["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| (&job["name"], &job["status"]))
        .collect();
    assert_eq!(
        statuses,
        [(&json!("a"), &json!("queued")), (&json!("b"), &json!("waiting"))]
    );
}

#[tokio::test]
async fn a_tag_builds_the_commit_that_it_points_at() {
    let (app, repository, sha) = app_with(&[(".drover.yml", PASSING)]).await;
    let tag = repository.tag("v1", &sha);
    let delivery = becomes(&app, &repository, json!({"ref": "refs/tags/v1", "after": tag})).await;
    let build = app.build(delivery["build"].as_i64().unwrap()).await;
    assert_eq!(
        (&build["event"], &build["tag"], &build["commit"]),
        (&json!("tag"), &json!("v1"), &json!(sha))
    );
}

#[tokio::test]
async fn a_build_without_its_own_commit_takes_what_the_branch_points_at() {
    let (app, repository, sha) = app_with(&[(".drover.yml", PASSING)]).await;
    let delivery = becomes(&app, &repository, json!({"ref": "refs/heads/main"})).await;
    let build = app.build(delivery["build"].as_i64().unwrap()).await;
    assert_eq!(build["commit"], sha);
}

#[tokio::test]
async fn what_makes_no_build_says_why() {
    let (app, repository, sha) = app_with(&[("README", "no job file here")]).await;
    let on_tags = "on: [tag]\njobs:\n  test:\n    image: busybox\n    steps: [echo hi]\n";
    let tags_only = repository.commit("tags-only", &[(".drover.yml", on_tags)]);
    let unknown = "1234567890123456789012345678901234567890";
    let pushes = [
        json!({"ref": "refs/heads/main", "after": sha}),
        json!({"ref": "refs/heads/tags-only", "after": tags_only}),
        json!({"ref": "refs/heads/gone", "after": "0".repeat(40)}),
        json!({"ref": "refs/heads/nowhere"}),
        json!({"ref": "refs/heads/nowhere", "after": unknown}),
        json!({"ref": "refs/heads/main", "after": unknown}),
        json!({"ref": "refs/heads/--upload-pack=touch /tmp/x", "after": sha}),
        json!({"ref": "refs/notes/x", "after": sha}),
        json!({"ref": "refs/heads/main", "after": "main"}),
        json!({"no": "ref"}),
    ];
    let mut said = Vec::new();
    for push in pushes {
        let delivery = becomes(&app, &repository, push).await;
        assert_eq!(delivery["build"], Value::Null);
        let message = delivery["message"].as_str().unwrap().replace(&sha[..10], "<main>");
        said.push(format!(
            "{}: {}",
            delivery["status"].as_str().unwrap(),
            message.replace(&tags_only[..10], "<tags-only>")
        ));
    }
    insta::assert_snapshot!(said.join("\n"), @r"
    done: there is no .drover.yml (and no .drover/*.yml) at <main>
    done: no build of <tags-only>: the job file is not for push events
    done: the branch or tag was deleted: nothing to build
    failed: the repository has no branch nowhere
    failed: the repository has no branch nowhere
    failed: the repository has no commit 1234567890; it may have been replaced by a later push
    failed: `refs/heads/--upload-pack=touch /tmp/x` is not a valid branch or tag name
    failed: `refs/notes/x` is neither a branch nor a tag nor the head of a pull request
    failed: `main` is not a full commit id (40 or 64 hexadecimal digits)
    failed: the body is no generic push delivery: missing field `ref` at line 1 column 12
    ");
    assert_eq!(app.get("/api/v1/builds").await.json(), json!([]));
}

#[tokio::test]
async fn an_unreachable_repository_is_tried_again() {
    let (app, mut repository, sha) = app_with(&[(".drover.yml", PASSING)]).await;
    let hidden = repository.folder.path().with_extension("hidden");
    std::fs::rename(repository.folder.path(), &hidden).unwrap();
    let delivery = becomes(&app, &repository, json!({"ref": "refs/heads/main", "after": sha})).await;
    assert_eq!(delivery["status"], "pending");
    assert!(delivery["next_at"].is_i64());
    let message = delivery["message"].as_str().unwrap();
    assert!(message.starts_with("the repository cannot be reached: "), "{message}");
    std::fs::rename(&hidden, repository.folder.path()).unwrap();
    repository.address.clear();
    let id = delivery["id"].as_str().unwrap().to_owned();
    app.post(&format!("/api/v1/deliveries/{id}/redeliver"), json!({}))
        .await
        .expect(202);
    let mended = app
        .until(async || {
            let delivery = app.get(&format!("/api/v1/deliveries/{id}")).await.json();
            (delivery["status"] == "done").then_some(delivery)
        })
        .await;
    assert!(mended["build"].is_i64(), "{mended}");
}

#[tokio::test]
async fn an_invalid_job_file_is_a_failed_build_with_diagnostics() {
    let (app, repository, _) = app_with(&[]).await;
    let build = app
        .push(
            &repository,
            &[(".drover.yml", "jobs:\n  test:\n    imgae: busybox\n    steps: [echo]\n")],
        )
        .await;
    assert_eq!(build["status"], "failed");
    assert_eq!(build["jobs"], json!([]));
    let found = build["diagnostics"].as_array().unwrap();
    assert!(
        found
            .iter()
            .any(|one| one["message"].as_str().unwrap().contains("imgae")),
        "{found:?}"
    );
    assert!(found[0]["span"]["line"].is_i64());
    let number = &build["number"];
    let diagnosis = app
        .get(&format!("/api/v1/builds/{number}/diagnostics"))
        .await
        .expect(200)
        .json();
    assert_eq!(diagnosis["files"][0]["name"], ".drover.yml");
    let page = app.get(&format!("/builds/{number}")).await.expect(200).text;
    assert!(page.contains("imgae") && page.contains("DRV"), "{page}");
}

#[tokio::test]
async fn the_same_delivery_twice_is_one_build() {
    let (app, repository, sha) = app_with(&[(".drover.yml", PASSING)]).await;
    let body = json!({"ref": "refs/heads/main", "after": sha});
    let send = async || {
        app.send(app.delivery(&repository, &body).header("x-drover-delivery", "1"))
            .await
            .expect(202)
            .json()
    };
    let (first, second) = (send().await, send().await);
    assert_eq!(
        (&first["duplicate"], &second["duplicate"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(first["delivery"], second["delivery"]);
    app.delivery_over(first["delivery"].as_str().unwrap()).await;
    assert_eq!(app.get("/api/v1/builds").await.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_delivery_that_made_its_build_can_be_delivered_again() {
    let (app, repository, sha) = app_with(&[(".drover.yml", PASSING)]).await;
    let delivery = becomes(&app, &repository, json!({"ref": "refs/heads/main", "after": sha})).await;
    let id = delivery["id"].as_str().unwrap();
    app.post(&format!("/api/v1/deliveries/{id}/redeliver"), json!({}))
        .await
        .expect(202);
    let again = app
        .until(async || {
            let again = app.get(&format!("/api/v1/deliveries/{id}")).await.json();
            (again["build"] != delivery["build"]).then_some(again)
        })
        .await;
    assert_eq!(again["status"], "done");
}

#[tokio::test]
async fn a_ping_is_heard() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add_as(&mut repository, "github").await;
    let body = include_str!("../../fixtures/webhooks/github-ping.json");
    let signature = coordinator::forges::sign(&repository.secret.as_str().into(), body.as_bytes());
    let request = app.anonymous(Method::POST, &repository.hook).body(body);
    let request = request
        .header("x-github-event", "ping")
        .header("x-github-delivery", "72d3162e");
    let answer = app
        .send(request.header("x-hub-signature-256", signature))
        .await
        .expect(202)
        .json();
    let delivery = app.delivery_over(answer["delivery"].as_str().unwrap()).await;
    assert_eq!(delivery["message"], "ping: the webhook works");
    assert_eq!(delivery["external_id"], "72d3162e");
}
