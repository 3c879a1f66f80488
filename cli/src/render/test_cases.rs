//! Tests on a terminal: failed ones first, each with the beginning of its message.

use anstyle::{AnsiColor, Style};
use job_specs::units;
use protocol::api::{TestChange, TestResult, TestRun};
use protocol::reports::{TestCase, TestReport, TestStatus};

/// Lines of a message that are shown.
const MESSAGE_LINES: usize = 12;
/// Failures of a report that are shown with their message.
const FAILURES: usize = 50;
/// The slowest tests that are named.
const SLOWEST: usize = 5;

/// `✕ failed`, in its colour.
pub fn status(status: TestStatus) -> String {
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    let (shape, style) = match status {
        TestStatus::Failed => ("✕", colour(AnsiColor::Red)),
        TestStatus::Flaky => ("▲", colour(AnsiColor::Yellow)),
        TestStatus::Passed => ("✓", colour(AnsiColor::Green)),
        TestStatus::Skipped => ("⊘", Style::new().dimmed()),
    };
    format!("{style}{shape} {}{style:#}", status.name())
}

/// One test; its message below it.
pub fn case(state: TestStatus, (suite, name): (&str, &str), more: &str, message: Option<&str>) -> String {
    let suite = if suite.is_empty() {
        String::new()
    } else {
        format!("{suite} ")
    };
    let more = if more.is_empty() {
        String::new()
    } else {
        format!("  {more}")
    };
    let mut text = format!("{}  {suite}{name}{more}", status(state));
    let lines = message.unwrap_or_default().lines();
    for line in lines.clone().take(MESSAGE_LINES) {
        text.push_str(&format!("\n    {line}"));
    }
    let left = lines.count().saturating_sub(MESSAGE_LINES);
    if left > 0 {
        text.push_str(&format!("\n    … {left} more lines"));
    }
    text
}

/// `2 failed, 1 flaky, 120 passed`; nothing that is 0.
pub fn counts(count: impl Fn(TestStatus) -> usize) -> String {
    let parts = TestStatus::ALL.map(|status| (count(status), status.name()));
    let said: Vec<String> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    if said.is_empty() {
        "no tests".to_owned()
    } else {
        said.join(", ")
    }
}

/// A test of a build, with what is known of it from other builds.
pub fn result(test: &TestResult) -> String {
    let change = test.change.map(|change| match change {
        TestChange::New => "NEW".to_owned(),
        TestChange::Fixed => "FIXED".to_owned(),
    });
    let flaky = (test.known_flaky && test.status != TestStatus::Flaky).then(|| "FLAKY".to_owned());
    let took = (test.duration_us > 0).then(|| units::micros(test.duration_us));
    let more: Vec<String> = [change, flaky, took, Some(test.cell.clone())]
        .into_iter()
        .flatten()
        .collect();
    let message = test.message.as_deref().filter(|_| test.status == TestStatus::Failed);
    case(test.status, (&test.suite, &test.name), &more.join("  "), message)
}

/// The counts of all reports of a build together.
pub fn sum(reports: &[TestRun]) -> String {
    let sum = |count: fn(&TestRun) -> i64| usize::try_from(reports.iter().map(count).sum::<i64>()).unwrap_or(0);
    counts(|status| match status {
        TestStatus::Failed => sum(|report| report.failed),
        TestStatus::Flaky => sum(|report| report.flaky),
        TestStatus::Passed => sum(|report| report.passed),
        TestStatus::Skipped => sum(|report| report.skipped),
    })
}

/// What the reports of a local job said: failures, counts, the slowest.
pub fn report(report: &TestReport) -> String {
    let mut lines = Vec::new();
    let failed: Vec<&TestCase> = report
        .cases
        .iter()
        .filter(|case| case.status == TestStatus::Failed)
        .collect();
    for test in failed.iter().take(FAILURES) {
        let took = took(test);
        lines.push(case(
            test.status,
            (&test.suite, &test.name),
            &took,
            test.message.as_deref(),
        ));
    }
    if failed.len() > FAILURES {
        lines.push(format!("… and {} more that failed", failed.len() - FAILURES));
    }
    lines.push(format!("tests: {}", counts(|status| report.count(status))));
    let mut slowest: Vec<&TestCase> = report.cases.iter().filter(|case| case.duration_us > 0).collect();
    slowest.sort_by_key(|case| std::cmp::Reverse(case.duration_us));
    if slowest.len() > SLOWEST {
        let named = slowest
            .iter()
            .take(SLOWEST)
            .map(|test| format!("{} {}", test.name, took(test)));
        lines.push(format!("slowest: {}", named.collect::<Vec<_>>().join(", ")));
    }
    lines.join("\n")
}

fn took(test: &TestCase) -> String {
    match test.duration_us {
        0 => String::new(),
        micros => units::micros(micros),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // key: reports
    #[test]
    fn failures_come_first_then_counts_and_the_slowest() {
        let test = |name: &str, status, micros, message: Option<String>| TestCase {
            suite: "pool".into(),
            name: name.into(),
            status,
            duration_us: micros,
            message,
            file: None,
        };
        let long = (1..=14).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        let mut cases: Vec<TestCase> = (1..=5)
            .map(|n| test(&format!("t{n}"), TestStatus::Passed, n * 1_000_000, None))
            .collect();
        cases.push(test("gives", TestStatus::Failed, 12_000, Some(long)));
        cases.push(test("later", TestStatus::Skipped, 0, None));
        let printed = report(&TestReport {
            cases,
            problems: Vec::new(),
        });
        insta::assert_snapshot!(anstream::adapter::strip_str(&printed).to_string(), @"
        ✕ failed  pool gives  12ms
            line 1
            line 2
            line 3
            line 4
            line 5
            line 6
            line 7
            line 8
            line 9
            line 10
            line 11
            line 12
            … 2 more lines
        tests: 1 failed, 5 passed, 1 skipped
        slowest: t5 5s, t4 4s, t3 3s, t2 2s, t1 1s
        ");
    }
}
