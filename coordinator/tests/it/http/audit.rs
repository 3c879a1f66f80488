//! The audit over HTTP: every route by which a user changes something leaves an entry, a new route included.

use coordinator::http::{Route, routes};
use reqwest::Method;
use serde_json::{Value, json};

use super::access::{csrf, filled, is_public, log_in};
use super::blobs::{archive, put};
use super::sessions::{running_job, shell};
use super::support::{PASSING, SimAgent, TestApp, TestRepository, form};

/// A user who changes one thing after another.
struct Walk<'a> {
    app: &'a TestApp,
    /// What the placeholders of paths stand for.
    live: Vec<(&'a str, String)>,
    /// Every route by which users write, until it was called.
    left: Vec<Route>,
}

impl Walk<'_> {
    /// Calls a route: with JSON, or a page's with a form. It must leave entries, whose actions these are.
    async fn write(&mut self, method: Method, path: &str, body: Value) -> String {
        let app = self.app;
        let live: Vec<(&str, &str)> = self
            .live
            .iter()
            .map(|(place, value)| (*place, value.as_str()))
            .collect();
        let request = app.request(method.clone(), &filled(path, &live));
        let request = match (path.starts_with("/api/"), body.as_object()) {
            (true, _) => request.json(&body),
            (false, fields) => {
                let fields = fields.into_iter().flatten();
                let fields: Vec<_> = fields
                    .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
                    .collect();
                form(request, &fields)
            }
        };
        self.call(
            Route {
                method,
                path: path.into(),
            },
            request,
        )
        .await
    }

    async fn call(&mut self, route: Route, request: reqwest::RequestBuilder) -> String {
        let before = entries(self.app, "").await;
        let answer = self.app.send(request).await;
        assert!(
            [2, 3].contains(&(answer.status.as_u16() / 100)),
            "{route:?}: {answer:?}"
        );
        let after = entries(self.app, "").await;
        let new = &after[..after.len() - before.len()];
        assert!(!new.is_empty(), "{route:?} leaves no entry");
        let kind = if route.path == "/logout" { "session" } else { "token" };
        assert!(
            new.iter().all(|entry| entry["actor_kind"] == kind),
            "{route:?}: {new:?}"
        );
        self.left.retain(|left| *left != route);
        let actions: Vec<_> = new.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
        actions.join(" ")
    }

    /// Builds, jobs and what they left.
    async fn builds(&mut self) {
        let none = json!({});
        let (post, delete) = (Method::POST, Method::DELETE);
        for path in ["/api/v1/stacks/{stack}/extend", "/jobs/{job}/release"] {
            self.write(post.clone(), path, none.clone()).await;
        }
        self.write(delete.clone(), "/api/v1/stacks/{stack}", none.clone()).await;
        self.write(delete.clone(), "/api/v1/artifacts/{artifact}", none.clone())
            .await;
        for path in [
            "/api/v1/jobs/{job}/cancel",
            "/jobs/{job}/cancel",
            "/api/v1/builds/{number}/cancel",
            "/builds/{number}/cancel",
            "/api/v1/builds/{number}/rerun",
            "/builds/{number}/rerun",
            "/builds/{number}/rerun-failed",
            "/jobs/{job}/rerun",
            "/api/v1/repositories/{name}/trigger",
        ] {
            self.write(post.clone(), path, none.clone()).await;
        }
        let reported = self
            .write(
                post.clone(),
                "/repositories/{name}/trigger",
                json!({"reference": "main"}),
            )
            .await;
        assert_eq!(reported, "build.trigger");
    }

    async fn agents(&mut self) {
        let (app, none) = (self.app, json!({}));
        let (post, delete) = (Method::POST, Method::DELETE);
        let agents = app.get("/api/v1/agents").await.json();
        self.set("agent", &agents[0]["id"]);
        self.write(post.clone(), "/api/v1/agents/enrolment-codes", none.clone())
            .await;
        self.write(post.clone(), "/agents/enrol", none.clone()).await;
        let labels = json!({"agent": agents[0]["id"], "labels": "disk=fast"});
        self.write(post.clone(), "/agents/labels", labels).await;
        let labels = json!({"labels": {"disk": "slow"}});
        self.write(Method::PUT, "/api/v1/agents/{agent}/labels", labels).await;
        for path in [
            "/api/v1/agents/{agent}/drain",
            "/api/v1/agents/{agent}/undrain",
            "/agents/{agent}/drain",
            "/agents/{agent}/undrain",
            "/agents/{agent}/remove",
        ] {
            self.write(post.clone(), path, none.clone()).await;
        }
        SimAgent::enrol(app).await;
        let agents = app.get("/api/v1/agents").await.json();
        self.set("agent", &agents[0]["id"]);
        self.write(delete.clone(), "/api/v1/agents/{agent}", none.clone()).await;
    }

    /// Tokens and sessions.
    async fn credentials(&mut self) {
        let (app, none) = (self.app, json!({}));
        let (post, delete) = (Method::POST, Method::DELETE);
        self.write(post.clone(), "/api/v1/login-links", none.clone()).await;
        let name = json!({"name": "laptop"});
        for (create, method, revoke) in [
            ("/api/v1/tokens", delete.clone(), "/api/v1/tokens/{id}"),
            ("/tokens", post.clone(), "/tokens/{id}/revoke"),
        ] {
            self.write(post.clone(), create, name.clone()).await;
            self.set("id", &app.get("/api/v1/tokens").await.json()[0]["id"]);
            assert_eq!(self.write(method, revoke, none.clone()).await, "token.revoke");
        }
        for (method, path) in [
            (delete.clone(), "/api/v1/sessions/{id}"),
            (post.clone(), "/sessions/{id}/revoke"),
            (delete.clone(), "/api/v1/sessions"),
            (post.clone(), "/sessions/revoke"),
        ] {
            log_in(app).await;
            assert_eq!(entries(app, "").await[0]["action"], "session.open");
            self.set("id", &app.get("/api/v1/sessions").await.json()[0]["id"]);
            assert_eq!(self.write(method, path, none.clone()).await, "session.revoke");
        }
        let (session, _) = log_in(app).await;
        let token = csrf(app, &session).await;
        let log_out = app.anonymous(Method::POST, "/logout").header("cookie", &session);
        let route = Route {
            method: Method::POST,
            path: "/logout".into(),
        };
        self.call(route, form(log_out, &[("csrf", &token)])).await;
    }

    fn set(&mut self, place: &'static str, value: &Value) {
        self.live.retain(|(known, _)| *known != place);
        self.live.push((place, value.as_str().unwrap().to_owned()));
    }
}

