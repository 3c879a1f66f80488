//! `drover run`, `lint`, `schema`: the same engine and the same reading, with no coordinator.

use std::process::Output;

use crate::stage::{Stage, told};

fn run(job_file: &str) -> (Stage, Output) {
    let stage = Stage::new();
    std::fs::write(stage.folder.path().join(".drover.yml"), job_file).unwrap();
    let output = stage.drover(&["run"]);
    (stage, output)
}

fn ends(job_file: &str, exit: i32, sentence: &[&str]) {
    let (_stage, output) = run(job_file);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(exit), "{said}");
    for words in sentence {
        assert!(said.contains(words), "`{words}` is not in:\n{said}");
    }
}

#[test]
fn a_local_run_sees_the_working_tree_and_prints_the_log() {
    let (stage, output) = run("jobs:\n  test: {image: busybox, steps: [cat note, 'echo two >&2']}\n");
    assert_eq!(output.status.code(), Some(1), "there is no note yet: {}", told(&output));
    std::fs::write(stage.folder.path().join("note"), "uncommitted\n").unwrap();
    let output = stage.drover(&["run"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "uncommitted\ntwo\n");
}

#[test]
fn every_way_to_end_has_its_own_sentence() {
    let service = |service: &str| {
        format!("jobs:\n  j:\n    image: busybox\n    services: {{s: {service}}}\n    steps: [echo hi]\n")
    };
    // Nobody listens there, so whether the image exists cannot be known: that is ours, not the user's.
    ends(
        "jobs:\n  j: {image: '127.0.0.1:9/none:1', steps: [echo hi]}\n",
        6,
        &["127.0.0.1:9/none:1", "cannot be pulled"],
    );
    ends(
        &service("{image: busybox, command: [sh, -c, 'echo last words; exit 7']}"),
        1,
        &["`s`", "7", "last words"],
    );
    ends(
        &service("{image: busybox, command: [sleep, '60'], ready: {tcp: 81, timeout: 1s}}"),
        1,
        &["`s`", "ready"],
    );
    ends(
        "jobs:\n  j: {image: busybox, steps: [nosuchcommand]}\n",
        1,
        &["nosuchcommand"],
    );
    ends(
        "jobs:\n  j: {image: busybox, steps: [{run: sleep 60, timeout: 1s}]}\n",
        7,
        &["sleep 60", "timeout of 1 s"],
    );
    ends(
        "jobs:\n  j: {image: busybox, resources: {memory: 16m}, steps: [tail /dev/zero]}\n",
        1,
        &["memory"],
    );
    ends(
        "jobs:\n  j: {image: busybox, steps: [{run: echo hi, secrets: [NONE]}]}\n",
        1,
        &["NONE"],
    );
}

#[test]
fn lint_points_at_the_mistake() {
    let stage = Stage::new();
    std::fs::write(
        stage.folder.path().join(".drover.yml"),
        "jobs:\n  a: {image: busybox, steps: [x], needs: [b]}\n",
    )
    .unwrap();
    let output = stage.drover(&["lint"]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    let said = told(&output);
    assert!(
        said.contains(".drover.yml:2:") && said.contains('b') && said.contains("DRV"),
        "{said}"
    );
    let json: serde_json::Value = serde_json::from_slice(&stage.drover(&["lint", "--json"]).stdout).unwrap();
    assert_eq!(json[0]["span"]["line"], 2);
    let schema = stage.json(&["schema"]);
    assert!(schema["properties"]["jobs"].is_object(), "{schema}");
    std::fs::write(
        stage.folder.path().join(".drover.yml"),
        "jobs:\n  a: {image: busybox, steps: [x]}\n",
    )
    .unwrap();
    assert_eq!(stage.drover(&["lint"]).status.code(), Some(0));
}
