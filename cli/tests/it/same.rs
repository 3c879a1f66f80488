//! One file, two roads: `drover run` and the coordinator's run are the same engine, so they end alike, their services
//! behave alike and their logs have the same text.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::stage::{Stage, told};

const FILE: &str = r#"
jobs:
  same:
    image: busybox
    matrix: {word: [one, two]}
    services:
      echo:
        image: busybox
        command: [sh, -c, "echo service $WORD starts; echo to stderr >&2; exec nc -ll -p 7777 -e echo pong"]
        environment: {WORD: "${{ matrix.word }}"}
        ready: {tcp: 7777}
      seed: {image: busybox, command: [echo, seeded], run_once: true, depends_on: [echo]}
    steps:
      - {name: ask, run: "nc echo 7777 < /dev/null; env | grep ^MATRIX"}
      - {name: streams, run: "echo out; sleep 0.1; echo err >&2"}
      - {name: fails, run: 'test "$MATRIX_WORD" = one'}
  after: {image: busybox, needs: [same], steps: [echo never]}
"#;

/// What is compared of a run: how each job ended and why, and the lines of each job's steps and of each service.
#[derive(Debug, PartialEq)]
struct Seen {
    ends: BTreeMap<String, (String, String)>,
    lines: BTreeMap<(String, String), Vec<String>>,
}

#[test]
fn a_local_run_and_the_coordinators_are_the_same() {
    let stage = Stage::up();
    let copy = stage.repository("app");
    copy.write(".drover.yml", FILE);
    copy.push("The same");
    stage.build(1);
    let (exit, said) = stage.watch(1);
    assert_eq!(exit, 1, "{said}");
    let there = of_coordinator(&stage);

    let output = stage
        .command()
        .current_dir(&copy.folder)
        .args(["run", "--json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let here = of_local_run(&output);
    assert_eq!(here, there);
    assert_eq!(here.ends["same (word=one)"].0, "passed");
    assert_eq!(here.ends["same (word=two)"].1, "step `fails` exited with 1");
    let lines = |place: &str| here.lines[&("same (word=two)".to_owned(), place.to_owned())].clone();
    assert_eq!(lines(""), ["pong", "MATRIX_WORD=two", "out", "err"]);
    assert_eq!(lines("echo"), ["service two starts", "to stderr"]);
    assert_eq!(lines("seed"), ["seeded"]);
}

fn of_coordinator(stage: &Stage) -> Seen {
    let build = stage.json(&["build", "show", "1", "--json"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ends = build["jobs"].as_array().unwrap().iter();
    let ends = ends
        .filter(|job| job["status"] != "skipped")
        .map(|job| (text(&job["title"]), (text(&job["status"]), text(&job["reason"]))));
    let mut lines: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for line in stage.ok(&["logs", "1", "--json"]).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["service"].is_null() && line["step"].is_null() {
            continue; // what Drover itself says
        }
        let place = (text(&line["job"]), text(&line["service"]));
        lines.entry(place).or_default().push(text(&line["text"]));
    }
    Seen {
        ends: ends.collect(),
        lines,
    }
}

fn of_local_run(output: &std::process::Output) -> Seen {
    let mut ends = BTreeMap::new();
    let mut lines: BTreeMap<_, Vec<String>> = BTreeMap::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let said: Value = serde_json::from_str(line).unwrap();
        let job = text(&said["job"]);
        match said["type"].as_str().unwrap() {
            "result" if said["status"] != "skipped" => {
                let end = (text(&said["status"]), text(&said["reason"]["sentence"]));
                ends.insert(job, end);
            }
            "line" if said["source"] != "drover" => {
                let stream = text(&said["stream"]);
                let service = stream.strip_prefix("service-").unwrap_or_default().to_owned();
                lines.entry((job, service)).or_default().push(text(&said["text"]));
            }
            _ => {}
        }
    }
    Seen { ends, lines }
}
