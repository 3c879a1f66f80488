//! Who gets in, and where.

use coordinator::http::{Route, routes};
use reqwest::{Method, Response};
use serde_json::json;

use super::support::{PASSING, SimAgent, TestApp, TestRepository, form};

/// What answers without credentials; all else must not.
const PUBLIC: [(&str, &str); 10] = [
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/schema/v1.json"),
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/assets/{*path}"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/hooks/{forge}/{repository}"),
    ("POST", "/agent/v1/enrol"),
];

pub(super) fn is_public(route: &Route) -> bool {
    PUBLIC.contains(&(route.method.as_str(), route.path.as_str()))
}

/// The route's path with something in every place; `live` names what exists.
pub(super) fn filled(path: &str, live: &[(&str, &str)]) -> String {
    let mut path = path.to_owned();
    for (place, value) in live {
        path = path.replace(&format!("{{{place}}}"), value);
    }
    let parts: Vec<&str> = path
        .split('/')
        .map(|part| if part.starts_with('{') { "1" } else { part })
        .collect();
    parts.join("/")
}

async fn knock(app: &TestApp, route: &Route, path: &str) -> Response {
    app.anonymous(route.method.clone(), path).send().await.unwrap()
}

#[tokio::test]
async fn every_route_is_closed_to_strangers() {
    let app = TestApp::start().await;
    let routes = routes();
    assert!(routes.len() > 60, "the table has every route");
    for route in routes.iter().filter(|route| !is_public(route)) {
        let path = filled(&route.path, &[]);
        let response = knock(&app, route, &path).await;
        let programs = ["/api/", "/agent/", "/events", "/metrics", "/badge/"];
        if programs.iter().any(|prefix| path.starts_with(prefix)) {
            assert_eq!(response.status(), 401, "{route:?}");
        } else {
            assert_eq!(response.status(), 303, "{route:?}");
            let to = response.headers()["location"].to_str().unwrap();
            assert!(
                to == "/login" || to.starts_with("/login?next="),
                "{route:?} leads to {to}"
            );
        }
    }
}

#[tokio::test]
async fn a_live_part_without_a_session_is_no_login_page() {
    let app = TestApp::start().await;
    for path in ["/?live=1", "/agents?live=1", "/builds/1?x=y&live=1"] {
        app.send(app.anonymous(Method::GET, path)).await.expect(401);
    }
}

#[tokio::test]
async fn a_path_that_only_looks_public_is_closed() {
    let app = TestApp::start().await;
    let paths = [
        "/healthz/",
        "/healthz/../api/v1/builds",
        "//healthz",
        "/login/..;/tokens",
        "/api/v1/builds;.svg",
        "/api/v1/builds/healthz",
        "/assets/../tokens",
        "/HEALTHZ",
        "/nothing",
        "/api/v1/nothing",
        "/%61pi/v1/builds",
    ];
    for path in paths {
        let answer = app.send(app.anonymous(Method::GET, path)).await;
        assert!(
            [401, 303, 404].contains(&answer.status.as_u16()),
            "{path}: {}",
            answer.status
        );
        assert!(
            !answer.text.contains("drover_") && answer.text.len() < 3_000,
            "{path}: {}",
            answer.text
        );
        assert!(
            answer.status != 404 || path.starts_with("/assets"),
            "{path} tells that there is nothing"
        );
    }
}

#[tokio::test]
async fn a_wrong_token_is_nobody() {
    let app = TestApp::start().await;
    for token in ["", "x", &app.token[..app.token.len() - 1]] {
        let request = app.anonymous(Method::GET, "/api/v1/builds").bearer_auth(token);
        let answer = app.send(request).await.expect(401);
        assert_eq!(answer.json()["code"], "unauthorized");
    }
    let basic = app
        .anonymous(Method::GET, "/api/v1/builds")
        .basic_auth("admin", Some(&app.token));
    app.send(basic).await.expect(401);
}

#[tokio::test]
async fn an_agents_token_is_no_users_token() {
    let app = TestApp::start().await;
    let agent = SimAgent::enrol(&app).await;
    for path in [
        "/api/v1/builds",
        "/api/v1/repositories",
        "/metrics",
        "/events?page=queue",
    ] {
        let request = app.anonymous(Method::GET, path).bearer_auth(&agent.token);
        app.send(request).await.expect(401);
    }
    let poll = app.request(Method::POST, "/agent/v1/poll").json(&agent.poll_body(1));
    app.send(poll).await.expect(401);
}

