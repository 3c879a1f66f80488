//! What strangers cannot do: learn which repositories exist, take all connections, fill the memory, make the database
//! write, hold an answer for ever.

use std::path::Path;
use std::time::Duration;

use coordinator::config::{Connections, Limits};
use coordinator::store::{Store, StoreConfig, counters};
use coordinator::{Config, forges};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::{SimAgent, TestApp, TestRepository, within};

/// Looks like a signature.
const GUESS: &str = "sha256=0000000000000000000000000000000000000000000000000000000000000000";

fn config(data: &Path) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        data: data.to_owned(),
        ..Config::default()
    }
}

async fn connect(app: &TestApp) -> TcpStream {
    TcpStream::connect(app.running.address).await.unwrap()
}

/// The head of a webhook, and nothing of its body.
async fn announce(app: &TestApp, path: &str, signature: Option<&str>, bytes: usize) -> TcpStream {
    let signature = signature.map_or(String::new(), |value| format!("x-drover-signature-256: {value}\r\n"));
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: drover\r\nexpect: 100-continue\r\n{signature}content-length: {bytes}\r\n\r\n"
    );
    let mut stream = connect(app).await;
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// What comes first: `100` when the body is wanted, else the answer.
async fn status(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n") {
        let byte = within("an answer", stream.read_u8()).await;
        head.push(byte.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&head))));
    }
    String::from_utf8(head)
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap_or_default()
        .to_owned()
}

async fn until_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // It is closed or reset, as it comes.
    let _ = within("the end of a connection", stream.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn no_body_is_read_without_a_signature_and_an_unknown_repository_reads_like_a_known_one() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let paths = ["/hooks/generic/app", "/hooks/generic/nothing-here"];
    for path in paths {
        for signature in [None, Some("sha256="), Some("sha256=00"), Some("guess")] {
            let mut stream = announce(&app, path, signature, 5 << 20).await;
            assert_eq!(status(&mut stream).await, "401", "{path} {signature:?}");
        }
        let mut stream = announce(&app, path, Some(GUESS), 6 << 20).await;
        assert_eq!(status(&mut stream).await, "413", "{path}");
        let mut stream = announce(&app, path, Some(GUESS), 1_000).await;
        assert_eq!(status(&mut stream).await, "100", "{path}: the body is wanted");
        stream.write_all(&[b'x'; 1_000]).await.unwrap();
        assert_eq!(status(&mut stream).await, "", "the end of the first answer");
        assert_eq!(status(&mut stream).await, "401", "{path}");
    }
}

#[tokio::test]
async fn bodies_of_strangers_share_a_budget_and_the_oldest_makes_room() {
    let data = tempfile::tempdir().unwrap();
    let mut few = config(data.path());
    few.limits = Limits {
        webhook_bytes: 512 * 1024,
        public_bytes: 1024 * 1024,
        ..Limits::default()
    };
    let app = TestApp::with(few).await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let mut stuck = Vec::new();
    for number in 0..8 {
        let path = ["/hooks/generic/app", "/hooks/generic/nothing-here"][number % 2];
        let mut stream = announce(&app, path, Some(GUESS), 400 * 1024).await;
        assert_eq!(status(&mut stream).await, "100");
        assert_eq!(status(&mut stream).await, "");
        // All but the last byte.
        stream.write_all(&vec![b'x'; 400 * 1024 - 1]).await.unwrap();
        stuck.push(stream);
    }
    // Six of eight cannot have stayed; those that went first are told so.
    for stream in &mut stuck[..2] {
        assert_eq!(status(stream).await, "503");
    }
    let body = json!({"ref": "refs/tags/v1", "after": "0".repeat(40), "filler": "x".repeat(300 * 1024)});
    app.deliver(&repository, &body).await.expect(202);
}

