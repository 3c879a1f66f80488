//! One file, two roads: `drover run` and the coordinator's run are the same engine, so they end alike, their services
//! behave alike and their logs have the same text.

use std::collections::BTreeMap;
use std::process::Output;

use serde_json::Value;

use crate::stage::{Stage, WorkingCopy, output_text};

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

/// Files in which jobs follow on each other in every way that there is, each with how its jobs end.
const FLOWS: [(&str, &str, &str); 11] = [
    (
        "a job for failures that needs nothing",
        "jobs:
  alarm: {image: busybox, when: {status: failure}, steps: [echo never]}
  always: {image: busybox, when: {status: [success, failure]}, steps: [echo it runs]}
  after: {image: busybox, needs: [alarm], steps: [echo nobody misses it]}
",
        "after=passed alarm=skipped always=passed",
    ),
    (
        "what follows on a failure",
        "jobs:
  test: {image: busybox, steps: [exit 3]}
  deploy: {image: busybox, needs: [test], steps: [echo never]}
  later: {image: busybox, needs: [deploy], steps: [echo never]}
  alarm: {image: busybox, needs: [test], when: {status: failure}, steps: [echo it failed]}
  report: {image: busybox, needs: [test, alarm], when: {status: [success, failure]}, steps: [echo a report]}
",
        "alarm=passed deploy=skipped later=skipped report=passed test=failed",
    ),
    (
        "skipped by its own condition",
        "jobs:
  docs: {image: busybox, when: {branch: elsewhere}, steps: [echo never]}
  deploy: {image: busybox, needs: [docs], steps: [echo deployed]}
",
        "deploy=passed docs=skipped",
    ),
    (
        "cells that disagree about an output",
        "jobs:
  plan: {image: busybox, matrix: {n: [one, two]}, steps: ['echo \"word=$MATRIX_N\" >> $DROVER_OUTPUT']}
  use: {image: busybox, needs: [plan], env: {WORD: \"${{ needs.plan.outputs.word }}\"}, steps: [echo $WORD]}
  one:
    image: busybox
    needs: [{job: plan, matrix: {n: one}}]
    env: {WORD: \"${{ needs.plan.outputs.word }}\"}
    steps: [echo $WORD]
",
        "one=passed plan (n=one)=passed plan (n=two)=passed use=failed",
    ),
    (
        "fail_fast with cells that wait",
        "jobs:
  test:
    image: busybox
    matrix: {n: [one, two, three], max_parallel: 1, fail_fast: true}
    steps: ['test \"$MATRIX_N\" != one']
  after: {image: busybox, needs: [test], steps: [echo never]}
",
        "after=skipped test (n=one)=failed test (n=three)=cancelled test (n=two)=cancelled",
    ),
    (
        "a job that is tried again",
        "jobs:
  flaky: {image: busybox, retry: {max: 2, on: [\"exit:75\"]}, steps: ['echo try $DROVER_ATTEMPT; test $DROVER_ATTEMPT = 2 || exit 75']}
  wrong: {image: busybox, retry: {max: 2, on: [\"exit:75\"]}, steps: ['echo try $DROVER_ATTEMPT; exit 1']}
  spent: {image: busybox, retry: {max: 1, on: [any]}, steps: ['echo try $DROVER_ATTEMPT; exit 1']}
",
        "flaky=passed spent=failed wrong=failed",
    ),
    (
        "a matrix from an output",
        "jobs:
  plan: {image: busybox, steps: ['echo \"cells=[{\\\"n\\\": \\\"1\\\"}, {\\\"n\\\": \\\"2\\\"}]\" >> $DROVER_OUTPUT; echo \"none=[]\" >> $DROVER_OUTPUT']}
  test: {image: busybox, needs: [plan], matrix: \"${{ needs.plan.outputs.cells }}\", steps: [echo cell $MATRIX_N]}
  empty: {image: busybox, needs: [plan], matrix: \"${{ needs.plan.outputs.none }}\", steps: [echo never]}
  lost: {image: busybox, needs: [plan], env: {X: \"${{ needs.plan.outputs.lost }}\"}, steps: [echo never]}
  after: {image: busybox, needs: [test, empty], steps: [echo after]}
",
        "after=passed empty=skipped lost=failed plan=passed test (n=1)=passed test (n=2)=passed",
    ),
    (
        "max_parallel with a cell that fails",
        "jobs:
  test: {image: busybox, matrix: {n: [one, two, three], max_parallel: 1}, steps: ['test \"$MATRIX_N\" != two']}
",
        "test (n=one)=passed test (n=three)=passed test (n=two)=failed",
    ),
    (
        "a job that may fail",
        "jobs:
  lint: {image: busybox, allow_failure: true, steps: [exit 1]}
  deploy: {image: busybox, needs: [lint], steps: [echo deployed]}
  alarm: {image: busybox, needs: [lint], when: {status: failure}, steps: [echo never]}
",
        "alarm=skipped deploy=passed lint=failed",
    ),
    (
        "outputs at their limits",
        "jobs:
  much:
    image: busybox
    steps:
      - 'for n in 1 2 3 4 5 6 7 8; do printf v$n=; head -c 65000 /dev/zero | tr \"\\0\" x; echo; done >> $DROVER_OUTPUT'
      - 'for n in 9 10 11 12 13 14 15 16 17; do printf v$n=; head -c 65000 /dev/zero | tr \"\\0\" x; echo; done >> $DROVER_OUTPUT'
      - 'echo \"$(head -c 101 /dev/zero | tr \"\\0\" n)=long name\" >> $DROVER_OUTPUT'
  use: {image: busybox, needs: [much], env: {V: \"${{ needs.much.outputs.v16 }}\"}, steps: ['echo ${#V}']}
  over: {image: busybox, needs: [much], env: {V: \"${{ needs.much.outputs.v9 }}\"}, steps: [echo never]}
",
        "much=passed over=failed use=passed",
    ),
    (
        "a job that is held, and one that takes too long",
        "jobs:
  held: {image: busybox, hold_on_failure: 1s, steps: [exit 4]}
  slow: {image: busybox, steps: [{name: sleeps, run: sleep 60, timeout: 2s}]}
  after: {image: busybox, needs: [{job: held}, {job: slow}], when: {status: failure}, steps: [echo after]}
",
        "after=passed held=failed slow=timed_out",
    ),
];

#[test]
fn jobs_follow_on_each_other_here_as_they_do_there() {
    let mut stage = Stage::up();
    let copy = stage.repository("flows");
    for (number, (what, file, expected)) in (1..).zip(FLOWS) {
        copy.write(".drover.yml", file);
        copy.push(what);
        stage.build(number);
        stage.watch(number);
        let there = of_coordinator(&stage, number);
        let output = run_here(&stage, &copy);
        let here = of_local_run(&output);
        assert_eq!(here, there, "{what}\n{}", output_text(&output));
        let ends: Vec<String> = here
            .ends
            .iter()
            .map(|(job, (status, _))| format!("{job}={status}"))
            .collect();
        assert_eq!(ends.join(" "), expected, "{what}\n{}", output_text(&output));
    }
    stage.stop();
    stage.nothing_left();
}

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
    let there = of_coordinator(&stage, 1);

    let output = run_here(&stage, &copy);
    assert_eq!(output.status.code(), Some(1), "{}", output_text(&output));
    let here = of_local_run(&output);
    assert_eq!(here, there);
    assert_eq!(here.ends["same (word=one)"].0, "passed");
    assert_eq!(here.ends["same (word=two)"].1, "step `fails` exited with 1");
    let lines = |place: &str| here.lines[&("same (word=two)".to_owned(), place.to_owned())].clone();
    assert_eq!(lines(""), ["pong", "MATRIX_WORD=two", "out", "err"]);
    assert_eq!(lines("echo"), ["service two starts", "to stderr"]);
    assert_eq!(lines("seed"), ["seeded"]);
}

fn run_here(stage: &Stage, copy: &WorkingCopy) -> Output {
    let mut run = stage.command();
    run.current_dir(&copy.folder).args(["run", "--json"]).output().unwrap()
}

fn of_coordinator(stage: &Stage, number: i64) -> Seen {
    let number = number.to_string();
    let build = stage.json(&["build", "show", &number, "--json"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ends = build["jobs"].as_array().unwrap().iter();
    let ends = ends.map(|job| (text(&job["title"]), (text(&job["status"]), text(&job["reason"]))));
    let mut lines: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for line in stage.ok(&["logs", &number, "--json"]).lines() {
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

fn of_local_run(output: &Output) -> Seen {
    let mut ends = BTreeMap::new();
    let mut lines: BTreeMap<_, Vec<String>> = BTreeMap::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let said: Value = serde_json::from_str(line).unwrap();
        let job = text(&said["job"]);
        match said["type"].as_str().unwrap() {
            "retried" => lines.retain(|(of, _), _| *of != job),
            "result" => {
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
