//! Kill anything at any moment: nothing is lost, nothing is doubled, nothing is left.

use crate::private::Coordinator;
use crate::stage::{Stage, eventually};

/// Numbers its lines, slowly enough to be killed in the middle.
const COUNTS: &str = r#"
jobs:
  count:
    image: busybox
    services:
      cache: {image: "redis:7", ready: {tcp: 6379}}
    steps:
      - name: count
        run: |
          i=0
          while [ $i -lt 400 ]; do i=$((i+1)); echo "line $i"; usleep 20000; done
      - name: after
        run: echo done
"#;

#[test]
fn everything_killed_in_mid_job_goes_on_after_a_restart() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    copy.write(".drover.yml", COUNTS);
    copy.push("Count");
    stage.build(1);
    eventually("the middle of the step", || {
        stage.ok(&["logs", "1", "--raw"]).contains("line 50\n").then_some(())
    });
    stage.kill();
    stage.start();
    let (exit, said) = stage.watch(1);
    assert_eq!(exit, 0, "{said}\n{}", stage.ok(&["logs", "1"]));

    let build = stage.json(&["build", "show", "1", "--json"]);
    let attempts = build["jobs"][0]["attempts"].as_array().unwrap().len();
    assert!((1..=2).contains(&attempts), "it went on, or was tried again: {build}");
    let log = stage.ok(&["logs", "1", "--raw", "--step", "count"]);
    let wanted: String = (1..=400).map(|i| format!("line {i}\n")).collect();
    assert_eq!(log, wanted, "no line is lost and none is doubled");
    assert_eq!(stage.ok(&["logs", "1", "--raw", "--step", "after"]), "done\n");
    stage.stop();
    stage.nothing_left();
}

#[test]
fn what_was_queued_when_it_was_killed_runs_after_the_restart() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    let jobs: String = (0..8)
        .map(|i| format!("  job{i}: {{image: busybox, steps: ['usleep 300000; echo {i}']}}\n"))
        .collect();
    copy.write(".drover.yml", &format!("jobs:\n{jobs}"));
    copy.push("Queue");
    stage.build(1);
    stage.kill();
    stage.start();
    assert_eq!(stage.watch(1).0, 0, "{}", stage.ok(&["build", "show", "1"]));
    for i in 0..8 {
        assert_eq!(
            stage.ok(&["logs", "1", "--raw", "--job", &format!("job{i}"), "--step", "1"]),
            format!("{i}\n")
        );
    }
    stage.stop();
    stage.nothing_left();
}

#[test]
fn a_coordinator_whose_log_nobody_reads_ends_when_it_is_asked_to() {
    let home = tempfile::tempdir().unwrap();
    let mut coordinator = Coordinator::start(home.path());
    coordinator.unread();
    coordinator.stop();
}
