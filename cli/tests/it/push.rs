//! The whole road: a push, a build, its logs and its exit code; and every way in which it can be said no to.

use std::os::unix::ffi::OsStrExt;

use crate::stage::{Stage, output_text};

const MATRIX: &str = r#"
jobs:
  lint: {image: busybox, steps: ["test -f README"]}
  test:
    needs: [lint]
    image: redis:${{ matrix.redis }}
    matrix: {redis: ["6", "7"]}
    services:
      db:
        image: postgres:${{ matrix.postgres }}
        environment: {POSTGRES_PASSWORD: test}
        healthcheck: {test: ["CMD", "pg_isready", "-U", "postgres", "-h", "127.0.0.1"]}
      cache: {image: "redis:${{ matrix.redis }}", ready: {tcp: 6379}}
    steps:
      - name: versions
        run: redis-cli -h cache info server | grep redis_version
      - name: counts
        run: redis-cli -h cache incr visits
"#;

#[test]
fn a_push_becomes_a_build_over_two_versions_of_two_services() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    copy.write("README", "hello\n");
    let job_file = MATRIX.replace(
        r#"matrix: {redis: ["6", "7"]}"#,
        r#"matrix: {redis: ["6", "7"], postgres: ["15", "17"], exclude: [{redis: "6", postgres: "17"}]}"#,
    );
    copy.write(".drover.yml", &job_file);
    copy.push("First words");
    let build = stage.build(1);
    assert_eq!(build["repository"], "app");
    assert_eq!(build["event"], "push");
    assert_eq!(build["branch"], "main");
    assert_eq!(build["title"], "First words");
    assert_eq!(build["commit"], copy.git(&["rev-parse", "HEAD"]).trim());

    let (exit, said) = stage.watch(1);
    assert_eq!(exit, 0, "{said}\n{}", stage.ok(&["logs", "1"]));
    let build = stage.json(&["build", "show", "1", "--json"]);
    assert_eq!(build["status"], "passed");
    let jobs = build["jobs"].as_array().unwrap();
    let titles: Vec<&str> = jobs.iter().map(|job| job["title"].as_str().unwrap()).collect();
    let cells = [
        "test (redis=6, postgres=15)",
        "test (redis=7, postgres=15)",
        "test (redis=7, postgres=17)",
    ];
    assert_eq!(titles, ["lint", cells[0], cells[1], cells[2]]);
    assert_eq!(stage.json(&["build", "ls", "--json"])[0]["number"], 1);

    let log = stage.ok(&["logs", "1", "--job", cells[0], "--step", "versions", "--raw"]);
    assert!(log.starts_with("redis_version:6."), "{log}");
    let service = stage.ok(&["logs", "1", "--job", cells[2], "--service", "db", "--raw"]);
    assert!(service.contains("ready to accept connections"), "{service}");
    stage.stop();
    stage.nothing_left();
}

#[test]
fn a_step_that_says_no_fails_the_build_and_the_words_say_which() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    copy.write(
        ".drover.yml",
        "jobs:\n  test: {image: busybox, steps: [echo before, exit 3, echo never]}\n",
    );
    copy.push("Break it");
    stage.build(1);
    let (exit, said) = stage.watch(1);
    assert_eq!(exit, 1, "{said}");
    let job = stage.json(&["build", "show", "1", "--json"])["jobs"][0].clone();
    assert_eq!(job["status"], "failed");
    let sentence = job["reason"].as_str().unwrap();
    assert!(sentence.contains("exit 3") && sentence.contains('3'), "{sentence}");
    let log = stage.ok(&["logs", "1", "--raw", "--step", "1"]);
    assert_eq!(log, "before\n");
    assert!(!stage.ok(&["logs", "1"]).contains("never\n"));

    // Mended, pushed again, and passed: a new build; the old one stays as it was.
    copy.write(".drover.yml", "jobs:\n  test: {image: busybox, steps: [echo mended]}\n");
    copy.push("Mend it");
    stage.build(2);
    assert_eq!(stage.watch(2).0, 0);
    assert_eq!(stage.watch(1).0, 1);
    stage.stop();
    stage.nothing_left();
}

