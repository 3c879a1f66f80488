//! A data folder that an earlier version left, of a coordinator and an agent that were killed in the middle of a job.
//!
//! `fixtures/version-1.tar.zst` was made by the program of protocol version 1 and schema 8: `drover up`, a repository `app`
//! with a secret, build 1 with the jobs `good` (passed), `bad` (failed, its containers held) and `slow` (in mid-step), then
//! `kill -9`. Its containers are of another machine, so `slow` cannot go on; the rest must.

use std::process::Command;

use crate::stage::{Stage, eventually};

const VERSION_1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/version-1.tar.zst");

fn unpack(stage: &Stage) {
    std::fs::create_dir_all(stage.data()).unwrap();
    let packed = std::fs::read(VERSION_1).unwrap();
    let archive = stage.folder.path().join("data.tar");
    std::fs::write(&archive, zstd::decode_all(packed.as_slice()).unwrap()).unwrap();
    let tar = Command::new("tar")
        .arg("-C")
        .arg(stage.data())
        .arg("-xf")
        .arg(&archive)
        .status();
    assert!(tar.unwrap().success());
}

#[test]
fn what_version_1_left_is_taken_over() {
    let mut stage = Stage::new();
    unpack(&stage);
    stage.start();
    // Its agent is the same one, and says what became of its job, which is tried again.
    eventually("the other attempt", || {
        let build = stage.json(&["build", "show", "1", "--json"]);
        let attempts = build["jobs"][2]["attempts"].as_array()?;
        (attempts.len() > 1).then(|| assert_eq!(attempts[0]["verdict"], "errored"))
    });
    stage.drover(&["cancel", "1"]);
    let build = eventually("the build ends", || {
        let build = stage.json(&["build", "show", "1", "--json"]);
        (build["finished_at"].is_i64()).then_some(build)
    });
    let jobs: Vec<_> = build["jobs"].as_array().unwrap().iter().collect();
    let states: Vec<_> = jobs
        .iter()
        .map(|job| (job["name"].as_str(), job["status"].as_str()))
        .collect();
    assert_eq!(
        states[..2],
        [(Some("good"), Some("passed")), (Some("bad"), Some("failed"))]
    );
    assert_eq!(jobs[1]["reason"], "step `exit 3` exited with 3");
    assert_eq!(stage.ok(&["logs", "1", "--raw", "--job", "good"]), "good\n");
    assert!(stage.ok(&["secret", "ls", "app"]).contains("TOKEN"));
    assert!(stage.ok(&["agent", "ls"]).contains("01a21b3b02f6729a9bd5f2c0a502a3ff"));
    assert_eq!(stage.json(&["stack", "ls", "--json"]), serde_json::json!([]));
    // And both go on working.
    let copy = stage.repository("new");
    copy.write(".drover.yml", "jobs:\n  test: {image: busybox, steps: [echo new]}\n");
    copy.push("Afterwards");
    stage.build(2);
    assert_eq!(stage.watch(2).0, 0);
    stage.stop();
    stage.nothing_left();
}
