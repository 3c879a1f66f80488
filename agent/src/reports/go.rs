//! `go test -json` (test2json): one event a line. A package that does not build, or whose process dies, is a case of its
//! own, so that no failure is lost.

use std::collections::{BTreeMap, BTreeSet};

use protocol::reports::{MAX_CASES, TestCase, TestStatus};
use serde::Deserialize;

use super::lines::{micros, records};
use super::text::gather;
use super::{Cases, Parsed, Problem, case};

/// The case that stands for a package.
const PACKAGE: &str = "(the package itself)";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    #[serde(default)]
    action: String,
    #[serde(default)]
    package: String,
    import_path: Option<String>,
    failed_build: Option<String>,
    test: Option<String>,
    elapsed: Option<f64>,
    output: Option<String>,
}

/// Reads one file.
pub fn parse(bytes: &[u8]) -> Parsed {
    let mut report = Report::default();
    let problem = records(bytes, |record| report.take(record));
    let nothing = || Problem::new("has JSON, but no event of `go test -json`");
    let crowded = || {
        Problem::new(format!(
            "has more than {MAX_CASES} tests that began before any of them ended"
        ))
    };
    let problem = problem.or_else(|| (report.seen == 0).then(nothing));
    let problem = problem.or_else(|| report.crowded.then(crowded));
    let left: BTreeSet<String> = report.open.keys().map(|(package, _)| package.clone()).collect();
    for package in left {
        report.lost(&package);
    }
    report.cases.parsed(problem)
}

#[derive(Default)]
struct Report {
    seen: usize,
    cases: Cases,
    /// What tests (and, under no name, packages) that are not over have printed.
    open: BTreeMap<(String, String), String>,
    /// Failed cases of the package that runs.
    failed: BTreeMap<String, usize>,
    /// What builds printed, by import path.
    builds: BTreeMap<String, String>,
    /// More tests began than can be kept track of.
    crowded: bool,
}

impl Report {
    fn take(&mut self, record: Record) {
        let status = match record.action.as_str() {
            "run" | "start" => {
                self.seen += 1;
                self.open(record.package, record.test);
                return;
            }
            "output" => {
                if let Some(printed) = self.open(record.package, record.test) {
                    gather(printed, &record.output.unwrap_or_default());
                }
                return;
            }
            "build-output" => {
                let printed = self.builds.entry(record.import_path.unwrap_or_default()).or_default();
                gather(printed, &record.output.unwrap_or_default());
                return;
            }
            "pass" => TestStatus::Passed,
            "fail" => TestStatus::Failed,
            "skip" => TestStatus::Skipped,
            _ => return,
        };
        self.seen += 1;
        match record.test {
            Some(test) => self.test(record.package, test, status, record.elapsed),
            None => self.package(record.package, status, record.failed_build),
        }
    }

    /// What a test or package has printed; `None` when too many have not ended yet.
    fn open(&mut self, package: String, test: Option<String>) -> Option<&mut String> {
        let key = (package, test.unwrap_or_default());
        if self.open.len() >= MAX_CASES && !self.open.contains_key(&key) {
            self.crowded = true;
            return None;
        }
        Some(self.open.entry(key).or_default())
    }

    fn test(&mut self, package: String, test: String, status: TestStatus, elapsed: Option<f64>) {
        let printed = self.open.remove(&(package.clone(), test.clone())).unwrap_or_default();
        if status == TestStatus::Failed {
            *self.failed.entry(package.clone()).or_default() += 1;
        }
        self.cases.push(TestCase {
            duration_us: micros(elapsed),
            message: (status != TestStatus::Passed).then(|| said(&printed)),
            ..case(package, test, status)
        });
    }

    /// A package is over: tests of it that are not have died with it.
    fn package(&mut self, package: String, status: TestStatus, failed_build: Option<String>) {
        let mut printed = self.open.remove(&(package.clone(), String::new())).unwrap_or_default();
        self.lost(&package);
        let failed = self.failed.remove(&package).unwrap_or(0);
        if status == TestStatus::Failed && failed == 0 {
            if let Some(built) = failed_build.and_then(|path| self.builds.get(&path)) {
                printed.insert_str(0, built);
            }
            self.cases.push(TestCase {
                message: Some(said(&printed)),
                ..case(package, PACKAGE, status)
            });
        }
    }

    fn lost(&mut self, package: &str) {
        let from = (package.to_owned(), String::new());
        let of_it = self.open.range(from..).take_while(|((of, _), _)| of == package);
        let lost: Vec<(String, String)> = of_it.map(|(key, _)| key.clone()).collect();
        for key in lost {
            let printed = self.open.remove(&key).unwrap_or_default();
            let (package, test) = key;
            // What only printed before a package began is no test.
            if test.is_empty() {
                continue;
            }
            *self.failed.entry(package.clone()).or_default() += 1;
            self.cases.push(TestCase {
                message: Some(format!("it began and never ended\n{}", said(&printed))),
                ..case(package, test, TestStatus::Failed)
            });
        }
    }
}

/// What a test printed, without the lines that every test has.
fn said(printed: &str) -> String {
    let marks = ["=== RUN", "=== PAUSE", "=== CONT", "--- FAIL", "--- SKIP", "--- PASS"];
    let lines = printed
        .lines()
        .filter(|line| !marks.iter().any(|mark| line.trim_start().starts_with(mark)));
    lines.collect::<Vec<_>>().join("\n")
}
