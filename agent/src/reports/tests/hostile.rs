//! Reports that mean harm: they are refused or cut, they cost little, and nothing panics.

use job_specs::model::ReportFormat;
use proptest::prelude::*;

use super::{message, parse, reported_of};

const FORMATS: [ReportFormat; 4] = [
    ReportFormat::Junit,
    ReportFormat::Tap,
    ReportFormat::CargoJson,
    ReportFormat::GoJson,
];

#[test]
fn a_billion_laughs_are_not_laughed() {
    let mut text = "<?xml version=\"1.0\"?>\n<!DOCTYPE lolz [\n<!ENTITY l0 \"lol\">\n".to_owned();
    for n in 1..10 {
        text.push_str(&format!("<!ENTITY l{n} \"{}\">\n", format!("&l{};", n - 1).repeat(10)));
    }
    text.push_str("]>\n<testsuite><testcase name='&l9;'><failure>&l9;</failure></testcase></testsuite>");
    insta::assert_snapshot!(message(ReportFormat::Junit, &text), @"! 2:1 has a document type of its own, which is refused: no test report needs entities");
    let undeclared = "<testsuite><testcase name='&l9;'><failure>&l9;&file;</failure></testcase></testsuite>";
    insta::assert_snapshot!(message(ReportFormat::Junit, undeclared), @r#"failed  | &l9; 0us "&l9;&file;""#);
}

#[test]
fn depth_is_bounded() {
    let xml = "<testsuite>".repeat(1_000_000);
    insta::assert_snapshot!(message(ReportFormat::Junit, &xml), @"! 1:1101 has more than 100 elements in each other");
    let tap: String = (0..2_000).map(|n| format!("{}ok 1 - x\n", " ".repeat(4 * n))).collect();
    assert_eq!(parse(ReportFormat::Tap, "t", tap.as_bytes()).cases.len(), 2_000);
    let json = format!("{{\"type\":{}", "[".repeat(1_000_000));
    assert!(parse(ReportFormat::CargoJson, "t", json.as_bytes()).problem.is_some());
}

#[test]
fn one_huge_value_is_kept_small() {
    let huge = "x".repeat(20 << 20);
    let xml =
        format!("<testsuite><testcase name='{huge}'><failure message='{huge}'>{huge}</failure></testcase></testsuite>");
    let go = format!(
        "{{\"Action\":\"output\",\"Package\":\"p\",\"Test\":\"t\",\"Output\":\"{huge}\"}}\n{{\"Action\":\"fail\",\"Package\":\"p\",\"Test\":\"t\"}}"
    );
    for (format, text) in [(ReportFormat::Junit, xml), (ReportFormat::GoJson, go)] {
        let parsed = parse(format, "t", text.as_bytes());
        let kept = parsed.cases[0].message.as_ref().unwrap().len() + parsed.cases[0].name.len();
        assert!(kept < 1 << 18, "{kept}");
    }
    let attributes = format!("<testsuite><testcase {}/></testsuite>", "name='a' ".repeat(500_000));
    assert_eq!(parse(ReportFormat::Junit, "t", attributes.as_bytes()).cases.len(), 1);
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let parsed = parse(
        ReportFormat::Junit,
        "t",
        b"<testsuite><testcase name='a\xff\xfeb'/></testsuite>",
    );
    assert_eq!(reported_of(&parsed), "passed  | a\u{fffd}\u{fffd}b 0us");
    let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><testsuite><testcase name='\xe9'/></testsuite>";
    assert_eq!(
        reported_of(&parse(ReportFormat::Junit, "t", latin)),
        "passed  | \u{e9} 0us"
    );
    let wide: Vec<u8> = "\u{feff}<testsuite><testcase name='é'/></testsuite>"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(reported_of(&parse(ReportFormat::Junit, "t", &wide)), "passed  | é 0us");
}

proptest! {
    #[test]
    fn no_bytes_break_a_parser(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for format in FORMATS {
            parse(format, "t", &bytes);
        }
    }

    #[test]
    fn no_pieces_in_any_order_break_a_parser(pieces in prop::collection::vec(0..PIECES.len(), 0..40)) {
        let text: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        for format in FORMATS {
            parse(format, "t", text.as_bytes());
        }
    }
}

/// What reports are made of.
const PIECES: &[&str] = &[
    "<testsuites>",
    "<testsuite name='s'>",
    "<testcase name=\"n\" time='1,5'>",
    "<failure message='&lt;m'>",
    "</failure>",
    "<skipped/>",
    "<error>",
    "</error>",
    "</testcase>",
    "</testsuite>",
    "</testsuites>",
    "<![CDATA[x]]>",
    "<!--",
    "-->",
    "&amp;",
    "&#0;",
    "text",
    "\n",
    "    ",
    "ok 1 - a # SKIP é",
    "not ok",
    "# TODO",
    "1..2",
    "1..0",
    "---",
    "...",
    "Bail out!",
    "# Subtest: x",
    "\\#",
    "{\"type\":\"test\",\"event\":\"failed\",\"name\":\"a$b#2\"}",
    "{\"Action\":\"fail\",\"Package\":\"p\"}",
    "{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"t\"}",
    "{",
    "}",
    "é",
    "\u{1b}[1m",
    "<?xml version='1.0'?>",
    "<!DOCTYPE a>",
];