#[tokio::test]
async fn silent_connections_keep_nobody_out_and_no_agent_is_dropped_for_them() {
    let data = tempfile::tempdir().unwrap();
    let mut few = config(data.path());
    few.connections = Connections {
        most: 20,
        ..Connections::default()
    };
    let app = TestApp::with(few).await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let mut agent = SimAgent::enrol(&app).await;
    let url = format!("{}/agent/v1/poll", app.url);
    let held = app.client.post(url).bearer_auth(&agent.token).json(&agent.poll_body(1));
    let held = tokio::spawn(held.send());
    app.until(async || {
        let agents = app.get("/api/v1/agents").await.json();
        (agents[0]["connected"] == true).then_some(())
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(connect(&app).await);
        app.send(app.anonymous(Method::GET, "/healthz")).await.expect(200);
    }
    until_closed(&mut silent[0]).await;
    // The poll that was held all the time is answered with the job that comes now.
    app.push(&repository, &[(".drover.yml", super::support::PASSING)]).await;
    let answer = within("the poll", held).await.unwrap().unwrap();
    assert_eq!(answer.status(), 200, "it was held through the flood");
    agent.held.clear();
}

#[tokio::test]
async fn half_a_head_and_a_pause_have_an_end() {
    let data = tempfile::tempdir().unwrap();
    let mut strict = config(data.path());
    strict.connections = Connections {
        header_secs: 1,
        idle_secs: 1,
        ..Connections::default()
    };
    let app = TestApp::with(strict).await;
    let mut silent = connect(&app).await;
    let mut half = connect(&app).await;
    half.write_all(b"GET /healthz HTTP/1.1\r\nhost: dro").await.unwrap();
    let mut second = connect(&app).await;
    second
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: drover\r\n\r\nGET /")
        .await
        .unwrap();
    for stream in [&mut silent, &mut half, &mut second] {
        until_closed(stream).await;
    }
    app.send(app.anonymous(Method::GET, "/healthz")).await.expect(200);
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_refused_and_others_are_not() {
    let data = tempfile::tempdir().unwrap();
    let mut strict = config(data.path());
    strict.connections = Connections {
        requests_per_address: 1,
        ..Connections::default()
    };
    let app = TestApp::with(strict).await;
    // Loopback is a proxy, so it may speak for others.
    let from = |address: &str| {
        app.anonymous(Method::GET, "/healthz")
            .header("x-forwarded-for", address)
    };
    let refused = async {
        loop {
            let answer = app.send(from("6.6.6.6, 192.0.2.1")).await;
            if answer.status != 200 {
                return answer;
            }
        }
    };
    let refused = within("a refusal", refused).await.expect(429);
    assert_eq!(refused.json()["code"], "too_many_requests");
    app.send(from("192.0.2.2")).await.expect(200);
    app.get("/api/v1/builds").await.expect(200);
}

#[tokio::test]
async fn a_refused_webhook_is_counted_in_memory_and_written_with_the_others() {
    let data = tempfile::tempdir().unwrap();
    let app = TestApp::over(data.path()).await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let wrong = forges::sign(&SecretString::from("guess"), b"x");
    for _ in 0..5 {
        let request = app.anonymous(Method::POST, "/hooks/generic/app").body("x");
        app.send(request.header("x-drover-signature-256", &wrong))
            .await
            .expect(401);
    }
    let page = app.get("/repositories/app").await.expect(200).text;
    assert!(page.contains("5 refused so far"), "{page}");
    assert_eq!(written(data.path()).await, 0, "nothing was written yet");
    app.running.stop().await;
    assert_eq!(written(data.path()).await, 5);
    let again = TestApp::over(data.path()).await;
    let page = again.get("/repositories/app").await.expect(200).text;
    assert!(page.contains("5 refused so far"), "{page}");
}

async fn written(data: &Path) -> i64 {
    let config = StoreConfig {
        url: format!("sqlite:{}", data.join("drover.db").display()),
        key_file: data.join("secrets.key"),
    };
    let store = Store::open(config).await.unwrap();
    let count = counters::read(&store, "webhooks_refused").await.unwrap();
    store.close().await;
    count
}

#[tokio::test]
async fn a_login_or_an_enrolment_is_small() {
    let app = TestApp::start().await;
    for path in ["/login", "/agent/v1/enrol"] {
        let large = app.anonymous(Method::POST, path).body(vec![b'x'; 64 * 1024]);
        app.send(large).await.expect(413);
    }
}

#[tokio::test]
async fn an_answer_that_nobody_takes_has_an_end() {
    let data = tempfile::tempdir().unwrap();
    let mut strict = config(data.path());
    strict.connections = Connections {
        stall_secs: 1,
        ..Connections::default()
    };
    let app = TestApp::with(strict).await;
    let mut stream = connect(&app).await;
    // Ask for far more than the sockets' buffers hold, and read nothing.
    let asked = tokio::spawn(async move {
        let request = b"GET /schema/v1.json HTTP/1.1\r\nhost: drover\r\n\r\n";
        while stream.write_all(request).await.is_ok() {}
    });
    within("the end of the connection", asked).await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), app.get("/api/v1/builds"))
        .await
        .unwrap()
        .expect(200);
}
