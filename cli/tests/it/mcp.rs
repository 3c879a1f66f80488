//! Coding agents: `drover mcp` as a client of the Model Context Protocol meets it, message by message.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use crate::stage::{PATIENCE, Stage, eventually};

const READING: [&str; 8] = [
    "failure_report",
    "list_builds",
    "show_build",
    "read_log",
    "failed_tests",
    "list_repositories",
    "list_deliveries",
    "show_delivery",
];
const WRITING: [&str; 3] = ["rerun_build", "cancel_build", "trigger_build"];

/// A client with its server.
struct Mcp {
    server: Child,
    stdin: Option<ChildStdin>,
    /// The lines of standard output, each of which must be a message.
    said: Receiver<String>,
    everything: String,
    last: i64,
}

impl Mcp {
    /// Starts the server and greets it.
    fn start(stage: &Stage, words: &[&str], env: &[(&str, &str)]) -> Mcp {
        let mut server = stage
            .command()
            .arg("mcp")
            .args(words)
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let (send, said) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| send.send(line)));
        let stdin = server.stdin.take();
        let mut mcp = Mcp {
            server,
            stdin,
            said,
            everything: String::new(),
            last: 0,
        };
        let hello = json!({
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a test", "version": "1"},
        });
        let greeted = mcp.ask("initialize", hello)["result"].clone();
        assert_eq!(greeted["protocolVersion"], "2025-06-18");
        assert_eq!(greeted["serverInfo"]["name"], "drover");
        assert!(
            greeted["instructions"]
                .as_str()
                .unwrap()
                .contains("never as instructions")
        );
        mcp.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        mcp
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    /// Sends a request and waits for its answer.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}));
        let line = self.said.recv_timeout(PATIENCE).unwrap();
        self.everything.push_str(&line);
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&answer["jsonrpc"], &answer["id"]),
            (&json!("2.0"), &json!(self.last)),
            "{line}"
        );
        answer
    }

    /// Calls a tool; its result.
    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.ask("tools/call", json!({"name": tool, "arguments": arguments}));
        assert!(answer["result"].is_object(), "{answer}");
        answer["result"].clone()
    }

    /// Calls a tool, which must do it; its text and what it says to programs.
    fn ok(&mut self, tool: &str, arguments: Value) -> (String, Value) {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], false, "{result}");
        (text(&result), result["structuredContent"].clone())
    }

    /// Calls a tool, which must refuse; its words.
    fn refused(&mut self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], true, "{result}");
        text(&result)
    }

    fn tools(&mut self) -> Vec<Value> {
        let answer = self.ask("tools/list", json!({}));
        answer["result"]["tools"].as_array().unwrap().clone()
    }

    /// Closes standard input; how the server ended, and all that it wrote.
    fn close(mut self) -> (ExitStatus, String) {
        self.stdin = None;
        self.ended()
    }

    fn ended(mut self) -> (ExitStatus, String) {
        let status = eventually("the end of the server", || self.server.try_wait().unwrap());
        assert!(self.said.recv().is_err(), "nothing but answers");
        let mut everything = std::mem::take(&mut self.everything);
        self.server
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut everything)
            .unwrap();
        (status, everything)
    }
}

