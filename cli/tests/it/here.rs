//! `drover run`, `lint`, `schema`: the same engine and the same reading, with no coordinator.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

use crate::stage::{Stage, output_text};

fn run(job_file: &str) -> (Stage, Output) {
    let stage = Stage::new();
    std::fs::write(stage.folder.path().join(".drover.yml"), job_file).unwrap();
    let output = stage.drover(&["run"]);
    (stage, output)
}

fn ends(job_file: &str, exit: i32, sentence: &[&str]) {
    let (_stage, output) = run(job_file);
    let said = output_text(&output);
    assert_eq!(output.status.code(), Some(exit), "{said}");
    for words in sentence {
        assert!(said.contains(words), "`{words}` is not in:\n{said}");
    }
}

#[test]
fn a_local_run_sees_the_working_tree_and_prints_the_log() {
    let (stage, output) = run("jobs:\n  test: {image: busybox, steps: [cat note, 'echo two >&2']}\n");
    assert_eq!(
        output.status.code(),
        Some(1),
        "there is no note yet: {}",
        output_text(&output)
    );
    std::fs::write(stage.folder.path().join("note"), "uncommitted\n").unwrap();
    let output = stage.drover(&["run"]);
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "uncommitted\ntwo\n");
}

#[test]
fn folders_of_the_same_name_share_no_cache() {
    let stage = Stage::new();
    let visit = |place: &str| {
        let folder = stage.folder.path().join(place).join("app");
        std::fs::create_dir_all(&folder).unwrap();
        let script = "cat c/who 2>/dev/null || echo nobody; mkdir -p c; echo seen > c/who";
        let file = format!(
            "jobs:\n  a: {{image: busybox, cache: {{key: k, paths: [c]}}, steps: [{script:?}, \"echo {place} >> c/who\"]}}\n"
        );
        std::fs::write(folder.join(".drover.yml"), file).unwrap();
        let output = stage.command().current_dir(&folder).arg("run").output().unwrap();
        assert!(output.status.success(), "{}", output_text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(visit("one"), "nobody\n");
    assert_eq!(visit("two"), "nobody\n");
    assert!(visit("one").ends_with("one\n"));
    // It was all kept where the data folder is said to be.
    assert_eq!(std::fs::read_dir(stage.data().join("run/caches")).unwrap().count(), 2);
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
        &["sleep 60", "timeout of 1s"],
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
    assert_eq!(output.status.code(), Some(3), "{}", output_text(&output));
    let said = output_text(&output);
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

#[test]
fn a_folder_gets_a_job_file_that_runs() {
    let stage = Stage::new();
    let folder = stage.folder.path();
    std::fs::write(folder.join("Makefile"), "all:\n\techo made\n").unwrap();
    let output = stage.drover(&["init"]);
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    assert!(
        output_text(&output).contains("next: drover run"),
        "{}",
        output_text(&output)
    );
    let text = std::fs::read_to_string(folder.join(".drover.yml")).unwrap();
    assert!(text.starts_with("# yaml-language-server: $schema="), "{text}");
    assert_eq!(stage.drover(&["lint"]).status.code(), Some(0));
    let again = stage.drover(&["init"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(output_text(&again).contains("--force"), "{}", output_text(&again));
    std::fs::write(
        folder.join(".gitlab-ci.yml"),
        "test:\n  image: busybox\n  trigger: x\n  script: [echo carried over]\n",
    )
    .unwrap();
    let output = stage.drover(&["init", "--from", "gitlab", "--force"]);
    assert!(
        output_text(&output).contains(".gitlab-ci.yml:3: `trigger`"),
        "{}",
        output_text(&output)
    );
    let output = stage.drover(&["run"]);
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "carried over\n");
}

#[test]
fn lint_mends_what_is_certain() {
    let stage = Stage::new();
    let path = stage.folder.path().join(".drover.yml");
    std::fs::write(&path, "jobs:\n  a: {imgae: busybox, steps: [x]}   # stays\n").unwrap();
    let output = stage.drover(&["lint", "--fix"]);
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    assert!(
        output_text(&output).contains(".drover.yml:2: `imgae` is now `image`"),
        "{}",
        output_text(&output)
    );
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, "jobs:\n  a: {image: busybox, steps: [x]}   # stays\n");
    assert!(output_text(&stage.drover(&["explain", "114"])).contains("DRV0114"));
    assert_eq!(stage.drover(&["explain", "DRV9999"]).status.code(), Some(5));
}

#[test]
fn a_local_run_follows_conditions_and_outputs_and_tells_it_as_json() {
    let stage = Stage::new();
    let text = "\
jobs:
  plan: {image: busybox, steps: [./cells]}
  each: {image: busybox, needs: [plan], matrix: '${{ needs.plan.outputs.cells }}', steps: [echo cell $MATRIX_N]}
  alarm: {image: busybox, needs: [each], when: {status: failure}, steps: [echo never]}
  tagged: {image: busybox, when: {event: tag}, steps: [echo never]}
";
    let cells = r#"echo 'cells=[{"n":"1"},{"n":"2"}]' >> $DROVER_OUTPUT"#;
    let text = text.replace("./cells", &serde_json::to_string(cells).unwrap());
    std::fs::write(stage.folder.path().join(".drover.yml"), text).unwrap();
    let output = stage.drover(&["run", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    let lines: Vec<serde_json::Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let results = lines.iter().filter(|line| line["type"] == "result");
    let results: Vec<String> = results
        .map(|line| format!("{} {}", line["job"].as_str().unwrap(), line["status"].as_str().unwrap()))
        .collect();
    assert_eq!(
        results,
        [
            "plan passed",
            "each (n=1) passed",
            "alarm skipped",
            "tagged skipped",
            "each (n=2) passed"
        ]
    );
    assert!(
        lines
            .iter()
            .any(|line| line["type"] == "line" && line["text"] == "cell 2")
    );
}

/// A `drover run` that goes on, and the lines of one of its streams.
fn going(stage: &Stage, words: &[&str]) -> Child {
    let mut command = stage.command();
    command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn until(lines: &mut impl BufRead, words: &str) -> String {
    let mut all = String::new();
    while !all.contains(words) {
        assert!(
            lines.read_line(&mut all).unwrap() > 0,
            "it ended without `{words}`:\n{all}"
        );
    }
    all
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

#[test]
fn a_watched_folder_runs_what_a_change_touches() {
    let stage = Stage::new();
    let folder = stage.folder.path();
    let work = folder.join("work");
    std::fs::create_dir_all(work.join("docs")).unwrap();
    let text = "\
jobs:
  code: {image: busybox, when: {paths: [\"src/**\"]}, steps: [cat src/note]}
  docs: {image: busybox, when: {paths: [\"docs/**\"]}, steps: [echo docs]}
";
    std::fs::create_dir_all(work.join("src")).unwrap();
    std::fs::write(work.join("src/note"), "one\n").unwrap();
    std::fs::write(work.join(".drover.yml"), text).unwrap();
    let mut command = stage.command();
    command.current_dir(&work).args(["run", "--watch"]);
    let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(run.stderr.take().unwrap());
    until(&mut said, "waiting for changes");
    std::fs::write(work.join("src/note"), "two\n").unwrap();
    let second = until(&mut said, "waiting for changes");
    assert!(
        second.contains("src/note") && second.contains("skipped") && second.contains("docs"),
        "{second}"
    );
    interrupt(&run);
    let mut out = String::new();
    run.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert!(out.contains("code | one") && out.ends_with("code | two\n"), "{out}");
    assert_eq!(out.matches("docs | docs").count(), 1, "{out}");
}

#[test]
fn a_failed_job_is_held_until_somebody_lets_go() {
    let stage = Stage::new();
    std::fs::write(
        stage.folder.path().join(".drover.yml"),
        "jobs:\n  a: {image: busybox, steps: [exit 3]}\n",
    )
    .unwrap();
    let mut run = going(&stage, &["run", "--hold=10m"]);
    let mut said = BufReader::new(run.stderr.take().unwrap());
    until(&mut said, "Ctrl-C lets them go");
    assert!(run.try_wait().unwrap().is_none(), "it goes on while the job is held");
    interrupt(&run);
    assert_eq!(run.wait().unwrap().code(), Some(1), "the exit is the job's");
}
