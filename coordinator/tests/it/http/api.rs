//! The API of people and scripts: its description, and every noun once through its life.

use coordinator::http::routes;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{PASSING, SimAgent, TestApp, TestRepository};

#[tokio::test]
async fn the_description_lists_every_route() {
    let app = TestApp::start().await;
    let description = app.get("/api/v1/openapi.json").await.expect(200).json();
    let paths = description["paths"].as_object().unwrap();
    for route in routes().iter().filter(|route| route.path.starts_with("/api/v1/")) {
        if route.path.ends_with("/openapi.json") {
            continue;
        }
        let method = route.method.as_str().to_lowercase();
        // What is left of a path is marked for our router alone.
        let operation = &paths[&route.path.replace("{*", "{")][&method];
        assert!(operation["responses"].is_object(), "{route:?}");
        let says = operation["summary"].as_str().or(operation["description"].as_str());
        assert!(says.is_some_and(|text| !text.is_empty()), "{route:?} says what it does");
    }
    let listed: usize = paths.values().map(|item| item.as_object().unwrap().len()).sum();
    assert!(listed >= 35, "{listed}");
    assert_eq!(description["info"]["title"], "Drover");
}

#[tokio::test]
async fn the_life_of_a_repository() {
    let app = TestApp::start().await;
    let new = json!({"name": "app", "git": "/srv/git/app.git"});
    let added = app.post("/api/v1/repositories", new.clone()).await.expect(201).json();
    assert_eq!(added["forge"], "generic");
    assert_eq!(added["hook"]["url"], format!("{}/hooks/generic/app", app.running.url));
    let secret = added["hook"]["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 64);
    let refusals = [
        new,
        json!({"name": "../x", "git": "/srv/git/app.git"}),
        json!({"name": "b", "git": "ext::sh -c id"}),
        json!({"name": "b", "git": "https://user:word@git.example/b.git"}),
        json!({"name": "b", "git": "/srv/b.git", "forge": "sourceforge"}),
    ];
    let mut said = Vec::new();
    for refused in refusals {
        let answer = app.post("/api/v1/repositories", refused).await.expect(422).json();
        assert_eq!(answer["code"], "refused");
        said.push(answer["message"].as_str().unwrap().to_owned());
    }
    insta::assert_snapshot!(said.join("\n"), @r"
    there is a repository `app` already
    a repository's name has 1 to 100 letters, digits, `.`, `_` or `-`, and begins with a letter or digit
    `ext::sh -c id` is no address of a repository; give a URL or an absolute path
    the address contains a password, which would end up in logs; use ssh, or leave the password out
    unknown forge `sourceforge`; known are generic, github, gitea, forgejo, gitlab, bitbucket and bitbucket-dc
    ");
    app.post("/api/v1/repositories", json!({"name": "b", "git": "/x", "colour": 1}))
        .await
        .expect(400);
    app.post("/api/v1/repositories", json!({"name": "b"})).await.expect(400);
    let hook = app.get("/api/v1/repositories/app/hook").await.expect(200).json();
    assert_eq!(hook, added["hook"]);
    let rotated = app
        .post("/api/v1/repositories/app/hook/rotate", json!({}))
        .await
        .expect(200)
        .json();
    assert_ne!(rotated["secret"], added["hook"]["secret"]);
    assert_eq!(rotated, app.get("/api/v1/repositories/app/hook").await.json());
    let change = app
        .request(Method::PATCH, "/api/v1/repositories/app")
        .json(&json!({"public": true}));
    assert_eq!(app.send(change).await.expect(200).json()["public"], true);
    assert_eq!(
        app.get("/api/v1/repositories").await.json().as_array().unwrap().len(),
        1
    );
    app.send(app.request(Method::DELETE, "/api/v1/repositories/app"))
        .await
        .expect(204);
    let gone = app.get("/api/v1/repositories/app").await.expect(404).json();
    assert_eq!(gone, json!({"code": "not_found", "message": "no such repository"}));
}

#[tokio::test]
async fn a_build_by_hand() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    let first = repository.commit("main", &[(".drover.yml", PASSING)]);
    let topic = repository.commit("topic", &[(".drover.yml", PASSING), ("x", "y")]);
    app.add(&mut repository).await;
    let trigger = async |body: Value| app.post("/api/v1/repositories/app/trigger", body).await;
    let made = trigger(json!({})).await.expect(201).json();
    assert_eq!(made["url"], format!("{}/builds/{}", app.running.url, made["number"]));
    let build = app.build(made["number"].as_i64().unwrap()).await;
    assert_eq!(
        (&build["event"], &build["branch"], &build["commit"]),
        (&json!("manual"), &json!("main"), &json!(first))
    );
    let made = trigger(json!({"ref": "topic"})).await.expect(201).json();
    assert_eq!(app.build(made["number"].as_i64().unwrap()).await["commit"], topic);
    let made = trigger(json!({"ref": first})).await.expect(201).json();
    assert_eq!(app.build(made["number"].as_i64().unwrap()).await["commit"], first);
    repository.tag("v0", &first);
    let made = trigger(json!({"ref": "v0"})).await.expect(201).json();
    assert_eq!(app.build(made["number"].as_i64().unwrap()).await["tag"], "v0");
    let none = repository.commit("none", &[("README", "x")]);
    let mut said = Vec::new();
    for wrong in [
        "nowhere",
        "-x",
        "refs/notes/x",
        "none",
        "refs/tags/v1",
        "1234567890123456789012345678901234567890",
    ] {
        let answer = trigger(json!({"ref": wrong})).await.expect(422).json();
        said.push(answer.to_string().replace(&none[..10], "<none>"));
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    {"code":"no_such_reference","message":"the repository has no branch or tag nowhere"}
    {"code":"bad_reference","message":"`-x` is not a valid branch or tag name"}
    {"code":"bad_reference","message":"`refs/notes/x` is neither a branch nor a tag nor the head of a pull request"}
    {"code":"no_job_file","message":"there is no .drover.yml (and no .drover/*.yml) at <none>"}
    {"code":"no_such_reference","message":"the repository has no tag v1"}
    {"code":"no_such_commit","message":"the repository has no commit 1234567890; it may have been replaced by a later push"}
    "#);
    std::fs::remove_dir_all(repository.folder.path()).unwrap();
    let gone = trigger(json!({})).await.expect(502).json();
    assert_eq!(gone["code"], "repository_unreachable");
}

#[tokio::test]
async fn secrets_go_in_and_never_come_out() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let path = "/api/v1/repositories/app/secrets/API_TOKEN";
    let set = |body: Value| app.request(Method::PUT, path).json(&body);
    app.send(set(json!({"value": "very-secret-value"}))).await.expect(204);
    app.send(
        app.request(Method::PUT, "/api/v1/repositories/app/secrets/a-b")
            .json(&json!({"value": "x"})),
    )
    .await
    .expect(422);
    let list = app.get("/api/v1/repositories/app/secrets").await.expect(200);
    assert_eq!(list.json()[0]["name"], "API_TOKEN");
    assert!(!list.text.contains("very-secret-value"));
    let page = app.get("/repositories/app").await.expect(200).text;
    assert!(page.contains("API_TOKEN") && !page.contains("very-secret-value"));
    app.send(app.request(Method::DELETE, path)).await.expect(204);
    app.send(app.request(Method::DELETE, path)).await.expect(404);
}

#[tokio::test]
async fn tokens_work_until_they_are_revoked() {
    let app = TestApp::start().await;
    let made = app
        .post("/api/v1/tokens", json!({"name": "laptop"}))
        .await
        .expect(201)
        .json();
    let token = made["token"].as_str().unwrap();
    let version = async || {
        app.send(app.anonymous(Method::GET, "/api/v1/version").bearer_auth(token))
            .await
    };
    let answer = version().await.expect(200).json();
    assert_eq!(answer["protocol"], protocol::VERSION);
    let list = app.get("/api/v1/tokens").await.expect(200);
    assert!(!list.text.contains(token));
    let laptop = list
        .json()
        .as_array()
        .unwrap()
        .iter()
        .find(|token| token["name"] == "laptop")
        .unwrap()
        .clone();
    let revoke = app.request(
        Method::DELETE,
        &format!("/api/v1/tokens/{}", laptop["id"].as_str().unwrap()),
    );
    app.send(revoke).await.expect(204);
    version().await.expect(401);
}

#[tokio::test]
async fn a_waiting_job_says_why() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let file =
        "jobs:\n  build: {image: busybox, steps: [echo]}\n  test: {needs: [build], image: busybox, steps: [echo]}\n";
    let build = app.push(&repository, &[(".drover.yml", file)]).await;
    let number = build["number"].as_i64().unwrap();
    let why = app
        .get(&format!("/api/v1/builds/{number}/why"))
        .await
        .expect(200)
        .json();
    insta::assert_snapshot!(why[0]["why"].as_str().unwrap(), @"no agent is connected");
    insta::assert_snapshot!(why[1]["why"].as_str().unwrap(), @"waiting for job `build`");
    let job = why[1]["job"].as_str().unwrap();
    assert_eq!(app.get(&format!("/api/v1/jobs/{job}/why")).await.json(), why[1]);
    let queue = app.get("/api/v1/queue").await.expect(200).json();
    assert_eq!(queue.as_array().unwrap().len(), 2);
    let detail = app.get(&format!("/api/v1/jobs/{job}")).await.expect(200).json();
    assert_eq!(
        detail["spec"]["needs"],
        json!([{"job": "build", "cell": [], "artifacts": false}])
    );
    app.post(&format!("/api/v1/jobs/{job}/cancel"), json!({}))
        .await
        .expect(202);
    assert_eq!(app.build(number).await["jobs"][1]["status"], "cancelled");
}

