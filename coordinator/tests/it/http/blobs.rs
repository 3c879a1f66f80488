//! Caches and artifacts over HTTP: who may write what, who may read what, and what a stranger gets.

use protocol::blobs::{CacheFound, Kept, NeededArtifact};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{Answer, Leased, PASSING, SimAgent, TestApp, TestRepository, within};

const TWO_JOBS: &str = "jobs:
  build: {image: busybox, steps: [make]}
  test: {needs: [build], image: busybox, steps: [make test]}
";

async fn app_with(file: &str) -> (TestApp, TestRepository, i64) {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let build = app.push(&repository, &[(".drover.yml", file)]).await;
    let number = build["number"].as_i64().unwrap();
    (app, repository, number)
}

/// An archive of these files.
pub(super) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1).unwrap());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

pub(super) async fn put(app: &TestApp, agent: &SimAgent, lease: &Leased, path: &str, body: Vec<u8>) -> Answer {
    let joint = if path.contains('?') { '&' } else { '?' };
    let path = format!(
        "/agent/v1/attempts/{}/{path}{joint}epoch={}",
        lease.attempt, lease.epoch
    );
    app.send(app.anonymous(Method::PUT, &path).bearer_auth(&agent.token).body(body))
        .await
}

async fn ask(app: &TestApp, agent: &SimAgent, lease: &Leased, path: &str) -> Answer {
    let path = format!("/agent/v1/attempts/{}/{path}?epoch={}", lease.attempt, lease.epoch);
    app.send(app.anonymous(Method::GET, &path).bearer_auth(&agent.token))
        .await
}

async fn find(app: &TestApp, agent: &SimAgent, lease: &Leased, key: &str, fallback: &[&str]) -> Option<CacheFound> {
    let path = format!("/agent/v1/attempts/{}/caches/find", lease.attempt);
    let wanted = json!({"epoch": lease.epoch, "key": key, "fallback": fallback});
    let answer = app
        .send(
            app.anonymous(Method::POST, &path)
                .bearer_auth(&agent.token)
                .json(&wanted),
        )
        .await;
    match answer.status.as_u16() {
        204 => None,
        _ => Some(serde_json::from_str(&answer.expect(200).text).unwrap()),
    }
}

// key: artifacts
#[tokio::test]
async fn an_artifact_is_listed_fetched_and_looked_into() {
    let (app, _repository, number) = app_with(PASSING).await;
    let mut agent = SimAgent::enrol(&app).await;
    let lease = agent.take(&app).await;
    agent.started(&app, &lease).await;
    let bytes = archive(&[("out/app", "hello"), ("out/page.html", "<script>alert(1)</script>")]);
    let kept = put(
        &app,
        &agent,
        &lease,
        "artifacts/binary?files=2&expires=3600",
        bytes.clone(),
    )
    .await
    .expect(200);
    let kept: Kept = serde_json::from_str(&kept.text).unwrap();
    agent.pass(&app, &lease).await;

    let listed = app
        .get(&format!("/api/v1/builds/{number}/artifacts"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&listed[0]["name"], &listed[0]["sha256"]),
        (&json!("binary"), &json!(kept.sha256))
    );
    let id = listed[0]["id"].as_str().unwrap();
    let whole = app
        .request(Method::GET, &format!("/api/v1/artifacts/{id}"))
        .send()
        .await
        .unwrap();
    assert_eq!(whole.headers()["content-type"], "application/zstd");
    assert_eq!(whole.bytes().await.unwrap(), bytes);
    let part = app
        .request(Method::GET, &format!("/api/v1/artifacts/{id}"))
        .header("range", "bytes=4-7");
    let part = part.send().await.unwrap();
    assert_eq!(
        (
            part.status().as_u16(),
            part.headers()["content-range"].to_str().unwrap()
        ),
        (206, format!("bytes 4-7/{}", bytes.len()).as_str())
    );
    assert_eq!(part.bytes().await.unwrap(), bytes[4..8]);

    let first = app.request(Method::GET, &format!("/api/v1/artifacts/{id}/files?limit=1"));
    let first = first.send().await.unwrap();
    assert_eq!(
        first.headers()["link"].to_str().unwrap(),
        format!("</api/v1/artifacts/{id}/files?after=1&limit=1>; rel=\"next\"")
    );
    let last = format!("/api/v1/artifacts/{id}/files?after=1&limit=1");
    let last = app.request(Method::GET, &last).send().await.unwrap();
    assert!(!last.headers().contains_key("link"));
    assert_eq!(
        last.json::<serde_json::Value>().await.unwrap()[0]["name"],
        "out/page.html"
    );
    let files = app
        .get(&format!("/api/v1/artifacts/{id}/files"))
        .await
        .expect(200)
        .json();
    assert_eq!((&files[0]["name"], &files[0]["size"]), (&json!("out/app"), &json!(5)));
    let page = app
        .request(Method::GET, &format!("/api/v1/artifacts/{id}/files/out/page.html"))
        .send()
        .await
        .unwrap();
    let headers = page.headers().clone();
    assert_eq!(page.text().await.unwrap(), "<script>alert(1)</script>");
    assert_eq!(headers["content-type"], "application/octet-stream");
    assert!(
        headers["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("attachment; filename=\"page.html\"")
    );
    assert_eq!(headers["content-security-policy"], "sandbox; default-src 'none'");
    assert_eq!(headers["x-content-type-options"], "nosniff");

    let html = app.get(&format!("/artifacts/{id}")).await.expect(200).text;
    assert!(html.contains("out/</a>"), "{html}");
    let html = app.get(&format!("/artifacts/{id}?at=out")).await.expect(200).text;
    assert!(html.contains("page.html") && html.contains("5 B"), "{html}");
    assert!(app.get(&format!("/builds/{number}")).await.text.contains("binary"));
    app.send(app.anonymous(Method::GET, &format!("/api/v1/artifacts/{id}")))
        .await
        .expect(401);
    app.send(app.request(Method::DELETE, &format!("/api/v1/artifacts/{id}")))
        .await
        .expect(204);
    app.get(&format!("/api/v1/artifacts/{id}")).await.expect(404);
}