#[test]
fn a_secret_reaches_the_step_that_names_it_and_no_log() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    let mut set = stage.command();
    let mut set = set
        .args(["secret", "set", "app", "API_TOKEN"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(set.stdin.as_mut().unwrap(), b"hunter2-and-more\n").unwrap();
    assert!(set.wait().unwrap().success());
    copy.write(
        ".drover.yml",
        r#"
jobs:
  test:
    image: busybox
    steps:
      - {name: with, secrets: [API_TOKEN], run: 'echo "<$API_TOKEN>"; echo "$API_TOKEN" | wc -c; echo "$API_TOKEN" | base64'}
      - {name: without, run: 'echo "<$API_TOKEN>"'}
"#,
    );
    copy.push("Use a secret");
    stage.build(1);
    assert_eq!(stage.watch(1).0, 0, "{}", stage.ok(&["logs", "1"]));
    let log = stage.ok(&["logs", "1", "--raw", "--step", "with"]);
    assert!(
        log.contains("<•••>") && log.contains("17"),
        "the step had it, the log has not: {log}"
    );
    assert_eq!(stage.ok(&["logs", "1", "--raw", "--step", "without"]), "<>\n");
    for hidden in ["hunter2", "aHVudGVyMi"] {
        assert!(!stage.ok(&["logs", "1"]).contains(hidden));
        assert!(!stage.said().contains(hidden));
    }
    stage.stop();
    stage.nothing_left();
}

#[test]
fn a_job_file_with_mistakes_is_a_failed_build_that_says_where() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    copy.write(
        ".drover.yml",
        "jobs:\n  test:\n    imgae: busybox\n    steps: [echo hi]\n",
    );
    copy.push("Misspell a key");
    let build = stage.build(1);
    assert_eq!(build["status"], "failed");
    let diagnostic = &build["diagnostics"][0];
    assert_eq!(
        (
            diagnostic["span"]["line"].as_i64(),
            diagnostic["span"]["column"].as_i64()
        ),
        (Some(3), Some(5))
    );
    let (exit, said) = stage.watch(1);
    assert_eq!(exit, 3, "{said}");
    assert!(said.contains(".drover.yml:3:5") && said.contains("imgae"), "{said}");
    stage.stop();
    stage.nothing_left();
}

#[test]
fn commands_say_what_is_wrong_and_exit_with_its_code() {
    let stage = Stage::up();
    let cases: [(&[&str], i32); 6] = [
        (&["build", "show", "99"], 5),
        (&["watch", "99"], 5),
        (&["repo", "show", "nothing"], 5),
        (&["build"], 2),
        (&["trigger", "nothing"], 5),
        (&["logs"], 2),
    ];
    for (words, code) in cases {
        let output = stage.drover(words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", output_text(&output));
        assert!(!output.stderr.is_empty(), "{words:?} says why");
    }
    let output = stage
        .command()
        .args(["build", "ls"])
        .env("DROVER_TOKEN", "wrong")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", output_text(&output));
    let output = stage
        .command()
        .args(["build", "ls"])
        .env("DROVER_URL", "http://127.0.0.1:1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(9), "{}", output_text(&output));
}

#[test]
fn a_running_build_can_be_cancelled_and_run_again() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    copy.write(
        ".drover.yml",
        "jobs:\n  long: {image: busybox, steps: ['echo begun; sleep 600']}\n",
    );
    copy.push("Sleep");
    stage.build(1);
    crate::stage::eventually("the step's first line", || {
        stage.ok(&["logs", "1", "--raw"]).contains("begun").then_some(())
    });
    stage.ok(&["cancel", "1"]);
    assert_eq!(stage.watch(1).0, 1);
    let build = stage.json(&["build", "show", "1", "--json"]);
    assert_eq!(build["status"], "cancelled");
    assert_eq!(build["jobs"][0]["status"], "cancelled");

    let again: i64 = stage.ok(&["rerun", "1"]).trim().parse().unwrap();
    assert_eq!(again, 2);
    crate::stage::eventually("the second build", || {
        let build = stage.json(&["build", "show", "2", "--json"]);
        (build["jobs"][0]["status"] == "running").then_some(())
    });
    stage.ok(&["cancel", "2"]);
    assert_eq!(stage.watch(2).0, 1);
    assert_eq!(stage.json(&["build", "show", "2", "--json"])["rerun_of"], 1);
    stage.stop();
    stage.nothing_left();
}

#[test]
fn every_reference_of_one_push_is_announced_whatever_its_name_is() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    copy.write(
        ".drover.yml",
        "jobs:\n  test:\n    image: busybox\n    steps:\n      - name: names\n        \
         run: printf '%s|%s' \"$DROVER_BRANCH\" \"$DROVER_TAG\"\n",
    );
    copy.push("First words");
    assert_eq!(stage.watch(1).0, 0);
    let odd = "a\"b$(id)`id`'c;d";
    copy.git(&["branch", odd]);
    copy.git(&["tag", "v1"]);
    let latin = std::ffi::OsStr::from_bytes(b"HEAD:refs/heads/caf\xe9");
    let pushed = std::process::Command::new("git")
        .args(["push", "-q", "origin", "v1"])
        .arg(odd)
        .arg(latin)
        .current_dir(&copy.folder)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&pushed.stderr), "");
    let mut names: Vec<String> = (2..=4)
        .map(|number| {
            stage.build(number);
            assert_eq!(stage.watch(number).0, 0);
            stage
                .ok(&["logs", &number.to_string(), "--raw", "--step", "names"])
                .trim()
                .to_owned()
        })
        .collect();
    names.sort();
    assert_eq!(names, ["a\"b$(id)`id`'c;d|", "caf\u{fffd}|", "|v1"]);
    stage.stop();
    stage.nothing_left();
}
