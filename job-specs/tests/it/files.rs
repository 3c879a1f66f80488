//! Whole files: events, several files as one, and what YAML itself brings.

use job_specs::model::StepAction;
use job_specs::{Facts, SourceFile, expand, parse};

use crate::story::{brief, file, findings, job, jobs, push};

// key: on
#[test]
fn a_file_says_which_events_it_wants() {
    let wants = |on: &str| {
        let parsed = parse(&file(&format!("{on}\njobs: {{t: {{image: i, steps: [x]}}}}\n")));
        let file = parsed.file.unwrap();
        ["push", "pull_request", "tag", "schedule", "manual"].map(|event| {
            let facts = Facts {
                event: event.into(),
                ..Facts::default()
            };
            file.wants(&facts).is_ok()
        })
    };
    assert_eq!(wants(""), [true, true, true, false, true]);
    assert_eq!(wants("on: push"), [true, false, false, false, false]);
    assert_eq!(wants("on: [tag, manual]"), [false, false, true, false, true]);
    assert_eq!(
        wants("on: {pull_request: {}, schedule:}"),
        [false, true, false, true, false]
    );
}

// key: on, env
#[test]
fn several_files_are_read_as_one() {
    let files = |second: &str| {
        let make = |name: &str, text: &str| SourceFile {
            name: name.into(),
            text: text.into(),
        };
        vec![
            make(
                ".drover/a.yml",
                "on: [push, tag]\nenv: {A: b}\njobs: {test: {image: i, steps: [x]}}\n",
            ),
            make(".drover/b.yml", second),
        ]
    };
    let parsed = parse(&files(
        "on: push\njobs: {deploy: {image: i, needs: test, steps: [x]}}\n",
    ));
    let file = parsed.file.unwrap();
    let titles = |event: &str| {
        let facts = Facts {
            event: event.into(),
            ..push()
        };
        expand(&file, &facts)
            .unwrap()
            .jobs
            .iter()
            .map(|job| job.title())
            .collect::<Vec<_>>()
    };
    assert_eq!(titles("push"), ["test", "deploy"]);
    assert_eq!(titles("tag"), ["test"]);
    assert_eq!(titles("manual"), ["test", "deploy"]);
    assert!(expand(&file, &push()).unwrap().jobs[1].env.is_empty());

    let twice = parse(&files("jobs: {test: {image: i, steps: [x]}}\n"));
    assert_eq!(brief(&twice), ["DRV0106 1:8 job `test` is declared twice"]);
    assert_eq!(twice.diagnostics[0].file, ".drover/b.yml");
    assert_eq!(twice.diagnostics[0].notes, ["first here: .drover/a.yml:3:8"]);

    let other_events = parse(&files(
        "on: manual\njobs: {deploy: {image: i, needs: test, steps: [x]}}\n",
    ));
    assert_eq!(
        brief(&other_events),
        ["DRV0135 2:34 job `deploy` runs on manual, but `test`, which it needs, does not"]
    );
}

#[test]
fn anchors_and_merge_keys_save_repetition() {
    let jobs = jobs(
        "\
x-base: &base {image: rust, timeout: 5m, env: &env {A: b}}
x-more: &more {timeout: 7m, allow_failure: true}
jobs:
  a: {<<: *base, timeout: 6m, steps: [x]}
  b:
    <<: [*base, *more]
    env: {<<: *env, C: d}
    steps: [x]
",
    );
    assert_eq!((jobs[0].image.as_str(), jobs[0].timeout_secs), ("rust", 360));
    assert_eq!((jobs[1].timeout_secs, jobs[1].allow_failure), (300, true));
    assert_eq!(jobs[1].env.keys().collect::<Vec<_>>(), ["A", "C"]);
}

#[test]
fn an_error_behind_an_alias_is_shown_once_and_where_it_is_written() {
    let text = "\
x-base: &base {image: rust, imagee: y, timeout: 5}
jobs:
  a: {<<: *base, steps: [x]}
  b: {<<: *base, steps: [x]}
";
    let found = findings(text);
    assert_eq!(found[0], "DRV0101 1:29 unknown key `imagee` in job `a`");
    assert_eq!(
        found
            .iter()
            .filter(|finding| finding.contains("1:49 `5` is not a duration"))
            .count(),
        1
    );
}

#[test]
fn windows_line_ends_and_byte_order_marks_are_read() {
    let text =
        "\u{feff}jobs:\r\n  t:\r\n    image: i\r\n    steps:\r\n      - run: |\r\n          one\r\n          two\r\n";
    let job = job(text);
    assert!(matches!(&job.steps[0].action, StepAction::Run { script, .. } if script == "one\ntwo\n"));
}

#[test]
fn yaml_1_1_booleans_are_texts_and_say_so() {
    let text = "jobs: {t: {image: i, env: {A: yes, B: on, C: 010}, steps: [{run: x, allow_failure: yes}]}}\n";
    assert_eq!(
        findings(text),
        ["DRV0111 1:84 `allow_failure` takes true or false, found `yes`"]
    );
    let job = job(&text.replace(", allow_failure: yes", ""));
    assert_eq!(job.env.values().collect::<Vec<_>>(), ["yes", "on", "010"]);
}

#[test]
fn all_errors_come_at_once_in_the_order_of_the_file() {
    let found = findings(
        "\
on: psuh
jobs:
  a: {imag: x, steps: []}
  b: {image: X, needs: c, steps: [\"${{ x }}\"], timeout: 1x}
  b: {image: y, steps: [z]}
",
    );
    let lines: Vec<&str> = found.iter().map(|finding| finding.split(' ').nth(1).unwrap()).collect();
    let mut sorted = lines.clone();
    sorted.sort_by_key(|location| {
        let (line, column) = location.split_once(':').unwrap();
        (line.parse::<u32>().unwrap(), column.parse::<u32>().unwrap())
    });
    assert_eq!(lines, sorted);
    assert_eq!(found.len(), 8, "{found:#?}");
}