#[tokio::test]
async fn only_the_holder_of_the_lease_keeps_things_and_half_an_upload_is_nothing() {
    let (app, _repository, number) = app_with(PASSING).await;
    let mut agent = SimAgent::enrol(&app).await;
    let lease = agent.take(&app).await;
    let mut stale = lease.clone();
    stale.epoch += 1;
    put(&app, &agent, &stale, "artifacts/a?files=1", archive(&[]))
        .await
        .expect(409);
    let other = SimAgent {
        token: "no".into(),
        held: Vec::new(),
        stacks: Vec::new(),
    };
    put(&app, &other, &lease, "artifacts/a?files=1", archive(&[]))
        .await
        .expect(401);
    let broken = futures_util::stream::iter([Ok(vec![1; 100_000]), Err(std::io::Error::other("gone"))]);
    let path = format!(
        "/agent/v1/attempts/{}/artifacts/a?files=1&epoch={}",
        lease.attempt, lease.epoch
    );
    let request = app.anonymous(Method::PUT, &path).bearer_auth(&agent.token);
    assert!(request.body(reqwest::Body::wrap_stream(broken)).send().await.is_err());
    assert_eq!(
        app.get(&format!("/api/v1/builds/{number}/artifacts")).await.json(),
        json!([])
    );
    let left = app.until(async || {
        let incoming = app.data.as_ref().unwrap().path().join("blobs/incoming");
        let left = std::fs::read_dir(incoming).map(|entries| entries.count()).unwrap_or(0);
        (left == 0).then_some(left)
    });
    assert_eq!(left.await, 0);
}

