//! TAP 12 to 14.

use job_specs::model::ReportFormat::Tap;

use super::message;

#[test]
fn plain_lines_with_skip_todo_and_remarks() {
    let text = "1..7\nok 1 - opens\nok 2\nnot ok 3 - closes # not a directive\n#   Failed test 'closes'\n#   at t/pool.t line 9.\nok 4 # skip no network\nnot ok 5 - later # TODO write it\nok 6 - done # TODO works by now\nok 7 - has a \\# in it\nsome other output\n";
    insta::assert_snapshot!(message(Tap, text), @r#"
    passed report | opens 0us
    passed report | test 2 0us
    failed report | closes 0us "Failed test 'closes'\nat t/pool.t line 9."
    skipped report | test 4 0us "no network"
    skipped report | later 0us "TODO write it"
    passed report | done 0us "TODO works by now"
    passed report | has a # in it 0us
    "#);
}

#[test]
fn yaml_blocks_and_times() {
    let text = "TAP version 13\nnot ok 1 - adds\n  ---\n  message: 'expected 3'\n  severity: fail\n  duration_ms: 1.5\n  at:\n    line: 4\n  ...\nok 2 - subtracts # time=12.5ms\n  ---\n  duration_ms: 2\n  ...\n1..2\n";
    insta::assert_snapshot!(message(Tap, text), @r#"
    failed report | adds 1500us "message: 'expected 3'\nseverity: fail\nat:\n  line: 4"
    passed report | subtracts 2000us
    "#);
}

#[test]
fn subtests_are_suites() {
    let text = "TAP version 14\n1..4\n# Subtest: pool\n    1..2\n    # Subtest: get\n        ok 1 - empty\n        not ok 2 - full\n          ---\n          message: got 1\n          ...\n        1..2\n    not ok 1 - get\n    ok 2 - put\nnot ok 1 - pool\n    1..0 # skip no server\nok 2 - remote\n    ok 1 - fine\n    1..2\nnot ok 3 - plan was wrong\nok 4 - last\n";
    insta::assert_snapshot!(message(Tap, text), @r#"
    passed pool > get | empty 0us
    failed pool > get | full 0us "message: got 1"
    passed pool | put 0us
    skipped report | remote 0us "no server"
    passed plan was wrong | fine 0us
    failed report | plan was wrong 0us
    passed report | last 0us
    "#);
}

#[test]
fn a_bail_out_a_short_plan_and_no_tap() {
    let texts = [
        "1..3\nok 1 - a\nBail out! the database is gone\nok 2 - never\n",
        "1..3\nok 1 - a\n",
        "1..0 # SKIP nothing here\n",
        "okay then\nnothing\n",
        "",
    ];
    let all: Vec<String> = texts.iter().map(|text| format!("- {}", message(Tap, text))).collect();
    insta::assert_snapshot!(all.join("\n"), @r#"
    - passed report | a 0us
    failed report | Bail out! 0us "the database is gone"
    - passed report | a 0us
    ! is cut off: it plans 3 tests and has 1
    - 
    - ! is not TAP: it has no test line and no plan
    - ! is not TAP: it has no test line and no plan
    "#);
}
