//! What starts builds and how their jobs follow each other, told over HTTP with real repositories and job files.

use coordinator::store::{Store, StoreConfig, testing};
use protocol::attempt::AttemptResult;
use serde_json::{Value, json};

use super::support::{PASSING, SimAgent, TestApp, TestRepository};

async fn ready(name: &str) -> (TestApp, TestRepository) {
    let (app, mut repository) = (TestApp::start().await, TestRepository::new(name));
    repository.commit("main", &[("README", "hi")]);
    app.add(&mut repository).await;
    (app, repository)
}

/// What became of a generic delivery.
async fn delivered(app: &TestApp, repository: &TestRepository, body: Value) -> Value {
    let answer = app.deliver(repository, &body).await.expect(202).json();
    app.delivery_over(answer["delivery"].as_str().unwrap()).await
}

async fn built(app: &TestApp, repository: &TestRepository, body: Value) -> Value {
    let delivery = delivered(app, repository, body).await;
    let number = delivery["build"].as_i64();
    app.build(number.unwrap_or_else(|| panic!("no build: {delivery}")))
        .await
}

/// `test (os=a)=queued: why`
fn said(build: &Value) -> String {
    let jobs = build["jobs"].as_array().unwrap().iter().map(|job| {
        let reason = job["reason"].as_str().map(|reason| format!(": {reason}"));
        let text = |key: &str| job[key].as_str().unwrap().to_owned();
        format!("{}={}{}", text("title"), text("status"), reason.unwrap_or_default())
    });
    jobs.collect::<Vec<_>>().join("\n")
}