// key: cache
#[tokio::test]
async fn a_branch_reads_the_default_branch_and_never_writes_to_it() {
    let (app, repository, _) = app_with(PASSING).await;
    let mut agent = SimAgent::enrol(&app).await;
    let main = agent.take(&app).await;
    let old = archive(&[("workspace/target/a", "old")]);
    put(&app, &agent, &main, "caches/cargo-1", old).await.expect(200);
    assert_eq!(find(&app, &agent, &main, "cargo-1", &[]).await.unwrap().key, "cargo-1");
    agent.started(&app, &main).await;
    agent.pass(&app, &main).await;

    let number = app
        .push_to(&repository, "feature", &[(".drover.yml", PASSING), ("f", "1")])
        .await["number"]
        .as_i64()
        .unwrap();
    let feature = agent.take(&app).await;
    assert_eq!(feature.build, number);
    let found = find(&app, &agent, &feature, "cargo-2", &["npm-", "cargo-"])
        .await
        .unwrap();
    assert_eq!(found.key, "cargo-1");
    ask(&app, &agent, &feature, &format!("blobs/{}", found.sha256))
        .await
        .expect(200);
    let new = archive(&[("workspace/target/a", "evil")]);
    let kept = put(&app, &agent, &feature, "caches/cargo-1", new)
        .await
        .expect(200)
        .json();
    assert_eq!(
        find(&app, &agent, &feature, "cargo-1", &[]).await.unwrap().sha256,
        kept["sha256"]
    );
    agent.started(&app, &feature).await;
    agent.pass(&app, &feature).await;

    app.push_to(&repository, "main", &[(".drover.yml", PASSING), ("m", "2")])
        .await;
    let main = agent.take(&app).await;
    assert_eq!(
        find(&app, &agent, &main, "cargo-1", &[]).await.unwrap().sha256,
        found.sha256,
        "its own"
    );
    let theirs = kept["sha256"].as_str().unwrap();
    ask(&app, &agent, &main, &format!("blobs/{theirs}")).await.expect(404);

    let listed = app.get("/api/v1/repositories/app/caches").await.expect(200).json();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let pruned = app
        .send(app.request(
            Method::DELETE,
            "/api/v1/repositories/app/caches?scope=refs/heads/feature",
        ))
        .await;
    assert_eq!(pruned.expect(200).json()["removed"], 1);
}

#[tokio::test]
async fn a_job_hears_of_the_artifacts_that_it_needs_and_no_others() {
    let (app, _repository, _) = app_with(TWO_JOBS).await;
    let mut agent = SimAgent::enrol(&app).await;
    let lease = agent.take(&app).await;
    agent.started(&app, &lease).await;
    let kept = put(
        &app,
        &agent,
        &lease,
        "artifacts/binary?files=1",
        archive(&[("app", "x")]),
    )
    .await
    .expect(200)
    .json();
    agent.pass(&app, &lease).await;
    let lease = agent.take(&app).await;
    let needed = ask(&app, &agent, &lease, "needs").await.expect(200);
    let needed: Vec<NeededArtifact> = serde_json::from_str(&needed.text).unwrap();
    assert_eq!(needed, [], "it does not ask for artifacts");
    ask(
        &app,
        &agent,
        &lease,
        &format!("blobs/{}", kept["sha256"].as_str().unwrap()),
    )
    .await
    .expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_who_do_not_read_keep_nobody_from_reading() {
    let (app, _repository, number) = app_with(PASSING).await;
    let mut agent = SimAgent::enrol(&app).await;
    let lease = agent.take(&app).await;
    agent.started(&app, &lease).await;
    // Nothing that a socket's buffers could hold, and nothing that a compressor makes small.
    let noise: String = (0_u64..3_000_000)
        .map(|n| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31)))
        .collect();
    let bytes = archive(&[("noise", &noise), ("small", "read me")]);
    put(&app, &agent, &lease, "artifacts/a?files=2", bytes)
        .await
        .expect(200);
    agent.pass(&app, &lease).await;
    let listed = app.get(&format!("/api/v1/builds/{number}/artifacts")).await.json();
    let id = listed[0]["id"].as_str().unwrap();
    let request = format!(
        "GET /api/v1/artifacts/{id}/files/noise HTTP/1.1\r\nhost: drover\r\nauthorization: Bearer {}\r\n\r\n",
        app.token
    );
    let mut stalled = Vec::new();
    for _ in 0..10 {
        let mut stream = tokio::net::TcpStream::connect(app.running.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut first = [0; 15];
        within("an answer", stream.read_exact(&mut first)).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        stalled.push(stream);
    }
    let small = app
        .get(&format!("/api/v1/artifacts/{id}/files/small"))
        .await
        .expect(200);
    assert_eq!(small.text, "read me");
    // Whoever lost its turn sees that its file broke off.
    let mut rest = Vec::new();
    let _ = within("the end", stalled[0].read_to_end(&mut rest)).await;
    assert!(rest.len() < noise.len(), "{} of {}", rest.len(), noise.len());
}
