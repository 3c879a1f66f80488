//! Pages and their forms, as a browser without JavaScript uses them.

use protocol::attempt::{AttemptResult, EventKind, ReasonCode, ServiceState, Verdict};
use reqwest::Method;
use serde_json::json;

use super::support::{PASSING, SimAgent, TestApp, TestRepository, form};

#[tokio::test]
async fn every_page_shows_what_there_is() {
    let app = TestApp::start().await;
    let empty = app.get("/").await.expect(200).text;
    assert!(empty.contains("drover repo add"), "an empty page says how to fill it");
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let build = app.push(&repository, &[(".drover.yml", PASSING)]).await;
    let job = build["jobs"][0]["id"].as_str().unwrap();
    for (path, says) in [
        ("/", "Say hi"),
        ("/?repository=app&branch=&status=", "Say hi"),
        ("/?live=1", "Say hi"),
        ("/builds/1", "Say hi"),
        ("/builds/1?live=1", "test"),
        (&format!("/jobs/{job}"), "Nothing has run yet"),
        ("/agents", "test"),
        ("/agents?live=1", "test"),
        ("/repositories", "app"),
        ("/repositories/app", "push"),
        ("/tokens", "administrator"),
        ("/login", "Log in"),
    ] {
        let page = app.get(path).await.expect(200).text;
        assert!(page.contains(says), "{path}: {page}");
        assert_eq!(path.contains("live=1"), !page.contains("<html"), "{path}");
    }
    for (path, status) in [
        ("/builds/99", 404),
        ("/jobs/x", 404),
        ("/repositories/x", 404),
        ("/nothing", 404),
    ] {
        let page = app.get(path).await.expect(status).text;
        assert!(page.contains("<html"), "{path} is a page too");
    }
}

#[tokio::test]
async fn a_job_shows_its_first_screen_and_all_of_it_when_plain() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let build = app.push(&repository, &[(".drover.yml", PASSING)]).await;
    let job = build["jobs"][0]["id"].as_str().unwrap();
    let mut agent = SimAgent::enrol(&app).await;
    let lease = agent.take(&app).await;
    agent.started(&app, &lease).await;
    let lines: Vec<String> = (1..=300).map(|n| format!("<b>line {n}</b>")).collect();
    agent
        .log(
            &app,
            &lease,
            ("step-0", 0),
            &lines.iter().map(String::as_str).collect::<Vec<_>>(),
        )
        .await;
    let page = app.get(&format!("/jobs/{job}")).await.expect(200).text;
    assert!(page.contains("line 300") && page.contains("line 101") && !page.contains("line 100<"));
    assert!(!page.contains("<b>line"), "what a job prints is text");
    let live = app.get(&format!("/jobs/{job}?live=1")).await.expect(200).text;
    assert!(!live.contains("line 300"), "the browser has its lines");
    let plain = app.get(&format!("/jobs/{job}?plain=1")).await.expect(200).text;
    assert!(
        plain.contains("line 1&") || plain.contains("line 1<"),
        "without JavaScript everything is there"
    );
    app.get(&format!("/jobs/{job}/attempts/1")).await.expect(200);
    app.get(&format!("/jobs/{job}/attempts/2")).await.expect(404);
}

/// One job whose service `db` exits with 3; what the agent says of it names the service when `names_it`.
async fn pages_of_a_failed_service(names_it: bool) -> (String, String) {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let file = "jobs:\n  test:\n    image: busybox\n    services: {db: {image: busybox}}\n    steps: [echo hi]\n";
    let build = app.push(&repository, &[(".drover.yml", file)]).await;
    let mut agent = SimAgent::enrol(&app).await;
    let lease = agent.take(&app).await;
    agent.started(&app, &lease).await;
    let state = ServiceState::Exited {
        code: Some(3),
        oom: false,
        warning: None,
    };
    let service = "db".to_owned();
    agent
        .report_events(&app, &lease, vec![(1, EventKind::Service { service, state })])
        .await
        .expect(204);
    agent
        .log(&app, &lease, ("service-db", 0), &["last words of the database"])
        .await;
    let sentence = "service `db` exited with 3 while it was needed";
    let mut result = AttemptResult::because(Verdict::Failed, ReasonCode::ServiceExited, sentence);
    if names_it {
        result.reason.as_mut().unwrap().service = Some("db".into());
    }
    agent.finish(&app, &lease, result).await.expect(200);
    let job = build["jobs"][0]["id"].as_str().unwrap();
    let page = async |path: String| app.get(&path).await.expect(200).text;
    (
        page(format!("/builds/{}", build["number"])).await,
        page(format!("/jobs/{job}")).await,
    )
}

