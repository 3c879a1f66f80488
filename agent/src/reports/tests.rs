//! Reports in the dialects of the common tools, and reports that mean harm. The texts are our own, in their shapes.

mod hostile;
mod junit;
mod lines;
mod tap;

use job_specs::model::{ReportFormat, ReportSpec};

use super::*;

/// What was read, a line for each case.
fn message(format: ReportFormat, text: &str) -> String {
    reported_of(&parse(format, "report", text.as_bytes()))
}

fn reported_of(parsed: &Parsed) -> String {
    let mut lines: Vec<String> = parsed.cases.iter().map(line).collect();
    if let Some(Problem { at, what }) = &parsed.problem {
        let at = at.map_or_else(String::new, |(line, column)| format!("{line}:{column} "));
        lines.push(format!("! {at}{what}"));
    }
    lines.join("\n")
}

fn line(case: &TestCase) -> String {
    let file = case.file.as_ref().map_or_else(String::new, |file| format!(" [{file}]"));
    let message = case
        .message
        .as_ref()
        .map_or_else(String::new, |text| format!(" {text:?}"));
    let TestCase {
        suite,
        name,
        duration_us,
        ..
    } = case;
    format!("{} {suite} | {name} {duration_us}us{file}{message}", case.status.name())
}

// key: reports
#[test]
fn the_reports_of_a_job_are_read_and_what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
    write(
        "a.xml",
        "<testsuite><testcase classname='c' name='uses s3cr3t-value'/></testsuite>",
    );
    write("b.xml", "hello\n  world");
    write("c.xml", "<testsuite name='s'>\n<testcase name='kept'/>\n<testcase na");
    write("t.tap", "1..1\nnot ok 1 - it\n");
    let specs = [
        ReportSpec {
            format: ReportFormat::Junit,
            paths: vec!["*.xml".into()],
        },
        ReportSpec {
            format: ReportFormat::Tap,
            paths: vec!["t.tap".into(), "none/*.tap".into()],
        },
    ];
    let masker = Masker::new([("TOKEN", "s3cr3t-value")]);
    let report = read(folder.path(), &specs, &masker);
    let lines: Vec<String> = report.cases.iter().map(line).chain(report.problems.clone()).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    passed c | uses ••• 0us
    passed s | kept 0us
    failed t.tap | it 0us
    report b.xml:1:1 is not XML: it has no element
    report c.xml:3:1 is cut off: syntax error: tag not closed: `>` not found before end of input
    reports: `none/*.tap` matches no file
    ");
    assert_eq!(summary(&report), "reports: 3 tests, 1 failed");
}

/// The name of a suite comes again in each of its cases.
#[test]
fn a_small_report_does_not_fill_the_memory() {
    let suite = "s".repeat(1 << 20);
    let cases = "<testcase name=\"a\"/>".repeat(1_000);
    let junit = format!("<testsuite name=\"{suite}\">{cases}</testsuite>");
    let tap = format!("{}ok - {suite}\n", "    ok - a\n".repeat(1_000));
    for (format, text) in [(ReportFormat::Junit, junit), (ReportFormat::Tap, tap)] {
        let parsed = parse(format, "a", text.as_bytes());
        let bytes: usize = parsed.cases.iter().map(|case| case.suite.len()).sum();
        assert!(bytes <= MAX_CASE_BYTES, "{bytes}");
        assert_eq!(parsed.cases.len() + parsed.left_out, 1_000);
    }
}

#[test]
fn what_is_more_than_can_be_kept_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "TAP version 14\n".to_owned();
    for n in 0..MAX_CASES + 5 {
        text.push_str(&format!("ok {n} - test {n}\n"));
    }
    std::fs::write(folder.path().join("a.tap"), &text).unwrap();
    std::fs::write(folder.path().join("b.tap"), "ok\n").unwrap();
    let large = std::fs::File::create(folder.path().join("c.tap")).unwrap();
    large.set_len(MAX_FILE + 1).unwrap();
    let spec = ReportSpec {
        format: ReportFormat::Tap,
        paths: vec!["*.tap".into()],
    };
    let report = read(folder.path(), &[spec], &Masker::default());
    assert_eq!(report.cases.len(), MAX_CASES);
    insta::assert_snapshot!(report.problems.join("\n"), @"
    report a.tap is cut off: of its 100005 test cases 100000 are kept, because 100000 are kept of one job
    report b.tap is cut off: of its 1 test cases 0 are kept, because 100000 are kept of one job
    report c.tap is left out: it has 30 MiB, and 30 MiB are read of one
    ");
}