#[tokio::test]
async fn an_enrolment_code_lets_one_agent_in() {
    let app = TestApp::start().await;
    let code = app
        .post("/api/v1/agents/enrolment-codes", json!({}))
        .await
        .expect(201)
        .json()["code"]
        .clone();
    let enrol = async || {
        let body = json!({"code": code, "name": "a"});
        app.send(app.anonymous(Method::POST, "/agent/v1/enrol").json(&body))
            .await
    };
    let first = enrol().await.expect(200).json();
    enrol().await.expect(403);
    let agent = SimAgent {
        token: first["token"].as_str().unwrap().to_owned(),
        held: Vec::new(),
        stacks: Vec::new(),
    };
    app.send(app.request(Method::DELETE, "/api/v1/agents/a"))
        .await
        .expect(204);
    agent.poll_with(&app, &agent.poll_body(1)).await.expect(401);
}

/// Logs in by a link; gives the session's cookie and the link's code.
pub(super) async fn log_in(app: &TestApp) -> (String, String) {
    let link = app.running.login_link().await.unwrap();
    let path = link.strip_prefix(&app.running.url).unwrap();
    let page = app.send(app.anonymous(Method::GET, path)).await.expect(200).text;
    let code = path.split_once("code=").unwrap().1;
    assert!(page.contains(code), "the link shows a button and uses nothing up");
    let post = form(
        app.anonymous(Method::POST, "/login"),
        &[("code", code), ("next", "/agents")],
    );
    let response = post.send().await.unwrap();
    assert_eq!(response.status(), 303);
    assert_eq!(response.headers()["location"], "/agents");
    let cookies: Vec<_> = response
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    let session = cookies
        .iter()
        .find(|cookie| cookie.starts_with(&format!("drover_session_{}=", app.running.address.port())))
        .unwrap();
    assert!(session.contains("HttpOnly") && session.contains("SameSite=Lax") && !session.contains("Secure"));
    (session.split(';').next().unwrap().to_owned(), code.to_owned())
}

