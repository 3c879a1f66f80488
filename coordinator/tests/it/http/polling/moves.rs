//! What moves between two looks is built, once, whatever else says so, whatever it is called, and whoever dies.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use coordinator::store::testing;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{APP, Polled, asked_since, commits, store_of};
use crate::http::repositories::{commit, git, git_bytes, repository, write};
use crate::http::support::{PASSING, TestApp, TestRepository};

#[tokio::test]
async fn what_moves_between_two_looks_is_built() {
    let mut repository = TestRepository::new("app");
    repository.commit("main", &[(".drover.yml", PASSING)]);
    repository.commit("old", &[(".drover.yml", PASSING)]);
    let mut polled = Polled::start(&mut repository, "generic").await;
    assert_eq!(polled.found().await.0, [""; 0], "nothing moved");

    let second = repository.commit("main", &[(".drover.yml", PASSING), ("a", "2")]);
    let (lines, builds) = polled.found().await;
    assert_eq!(lines, ["updated refs/heads/main"]);
    let build = &builds[0];
    assert_eq!(
        (&build["event"], &build["branch"], &build["commit"], &build["trusted"]),
        (&json!("push"), &json!("main"), &json!(second), &json!(true))
    );

    repository.point("refs/heads/new", &second);
    repository.tag("v1", &second);
    let theirs = repository.commit_of_fork(7, &[(".drover.yml", PASSING), ("a", "theirs")]);
    let (lines, builds) = polled.found().await;
    assert_eq!(lines, ["created refs/heads/new", "created refs/tags/v1"]);
    assert_eq!(commits(&builds), [&second, &second]);
    assert_eq!((&builds[1]["event"], &builds[1]["tag"]), (&json!("tag"), &json!("v1")));
    assert!(!builds.iter().any(|build| build["commit"] == theirs));

    // Three at once, one of them forced, one gone.
    let other = repository.commit("other", &[(".drover.yml", PASSING), ("b", "1")]);
    repository.point("refs/heads/main", &other);
    repository.remove("refs/heads/old");
    let (lines, builds) = polled.found().await;
    assert_eq!(
        lines,
        [
            "deleted refs/heads/old the branch or tag was deleted: nothing to build",
            "updated refs/heads/main",
            "created refs/heads/other",
        ]
    );
    assert_eq!(commits(&builds), [&other, &other]);

    // Where it was before, and back again: each is a push of its own.
    for commit in [&second, &other, &second] {
        repository.point("refs/heads/main", commit);
        let before = polled.count().await;
        let (lines, builds) = polled.found().await;
        assert_eq!(
            (lines, commits(&builds)),
            (vec!["updated refs/heads/main".to_owned()], vec![commit.as_str()])
        );
        assert_eq!(polled.count().await, before + 1);
    }
    // Gone, and made anew at the same commit.
    repository.remove("refs/heads/new");
    polled.found().await;
    repository.point("refs/heads/new", &second);
    let before = polled.count().await;
    polled.found().await;
    assert_eq!(polled.count().await, before + 1);

    // What came is shown as any delivery, and can be processed again.
    let newest = &polled.deliveries().await[0];
    let path = format!("/repositories/app/deliveries/{}", newest["id"].as_str().unwrap());
    let page = polled.app.get(&path).await.expect(200).text;
    assert!(
        page.contains("drover (polling)") && page.contains("refs/heads/new"),
        "{page}"
    );
    let before = polled.count().await;
    let again = format!("/api/v1/deliveries/{}", newest["id"].as_str().unwrap());
    polled
        .app
        .post(&format!("{again}/redeliver"), json!({}))
        .await
        .expect(202);
    let delivered = polled
        .app
        .until(async || {
            let delivery = polled.app.get(&again).await.json();
            (delivery["status"] == "done").then_some(delivery)
        })
        .await;
    assert_ne!(delivered["build"], newest["build"]);
    assert_eq!(polled.count().await, before + 1);
}

#[tokio::test]
async fn a_push_that_a_webhook_says_too_is_built_once() {
    let mut repository = TestRepository::new("app");
    let first = repository.commit("main", &[(".drover.yml", PASSING)]);
    let mut polled = Polled::start(&mut repository, "gitlab").await;
    let hook = async |polled: &mut Polled, before: &str, after: &str| {
        let body = json!({"object_kind": "push", "ref": "refs/heads/main", "before": before, "after": after});
        let request = polled.app.webhook(&repository, "Push Hook", body.to_string());
        polled.app.send(request).await.expect(202);
        polled.processed().await
    };
    let same = |build: &Value| {
        format!(
            "updated refs/heads/main the same push was delivered before: it is build #{}",
            build["number"]
        )
    };
    let commit = |text: &str| repository.commit("main", &[(".drover.yml", PASSING), ("a", text)]);

    // The webhook first; and two of them between two looks.
    let second = commit("2");
    hook(&mut polled, &first, &second).await;
    let third = commit("3");
    let (_, builds) = hook(&mut polled, &second, &third).await;
    assert_eq!(polled.found().await.0, [same(&builds[0])]);
    assert_eq!(polled.count().await, 2);

    // The poll first: it does not know of the commit in between, which the webhooks say late.
    let (fourth, fifth) = (commit("4"), commit("5"));
    let (lines, builds) = polled.found().await;
    assert_eq!(
        (lines[0].as_str(), commits(&builds)),
        ("updated refs/heads/main", vec![fifth.as_str()])
    );
    let (lines, of_hook) = hook(&mut polled, &fourth, &fifth).await;
    assert_eq!(
        (lines, &of_hook[0]["number"]),
        (vec![same(&builds[0])], &builds[0]["number"])
    );
    assert_eq!(polled.count().await, 3);

    // A webhook that gets lost.
    let sixth = commit("6");
    let (lines, builds) = polled.found().await;
    assert_eq!(
        (lines[0].as_str(), commits(&builds)),
        ("updated refs/heads/main", vec![sixth.as_str()])
    );
    assert_eq!(polled.count().await, 4);
}

