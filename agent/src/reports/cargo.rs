//! The JSON lines of libtest: `cargo test -- -Z unstable-options --format json`, and of nextest with
//! `--message-format libtest-json`, which names binary and test as `crate::binary$module::test` and marks the tries of a
//! test by `#2`.

use std::collections::HashMap;

use protocol::reports::{TestCase, TestStatus};
use serde::Deserialize;

use super::lines::{micros, records};
use super::text::gather;
use super::{Cases, Parsed, Problem, case};

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    event: String,
    #[serde(default)]
    name: String,
    exec_time: Option<f64>,
    stdout: Option<String>,
    message: Option<String>,
    reason: Option<String>,
}

/// Reads one file; `file` is the suite of tests whose binary is not named.
pub fn parse(file: &str, bytes: &[u8]) -> Parsed {
    let mut report = Report {
        file,
        seen: 0,
        cases: Cases::default(),
        started: HashMap::new(),
    };
    let problem = records(bytes, |record| report.take(record));
    report.end(problem)
}

struct Report<'a> {
    file: &'a str,
    seen: usize,
    cases: Cases,
    /// Tests that began, by name, each with its place in the order.
    started: HashMap<String, usize>,
}

impl Report<'_> {
    fn take(&mut self, record: Record) {
        if record.kind == "suite" || record.kind == "test" {
            self.seen += 1;
        }
        if record.kind != "test" {
            return;
        }
        let status = match record.event.as_str() {
            "started" => {
                self.started.insert(record.name, self.seen);
                return;
            }
            "ok" => TestStatus::Passed,
            "failed" => TestStatus::Failed,
            "ignored" => TestStatus::Skipped,
            // `timeout` is a warning about a slow test, which goes on.
            _ => return,
        };
        self.started.remove(&record.name);
        let mut message = String::new();
        if status != TestStatus::Passed {
            let said = [&record.reason, &record.message, &record.stdout];
            for part in said.into_iter().flatten() {
                if !message.is_empty() {
                    message.push('\n');
                }
                gather(&mut message, part);
            }
        }
        let case = self.case(&record.name, status, message);
        self.cases.push(TestCase {
            duration_us: micros(record.exec_time),
            ..case
        });
    }

    fn case(&self, name: &str, status: TestStatus, message: String) -> TestCase {
        let (suite, name) = name.split_once('$').unwrap_or((self.file, name));
        let (name, tries) = match name.rsplit_once('#') {
            Some((name, tries)) if tries.parse::<u32>().is_ok_and(|tries| tries > 1) => (name, true),
            _ => (name, false),
        };
        let status = match tries && status == TestStatus::Passed {
            true => TestStatus::Flaky,
            false => status,
        };
        TestCase {
            message: Some(message).filter(|message| !message.is_empty()),
            ..case(suite, name, status)
        }
    }

    /// A test that began and never ended took its process with it.
    fn end(mut self, problem: Option<Problem>) -> Parsed {
        let mut lost: Vec<(String, usize)> = self.started.drain().collect();
        lost.sort_by_key(|(_, place)| *place);
        for (name, _) in lost {
            let case = self.case(&name, TestStatus::Failed, "it began and never ended".into());
            self.cases.push(case);
        }
        let nothing = || Problem::new("has JSON, but nothing of a test: was libtest's JSON meant?");
        self.cases.parsed(problem.or_else(|| (self.seen == 0).then(nothing)))
    }
}