async fn entries(app: &TestApp, query: &str) -> Vec<Value> {
    let path = format!("/api/v1/audit?limit=500{query}");
    serde_json::from_str(&app.get(&path).await.expect(200).text).unwrap()
}

/// A build of a repository `app`, a stack and an artifact of its job, and its delivery.
async fn world<'a>(app: &'a TestApp, repository: &mut TestRepository) -> Walk<'a> {
    app.add(repository).await;
    let build = app.push(repository, &[(".drover.yml", PASSING)]).await;
    let mut agent = SimAgent::enrol(app).await;
    let lease = agent.take(app).await;
    agent.started(app, &lease).await;
    let kept = "artifacts/binary?files=1&expires=3600";
    put(app, &agent, &lease, kept, archive(&[("a", "b")])).await.expect(200);
    let stack = agent.fail_and_retain(app, &lease, 600).await;
    let artifacts = app.get("/api/v1/builds/1/artifacts").await.json();
    let writes = |route: &Route| route.method != Method::GET && !route.path.starts_with("/agent/") && !is_public(route);
    let mut walk = Walk {
        app,
        live: vec![
            ("name", "app".into()),
            ("number", "1".into()),
            ("secret", "TOKEN".into()),
        ],
        left: routes().into_iter().filter(writes).collect(),
    };
    walk.set("job", &build["jobs"][0]["id"]);
    walk.set("stack", &json!(stack.0));
    walk.set("artifact", &artifacts[0]["id"]);
    walk
}

/// The build of a pull request that waits for approval.
async fn stranger(app: &TestApp, repository: &TestRepository, pull_request: u32) -> Value {
    let sha = repository.commit_of_fork(pull_request, &[(".drover.yml", PASSING)]);
    let request = json!({"event": "pull_request", "after": sha, "base": "main", "number": pull_request, "fork": true});
    let delivery = app.deliver(repository, &request).await.expect(202).json();
    app.delivery_over(delivery["delivery"].as_str().unwrap()).await["build"].clone()
}

