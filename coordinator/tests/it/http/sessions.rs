//! How long tokens work, and how sessions are ended from elsewhere, with all that their browsers have open.

use futures_util::{SinkExt, StreamExt};
use protocol::shell::ShellMessage;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::access::{csrf, log_in};
use super::support::{Answer, Live, PASSING, SimAgent, TestApp, TestRepository, form, within};

pub(super) type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// A browser that is logged in.
struct Browser {
    cookie: String,
    csrf: String,
    id: String,
}

impl Browser {
    async fn new(app: &TestApp) -> Browser {
        let (cookie, _) = log_in(app).await;
        let mut browser = Browser {
            csrf: csrf(app, &cookie).await,
            cookie,
            id: String::new(),
        };
        let listed = browser.get(app, "/api/v1/sessions").await.expect(200).json();
        let own: Vec<&Value> = listed
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["current"] == true)
            .collect();
        assert_eq!(own.len(), 1, "{listed}");
        browser.id = own[0]["id"].as_str().unwrap().to_owned();
        browser
    }

    async fn get(&self, app: &TestApp, path: &str) -> Answer {
        app.send(app.anonymous(Method::GET, path).header("cookie", &self.cookie))
            .await
    }

    async fn delete(&self, app: &TestApp, path: &str, csrf: &str) -> Answer {
        let request = app.anonymous(Method::DELETE, path).header("cookie", &self.cookie);
        app.send(request.header("x-drover-csrf", csrf)).await
    }

    async fn is_logged_in(&self, app: &TestApp) -> bool {
        self.get(app, "/api/v1/version").await.status == 200
    }
}