const PLANNED: &str = "jobs:
  plan: {image: busybox, steps: [./plan]}
  test:
    needs: [plan]
    image: busybox
    matrix: ${{ needs.plan.outputs.cells }}
    steps: [./test]
  deploy: {needs: [test], image: busybox, steps: [./deploy]}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_plans_the_matrix_of_another() {
    let (app, repository) = ready("planned").await;
    let mut agent = SimAgent::enrol(&app).await;
    let build = app.push(&repository, &[(".drover.yml", PLANNED)]).await;
    let number = build["number"].as_i64().unwrap();
    assert_eq!(said(&build), "plan=queued\ntest=waiting\ndeploy=waiting");
    // From here on the repository is not needed any more.
    std::fs::remove_dir_all(repository.folder.path()).unwrap();
    let plan = agent.take(&app).await;
    let cells = [("cells", r#"[{"db": "pg", "n": "1"}, {"db": "pg", "n": "2"}]"#)];
    agent
        .finish_with(&app, &plan, AttemptResult::passed(), &cells)
        .await
        .expect(200);
    for _cell in 0..2 {
        let lease = agent.take(&app).await;
        assert_eq!(lease.spec.name, "test");
        agent.pass(&app, &lease).await;
    }
    let deploy = agent.take(&app).await;
    agent.pass(&app, &deploy).await;
    insta::assert_snapshot!(said(&app.until_status(number, "passed").await), @"
    plan=passed
    test (db=pg, n=1)=passed
    test (db=pg, n=2)=passed
    deploy=passed
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_that_is_missing_fails_the_job_that_needs_it() {
    let (app, repository) = ready("missing").await;
    let mut agent = SimAgent::enrol(&app).await;
    let build = app.push(&repository, &[(".drover.yml", PLANNED)]).await;
    let plan = agent.take(&app).await;
    agent.pass(&app, &plan).await;
    let build = app.until_status(build["number"].as_i64().unwrap(), "failed").await;
    assert_eq!(build["jobs"][1]["status"], "failed");
    assert_eq!(build["jobs"][1]["reason_code"], "invalid_job");
    assert!(
        build["jobs"][1]["reason"].as_str().unwrap().contains("cells"),
        "{build}"
    );
    assert_eq!(build["jobs"][2]["status"], "skipped");
    assert_eq!(build["diagnostics"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_can_say_that_nothing_is_to_be_built() {
    let (app, repository) = ready("skips").await;
    let files = [(".drover.yml", PASSING)];
    let sha = repository.commit_saying("main", &files, "Fix a typo\n\n[Skip CI] please");
    let delivery = delivered(&app, &repository, json!({"ref": "refs/heads/main", "after": sha})).await;
    let message = delivery["message"].as_str().unwrap().replace(&sha[..10], "<sha>");
    insta::assert_snapshot!(message, @"no build of <sha>: its message says [skip ci]");
    assert_eq!(
        (&delivery["status"], &delivery["build"]),
        (&json!("done"), &Value::Null)
    );
}

const PATHS: &str = "on: {push: {paths: [\"src/**\"]}}\njobs:\n  test: {image: busybox, steps: [echo hi]}\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_pushes_that_touch_wanted_paths_are_built() {
    let (app, repository) = ready("paths").await;
    let first = repository.commit("main", &[(".drover.yml", PATHS), ("src/a", "1"), ("docs/a", "1")]);
    let second = repository.commit("main", &[(".drover.yml", PATHS), ("src/a", "1"), ("docs/a", "2")]);
    let third = repository.commit("main", &[(".drover.yml", PATHS), ("src/a", "2"), ("docs/a", "2")]);
    let push = |before: &str, after: &str| json!({"ref": "refs/heads/main", "before": before, "after": after});
    let delivery = delivered(&app, &repository, push(&first, &second)).await;
    assert_eq!(delivery["build"], Value::Null, "{delivery}");
    assert!(delivery["message"].as_str().unwrap().contains("src/**"), "{delivery}");
    built(&app, &repository, push(&second, &third)).await;
    // A new branch is compared with the commit where it left the default branch.
    let zeros = "0".repeat(40);
    repository.point("refs/heads/side", &second);
    let side = repository.commit("side", &[(".drover.yml", PATHS), ("src/a", "1"), ("docs/a", "9")]);
    let new = json!({"ref": "refs/heads/side", "before": zeros, "after": side});
    assert_eq!(delivered(&app, &repository, new).await["build"], Value::Null);
    let side = repository.commit("side", &[(".drover.yml", PATHS), ("src/b", "9")]);
    let new = json!({"ref": "refs/heads/side", "before": zeros, "after": side});
    built(&app, &repository, new).await;
}

const SECRET: &str = "on: {pull_request: {}, manual: {}}
concurrency: {group: deploy, mode: cancel}
jobs:
  test: {image: busybox, steps: [echo hi]}
  deploy: {image: busybox, steps: [{run: ./deploy, secrets: [TOKEN]}]}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pull_requests_from_forks_get_no_secrets() {
    let (app, repository) = ready("requests").await;
    let never = app.request(reqwest::Method::PATCH, "/api/v1/repositories/requests");
    app.send(never.json(&json!({"approval": "never"}))).await.expect(200);
    let mut agent = SimAgent::enrol(&app).await;
    let sha = repository.commit("theirs", &[(".drover.yml", SECRET)]);
    repository.point("refs/pull/7/head", &sha);
    let request = json!({"event": "pull_request", "after": sha, "base": "main", "number": 7, "fork": true});
    let build = built(&app, &repository, request).await;
    assert_eq!(
        (&build["event"], &build["trusted"]),
        (&json!("pull_request"), &json!(false))
    );
    assert_eq!((&build["pull_request"], &build["base"]), (&json!(7), &json!("main")));
    insta::assert_snapshot!(said(&build), @"
    test=queued
    deploy=failed: secrets are not given to code that is not trusted; step `./deploy` names some
    ");
    let lease = agent.take(&app).await;
    assert!(!lease.trusted && lease.secrets.is_empty());
    assert_eq!(lease.source.reference, "refs/pull/7/head");
    let page = app.get(&format!("/builds/{}", build["number"])).await.expect(200).text;
    assert!(page.contains("it comes from a fork"), "{page}");
    assert_eq!(build["concurrency"]["group"], "pull request 7: deploy");
    // The same commit on a branch of the repository itself is trusted.
    let request = json!({"event": "pull_request", "ref": "refs/heads/theirs", "after": sha, "base": "main",
        "number": 8, "fork": false});
    let build = built(&app, &repository, request).await;
    assert_eq!((&build["trusted"], &build["branch"]), (&json!(true), &json!("theirs")));
    // By hand it is whoever's code all the same.
    let by_hand = json!({"ref": "refs/pull/7/head"});
    let made = app.post("/api/v1/repositories/requests/trigger", by_hand).await;
    assert_eq!(made.expect(201).json()["number"], 3);
    assert_eq!(app.build(3).await["trusted"], false);
    let labeled = json!({"event": "pull_request", "base": "main", "number": 8, "action": "labeled"});
    assert_eq!(delivered(&app, &repository, labeled).await["build"], Value::Null);
}

const NIGHTLY: &str = "on:
  push: {}
  manual:
    inputs:
      target: {type: choice, options: [staging, production], default: staging}
      count: {type: number, required: true}
  schedule: [{cron: \"0 2 * * *\", timezone: Europe/Paris, inputs: {count: \"3\"}}]
jobs:
  test: {image: busybox, env: {TARGET: \"${{ inputs.target }}\"}, steps: [echo hi]}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_builds_the_default_branch_once() {
    let (app, repository) = ready("nightly").await;
    app.push(&repository, &[(".drover.yml", NIGHTLY)]).await;
    let path = "/api/v1/repositories/nightly/schedules";
    let schedules = app.get(path).await.expect(200).json();
    assert_eq!(
        (&schedules[0]["cron"], &schedules[0]["timezone"]),
        (&json!("0 2 * * *"), &json!("Europe/Paris"))
    );
    assert!(
        schedules[0]["next_at"].is_i64() && schedules[0]["build"].is_null(),
        "{schedules}"
    );
    let page = app.get("/repositories/nightly").await.expect(200).text;
    assert!(
        page.contains("Europe/Paris") && page.contains("name=\"input.target\""),
        "{page}"
    );
    let data = app.data.as_ref().unwrap().path();
    let second = Store::open(StoreConfig {
        url: format!("sqlite:{}", data.join("drover.db").display()),
        key_file: data.join("secrets.key"),
    });
    let second = second.await.unwrap();
    testing::make_schedules_due(&second).await.unwrap();
    let made = app
        .until(async || app.get(path).await.json()[0]["build"].as_i64())
        .await;
    let build = app.build(made).await;
    assert_eq!(
        (&build["event"], &build["inputs"]),
        (&json!("schedule"), &json!({"count": "3", "target": "staging"}))
    );
    let all = app.get("/api/v1/builds").await.json();
    assert_eq!(all.as_array().unwrap().len(), 2, "{all}");
    second.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inputs_are_checked_before_there_is_a_build() {
    let (app, repository) = ready("inputs").await;
    repository.commit("main", &[(".drover.yml", NIGHTLY)]);
    let path = "/api/v1/repositories/inputs/trigger";
    let refused = app
        .post(path, json!({"inputs": {"target": "moon", "tarjet": "x"}}))
        .await
        .expect(422);
    insta::assert_snapshot!(refused.json()["message"].as_str().unwrap(), @"`tarjet` is no input of the job file; those are: target, count; input `target`: `moon` is none of staging, production; input `count` must be given");
    let made = app
        .post(path, json!({"inputs": {"target": "production", "count": "2"}}))
        .await;
    let build = app.build(made.expect(201).json()["number"].as_i64().unwrap()).await;
    assert_eq!(build["inputs"], json!({"count": "2", "target": "production"}));
    let job = build["jobs"][0]["id"].as_str().unwrap();
    let job = app.get(&format!("/api/v1/jobs/{job}")).await.json();
    assert_eq!(job["spec"]["env"]["TARGET"], "production");
}

const MATRIX: &str = "jobs:
  test:
    image: busybox
    matrix: {pg: [\"15\", \"17\"], os: [a, b]}
    steps: [./test]
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_say_what_they_share_and_one_cell_runs_again() {
    let (app, repository) = ready("cells").await;
    let mut agent = SimAgent::enrol(&app).await;
    let build = app.push(&repository, &[(".drover.yml", MATRIX)]).await;
    let number = build["number"].as_i64().unwrap();
    for _cell in 0..4 {
        let lease = agent.take(&app).await;
        agent.started(&app, &lease).await;
        match lease.spec.matrix[0].value.as_str() {
            "17" => agent.fail(&app, &lease).await,
            _ => agent.pass(&app, &lease).await,
        }
    }
    let build = app.until_status(number, "failed").await;
    insta::assert_snapshot!(build["in_common"][0].as_str().unwrap(), @"test: All 2 failures have pg=17, and no job with it passed.");
    let cell = build["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|job| job["status"] == "failed")
        .unwrap();
    let body = json!({"which": {"jobs": [cell["id"]]}});
    let again = app
        .post(&format!("/api/v1/builds/{number}/rerun"), body)
        .await
        .expect(201)
        .json();
    let again = app.build(again["number"].as_i64().unwrap()).await;
    assert_eq!(again["rerun_of"], number);
    assert_eq!(said(&again), "test (pg=17, os=a)=queued");
}
