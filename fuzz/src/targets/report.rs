//! Test reports that a job's steps wrote, in each format.

use agent::reports::{MAX_FILE, parse};
use job_specs::model::ReportFormat;

use super::{Target, files, filled};
use crate::mutate::Examples;

const FORMATS: [ReportFormat; 4] = [
    ReportFormat::Junit,
    ReportFormat::Tap,
    ReportFormat::CargoJson,
    ReportFormat::GoJson,
];

pub(super) fn target() -> anyhow::Result<Target> {
    let examples = files(&["fuzz/corpus/report"])?;
    Ok(Target {
        name: "report",
        examples: Examples::new(examples.into_iter().map(|(_, text)| text).collect()),
        worst: Box::new(|| Ok(worst())),
        read: Box::new(read),
    })
}

fn read(bytes: &[u8]) {
    for format in FORMATS {
        let parsed = parse(format, "report.txt", bytes);
        if let Some((line, column)) = parsed.problem.and_then(|problem| problem.at) {
            assert!(line > 0 && column > 0, "places count from 1");
        }
    }
}

fn worst() -> Vec<(&'static str, Vec<u8>)> {
    let most = usize::try_from(MAX_FILE).unwrap_or(usize::MAX);
    let fill = |head: &str, one: &dyn Fn(usize) -> String, tail: &str| filled(most, head, one, tail);
    vec![
        (
            "suites inside suites",
            fill("", &|_| "<testsuite name=\"a\">".into(), ""),
        ),
        (
            "test cases",
            fill("<testsuite>", &|n| format!("<testcase name=\"t{n}\"/>"), "</testsuite>"),
        ),
        (
            "a long name of a suite",
            [
                filled(1 << 20, "<testsuite name=\"", &|_| "long ".into(), "\">"),
                fill("", &|n| format!("<testcase name=\"t{n}\"/>"), "</testsuite>"),
            ]
            .concat(),
        ),
        ("bytes that are no text", vec![0xff; most]),
        ("attributes", fill("<testcase ", &|n| format!("a{n}=\"b\" "), "/>")),
        (
            "entities",
            fill(
                "<testcase name=\"a\"><failure>",
                &|_| "&lt;".into(),
                "</failure></testcase>",
            ),
        ),
        (
            "entities of its own",
            fill(
                "<!DOCTYPE a [",
                &|n| format!("<!ENTITY e{} \"&e{n};&e{n};\">", n + 1),
                "]><testcase name=\"&e9;\"/>",
            ),
        ),
        (
            "one message",
            fill(
                "<testcase name=\"a\"><failure>",
                &|_| "long ".into(),
                "</failure></testcase>",
            ),
        ),
        ("results", fill("", &|n| format!("ok {n} - t\n"), "")),
        (
            "subtests",
            fill("", &|n| format!("{}# Subtest: a\n", "    ".repeat(n.min(1_000))), ""),
        ),
        (
            "a block without an end",
            fill("not ok 1 - a\n  ---\n", &|_| "  long\n".into(), ""),
        ),
        (
            "output of one test",
            fill(
                "",
                &|_| "{\"Action\":\"output\",\"Package\":\"p\",\"Test\":\"T\",\"Output\":\"long\\n\"}\n".into(),
                "",
            ),
        ),
        ("lists inside lists", fill("", &|_| "[".into(), "")),
        (
            "tests that never end",
            fill(
                "",
                &|n| format!("{{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T{n}\"}}\n"),
                "",
            ),
        ),
    ]
}