#[tokio::test]
async fn a_failed_service_is_shown_by_its_name() {
    let (build, job) = pages_of_a_failed_service(true).await;
    assert!(build.contains("last words") && build.contains("exit 3"), "{build}");
    let section = "id=\"sec-service-db\" open";
    assert!(job.contains(section), "{job}");
    // An older agent names none.
    let (build, job) = pages_of_a_failed_service(false).await;
    assert!(
        build.contains("while it was needed") && !build.contains("last words"),
        "{build}"
    );
    assert!(job.contains("sec-service-db") && !job.contains(section), "{job}");
}

#[tokio::test]
async fn forms_act_and_send_the_browser_back() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    app.push(&repository, &[(".drover.yml", PASSING)]).await;
    let _agent = SimAgent::enrol(&app).await;
    let agent = app.get("/api/v1/agents").await.json()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let delivery = app.get("/api/v1/repositories/app/deliveries").await.json()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let forms = [
        ("/builds/1/cancel".to_owned(), "/builds/1"),
        ("/builds/1/rerun".to_owned(), "/builds/2"),
        ("/repositories/app/trigger".to_owned(), "/builds/3"),
        (
            format!("/repositories/app/deliveries/{delivery}/redeliver"),
            "/repositories/app",
        ),
        (format!("/agents/{agent}/drain"), "/agents"),
        (format!("/agents/{agent}/undrain"), "/agents"),
        (format!("/agents/{agent}/remove"), "/agents"),
    ];
    for (path, to) in forms {
        let request = form(app.request(Method::POST, &path), &[("reference", "main")]);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 303, "{path}");
        assert_eq!(response.headers()["location"], to, "{path}");
        let notice = response.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        let next = app
            .request(Method::GET, to)
            .header("cookie", notice)
            .send()
            .await
            .unwrap();
        assert!(
            next.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"),
            "said once"
        );
        assert!(next.text().await.unwrap().contains("class=\"notice\""), "{path}");
    }
    let wrong = form(
        app.request(Method::POST, "/repositories/app/trigger"),
        &[("reference", "nowhere")],
    );
    let page = app.send(wrong).await.expect(400).text;
    assert!(page.contains("The repository has no branch or tag nowhere."), "{page}");
    let enrol = app
        .send(form(app.request(Method::POST, "/agents/enrol"), &[]))
        .await
        .expect(200)
        .text;
    assert!(enrol.contains("enrol.code"));
    app.post("/builds/99/cancel", json!({})).await.expect(404);
}

#[tokio::test]
async fn assets_are_kept_by_browsers() {
    let app = TestApp::start().await;
    let page = app.get("/login").await.expect(200).text;
    let style = page
        .split_once("rel=\"stylesheet\" href=\"")
        .unwrap()
        .1
        .split('"')
        .next()
        .unwrap();
    let response = app.anonymous(Method::GET, style).send().await.unwrap();
    assert_eq!(response.status(), 200, "{style}");
    assert_eq!(response.headers()["content-type"], "text/css; charset=utf-8");
    let tag = response.headers()["etag"].clone();
    let again = app
        .anonymous(Method::GET, style)
        .header("if-none-match", tag)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 304);
    app.send(app.anonymous(Method::GET, "/assets/nothing.css"))
        .await
        .expect(404);
}
