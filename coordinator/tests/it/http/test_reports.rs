//! What tests said, from the agent's call to pages and API.

use protocol::reports::{TestCase, TestStatus, TestUpload};
use reqwest::Method;

use super::support::{Answer, Leased, SimAgent, TestApp, TestRepository};

const MATRIX: &str = r#"
jobs:
  test:
    image: busybox
    matrix: {postgres: ["15", "17"]}
    steps: [echo test]
"#;

impl SimAgent {
    pub async fn tests(&self, app: &TestApp, lease: &Leased, reported: &[(&str, TestStatus)]) -> Answer {
        let case = |(name, status): &(&str, TestStatus)| TestCase {
            suite: "store::<it>".into(),
            name: (*name).into(),
            status: *status,
            duration_us: 2_000_000,
            message: (*status == TestStatus::Failed).then(|| "left: 3, right: 4".into()),
            file: None,
        };
        let part = TestUpload {
            chunk: 0,
            last: true,
            cases: reported.iter().map(case).collect(),
            problems: vec!["report b.xml:1:1 is not XML: it has no element".into()],
        };
        let body = zstd::encode_all(&serde_json::to_vec(&part).unwrap()[..], 1).unwrap();
        let path = format!("/agent/v1/attempts/{}/tests?epoch={}", lease.attempt, lease.epoch);
        app.send(app.anonymous(Method::PUT, &path).bearer_auth(&self.token).body(body))
            .await
    }
}

// key: reports
#[tokio::test]
async fn failing_tests_are_first_on_the_page_and_in_the_api() {
    use TestStatus::{Failed as F, Passed as P};
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let mut agent = SimAgent::enrol(&app).await;
    for broken in [P, F] {
        app.push(&repository, &[(".drover.yml", MATRIX), ("file", broken.name())])
            .await;
        for status in [P, broken] {
            let lease = agent.take(&app).await;
            agent.started(&app, &lease).await;
            let reported = [("leases::expire", P), ("leases::renew", status)];
            agent.tests(&app, &lease, &reported).await.expect(204);
            agent.tests(&app, &lease, &reported).await.expect(204);
            agent.pass(&app, &lease).await;
            agent.tests(&app, &lease, &reported).await.expect(409);
        }
    }
    let reported = app.get("/api/v1/builds/2/tests?limit=2").await.expect(200).json();
    let first = &reported["tests"][0];
    assert_eq!(
        (first["name"].as_str(), first["status"].as_str()),
        (Some("leases::renew"), Some("failed"))
    );
    assert_eq!(
        (first["change"].as_str(), first["cell"].as_str()),
        (Some("new"), Some("test (postgres=17)"))
    );
    assert_eq!(
        (
            reported["tests"].as_array().unwrap().len(),
            reported["reports"].as_array().unwrap().len()
        ),
        (2, 2)
    );
    app.get("/api/v1/builds/2/tests?status=broken").await.expect(400);
    app.get("/api/v1/builds/99/tests").await.expect(404);
    for list in [
        "slowest",
        "timings",
        "history?suite=store%3A%3A%3Cit%3E&name=leases%3A%3Arenew",
    ] {
        let found = app
            .get(&format!("/api/v1/repositories/app/tests/{list}"))
            .await
            .expect(200)
            .json();
        assert!(found.to_string().contains("2000000"), "{list}: {found}");
    }
    let page = app.get("/builds/2").await.expect(200).text;
    for part in [
        "leases::renew",
        "store::&#60;it&#62;",
        ">NEW</b>",
        "left: 3, right: 4",
        "Where they fail: test",
        "postgres=17",
        "report b.xml:1:1 is not XML",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let job = first["job"].as_str().unwrap();
    let page = app.get(&format!("/jobs/{job}")).await.expect(200).text;
    assert!(
        page.contains("leases::renew") && !page.contains("Where they fail"),
        "{page}"
    );
    let page = app.get("/repositories/app").await.expect(200).text;
    assert!(
        page.contains("Slowest tests") && !page.contains("Flaky tests"),
        "{page}"
    );
}
