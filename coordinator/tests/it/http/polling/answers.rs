//! Who is asked when: repositories that do not answer, or not in time, and what people say about it.

use coordinator::store::polling;
use reqwest::Method;
use serde_json::{Value, json};

use super::{APP, Polled, asked_since, commits};
use crate::http::support::{PASSING, TestRepository, within};

#[tokio::test]
async fn who_does_not_answer_is_asked_less_often_until_it_does() {
    let mut repository = TestRepository::new("app");
    repository.commit("main", &[(".drover.yml", PASSING)]);
    let mut polled = Polled::start(&mut repository, "generic").await;
    polled.set(json!({"poll_secs": 60, "public": true})).await;
    let pause = |shown: &Value| shown["next_poll_at"].as_i64().unwrap() - shown["polled_at"].as_i64().unwrap();
    let secs = 1_000_000;
    assert!((50 * secs..70 * secs).contains(&pause(&polled.asked().await)));
    let hidden = repository.folder.path().with_extension("hidden");
    std::fs::rename(repository.folder.path(), &hidden).unwrap();
    for (shortest, longest) in [(100, 140), (200, 280), (400, 560)] {
        let shown = polled.asked().await;
        let problem = shown["poll_problem"].as_str().unwrap();
        assert!(problem.starts_with("the repository cannot be reached: "), "{problem}");
        assert!((shortest * secs..longest * secs).contains(&pause(&shown)), "{shown}");
    }
    let page = polled.app.get("/repositories/app").await.expect(200).text;
    assert!(
        page.contains("every 1m") && page.contains("the repository cannot be reached"),
        "{page}"
    );
    let request = polled.app.anonymous(Method::GET, "/repositories/app");
    let page = polled.app.send(request).await.expect(200).text;
    assert!(
        !page.contains("Polling") && !page.contains("cannot be reached"),
        "{page}"
    );

    // Without any branch: as if it were not there, so that nothing is new once they are back.
    std::fs::rename(&hidden, repository.folder.path()).unwrap();
    let main = repository.commit("main", &[(".drover.yml", PASSING), ("a", "1")]);
    repository.remove("refs/heads/main");
    let shown = polled.asked().await;
    insta::assert_snapshot!(shown["poll_problem"].as_str().unwrap(), @"the repository says that it has neither branches nor tags, and it had some before");
    repository.point("refs/heads/main", &main);
    let (lines, builds) = polled.found().await;
    assert_eq!(
        (lines[0].as_str(), commits(&builds)),
        ("updated refs/heads/main", vec![main.as_str()])
    );
    assert!((50 * secs..70 * secs).contains(&pause(&polled.app.get(APP).await.json())));
}

#[tokio::test]
async fn polling_is_switched_on_and_off() {
    let mut repository = TestRepository::new("app");
    let mut polled = Polled::start(&mut repository, "generic").await;
    // It was empty; whatever it has now is new.
    let first = repository.commit("main", &[(".drover.yml", PASSING)]);
    let (lines, builds) = polled.found().await;
    assert_eq!(
        (lines[0].as_str(), commits(&builds)),
        ("created refs/heads/main", vec![first.as_str()])
    );
    let off = polled.set(json!({"poll_secs": 0})).await;
    for field in ["poll_secs", "polled_at", "next_poll_at", "poll_problem"] {
        assert_eq!(off[field], Value::Null, "{field}");
    }
    repository.commit("main", &[(".drover.yml", PASSING), ("a", "1")]);
    polled.set(json!({"poll_secs": 3_600})).await;
    asked_since(&polled.app, &Value::Null).await;
    assert_eq!(
        polled.processed().await.0,
        [""; 0],
        "it begins with a look that builds nothing"
    );

    let app = &polled.app;
    let refused = async |change: Value, status: u16| {
        let answer = app.send(app.request(Method::PATCH, APP).json(&change)).await;
        answer.expect(status).json()["message"].as_str().unwrap().to_owned()
    };
    insta::assert_snapshot!(refused(json!({"poll_secs": 9, "public": true}), 422).await, @"a repository is polled every 10 seconds (10s) at the shortest and once a day (1d) at the longest, not every 9 seconds");
    insta::assert_snapshot!(refused(json!({"poll_secs": null}), 400).await, @"nothing is to be changed: give `public`, `poll_secs` or `approval`");
    assert_eq!(app.get(APP).await.json()["public"], json!(false));
    let short = json!({"name": "other", "git": repository.address, "poll_secs": 100_000});
    app.post("/api/v1/repositories", short).await.expect(422);
    let other = json!({"name": "other", "git": repository.address, "poll_secs": 60});
    let added = app.post("/api/v1/repositories", other).await.expect(201).json();
    assert_eq!(added["poll_secs"], json!(60));
    let all = app.get("/api/v1/repositories").await.json();
    assert_eq!(
        (&all[0]["poll_secs"], &all[1]["poll_secs"]),
        (&json!(3_600), &json!(60))
    );
    // Removed, while it is due: the others go on.
    app.send(app.request(Method::DELETE, "/api/v1/repositories/other"))
        .await
        .expect(204);
    polled.asked().await;
    assert_eq!(polling::all(&polled.store).await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_that_is_slow_holds_up_no_other() {
    let mut repository = TestRepository::new("app");
    repository.commit("main", &[(".drover.yml", PASSING)]);
    let mut polled = Polled::start(&mut repository, "generic").await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let git = format!("git://{}/slow.git", silent.local_addr().unwrap());
    let slow = json!({"name": "slow", "git": git, "poll_secs": 10});
    polled.app.post("/api/v1/repositories", slow).await.expect(201);
    // Both connections of it: that for its job file, and that of the poll.
    let _first = within("git", silent.accept()).await.unwrap();
    let _second = within("git", silent.accept()).await.unwrap();
    repository.commit("main", &[(".drover.yml", PASSING), ("a", "1")]);
    assert_eq!(polled.found().await.0, ["updated refs/heads/main"]);
    let slow = polled.app.get("/api/v1/repositories/slow").await.json();
    assert_eq!(
        (&slow["polled_at"], &slow["poll_problem"]),
        (&Value::Null, &Value::Null)
    );
    polled.app.running.stop().await;
}
