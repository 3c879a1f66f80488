//! Logs as readers get them: pages of lines, search, text, and the whole of a build.

use protocol::attempt::EventKind;
use protocol::record::{self, Record, Source};
use serde_json::{Value, json};

use super::support::{Leased, PASSING, SimAgent, TestApp, TestRepository, within};

async fn running_job() -> (TestApp, TestRepository, SimAgent, Leased) {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let file =
        "jobs:\n  test:\n    image: busybox\n    services: {db: {image: \"redis:7\"}}\n    steps: [make, make test]\n";
    app.push(&repository, &[(".drover.yml", file)]).await;
    let mut agent = SimAgent::enrol(&app).await;
    let lease = agent.take(&app).await;
    agent.started(&app, &lease).await;
    (app, repository, agent, lease)
}

#[tokio::test]
async fn a_log_is_read_in_pages_searched_and_downloaded() {
    let (app, _repository, mut agent, lease) = running_job().await;
    let lines: Vec<String> = (1..=1_200).map(|n| format!("\u{1b}[32mline {n}\u{1b}[0m")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let end = agent.log(&app, &lease, ("step-0", 0), &lines).await;
    agent.log(&app, &lease, ("step-0", end), &["error: it broke"]).await;
    let base = format!("/api/v1/attempts/{}/logs", lease.attempt);
    let meta = app.get(&format!("{base}/step-0/meta")).await.expect(200).json();
    assert_eq!((&meta["lines"], &meta["eof"]), (&json!(1_201), &json!(false)));
    assert_eq!(meta["marks"], json!([{"line": 1_201, "kind": "error"}]));
    let page = app
        .request(reqwest::Method::GET, &format!("{base}/step-0/lines?from=1000&n=2"))
        .send()
        .await
        .unwrap();
    assert_eq!(page.headers()["cache-control"], "private, max-age=31536000, immutable");
    let page: Value = page.json().await.unwrap();
    assert_eq!((&page["from"], &page["total"]), (&json!(1_000), &json!(1_201)));
    assert_eq!(page["lines"][1]["n"], 1_001);
    assert_eq!(page["lines"][1]["s"], "o");
    let tail = app
        .request(reqwest::Method::GET, &format!("{base}/step-0/lines?from=1200&n=500"))
        .send()
        .await
        .unwrap();
    assert_eq!(tail.headers()["cache-control"], "no-store", "there may be more");
    let hits = app
        .get(&format!("{base}/step-0/find?q=LINE%20119"))
        .await
        .expect(200)
        .text;
    let hits: Vec<Value> = hits.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(hits.len(), 12, "119, 1190 to 1199, and the total");
    assert_eq!(hits[0]["line"], 119);
    assert_eq!(hits[11], json!({"total": 11}));
    app.get(&format!("{base}/step-0/find?q=(&re=1")).await.expect(400);
    let raw = app.get(&format!("{base}/step-0/raw")).await.expect(200).text;
    assert_eq!(raw.lines().count(), 1_201);
    let plain = app
        .get(&format!("{base}/step-0/raw?ansi=0&ts=1"))
        .await
        .expect(200)
        .text;
    assert_eq!(plain.lines().next().unwrap(), "1970-01-01T00:00:00.000000Z line 1");
    app.get(&format!("{base}/step-7/meta")).await.expect(404);
    app.get(&format!("{base}/..%2fx/meta")).await.expect(404);
    let streams = app.get(&base).await.expect(200).json();
    assert_eq!(streams[0]["stream"], "step-0");
    agent.pass(&app, &lease).await;
    assert_eq!(
        app.get(&format!("{base}/step-0/meta")).await.json()["eof"],
        true,
        "its end seals its logs"
    );
}

/// What compresses an answer asks once more behind its end.
#[tokio::test]
async fn an_answer_without_a_byte_ends_when_it_is_compressed_too() {
    let (app, _repository, agent, lease) = running_job().await;
    let zipped = async |path: &str| {
        let request = app
            .request(reqwest::Method::GET, path)
            .header("accept-encoding", "gzip");
        app.send(request).await.expect(200);
    };
    zipped(&format!("/api/v1/builds/{}/logs?raw=1", lease.build)).await;
    zipped(&format!("/api/v1/builds/{}/logs", lease.build)).await;
    agent.log(&app, &lease, ("step-0", 0), &["one"]).await;
    zipped(&format!("/api/v1/builds/{}/logs?raw=1", lease.build)).await;
}

#[tokio::test]
async fn raw_is_every_byte_that_was_written_and_no_other() {
    let (app, _repository, agent, lease) = running_job().await;
    let long = vec![b'x'; record::MAX_LEN];
    let lines: [(Source, bool, &[u8]); 7] = [
        (Source::Stdout, false, b"dos\r"),
        (Source::System, false, b"try 2 of 3: it exited with 1"),
        (Source::Stderr, false, b"zero \0 bad \xff\xfe"),
        (Source::Stdout, true, &long),
        (Source::Stdout, false, b"y"),
        (Source::Stdout, false, b""),
        (Source::Stdout, true, b"no end\r"),
    ];
    let mut raw = Vec::new();
    for (at, (source, continues, bytes)) in (1..).zip(lines) {
        Record {
            source,
            at,
            continues,
            bytes,
        }
        .encode(&mut raw);
    }
    agent
        .upload(&app, &lease, ("step-0", "offset=0"), &raw)
        .await
        .expect(200);
    let next = super::support::records(99, &["next"]);
    agent
        .upload(&app, &lease, ("step-1", "offset=0"), &next)
        .await
        .expect(200);
    let written = [
        b"dos\r\nzero \0 bad \xff\xfe\n".to_vec(),
        long,
        b"y\n\nno end\r".to_vec(),
    ]
    .concat();
    let get = async |path: String| {
        let answer = app.request(reqwest::Method::GET, &path).send().await.unwrap();
        answer.bytes().await.unwrap().to_vec()
    };
    assert!(get(format!("/api/v1/attempts/{}/logs/step-0/raw", lease.attempt)).await == written);
    let of_build = format!("/api/v1/builds/{}/logs?raw=1", lease.build);
    assert!(get(format!("{of_build}&step=1")).await == written);
    assert!(
        get(of_build).await == [written.as_slice(), b"\nnext\n"].concat(),
        "one line end between two streams"
    );
    let page = app
        .get(&format!("/api/v1/attempts/{}/logs/step-0/lines", lease.attempt))
        .await
        .json();
    assert_eq!(page["lines"][0]["text"], "dos");
    assert_eq!(page["lines"][2]["text"], "zero \0 bad \u{fffd}\u{fffd}");
}

fn said(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let who = |line: &Value| {
        line["step"]
            .as_str()
            .or(line["service"].as_str())
            .unwrap_or("-")
            .to_owned()
    };
    lines
        .map(|line| {
            format!(
                "{} {} {}",
                line["job"].as_str().unwrap(),
                who(&line),
                line["text"].as_str().unwrap()
            )
        })
        .collect()
}

#[tokio::test]
async fn the_lines_of_a_build_come_in_order_with_their_places() {
    let (app, _repository, agent, lease) = running_job().await;
    let end = agent.log(&app, &lease, ("step-0", 0), &["first", "second"]).await;
    agent
        .upload(
            &app,
            &lease,
            ("service-db", "offset=0"),
            &super::support::records(1, &["ready"]),
        )
        .await
        .expect(200);
    let late: Vec<String> = (0..5_000).map(|n| format!("late {n}")).collect();
    agent
        .log(
            &app,
            &lease,
            ("step-0", end),
            &late.iter().map(String::as_str).collect::<Vec<_>>(),
        )
        .await;
    agent
        .upload(
            &app,
            &lease,
            ("job", "offset=0"),
            &super::support::records(9_999, &["over"]),
        )
        .await
        .expect(200);
    let path = format!("/api/v1/builds/{}/logs", lease.build);
    let all = said(&app.get(&path).await.expect(200).text);
    assert_eq!(
        all[..3],
        ["test make first", "test db ready", "test make second"],
        "by time, across streams"
    );
    assert_eq!(all.last().unwrap(), "test - over");
    assert_eq!(all.len(), 5_004);
    let service = said(&app.get(&format!("{path}?service=db")).await.expect(200).text);
    assert_eq!(service, ["test db ready"]);
    let step = said(&app.get(&format!("{path}?step=1&job=test")).await.expect(200).text);
    assert_eq!(step.len(), 5_002);
    assert!(said(&app.get(&format!("{path}?step=make%20test")).await.expect(200).text).is_empty());
    assert!(said(&app.get(&format!("{path}?job=other")).await.expect(200).text).is_empty());
}

#[tokio::test]
async fn whoever_follows_a_build_sees_every_line_and_its_end() {
    let (app, _repository, mut agent, lease) = running_job().await;
    let path = format!("/api/v1/builds/{}/logs?follow=1", lease.build);
    let end = agent.log(&app, &lease, ("step-0", 0), &["one"]).await;
    let mut response = app.request(reqwest::Method::GET, &path).send().await.unwrap();
    let first = within("the first line", response.chunk()).await.unwrap().unwrap();
    assert_eq!(said(std::str::from_utf8(&first).unwrap()), ["test make one"]);
    agent.log(&app, &lease, ("step-0", end), &["two", "three"]).await;
    let second = within("more lines", response.chunk()).await.unwrap().unwrap();
    assert_eq!(
        said(std::str::from_utf8(&second).unwrap()),
        ["test make two", "test make three"]
    );
    agent
        .report_events(&app, &lease, vec![(1, EventKind::StepStarted { step: 1 })])
        .await
        .expect(204);
    agent.log(&app, &lease, ("step-1", 0), &["four"]).await;
    agent.pass(&app, &lease).await;
    let rest = within("the end", response.text()).await.unwrap();
    assert_eq!(said(&rest), ["test make test four"]);
}

#[tokio::test]
async fn a_build_without_lines_has_none() {
    let app = TestApp::start().await;
    let mut repository = TestRepository::new("app");
    app.add(&mut repository).await;
    let build = app.push(&repository, &[(".drover.yml", PASSING)]).await;
    assert_eq!(
        app.get(&format!("/api/v1/builds/{}/logs", build["number"]))
            .await
            .expect(200)
            .text,
        ""
    );
    app.get("/api/v1/builds/99/logs").await.expect(404);
}
