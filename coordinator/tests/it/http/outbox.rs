//! What forges are told, over their own APIs: by words that they know, in the end, once, and the newest.

use std::time::Duration;

use coordinator::forges::Forge;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Asked, Fault, PASSING, SimAgent, TOKEN, TestApp, TestForge, TestRepository, within};

/// Those that can be told anything.
fn with_api() -> impl Iterator<Item = Forge> {
    Forge::ALL.into_iter().filter(|forge| forge.api().is_some())
}

/// Looks again until there is something.
async fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    within(what, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    })
    .await
}

fn connection(forge: &TestForge) -> Value {
    json!({"token": TOKEN, "api": forge.api(), "project": "acme/app"})
}

/// A repository of that forge which is connected with it, and its first commit.
pub async fn connected(app: &TestApp, (kind, forge): (Forge, &TestForge)) -> TestRepository {
    let mut repository = TestRepository::new(kind.word());
    let new = json!({
        "name": repository.name, "git": repository.address, "forge": kind.word(), "connection": connection(forge),
    });
    let added = app.post("/api/v1/repositories", new).await.expect(201);
    assert!(!added.text.contains(TOKEN), "{}", added.text);
    repository.secret = added.json()["hook"]["secret"].as_str().unwrap().to_owned();
    repository.hook = format!("/hooks/{}/{}", kind.word(), repository.name);
    repository
}

async fn shown(app: &TestApp, repository: &TestRepository) -> Value {
    let answer = app
        .get(&format!("/api/v1/repositories/{}/forge", repository.name))
        .await
        .expect(200);
    assert!(!answer.text.contains(TOKEN), "{}", answer.text);
    answer.json()
}

/// What the outbox says of the only thing of that kind.
async fn entry(app: &TestApp, repository: &TestRepository, kind: &str) -> Value {
    let connection = shown(app, repository).await;
    let all = connection["outbox"].as_array().unwrap();
    let entry = all.iter().find(|entry| entry["kind"] == kind);
    entry.cloned().unwrap_or_default()
}

pub async fn until_entry(app: &TestApp, repository: &TestRepository, (kind, status): (&str, &str)) -> Value {
    eventually(&format!("{kind} is {status}"), async || {
        let entry = entry(app, repository, kind).await;
        (entry["status"] == status).then_some(entry)
    })
    .await
}

/// A build of a new commit, by hand: webhooks have their own tests.
async fn build(app: &TestApp, repository: &TestRepository, files: &[(&str, &str)]) -> (i64, String) {
    let sha = repository.commit("main", files);
    let path = format!("/api/v1/repositories/{}/trigger", repository.name);
    let made = app.post(&path, json!({"ref": "main"})).await.expect(201).json();
    (made["number"].as_i64().unwrap(), sha)
}

async fn last_status(forge: &TestForge, state: &str) -> Asked {
    eventually(&format!("the forge hears {state}"), async || {
        forge.statuses().pop().filter(|asked| asked.body["state"] == state)
    })
    .await
}

#[tokio::test]
async fn each_forge_is_told_of_its_webhook_and_of_builds_in_its_own_words() {
    let app = TestApp::start().await;
    let mut agent = SimAgent::enrol(&app).await;
    for kind in with_api() {
        let forge = TestForge::start(kind).await;
        let repository = connected(&app, (kind, &forge)).await;
        until_entry(&app, &repository, ("webhook", "sent")).await;
        let [hook] = &forge.webhooks()[..] else {
            panic!("{kind:?}: {:?}", forge.webhooks());
        };
        let said = hook.to_string();
        let url = format!("{}/hooks/{}/{}", app.url, kind.word(), repository.name);
        assert!(
            said.contains(&url) && said.contains(&repository.secret),
            "{kind:?}: {said}"
        );

        let (number, sha) = build(&app, &repository, &[(".drover.yml", PASSING)]).await;
        let lease = agent.take(&app).await;
        let running = if kind == Forge::Gitlab {
            "running"
        } else if kind.word().starts_with("bitbucket") {
            "INPROGRESS"
        } else {
            "pending"
        };
        last_status(&forge, running).await;
        agent.pass(&app, &lease).await;
        let good = if kind.word().starts_with("bitbucket") {
            "SUCCESSFUL"
        } else {
            "success"
        };
        let told = last_status(&forge, good).await;
        assert!(told.path.contains(&sha), "{kind:?}: {told:?}");
        let said = told.body.to_string();
        assert!(
            said.contains(&format!("{}/builds/{number}", app.url)),
            "{kind:?}: {said}"
        );
        assert!(
            said.contains("drover/manual") && said.contains("1 job passed"),
            "{kind:?}: {said}"
        );
        let token = told
            .headers
            .values()
            .any(|value| value.to_str().unwrap().ends_with(TOKEN));
        assert!(token, "{kind:?}: {told:?}");
        until_entry(&app, &repository, ("commit_status", "sent")).await;
        let hooks = forge.asked().iter().filter(|asked| asked.method == Method::GET).count();
        assert_eq!(hooks, 1, "{kind:?}: it was told of the webhook once");
    }
    app.running.stop().await;
}

