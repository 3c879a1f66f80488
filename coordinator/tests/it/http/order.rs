//! Deliveries that are late, or come again, over HTTP with real repositories.

use serde_json::{Value, json};

use super::support::{PASSING, TestApp, TestRepository};

fn file(mode: &str) -> String {
    format!("concurrency: {{group: \"${{{{ git.branch }}}}\", mode: {mode}}}\n{PASSING}")
}

async fn delivered(app: &TestApp, repository: &TestRepository, (id, body): (&str, &Value)) -> Value {
    let request = app.delivery(repository, body).header("x-drover-delivery", id);
    let answer = app.send(request).await.expect(202).json();
    app.delivery_over(answer["delivery"].as_str().unwrap()).await
}

fn push(before: &str, after: &str) -> Value {
    json!({"ref": "refs/heads/main", "before": before, "after": after})
}

async fn build_of(app: &TestApp, delivery: &Value) -> Value {
    app.build(
        delivery["build"]
            .as_i64()
            .unwrap_or_else(|| panic!("no build: {delivery}")),
    )
    .await
}

/// An older push is tried again after a newer one was built: it comes before that one, whatever the mode.
#[tokio::test]
async fn a_late_push_never_stops_its_successor() {
    for mode in ["cancel", "latest", "queue"] {
        let (app, mut repository) = (TestApp::start().await, TestRepository::new("app"));
        let file = file(mode);
        let commit = |text: &str| repository.commit("main", &[(".drover.yml", file.as_str()), ("a", text)]);
        let (base, older) = (commit("base"), commit("older"));
        app.add(&mut repository).await;
        let hidden = repository.folder.path().with_extension("hidden");
        std::fs::rename(repository.folder.path(), &hidden).unwrap();
        let late = delivered(&app, &repository, ("older", &push(&base, &older))).await;
        assert_eq!(late["status"], "pending", "{late}");
        std::fs::rename(&hidden, repository.folder.path()).unwrap();
        let newer = repository.commit("main", &[(".drover.yml", file.as_str()), ("a", "newer")]);
        let newer = delivered(&app, &repository, ("newer", &push(&older, &newer))).await;
        let id = late["id"].as_str().unwrap();
        app.post(&format!("/api/v1/deliveries/{id}/redeliver"), json!({}))
            .await
            .expect(202);
        let late = app
            .until(async || {
                let late = app.get(&format!("/api/v1/deliveries/{id}")).await.json();
                late["build"].is_i64().then_some(late)
            })
            .await;
        let (late, newer) = (build_of(&app, &late).await, build_of(&app, &newer).await);
        assert_eq!(newer["status"], "queued", "{mode}: {newer}");
        if mode == "queue" {
            // Nothing has begun: they go in the order of the pushes.
            assert_eq!(late["status"], "queued", "{late}");
            let why = app.get(&format!("/api/v1/builds/{}/why", newer["number"])).await.json();
            assert_eq!(
                why[0]["why"],
                format!(
                    "blocked by #{}, which is of concurrency group `main`, too",
                    late["number"]
                )
            );
        } else {
            assert_eq!(late["status"], "cancelled", "{mode}: {late}");
            assert_eq!(late["jobs"][0]["reason"], format!("superseded by #{}", newer["number"]));
        }
    }
}

/// The id of a delivery is not signed: who has seen one can send its body again.
#[tokio::test]
async fn a_body_that_comes_again_makes_no_second_build() {
    let (app, mut repository) = (TestApp::start().await, TestRepository::new("app"));
    let first = repository.commit("main", &[(".drover.yml", PASSING)]);
    app.add(&mut repository).await;
    let zeros = "0".repeat(40);
    let made = delivered(&app, &repository, ("1", &push(&zeros, &first))).await;
    let replayed = delivered(&app, &repository, ("2", &push(&zeros, &first))).await;
    assert_eq!(replayed["build"], made["build"]);
    assert_eq!(
        replayed["message"],
        format!("the same push was delivered before: it is build #{}", made["build"])
    );
    let second = repository.commit("main", &[(".drover.yml", PASSING), ("b", "1")]);
    let there = delivered(&app, &repository, ("3", &push(&first, &second))).await;
    // Old bodies, once more.
    for (id, body) in [("4", push(&zeros, &first)), ("5", push(&first, &second))] {
        delivered(&app, &repository, (id, &body)).await;
    }
    // The branch goes back, and comes again: the bodies are equal, the pushes are not.
    repository.point("refs/heads/main", &first);
    let back = delivered(&app, &repository, ("6", &push(&second, &first))).await;
    repository.point("refs/heads/main", &second);
    let again = delivered(&app, &repository, ("7", &push(&first, &second))).await;
    let all = [&made, &there, &back, &again].map(|delivery| delivery["build"].as_i64().unwrap());
    assert!(all.is_sorted() && all[2] > all[1] && all[3] > all[2], "{all:?}");
    let builds = app.get("/api/v1/builds").await.json();
    assert_eq!(builds.as_array().unwrap().len(), 4, "{builds}");
    // Gone, and made anew at the same commit.
    repository.remove("refs/heads/main");
    let gone = delivered(&app, &repository, ("8", &push(&second, &zeros))).await;
    assert_eq!(gone["build"], Value::Null);
    repository.point("refs/heads/main", &second);
    let anew = delivered(&app, &repository, ("9", &push(&zeros, &second))).await;
    assert!(anew["build"].as_i64().unwrap() > all[3], "{anew}");
}

#[tokio::test]
async fn a_pull_request_is_built_once_for_each_head_and_each_time_it_is_opened() {
    let (app, mut repository) = (TestApp::start().await, TestRepository::new("app"));
    repository.commit("main", &[(".drover.yml", PASSING)]);
    app.add(&mut repository).await;
    let mut builds = 0;
    let mut expect = async |id: &str, (action, head, at): (&str, &str, &str), new: bool| {
        let body = json!({"event": "pull_request", "action": action, "number": 7, "base": "main", "after": head,
            "updated_at": at});
        let delivery = delivered(&app, &repository, (id, &body)).await;
        builds += i32::from(new);
        let all = app.get("/api/v1/builds").await.json();
        assert_eq!(all.as_array().unwrap().len(), builds as usize, "{id}: {delivery}");
    };
    let first = repository.commit_of_fork(7, &[(".drover.yml", PASSING), ("a", "1")]);
    expect("1", ("opened", &first, "2026-11-02T09:00:00Z"), true).await;
    expect("2", ("synchronize", &first, "2026-11-02T09:00:01Z"), false).await;
    let second = repository.commit_of_fork(7, &[(".drover.yml", PASSING), ("a", "2")]);
    expect("3", ("synchronize", &second, "2026-11-02T10:00:00Z"), true).await;
    expect("4", ("opened", &first, "2026-11-02T09:00:00Z"), false).await;
    expect("5", ("reopened", &second, "2026-11-02T11:00:00Z"), true).await;
    expect("6", ("reopened", &second, "2026-11-02T11:00:00Z"), false).await;
}