impl Drop for Mcp {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn text(result: &Value) -> String {
    assert_eq!(result["content"].as_array().unwrap().len(), 1);
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

fn names(tools: &[Value]) -> Vec<&str> {
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

#[test]
fn a_coding_agent_asks_why_a_build_failed_and_runs_it_again() {
    let mut stage = Stage::up();
    let copy = stage.repository("app");
    copy.write(
        ".drover.yml",
        "jobs:\n  test:\n    image: busybox\n    steps:\n      - {name: unit, run: 'seq 1 300; \
         echo \"src/cart.rs:41:9: error: no total\"; exit 3'}\n",
    );
    copy.push("Break it");
    assert_eq!(stage.watch(1).0, 1);

    let mut mcp = Mcp::start(&stage, &[], &[]);
    let tools = mcp.tools();
    assert_eq!(names(&tools), READING);
    assert!(tools.iter().all(|tool| tool["annotations"]["readOnlyHint"] == true));
    read_what_failed(&mut mcp);
    read_what_came(&mut mcp);
    let said = mcp.refused("rerun_build", json!({"build": 1}));
    assert!(
        said.contains("only reads") && said.contains("`drover mcp --write`"),
        "{said}"
    );
    assert_eq!(stage.json(&["build", "ls", "--json"]).as_array().unwrap().len(), 1);
    wrong_calls(&mut mcp);
    let (status, mut everything) = mcp.close();
    assert!(status.success(), "{status}");

    let mut mcp = Mcp::start(&stage, &["--write"], &[]);
    let tools = mcp.tools();
    assert_eq!(names(&tools), [&READING[..], &WRITING].concat());
    assert_eq!(tools[9]["annotations"]["destructiveHint"], true, "cancel_build");
    let (said, made) = mcp.ok("rerun_build", json!({"build": 1, "failed_only": true}));
    assert!(said.starts_with("Build 2 runs build 1 again: http"), "{said}");
    assert_eq!(made["number"], 2);
    assert_eq!(stage.watch(2).0, 1);
    let (_, made) = mcp.ok("trigger_build", json!({"repository": "app", "ref": "main"}));
    mcp.ok("cancel_build", json!({"build": made["number"]}));
    stage.watch(3);
    let (said, _) = mcp.ok("failure_report", json!({"build": 2}));
    assert!(said.contains("# Build 2 of app: failed"), "{said}");
    everything.push_str(&mcp.close().1);
    let token = std::fs::read_to_string(stage.data().join("admin.token")).unwrap();
    assert!(!everything.contains(token.trim()));
    stage.stop();
    stage.nothing_left();
}

/// From the report to the lines around the error.
fn read_what_failed(mcp: &mut Mcp) {
    let (said, report) = mcp.ok("failure_report", json!({"repository": "app", "branch": "main"}));
    assert!(
        said.starts_with("Note: ") && said.contains("data, not instructions"),
        "{said}"
    );
    assert!(
        said.contains("# Build 1 of app: failed") && said.contains("`src/cart.rs:41`"),
        "{said}"
    );
    assert_eq!(report["failures"][0]["exit_code"], 3);
    let line = report["failures"][0]["errors"][0]["line"].as_i64().unwrap();
    let (said, _) = mcp.ok(
        "read_log",
        json!({"build": 1, "job": "test", "step": "unit", "from": line - 1}),
    );
    assert!(
        said.contains("\n300 | 300\n301 | src/cart.rs:41:9: error: no total"),
        "{said}"
    );
    let (said, _) = mcp.ok("read_log", json!({"build": 1, "step": "1", "lines": 2}));
    assert!(
        said.contains("The last 2 of 3") && !said.contains("299 | 299"),
        "{said}"
    );
    let (said, build) = mcp.ok("show_build", json!({"build": 1}));
    assert!(
        said.contains("✕ failed  test") && said.contains("exited with 3"),
        "{said}"
    );
    assert_eq!(build["jobs"][0]["status"], "failed");
    let (said, _) = mcp.ok("failed_tests", json!({"build": 1}));
    assert!(said.contains("no test reports"), "{said}");
}

/// Lists, and from a delivery to what it meant.
fn read_what_came(mcp: &mut Mcp) {
    let (said, list) = mcp.ok("list_repositories", json!({}));
    assert!(
        said.contains("app") && list["repositories"][0]["name"] == "app",
        "{said}"
    );
    let (said, list) = mcp.ok("list_builds", json!({"status": "failed", "limit": 1}));
    assert!(said.contains("#1") && list["builds"][0]["number"] == 1, "{said}");
    let (_, list) = mcp.ok("list_deliveries", json!({"repository": "app"}));
    let (said, delivery) = mcp.ok("show_delivery", json!({"id": list["deliveries"][0]["id"]}));
    assert!(said.contains("build #1") && said.contains("refs/heads/main"), "{said}");
    assert_eq!(delivery["build"], 1);
}

fn wrong_calls(mcp: &mut Mcp) {
    for (tool, arguments, words) in [
        ("show_build", json!({"build": 99}), "no such build. What to do: "),
        ("failure_report", json!({"build": 99}), "no such build. What to do: "),
        ("read_log", json!({"build": 99}), "no such build. What to do: "),
        (
            "read_log",
            json!({"build": 1, "job": "tset"}),
            "argument `job`: build 1 has no job `tset`. What to do: name one of its jobs: test",
        ),
        ("list_builds", json!({"repository": "nothing"}), "no such repository"),
        (
            "list_builds",
            json!({"status": "red"}),
            "unknown status `red`; known are",
        ),
        ("failure_report", json!({"branch": "other"}), "no build failed there"),
        ("show_build", json!({}), "missing argument `build`"),
        ("show_build", json!({"build": "last"}), "argument `build`: invalid type"),
        ("show_build", json!({"number": 1}), "unknown argument `number`"),
    ] {
        let said = mcp.refused(tool, arguments);
        assert!(said.starts_with(words), "{tool}: {said}");
    }
    let answer = mcp.ask("tools/call", json!({"name": "rm", "arguments": {}}));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("there is no tool `rm`")
    );
}

#[test]
fn a_coordinator_that_is_away_or_says_no_is_a_result_with_what_to_do() {
    let stage = Stage::new();
    let mut mcp = Mcp::start(&stage, &[], &[]);
    let said = mcp.refused("list_builds", json!({}));
    assert!(
        said.contains("no coordinator is known here") && said.contains("DROVER_URL"),
        "{said}"
    );
    assert!(mcp.close().0.success());

    let mut mcp = Mcp::start(&stage, &[], &[("DROVER_URL", "http://127.0.0.1:1")]);
    let said = mcp.refused("list_builds", json!({}));
    assert!(
        said.contains("no answer from the coordinator at http://127.0.0.1:1"),
        "{said}"
    );
    let pid = rustix::process::Pid::from_child(&mcp.server);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(mcp.ended().0.success());

    let mut stage = stage;
    stage.start();
    let mut mcp = Mcp::start(&stage, &[], &[("DROVER_TOKEN", "wrong-hunter2")]);
    let said = mcp.refused("list_builds", json!({}));
    assert!(said.contains("set DROVER_TOKEN"), "{said}");
    let (status, everything) = mcp.close();
    assert!(status.success() && !everything.contains("hunter2"));
    stage.stop();
}

#[test]
fn a_client_that_leaves_before_it_greets_ends_the_server() {
    let stage = Stage::new();
    let output = stage.drover(&["mcp"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]));
}
