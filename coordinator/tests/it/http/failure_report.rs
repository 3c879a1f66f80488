//! What went wrong in a build, in one call.

use job_specs::result::{AttemptResult, ReasonCode, Verdict};
use protocol::attempt::{EventKind, Reason, ServiceState};
use protocol::reports::TestStatus;
use serde_json::{Value, json};

use super::support::{SimAgent, TestApp, TestRepository};

const CELLS: &str = "jobs:
  test:
    image: busybox
    matrix: {pg: [\"15\", \"17\"]}
    services: {db: {image: \"postgres:${{ matrix.pg }}\"}}
    steps: [{name: it, run: ./it.sh}]
    reports: {junit: a.xml}
  lint: {image: busybox, steps: [cargo clippy]}
  soak: {image: busybox, steps: [./soak], services: {db: {image: \"postgres:17\"}}}
";

/// What a step of Rust prints when it does not compile, with colours.
const LOG: [&str; 4] = [
    "   Compiling shop v0.1.0",
    "\u{1b}[1m\u{1b}[31merror[E0308]\u{1b}[0m\u{1b}[1m: mismatched `types`\u{1b}[0m",
    "  --> src/cart.rs:41:9",
    "```",
];

async fn markdown(app: &TestApp, number: i64) -> String {
    let answer = app
        .get(&format!("/api/v1/builds/{number}/report?format=markdown"))
        .await;
    answer.expect(200).text.replace(&app.url, "https://ci.example")
}

#[tokio::test]
async fn a_report_has_what_it_takes_to_mend_a_build() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("shop");
    app.add(&mut repository).await;
    let mut agent = SimAgent::enrol(&app).await;
    let build = app.push(&repository, &[(".drover.yml", CELLS)]).await;
    let number = build["number"].as_i64().unwrap();
    for _job in 0..4 {
        let lease = agent.take(&app).await;
        agent.started(&app, &lease).await;
        match (
            lease.spec.name.as_str(),
            lease.spec.matrix.first().map(|cell| cell.value.as_str()),
        ) {
            ("test", Some("17")) => {
                agent.log(&app, &lease, ("step-0", 0), &LOG).await;
                let tests = [("cart::adds", TestStatus::Failed), ("cart::empty", TestStatus::Passed)];
                agent.tests(&app, &lease, &tests).await.expect(204);
                agent.fail(&app, &lease).await;
            }
            ("soak", _) => {
                let state = ServiceState::Exited {
                    code: Some(137),
                    oom: true,
                    warning: None,
                };
                let died = EventKind::Service {
                    service: "db".into(),
                    state,
                };
                agent.report_events(&app, &lease, vec![(1, died)]).await.expect(204);
                agent
                    .log(&app, &lease, ("service-db", 0), &["FATAL: out of memory"])
                    .await;
                let mut result =
                    AttemptResult::because(Verdict::Failed, ReasonCode::ServiceExited, "service `db` died");
                result.reason = result.reason.map(|reason| Reason {
                    service: Some("db".into()),
                    ..reason
                });
                agent.finish(&app, &lease, result).await.expect(200);
            }
            _ => agent.pass(&app, &lease).await,
        }
    }
    app.until_status(number, "failed").await;
    let commit = build["commit"].as_str().unwrap();
    let text = markdown(&app, number).await.replace(&commit[..10], "<commit>");
    insta::assert_snapshot!(text, @r#"
    # Build 1 of shop: failed

    push on `main` at `<commit>`: `Say hi`
    2 of 4 jobs failed. https://ci.example/builds/1

    ## `test (pg=17)`: failed

    `` step `test` exited with 1 ``

    First errors:

    - `src/cart.rs:41`: `` error[E0308]: mismatched `types` `` (line 2 of the log)

    The last lines of step `it` (`drover logs 1 --job 'test (pg=17)' --step 'it'` prints all):

    ````text
       Compiling shop v0.1.0
    error[E0308]: mismatched `types`
      --> src/cart.rs:41:9
    ```
    ````

    ## `soak`: failed

    `` service `db` died ``

    - service `db` was ended for using more memory than it may

    The last lines of service `db` (`drover logs 1 --job 'soak' --service db` prints all):

    ```text
    FATAL: out of memory
    ```

    ## Failing tests: 1

    - `store::<it>` `cart::adds` in `test (pg=17)`: `left: 3, right: 4`
    "#);

    let report: Value = app
        .get(&format!("/api/v1/builds/{number}/report"))
        .await
        .expect(200)
        .json();
    assert_eq!((&report["jobs"], &report["failed_tests"]), (&json!(4), &json!(1)));
    let test = &report["failures"][0];
    assert_eq!((&test["step"], &test["exit_code"]), (&json!("it"), &json!(1)));
    assert_eq!(test["errors"][0]["file"], "src/cart.rs");
    assert_eq!(test["errors"][0]["file_line"], 41);
    let unknown = app.get(&format!("/api/v1/builds/{number}/report?format=html")).await;
    assert!(unknown.expect(400).text.contains("json and markdown"));
    app.get("/api/v1/builds/99/report").await.expect(404);
}

#[tokio::test]
async fn a_report_of_a_wrong_job_file_and_of_a_build_that_passed() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("shop");
    app.add(&mut repository).await;
    let broken = app
        .push(
            &repository,
            &[(".drover.yml", "jobs: {a: {imag: busybox, steps: [x]}}\n")],
        )
        .await;
    let text = markdown(&app, broken["number"].as_i64().unwrap()).await;
    assert!(
        text.contains("`.drover.yml:1:12`: DRV") && text.contains("0 of 0 jobs failed"),
        "{text}"
    );
    let mut agent = SimAgent::enrol(&app).await;
    let build = app.push(&repository, &[(".drover.yml", super::support::PASSING)]).await;
    let number = build["number"].as_i64().unwrap();
    let lease = agent.take(&app).await;
    agent.started(&app, &lease).await;
    agent.pass(&app, &lease).await;
    app.until_status(number, "passed").await;
    let text = markdown(&app, number).await;
    assert!(
        text.starts_with(&format!("# Build {number} of shop: passed\n")) && !text.contains("##"),
        "{text}"
    );
}