#[tokio::test]
async fn a_new_secret_of_the_webhook_is_told_to_the_forge() {
    let app = TestApp::start().await;
    for kind in with_api() {
        let forge = TestForge::start(kind).await;
        let repository = connected(&app, (kind, &forge)).await;
        until_entry(&app, &repository, ("webhook", "sent")).await;
        let rotate = format!("/api/v1/repositories/{}/hook/rotate", repository.name);
        let secret = app.post(&rotate, json!({})).await.expect(200).json()["secret"].clone();
        let secret = secret.as_str().unwrap();
        assert_ne!(secret, repository.secret);
        eventually("the forge has the new secret", async || {
            let hooks = forge.webhooks();
            assert_eq!(hooks.len(), 1, "{kind:?}: {hooks:?}");
            hooks[0].to_string().contains(secret).then_some(())
        })
        .await;
        forge.asked();
    }
}

#[tokio::test]
async fn a_forge_that_was_down_hears_how_it_ended_once() {
    let app = TestApp::start().await;
    let mut agent = SimAgent::enrol(&app).await;
    let mut forge = TestForge::start(Forge::Github).await;
    let repository = connected(&app, (Forge::Github, &forge)).await;
    until_entry(&app, &repository, ("webhook", "sent")).await;
    forge.stop().await;
    let (number, _) = build(&app, &repository, &[(".drover.yml", PASSING)]).await;
    let lease = agent.take(&app).await;
    agent.started(&app, &lease).await;
    agent.fail(&app, &lease).await;
    app.until_status(number, "failed").await;
    let waiting = eventually("it says what is wrong", async || {
        let waiting = entry(&app, &repository, "commit_status").await;
        waiting["message"].is_string().then_some(waiting)
    })
    .await;
    assert_eq!(waiting["status"], "pending", "{waiting}");
    let why = waiting["message"].as_str().unwrap();
    assert!(
        why.starts_with("it cannot be reached: ") && why.contains("refused"),
        "{why}"
    );
    assert!(shown(&app, &repository).await["held_until"].is_i64());
    let page = app.get("/repositories/github").await.expect(200).text;
    assert!(page.contains("it cannot be reached"), "{page}");

    forge.listen().await;
    let told = last_status(&forge, "failure").await;
    assert_eq!(forge.statuses().len(), 1, "{:?}", forge.statuses());
    let said = told.body["description"].as_str().unwrap();
    assert!(
        said.starts_with("1 of 1 job failed") && said.ends_with(": test"),
        "{said}"
    );
    let sent = until_entry(&app, &repository, ("commit_status", "sent")).await;
    assert_eq!((&sent["message"], &sent["tries"]), (&json!(null), &json!(0)), "{sent}");
    assert_eq!(shown(&app, &repository).await["held_until"], json!(null));
}