#[tokio::test]
async fn every_route_that_writes_for_a_user_leaves_an_entry() {
    let (app, mut repository) = (TestApp::start().await, TestRepository::new("app"));
    let mut walk = world(&app, &mut repository).await;
    let (post, delete, none) = (Method::POST, Method::DELETE, json!({}));
    let repositories = "/api/v1/repositories";
    let new = json!({"name": "other", "git": repository.address, "public": true, "forge": "gitea"});
    let reported = walk.write(post.clone(), repositories, new).await;
    assert_eq!(reported, "repository.publish repository.add");

    walk.builds().await;
    for (pull_request, path) in [(7, "/api/v1/builds/{number}/approve"), (8, "/builds/{number}/approve")] {
        let build = stranger(&app, &repository, pull_request).await;
        walk.set("number", &json!(build.to_string()));
        walk.write(post.clone(), path, none.clone()).await;
    }
    walk.agents().await;
    walk.credentials().await;
    let deliveries = app.get("/api/v1/repositories/app/deliveries").await.json();
    walk.set("id", &deliveries[0]["id"]);
    for path in [
        "/api/v1/deliveries/{id}/redeliver",
        "/repositories/{name}/deliveries/{id}/redeliver",
        "/api/v1/repositories/{name}/hook/rotate",
    ] {
        walk.write(post.clone(), path, none.clone()).await;
    }
    let forge = "/api/v1/repositories/{name}/forge";
    // Nothing listens there, which is nobody's concern here.
    let connection = json!({"token": "hunter2", "api": "http://127.0.0.1:9/api/v1", "project": "acme/app"});
    let route = Route {
        method: Method::PUT,
        path: forge.into(),
    };
    let connect = app.request(Method::PUT, "/api/v1/repositories/other/forge");
    walk.call(route, connect.json(&connection)).await;
    walk.write(delete.clone(), forge, none.clone()).await;
    let secret = "/api/v1/repositories/{name}/secrets/{secret}";
    walk.write(Method::PUT, secret, json!({"value": "hunter2"})).await;
    walk.write(delete.clone(), secret, none.clone()).await;
    walk.write(delete.clone(), "/api/v1/repositories/{name}/caches", none.clone())
        .await;
    let one = "/api/v1/repositories/{name}";
    walk.write(Method::PATCH, one, json!({"public": true})).await;
    walk.write(delete, one, none).await;
    assert_eq!(walk.left, [], "routes that were not tried: give each its line above");
    let all = entries(&app, "").await;
    assert!(!format!("{all:?}").contains("hunter2"));
}

#[tokio::test]
async fn who_enters_a_job_leaves_an_entry() {
    let app = TestApp::start().await;
    let (agent, job) = running_job(&app).await;
    let bearer = format!("Bearer {}", app.token);
    drop(shell(&app, &agent, &job, ("authorization", &bearer)).await);
    let entry = &entries(&app, "").await[0];
    assert_eq!(
        (
            &entry["action"],
            &entry["subject"],
            &entry["subject_id"],
            &entry["build"]
        ),
        (&json!("shell.open"), &json!("test"), &json!(job), &json!(1))
    );
}

#[tokio::test]
async fn the_audit_is_read_by_users_page_by_page() {
    let app = TestApp::start().await;
    app.send(app.anonymous(Method::GET, "/api/v1/audit")).await.expect(401);
    let name = json!({"name": "laptop"});
    let made = app.post("/api/v1/tokens", name).await.expect(201).json();
    let all = entries(&app, "").await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(
        (&all[1]["action"], &all[1]["actor_kind"]),
        (&json!("token.create"), &json!("console"))
    );
    assert_eq!(
        (&all[0]["actor"], &all[0]["subject"]),
        (&json!("administrator"), &json!("laptop"))
    );
    assert_eq!(
        all[0]["actor_id"], all[1]["subject_id"],
        "it is the token that the start made"
    );
    assert!(!format!("{all:?}").contains(made["token"].as_str().unwrap()));
    let before = format!("&before={}", all[0]["id"].as_str().unwrap());
    assert_eq!(entries(&app, &before).await, all[1..]);
    app.get("/api/v1/audit?limit=0").await.expect(200);
    app.get("/api/v1/audit?after=1").await.expect(400);
}