#[tokio::test]
async fn what_failed_runs_again() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let build = app.push(&repository, &[(".drover.yml", PASSING)]).await;
    let number = build["number"].as_i64().unwrap();
    let rerun = |number: i64| format!("/api/v1/builds/{number}/rerun");
    app.post(&rerun(number), json!({})).await.expect(422);
    let mut agent = SimAgent::enrol(&app).await;
    let lease = agent.take(&app).await;
    agent.started(&app, &lease).await;
    agent.fail(&app, &lease).await;
    let failed = app.until_status(number, "failed").await;
    assert_eq!(failed["jobs"][0]["reason"], "step `test` exited with 1");
    assert_eq!(failed["jobs"][0]["reason_code"], "step_failed");
    let again = app
        .post(&rerun(number), json!({"which": "failed"}))
        .await
        .expect(201)
        .json();
    let again = app.build(again["number"].as_i64().unwrap()).await;
    assert_eq!(
        (&again["rerun_of"], &again["status"]),
        (&json!(number), &json!("queued"))
    );
    let failed = app
        .get("/api/v1/builds?status=failed&repository=app&branch=main&limit=5")
        .await
        .expect(200)
        .json();
    assert_eq!(failed.as_array().unwrap().len(), 1);
    app.get("/api/v1/builds?status=sad").await.expect(400);
    app.get("/api/v1/builds?repository=none").await.expect(404);
    app.get("/api/v1/builds/999").await.expect(404);
    app.get("/api/v1/builds/x").await.expect(404);
}