/// An answer that may be another one later is no reason to give up; whatever stands between us and the forge may speak, too.
#[tokio::test]
async fn a_bad_answer_is_tried_again() {
    let says = |status, headers: &[(&'static str, &str)], body: &str| {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Fault::Says(status, headers.collect(), body.to_owned())
    };
    let faults = [
        (
            says(502, &[("content-type", "text/html")], "<html>"),
            "it answered 502 Bad Gateway",
        ),
        (
            says(500, &[], r#"{"message": "boom"}"#),
            "it answered 500 Internal Server Error: boom",
        ),
        (
            says(429, &[("retry-after", "1")], ""),
            "it answered 429 Too Many Requests",
        ),
        (
            says(
                403,
                &[("retry-after", "1")],
                r#"{"message": "You have exceeded a secondary rate limit"}"#,
            ),
            "it answered 403 Forbidden: You have exceeded a secondary rate limit",
        ),
        (
            says(200, &[("content-type", "text/html")], "<html>Log in</html>"),
            "its answer is not JSON",
        ),
        (
            says(409, &[], r#"{"message": "another one is writing"}"#),
            "it answered 409 Conflict: another one",
        ),
        (Fault::Truncated, "it cannot be reached"),
        (Fault::HangsUp, "it cannot be reached"),
    ];
    let app = TestApp::start().await;
    let tried = faults.into_iter().enumerate().map(async |(index, (fault, words))| {
        let forge = TestForge::start(Forge::Gitea).await;
        forge.breaks([fault]);
        let name = format!("app-{index}");
        let repository = TestRepository::new(&name);
        let connection = connection(&forge);
        let new = json!({"name": name, "git": repository.address, "forge": "gitea", "connection": connection});
        app.post("/api/v1/repositories", new).await.expect(201);
        let waiting = eventually("a first try", async || {
            let waiting = entry(&app, &repository, "webhook").await;
            waiting["message"].is_string().then_some(waiting)
        });
        let waiting = waiting.await;
        assert!(waiting["message"].as_str().unwrap().starts_with(words), "{waiting}");
        until_entry(&app, &repository, ("webhook", "sent")).await;
        assert_eq!(forge.webhooks().len(), 1);
    });
    join_all(tried).await;
}

#[tokio::test]
async fn what_a_forge_will_not_hear_is_told_again_with_another_token() {
    let app = TestApp::start().await;
    let cases = [
        (
            401,
            format!(r#"{{"message": "Bad credentials: {TOKEN}"}}"#),
            "it answered 401 Unauthorized: Bad credentials: ***. The token is not valid",
        ),
        (
            403,
            r#"{"message": "Resource not accessible"}"#.into(),
            "it answered 403 Forbidden: Resource not accessible. The token may not",
        ),
        (
            404,
            r#"{"message": "Not Found"}"#.into(),
            "it answered 404 Not Found: Not Found. There is no such project",
        ),
        (
            422,
            r#"{"message": "Validation Failed"}"#.into(),
            "it answered 422 Unprocessable Entity: Validation Failed",
        ),
    ];
    for (status, body, words) in cases {
        let forge = TestForge::start(Forge::Github).await;
        forge.breaks([Fault::Says(status, Vec::new(), body)]);
        let mut repository = TestRepository::new(&format!("app-{status}"));
        app.add_as(&mut repository, "github").await;
        assert_eq!(shown(&app, &repository).await, json!(null));
        let path = format!("/api/v1/repositories/{}/forge", repository.name);
        let connect = async || {
            let request = app.request(Method::PUT, &path).json(&connection(&forge));
            app.send(request).await.expect(200)
        };
        connect().await;
        let failed = until_entry(&app, &repository, ("webhook", "failed")).await;
        let why = failed["message"].as_str().unwrap();
        assert!(why.starts_with(words) && !why.contains(TOKEN), "{why}");
        connect().await;
        until_entry(&app, &repository, ("webhook", "sent")).await;
        app.send(app.request(Method::DELETE, &path)).await.expect(204);
        assert_eq!(shown(&app, &repository).await, json!(null));
    }
    let data = app.data.as_ref().unwrap().path();
    let files = ["drover.db", "drover.db-wal"].map(|name| std::fs::read(data.join(name)).unwrap_or_default());
    let database = files.concat();
    let stands = |text: &str| database.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(stands("app-401"));
    assert!(!stands(TOKEN), "a token stands in the database");
}

#[tokio::test]
async fn a_project_that_moved_is_followed_within_the_forge_only() {
    let app = TestApp::start().await;
    let (forge, elsewhere) = (
        TestForge::start(Forge::Gitlab).await,
        TestForge::start(Forge::Gitlab).await,
    );
    let to = |url: String| Fault::Says(307, vec![("location", url)], String::new());
    forge.breaks([
        to("/api/v4/projects/9/hooks".into()),
        to(format!("{}/projects/9/hooks", elsewhere.api())),
    ]);
    let repository = connected(&app, (Forge::Gitlab, &forge)).await;
    let failed = until_entry(&app, &repository, ("webhook", "failed")).await;
    let why = failed["message"].as_str().unwrap();
    assert!(
        why.starts_with("it answered 307 Temporary Redirect. Is this the URL of the API?"),
        "{why}"
    );
    assert!(elsewhere.asked().is_empty(), "the token went elsewhere");
    assert_eq!(forge.asked().len(), 0);
}

#[tokio::test]
async fn a_connection_that_cannot_be_is_refused() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add_as(&mut repository, "gitlab").await;
    let connect = async |name: &str, body: Value| {
        let request = app.request(Method::PUT, &format!("/api/v1/repositories/{name}/forge"));
        app.send(request.json(&body)).await
    };
    let refused = [
        (json!({"token": TOKEN}), "does not say where the forge is"),
        (
            json!({"token": TOKEN, "api": "ftp://x", "project": "a/b"}),
            "is no URL of an API",
        ),
        (
            json!({"token": TOKEN, "api": "https://u:p@x", "project": "a/b"}),
            "is no URL of an API",
        ),
        (
            json!({"token": TOKEN, "api": "https://x", "project": "a"}),
            "is no project",
        ),
        (
            json!({"token": TOKEN, "api": "https://x", "project": "../b"}),
            "is no project",
        ),
        (
            json!({"token": "two\nlines", "api": "https://x", "project": "a/b"}),
            "without spaces or line breaks",
        ),
        (
            json!({"token": "", "api": "https://x", "project": "a/b"}),
            "a token has at most",
        ),
    ];
    for (body, words) in refused {
        let answer = connect("app", body).await.expect(422);
        assert!(answer.text.contains(words), "{}", answer.text);
    }
    connect("nobody", json!({"token": TOKEN})).await.expect(404);
    let mut generic = TestRepository::new("generic");
    app.add(&mut generic).await;
    let answer = connect("generic", json!({"token": TOKEN, "api": "https://x", "project": "a/b"}))
        .await
        .expect(422);
    assert!(answer.text.contains("has no forge to connect with"), "{}", answer.text);
}
