//! What a job that failed leaves is retained, and people look around in it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

use crate::stage::{Stage, eventually, output_text};

const JOB: &str = r#"
jobs:
  test:
    image: redis:7
    services:
      redis: {image: "redis:7", ready: {tcp: 6379}}
    hold_on_failure: 10m
    steps:
      - name: breaks
        env: {WHO: me}
        run: |
          echo left > behind
          redis-cli -h redis set key kept
          exit 3
"#;

/// Runs a shell with that input.
fn shell(stage: &Stage, words: &[&str], input: &str) -> Output {
    let mut command = stage.command();
    let piped = command
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

// key: hold_on_failure
#[test]
fn a_failed_job_is_entered_and_removed() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    copy.write(".drover.yml", JOB);
    copy.push("It breaks");
    stage.build(1);
    let (exit, said) = stage.watch(1);
    assert_eq!(exit, 1, "{said}");
    assert!(said.contains("enter with `drover shell 1 --job 'test'`"), "{said}");
    let job = stage.json(&["build", "show", "1", "--json"])["jobs"][0].clone();
    assert_eq!(job["stack"]["state"], "running", "{job}");

    let ping = shell(&stage, &["shell", "1", "--", "redis-cli", "-h", "redis", "ping"], "");
    assert_eq!(
        (ping.status.code(), String::from_utf8_lossy(&ping.stdout).trim()),
        (Some(0), "PONG"),
        "{}",
        output_text(&ping)
    );
    let script = "cat behind; redis-cli -h redis get key; echo $WHO; exit 9\n";
    let script = shell(&stage, &["shell", "1", "--job", "test", "--step", "breaks"], script);
    assert_eq!(
        String::from_utf8_lossy(&script.stdout),
        "left\nkept\nme\n",
        "{}",
        output_text(&script)
    );
    assert_eq!(script.status.code(), Some(9));
    let service = shell(
        &stage,
        &["shell", "1", "--service", "redis", "--", "redis-cli", "get", "key"],
        "",
    );
    assert_eq!(
        String::from_utf8_lossy(&service.stdout),
        "kept\n",
        "{}",
        output_text(&service)
    );
    let wrong = shell(&stage, &["shell", "1", "--service", "db"], "");
    assert_eq!(wrong.status.code(), Some(5));
    assert!(
        output_text(&wrong).contains("there is no service `db`; there are `redis`"),
        "{}",
        output_text(&wrong)
    );

    stage.ok(&["shell", "1", "--release"]);
    let over = eventually("what is retained is removed", || {
        let over = shell(&stage, &["shell", "1"], "");
        (over.status.code() == Some(5)).then_some(over)
    });
    assert!(
        output_text(&over).contains("is over, and nothing of it is retained"),
        "{}",
        output_text(&over)
    );
    stage.stop();
    stage.nothing_left();
}

/// The one stack that there is.
fn stack(stage: &Stage) -> Option<serde_json::Value> {
    stage.json(&["stack", "ls", "--json"]).as_array()?.first().cloned()
}

#[test]
fn a_stack_outlives_whoever_is_killed_and_ends_when_nobody_uses_it() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    copy.write(".drover.yml", &JOB.replace("10m", "45s"));
    copy.push("It breaks");
    stage.build(1);
    assert_eq!(stage.watch(1).0, 1);
    let before = stack(&stage).expect("it stays");
    stage.kill();
    stage.start();
    let script = "cat behind; redis-cli -h redis get key\n";
    let entered = eventually("it is entered again", || {
        let entered = shell(&stage, &["shell", "1"], script);
        entered.status.success().then_some(entered)
    });
    assert_eq!(String::from_utf8_lossy(&entered.stdout), "left\nkept\n");
    let after = stack(&stage).expect("it still stays");
    assert_eq!((&before["id"], &before["attempt"]), (&after["id"], &after["attempt"]));
    assert!(
        before["expires_at"].as_i64() < after["expires_at"].as_i64(),
        "use renews it"
    );
    assert!(stage.ok(&["stack", "ls"]).contains("running"));
    eventually("its time is over", || stack(&stage).is_none().then_some(()));
    eventually("its containers are gone", || {
        let label = format!("drover.attempt={}", after["attempt"].as_str()?);
        crate::stage::in_engine(&label).is_empty().then_some(())
    });
    stage.stop();
    stage.nothing_left();
}

/// Killed just when the engine has made the container to look around in, and before it runs.
#[test]
fn what_was_half_retained_when_the_agent_was_killed_is_whole_after_its_restart() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    copy.write(".drover.yml", JOB);
    let agent = format!("label=drover.agent={}", stage.agent);
    let mut events = Command::new("docker")
        .args([
            "events",
            "--filter",
            "event=create",
            "--filter",
            "label=drover.retained=true",
        ])
        .args(["--filter", &agent])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut made = BufReader::new(events.stdout.take().unwrap());
    copy.push("It breaks");
    stage.build(1);
    made.read_line(&mut String::new()).unwrap();
    stage.kill();
    events.kill().unwrap();
    events.wait().unwrap();
    stage.start();
    assert_eq!(stage.watch(1).0, 1);
    let entered = shell(&stage, &["shell", "1"], "cat behind; redis-cli -h redis get key\n");
    assert_eq!(
        String::from_utf8_lossy(&entered.stdout),
        "left\nkept\n",
        "{}",
        output_text(&entered)
    );
    let retained = [
        "ps",
        "-aq",
        "--filter",
        "label=drover.retained=true",
        "--filter",
        &agent,
    ];
    let retained = Command::new("docker").args(retained).output().unwrap().stdout;
    assert_eq!(String::from_utf8_lossy(&retained).lines().count(), 1);
    stage.ok(&["shell", "1", "--release"]);
    eventually("what is retained is removed", || stack(&stage).is_none().then_some(()));
    stage.stop();
    stage.nothing_left();
}

#[test]
fn a_step_that_runs_is_entered_and_its_log_says_so() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    let job = "jobs:\n  wait:\n    image: busybox\n    steps: [\"while ! test -e go; do sleep 0.1; done; cat go\"]\n";
    copy.write(".drover.yml", job);
    copy.push("It waits");
    stage.build(1);
    let entered = eventually("the step runs", || {
        let entered = shell(&stage, &["shell", "1"], "echo hello > go\nexit 4\n");
        (entered.status.code() == Some(4)).then_some(entered)
    });
    assert_eq!(entered.stdout, b"");
    let (exit, said) = stage.watch(1);
    assert_eq!(exit, 0, "{said}");
    assert_eq!(stage.ok(&["logs", "1", "--raw"]), "hello\n");
    let log = stage.ok(&["logs", "1"]);
    assert!(log.contains("shell opened by") && log.contains("in step 1"), "{log}");
    stage.stop();
    stage.nothing_left();
}