#[tokio::test]
async fn numbers_for_prometheus() {
    let app = TestApp::start().await;
    app.get("/api/v1/builds").await.expect(200);
    let text = app.get("/metrics").await.expect(200).text;
    assert!(
        text.contains("drover_http_requests_total{method=\"GET\",status=\"200\"}"),
        "{text}"
    );
    assert!(text.contains("drover_jobs_waiting 0"), "{text}");
    assert!(text.contains("drover_disk_free_bytes "), "{text}");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            app.send(app.anonymous(Method::GET, path)).await.expect(200).text,
            "ok\n"
        );
    }
}

/// What a generated client needs of the description.
#[tokio::test]
async fn every_part_of_a_path_is_described() {
    let app = TestApp::start().await;
    let description = app.get("/api/v1/openapi.json").await.expect(200).json();
    let paths = description["paths"].as_object().unwrap();
    for (path, item) in paths {
        let wanted = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        for name in wanted {
            assert!(!name.starts_with('*'), "{path}");
            for (method, operation) in item.as_object().unwrap() {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let mut described =
                    parameters.filter(|parameter| parameter["in"] == "path" && parameter["name"] == name);
                let schema = described.next().map(|parameter| parameter["schema"]["type"].clone());
                assert!(schema.is_some_and(|kind| kind.is_string()), "{method} {path}: {name}");
            }
        }
    }
}