#[tokio::test]
async fn names_may_be_hostile_and_of_any_bytes() {
    let app = TestApp::start().await;
    let repository = repository(&app, &[]).await;
    write(&repository, b".drover.yml", PASSING);
    let tip = commit(&repository, "names");
    let mut polled = Polled::over(app).await;
    let folder = repository.folder.path();
    let long = format!("refs/heads/{}", "x".repeat(250));
    for name in [
        &b"refs/heads/caf\xe9"[..],
        b"refs/heads/$(x)",
        b"refs/heads/-x",
        long.as_bytes(),
    ] {
        let args = [OsStr::new("update-ref"), OsStr::from_bytes(name), OsStr::new(&tip)];
        git_bytes(folder, &args);
    }
    let (lines, builds) = polled.found().await;
    let expected = [
        "created refs/heads/$(x)",
        "created refs/heads/-x `refs/heads/-x` is not a valid branch or tag name",
        "created refs/heads/caf\u{fffd}",
    ];
    assert_eq!(lines, expected);
    let branches: Vec<_> = builds.iter().map(|build| build["branch"].as_str().unwrap()).collect();
    assert_eq!(branches, ["$(x)", "caf\u{fffd}"]);
    assert_eq!(commits(&builds), [&tip, &tip]);
    git_bytes(
        folder,
        &[
            OsStr::new("update-ref"),
            OsStr::new("-d"),
            OsStr::from_bytes(b"refs/heads/caf\xe9"),
        ],
    );
    git(folder, &["update-ref", "-d", "refs/heads/-x"]);
    let (lines, builds) = polled.found().await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.starts_with("deleted ")) && builds.is_empty(),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_repository_with_sha_256_is_polled() {
    let app = TestApp::start().await;
    let repository = repository(&app, &["--object-format=sha256"]).await;
    write(&repository, b".drover.yml", PASSING);
    commit(&repository, "one");
    let mut polled = Polled::over(app).await;
    write(&repository, b"a", "1");
    let tip = commit(&repository, "two");
    git(repository.folder.path(), &["branch", "new"]);
    let (lines, builds) = polled.found().await;
    assert_eq!(lines, ["updated refs/heads/main", "created refs/heads/new"]);
    assert_eq!(commits(&builds), [&tip, &tip]);
    assert_eq!(tip.len(), 64);
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// Dropped as by `kill -9`, once when nobody looked since the push, and once right after a poll, wherever its deliveries
/// are then.
#[test]
fn what_moves_while_a_coordinator_dies_is_built_once() {
    let data = tempfile::tempdir().unwrap();
    let mut repository = TestRepository::new("app");
    repository.commit("main", &[(".drover.yml", PASSING)]);
    let (at, mut pushed) = (data.path(), Vec::new());
    for (text, branches) in [("1", 0), ("2", 1), ("3", 3), ("4", 5)] {
        let life = runtime();
        life.block_on(async {
            let app = TestApp::over(at).await;
            let store = store_of(at).await;
            if branches == 0 {
                app.add(&mut repository).await;
                let request = app.request(Method::PATCH, APP).json(&json!({"poll_secs": 3_600}));
                app.send(request).await.expect(200);
                asked_since(&app, &Value::Null).await;
            } else {
                let before = app.get(APP).await.json()["polled_at"].clone();
                testing::make_polls_due(&store).await.unwrap();
                asked_since(&app, &before).await;
            }
        });
        life.shutdown_background();
        let names = (0..branches).map(|n| format!("topic-{n}")).chain(["main".to_owned()]);
        pushed.extend(names.map(|name| repository.commit(&name, &[(".drover.yml", PASSING), ("a", text)])));
    }
    let mut built = runtime().block_on(async {
        let app = TestApp::over(at).await;
        let store = store_of(at).await;
        let before = app.get(APP).await.json()["polled_at"].clone();
        testing::make_polls_due(&store).await.unwrap();
        asked_since(&app, &before).await;
        let all = app.get(&format!("{APP}/deliveries?limit=500")).await.json();
        for delivery in all.as_array().unwrap() {
            app.delivery_over(delivery["id"].as_str().unwrap()).await;
        }
        let builds = app.get("/api/v1/builds?limit=200").await.json();
        let commits = builds.as_array().unwrap().iter();
        commits
            .map(|build| build["commit"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    });
    built.sort();
    pushed.sort();
    assert_eq!(built, pushed);
}