/// The form token of a session.
pub(super) async fn csrf(app: &TestApp, session: &str) -> String {
    let page = app.anonymous(Method::GET, "/tokens").header("cookie", session);
    let page = app.send(page).await.expect(200).text;
    let (_, token) = page.split_once("name=\"csrf\" value=\"").unwrap();
    token.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_login_link_logs_one_browser_in() {
    let app = TestApp::start().await;
    let (session, code) = log_in(&app).await;
    let page = app.anonymous(Method::GET, "/agents").header("cookie", &session);
    let page = app.send(page).await.expect(200).text;
    assert!(page.contains("administrator"));
    let again = form(app.anonymous(Method::POST, "/login"), &[("code", &code)]);
    let again = app.send(again).await.expect(403).text;
    assert!(again.contains("does not work any more"));
    let link = app.post("/api/v1/login-links", json!({})).await.expect(201).json();
    assert!(
        link["url"]
            .as_str()
            .unwrap()
            .starts_with(&format!("{}/login?code=", app.running.url))
    );
}

#[tokio::test]
async fn a_session_writes_only_with_its_form_token() {
    let app = TestApp::start().await;
    let (session, _) = log_in(&app).await;
    let token = csrf(&app, &session).await;
    let post = |fields: &[(&str, &str)]| {
        form(
            app.anonymous(Method::POST, "/tokens").header("cookie", &session),
            fields,
        )
    };
    let name = ("name", "laptop");
    app.send(post(&[name])).await.expect(403);
    app.send(post(&[name, ("csrf", &"0".repeat(32))])).await.expect(403);
    let made = app.send(post(&[name, ("csrf", &token)])).await.expect(200).text;
    assert!(made.contains("laptop"));
    let api = |csrf: &str| {
        let request = app.anonymous(Method::POST, "/api/v1/tokens").header("cookie", &session);
        request.header("x-drover-csrf", csrf).json(&json!({"name": "script"}))
    };
    app.send(api("wrong")).await.expect(403);
    app.send(api(&token)).await.expect(201);
    let log_out = app.anonymous(Method::POST, "/logout").header("cookie", &session);
    let log_out = form(log_out, &[("csrf", &token)]);
    app.send(log_out).await.expect(303);
    let after = app.anonymous(Method::GET, "/tokens").header("cookie", &session);
    app.send(after).await.expect(303);
}

#[tokio::test]
async fn a_public_repository_is_read_by_anybody_and_nothing_else_is() {
    let app = TestApp::start().await;
    let (mut open, mut closed) = (TestRepository::new("open"), TestRepository::new("closed"));
    app.add(&mut open).await;
    app.add(&mut closed).await;
    let mut agent = SimAgent::enrol(&app).await;
    let mut ids = Vec::new();
    for repository in [&open, &closed] {
        let build = app.push(repository, &[(".drover.yml", PASSING)]).await;
        let lease = agent.take(&app).await;
        agent.started(&app, &lease).await;
        agent.log(&app, &lease, ("step-0", 0), &["hello"]).await;
        agent.pass(&app, &lease).await;
        let job = build["jobs"][0]["id"].as_str().unwrap().to_owned();
        ids.push((
            build["number"].to_string(),
            job,
            lease.attempt.0.clone(),
            repository.name.clone(),
        ));
    }
    let public = json!({"public": true});
    app.send(app.request(Method::PATCH, "/api/v1/repositories/open").json(&public))
        .await
        .expect(200);
    let readable = |(number, job, attempt, name): &(String, String, String, String)| {
        vec![
            format!("/builds/{number}"),
            format!("/jobs/{job}"),
            format!("/jobs/{job}/attempts/1"),
            format!("/repositories/{name}"),
            format!("/?repository={name}"),
            format!("/badge/{name}.svg"),
            format!("/api/v1/builds/{number}/logs"),
            format!("/api/v1/attempts/{attempt}/logs"),
            format!("/api/v1/attempts/{attempt}/logs/step-0/meta"),
            format!("/api/v1/attempts/{attempt}/logs/step-0/lines"),
            format!("/api/v1/attempts/{attempt}/logs/step-0/raw"),
            format!("/api/v1/attempts/{attempt}/logs/step-0/find?q=hello"),
        ]
    };
    for path in readable(&ids[0]) {
        let answer = app.send(app.anonymous(Method::GET, &path)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        for hidden in [
            "closed",
            closed.address.as_str(),
            open.address.as_str(),
            "csrf\" value=\"0",
            "/hooks/",
        ] {
            assert!(!answer.text.contains(hidden), "{path} shows {hidden}");
        }
    }
    for path in readable(&ids[1]) {
        let status = app.send(app.anonymous(Method::GET, &path)).await.status;
        assert!([401, 303].contains(&status.as_u16()), "{path}: {status}");
    }
    let stream = app
        .anonymous(Method::GET, &format!("/events?build={}", ids[0].0))
        .send()
        .await
        .unwrap();
    assert_eq!(stream.status(), 200);
    let mixed = format!("/events?build={}&job={}", ids[0].0, ids[1].1);
    app.send(app.anonymous(Method::GET, &mixed)).await.expect(401);
    let live = routes().into_iter().filter(|route| !is_public(route));
    let (number, job, attempt, name) = &ids[0];
    let there = [
        ("number", number.as_str()),
        ("job", job),
        ("attempt", attempt),
        ("name", name),
        ("file", "open.svg"),
        ("stream", "step-0"),
    ];
    let mut opened = Vec::new();
    for route in live {
        let answer = knock(&app, &route, &filled(&route.path, &there)).await;
        if ![401, 303].contains(&answer.status().as_u16()) {
            opened.push(format!("{} {}", route.method, route.path));
        }
    }
    opened.sort();
    insta::assert_snapshot!(opened.join("\n"), @r"
    GET /api/v1/attempts/{attempt}/logs
    GET /api/v1/attempts/{attempt}/logs/{stream}/find
    GET /api/v1/attempts/{attempt}/logs/{stream}/lines
    GET /api/v1/attempts/{attempt}/logs/{stream}/meta
    GET /api/v1/attempts/{attempt}/logs/{stream}/raw
    GET /api/v1/builds/{number}/artifacts
    GET /api/v1/builds/{number}/logs
    GET /api/v1/builds/{number}/report
    GET /api/v1/jobs/{job}/artifacts
    GET /badge/{file}
    GET /builds/{number}
    GET /jobs/{job}
    GET /jobs/{job}/attempts/{number}
    GET /repositories/{name}
    ");
}

#[tokio::test]
async fn every_answer_tells_browsers_to_be_careful() {
    let app = TestApp::start().await;
    for path in ["/", "/login", "/api/v1/builds", "/healthz", "/nothing"] {
        let response = app.request(Method::GET, path).send().await.unwrap();
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        assert_eq!(headers["referrer-policy"], "same-origin", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
        let page = response.text().await.unwrap();
        assert!(
            !page.contains("<script>") && !page.contains(" onclick=") && !page.contains("<style"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_badge_is_of_exactly_the_repository_that_is_public() {
    let app = TestApp::start().await;
    for name in ["app", "app.svg"] {
        app.add(&mut TestRepository::new(name)).await;
    }
    let change = app.request(Method::PATCH, "/api/v1/repositories/app");
    app.send(change.json(&json!({"public": true}))).await.expect(200);
    let badge = async |file: &str| app.send(app.anonymous(Method::GET, &format!("/badge/{file}"))).await;
    badge("app.svg").await.expect(200);
    badge("app.svg.svg").await.expect(401);
    badge("app").await.expect(401);
}