async fn socket(app: &TestApp, path: &str, header: (&'static str, &str)) -> Socket {
    let url = format!("{}{path}", app.url).replacen("http", "ws", 1);
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert(header.0, header.1.parse().unwrap());
    connect_async(request).await.unwrap().0
}

/// A shell in that job, with both its ends.
pub(super) async fn shell(
    app: &TestApp,
    agent: &SimAgent,
    job: &str,
    header: (&'static str, &str),
) -> (Socket, Socket) {
    let mut person = socket(app, &format!("/api/v1/jobs/{job}/shell"), header).await;
    person.send(Message::text("{}")).await.unwrap();
    let call = within("a call for a shell", async {
        loop {
            if let Some(call) = agent.poll(app, 0).await.shells.pop() {
                return call;
            }
        }
    })
    .await;
    let bearer = format!("Bearer {}", agent.token);
    let mut brought = socket(
        app,
        &format!("/agent/v1/shells/{}", call.id),
        ("authorization", &bearer),
    )
    .await;
    brought.send(Message::binary("hello")).await.unwrap();
    assert_eq!(next(&mut person).await, Some(Message::binary("hello")));
    (person, brought)
}

/// The next thing that is said. `None`: it is over.
async fn next(socket: &mut Socket) -> Option<Message> {
    loop {
        match within("a frame", socket.next()).await {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(message)) => return Some(message),
        }
    }
}

/// Both ends are told, and neither can go on.
async fn assert_ends((mut person, mut brought): (Socket, Socket)) {
    let last = next(&mut person).await.unwrap().into_text().unwrap();
    let last: ShellMessage = serde_json::from_str(&last).unwrap();
    assert!(matches!(last, ShellMessage::Failed { message } if message.contains("was revoked")));
    assert_eq!(next(&mut person).await, None);
    assert_eq!(next(&mut brought).await, None);
}

/// An agent with a job, and the job's id.
pub(super) async fn running_job(app: &TestApp) -> (SimAgent, String) {
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let build = app.push(&repository, &[(".drover.yml", PASSING)]).await;
    let mut agent = SimAgent::enrol(app).await;
    let lease = agent.take(app).await;
    agent.started(app, &lease).await;
    (agent, build["jobs"][0]["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_revoked_session_is_refused_at_once_with_all_that_it_has_open() {
    let app = TestApp::start().await;
    let (agent, job) = running_job(&app).await;
    let (own, thief) = (Browser::new(&app).await, Browser::new(&app).await);
    let closed = [
        ("/agents".to_owned(), 303),
        ("/agents?live=1".to_owned(), 401),
        ("/tokens".to_owned(), 303),
        ("/api/v1/sessions".to_owned(), 401),
        ("/events?page=queue".to_owned(), 401),
        (format!("/jobs/{job}/shell"), 303),
        (format!("/api/v1/jobs/{job}/shell"), 401),
    ];
    let stream = |path: &str| Live::of(app.anonymous(Method::GET, path).header("cookie", &thief.cookie));
    let mut page = stream("/events?page=queue").await;
    page.next_named("change").await;
    let opened = shell(&app, &agent, &job, ("cookie", &thief.cookie)).await;
    let logs = app.anonymous(Method::GET, "/api/v1/builds/1/logs?follow=1");
    let logs = logs.header("cookie", &thief.cookie).send().await.unwrap();
    assert_eq!(logs.status(), 200);

    let path = format!("/api/v1/sessions/{}", thief.id);
    own.delete(&app, &path, &own.csrf).await.expect(204);
    for (path, status) in &closed {
        let answer = thief.get(&app, path).await;
        assert_eq!(answer.status, *status, "{path}: {}", answer.text);
    }
    assert_ends(opened).await;
    while page.next().await.is_some() {}
    within("the logs' end", logs.bytes()).await.unwrap();
    own.delete(&app, &path, &own.csrf).await.expect(404);
    assert!(own.is_logged_in(&app).await);
    for (path, _) in &closed[..5] {
        let request = app.anonymous(Method::GET, path).header("cookie", &own.cookie);
        assert_eq!(request.send().await.unwrap().status(), 200, "{path}");
    }
}

#[tokio::test]
async fn what_a_revoked_token_has_open_ends() {
    let app = TestApp::start().await;
    let (agent, job) = running_job(&app).await;
    let made = app
        .post("/api/v1/tokens", json!({"name": "lost"}))
        .await
        .expect(201)
        .json();
    let token = made["token"].as_str().unwrap();
    let mut page = Live::of(app.anonymous(Method::GET, "/events?page=queue").bearer_auth(token)).await;
    let opened = shell(&app, &agent, &job, ("authorization", &format!("Bearer {token}"))).await;
    // What others lose ends nothing here.
    let other = app
        .post("/api/v1/tokens", json!({"name": "other"}))
        .await
        .expect(201)
        .json();
    for name in [&other, &made].map(|made| made["name"].as_str().unwrap()) {
        page.next_named("change").await;
        let listed = app.get("/api/v1/tokens").await.json();
        let found = listed
            .as_array()
            .unwrap()
            .iter()
            .find(|token| token["name"] == name)
            .unwrap();
        let path = format!("/api/v1/tokens/{}", found["id"].as_str().unwrap());
        app.send(app.request(Method::DELETE, &path)).await.expect(204);
        if name == "other" {
            // It makes a `change`, which the stream tells.
            app.send(app.request(Method::POST, "/api/v1/agents/sim/drain"))
                .await
                .expect(200);
        }
    }
    while page.next().await.is_some() {}
    assert_ends(opened).await;
}

#[tokio::test]
async fn all_other_sessions_end_at_once() {
    let app = TestApp::start().await;
    let (own, second, third) = (
        Browser::new(&app).await,
        Browser::new(&app).await,
        Browser::new(&app).await,
    );
    let listed = own.get(&app, "/api/v1/sessions").await.expect(200);
    let ids: Vec<Value> = listed
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].clone())
        .collect();
    assert_eq!(ids, [&third, &second, &own].map(|browser| json!(browser.id)));
    for browser in [&own, &second, &third] {
        let (_, secret) = browser.cookie.split_once('=').unwrap();
        assert!(!listed.text.contains(secret) && !listed.text.contains("hash"));
    }
    let answer = own.delete(&app, "/api/v1/sessions", &own.csrf).await.expect(200).json();
    assert_eq!(answer["revoked"], 2);
    assert!(own.is_logged_in(&app).await);
    assert!(!second.is_logged_in(&app).await && !third.is_logged_in(&app).await);
    let listed = app.get("/api/v1/sessions").await.expect(200).json();
    assert_eq!(listed[0]["current"], false, "an API token has no session");
    let all = app
        .send(app.request(Method::DELETE, "/api/v1/sessions"))
        .await
        .expect(200);
    assert_eq!(all.json()["revoked"], 1);
    assert!(!own.is_logged_in(&app).await);
    app.get("/api/v1/sessions").await.expect(200);
}

#[tokio::test]
async fn sessions_end_only_with_the_form_token_of_their_own() {
    let app = TestApp::start().await;
    let (own, other) = (Browser::new(&app).await, Browser::new(&app).await);
    let path = format!("/api/v1/sessions/{}", other.id);
    for csrf in ["", "wrong", other.csrf.as_str()] {
        own.delete(&app, "/api/v1/sessions", csrf).await.expect(403);
        own.delete(&app, &path, csrf).await.expect(403);
    }
    let post = async |path: &str, fields: &[(&str, &str)]| {
        let request = app.anonymous(Method::POST, path).header("cookie", &own.cookie);
        app.send(form(request, fields)).await
    };
    let page = format!("/sessions/{}/revoke", other.id);
    for path in ["/sessions/revoke", page.as_str()] {
        post(path, &[]).await.expect(403);
        post(path, &[("csrf", &other.csrf)]).await.expect(403);
    }
    assert!(own.is_logged_in(&app).await && other.is_logged_in(&app).await);
    let shown = own.get(&app, "/tokens").await.expect(200).text;
    assert!(shown.contains(&page) && !shown.contains(&own.id) && shown.contains("this browser"));
    post(&page, &[("csrf", &own.csrf)]).await.expect(303);
    assert!(own.is_logged_in(&app).await && !other.is_logged_in(&app).await);
    let third = Browser::new(&app).await;
    post("/sessions/revoke", &[("csrf", &own.csrf)]).await.expect(303);
    assert!(own.is_logged_in(&app).await && !third.is_logged_in(&app).await);
}

#[tokio::test]
async fn an_id_of_another_kind_is_no_session_and_no_token() {
    let app = TestApp::start().await;
    let browser = Browser::new(&app).await;
    let agent = SimAgent::enrol(&app).await;
    let tokens = app.get("/api/v1/tokens").await.json();
    let agents = app.get("/api/v1/agents").await.json();
    let (token, agent_id) = (tokens[0]["id"].as_str().unwrap(), agents[0]["id"].as_str().unwrap());
    let delete = async |path: String| app.send(app.request(Method::DELETE, &path)).await;
    for id in [token, agent_id, agent.token.as_str()] {
        delete(format!("/api/v1/sessions/{id}")).await.expect(404);
    }
    for id in [browser.id.as_str(), agent_id] {
        delete(format!("/api/v1/tokens/{id}")).await.expect(404);
    }
    delete(format!("/api/v1/agents/{}", browser.id)).await.expect(404);
    delete("/api/v1/sessions".to_owned()).await.expect(200);
    assert!(!browser.is_logged_in(&app).await);
    assert_eq!(app.get("/api/v1/tokens").await.expect(200).json()[0]["id"], token);
    agent.poll_at_once(&app).await.expect(200);
}

const DAY_US: i64 = 86_400_000_000;

#[tokio::test]
async fn a_token_works_90_days_unless_more_is_asked_for() {
    let app = TestApp::start().await;
    let asked = [
        (json!({"name": "plain"}), Some(90)),
        (json!({"name": "null", "days": null}), Some(90)),
        (json!({"name": "short", "days": 1}), Some(1)),
        (json!({"name": "year", "days": 365}), Some(365)),
        (json!({"name": "no", "no_expiry": false}), Some(90)),
        (json!({"name": "ever", "no_expiry": true}), None),
    ];
    for (body, days) in asked {
        let made = app.post("/api/v1/tokens", body.clone()).await.expect(201).json();
        let listed = app.get("/api/v1/tokens").await.expect(200).json();
        assert_eq!(listed[0]["name"], body["name"]);
        let life = |at: &Value| at.as_i64().map(|at| at - listed[0]["created_at"].as_i64().unwrap());
        assert_eq!(life(&listed[0]["expires_at"]), days.map(|days| days * DAY_US), "{body}");
        let reported = life(&made["expires_at"]).map(|life| (life + DAY_US / 2) / DAY_US);
        assert_eq!(reported, days, "{body}");
    }
    for body in [
        json!({"name": "x", "days": 0}),
        json!({"name": "x", "days": 3651}),
        json!({"name": "x", "days": -1}),
        json!({"name": "x", "days": "never"}),
        json!({"name": "x", "days": 7, "no_expiry": true}),
    ] {
        app.post("/api/v1/tokens", body).await.expect(400);
    }
    for (expiry, days) in [("", Some(90)), ("30", Some(30)), ("never", None)] {
        let post = form(
            app.request(Method::POST, "/tokens"),
            &[("name", "x"), ("expiry", expiry)],
        );
        app.send(post).await.expect(200);
        let newest = app.get("/api/v1/tokens").await.json()[0].clone();
        let made = newest["created_at"].as_i64().unwrap();
        let life = newest["expires_at"].as_i64().map(|at| (at - made) / DAY_US);
        assert_eq!(life, days, "{expiry}");
    }
}

#[tokio::test]
async fn an_expired_token_is_called_so_and_an_agents_never_expires() {
    let app = TestApp::start().await;
    let agent = SimAgent::enrol(&app).await;
    let made = app
        .post("/api/v1/tokens", json!({"name": "old"}))
        .await
        .expect(201)
        .json();
    let token = made["token"].as_str().unwrap();
    let database = app.data.as_ref().unwrap().path().join("drover.db");
    let mut database = SqliteConnection::connect(&format!("sqlite:{}", database.display()))
        .await
        .unwrap();
    let endless: i64 =
        sqlx::query_scalar("select count(*) from credentials where kind = 'agent' and expires_at is null")
            .fetch_one(&mut database)
            .await
            .unwrap();
    assert_eq!(endless, 1);
    sqlx::query("update credentials set expires_at = created_at where expires_at is not null")
        .execute(&mut database)
        .await
        .unwrap();
    for path in ["/api/v1/builds", "/events?page=queue", "/metrics"] {
        let request = app.anonymous(Method::GET, path).bearer_auth(token);
        let answer = app.send(request).await.expect(401).json();
        assert_eq!(answer["code"], "token_expired", "{path}");
        let says = answer["message"].as_str().unwrap();
        assert!(
            says.contains("has expired") && says.contains("drover token add"),
            "{says}"
        );
    }
    let page = app
        .send(app.anonymous(Method::GET, "/agents").bearer_auth(token))
        .await
        .expect(401);
    assert!(page.text.contains("This API token has expired"), "{}", page.text);
    let guess = app
        .anonymous(Method::GET, "/api/v1/builds")
        .bearer_auth(&token[..token.len() - 1]);
    assert_eq!(app.send(guess).await.expect(401).json()["code"], "unauthorized");
    let shown = app.get("/tokens").await.expect(200).text;
    assert!(shown.contains("<td>expired</td>"));
    agent.poll_at_once(&app).await.expect(200);
}
