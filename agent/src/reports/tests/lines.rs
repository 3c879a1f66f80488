//! Lines of JSON: libtest, nextest, go.

use job_specs::model::ReportFormat::{CargoJson, GoJson};

use super::message;

#[test]
fn libtest() {
    let text = r#"   Compiling pool v0.1.0
{ "type": "suite", "event": "started", "test_count": 4 }
{ "type": "test", "event": "started", "name": "get" }
{ "type": "test", "event": "started", "name": "put" }
{ "type": "test", "name": "get", "event": "ok", "exec_time": 0.0125 }
{ "type": "test", "name": "put", "event": "failed", "exec_time": 0.001, "stdout": "thread 'put' panicked at src/lib.rs:9:5:\nno\n" }
{ "type": "test", "name": "slow", "event": "ignored", "message": "takes an hour" }
{ "type": "test", "event": "started", "name": "abort" }
{ "type": "suite", "event": "failed", "passed": 1, "failed": 1, "ignored": 1, "measured": 0, "filtered_out": 0, "exec_time": 0.1 }
"#;
    insta::assert_snapshot!(message(CargoJson, text), @r#"
    passed report | get 12500us
    failed report | put 1000us "thread 'put' panicked at src/lib.rs:9:5:\nno\n"
    skipped report | slow 0us "takes an hour"
    failed report | abort 0us "it began and never ended"
    "#);
}

#[test]
fn nextest_with_tries() {
    let text = r#"{"type":"suite","event":"started","test_count":2,"nextest":{"crate":"store","test_binary":"it","kind":"test"}}
{"type":"test","event":"started","name":"store::it$leases::expire"}
{"type":"test","event":"ok","name":"store::it$leases::expire","exec_time":0.5}
{"type":"test","event":"started","name":"store::it$leases::renew#2"}
{"type":"test","event":"ok","name":"store::it$leases::renew#2","exec_time":0.25}
{"type":"test","event":"failed","name":"store::it$leases::take#3","exec_time":0.25,"stdout":"no"}
"#;
    insta::assert_snapshot!(message(CargoJson, text), @r#"
    passed store::it | leases::expire 500000us
    flaky store::it | leases::renew 250000us
    failed store::it | leases::take 250000us "no"
    "#);
}

#[test]
fn go() {
    let text = r#"{"Time":"2026-11-20T10:00:00Z","Action":"start","Package":"example.org/pool"}
{"Action":"run","Package":"example.org/pool","Test":"TestGet"}
{"Action":"output","Package":"example.org/pool","Test":"TestGet","Output":"=== RUN   TestGet\n"}
{"Action":"run","Package":"example.org/pool","Test":"TestGet/empty"}
{"Action":"output","Package":"example.org/pool","Test":"TestGet/empty","Output":"    pool_test.go:9: got 1, want 0\n"}
{"Action":"output","Package":"example.org/pool","Test":"TestGet/empty","Output":"    --- FAIL: TestGet/empty (0.01s)\n"}
{"Action":"fail","Package":"example.org/pool","Test":"TestGet/empty","Elapsed":0.01}
{"Action":"fail","Package":"example.org/pool","Test":"TestGet","Elapsed":0.02}
{"Action":"run","Package":"example.org/pool","Test":"TestSkip"}
{"Action":"output","Package":"example.org/pool","Test":"TestSkip","Output":"    pool_test.go:20: no server\n"}
{"Action":"skip","Package":"example.org/pool","Test":"TestSkip","Elapsed":0}
{"Action":"pass","Package":"example.org/pool","Test":"TestPut","Elapsed":1.5}
{"Action":"fail","Package":"example.org/pool","Elapsed":1.6}
{"Action":"run","Package":"example.org/queue","Test":"TestPanic"}
{"Action":"output","Package":"example.org/queue","Test":"TestPanic","Output":"panic: no\n"}
{"Action":"fail","Package":"example.org/queue","Elapsed":0.1}
{"ImportPath":"example.org/broken [example.org/broken.test]","Action":"build-output","Output":"./x.go:3:1: syntax error\n"}
{"ImportPath":"example.org/broken [example.org/broken.test]","Action":"build-fail"}
{"Action":"start","Package":"example.org/broken"}
{"Action":"output","Package":"example.org/broken","Output":"FAIL\texample.org/broken [build failed]\n"}
{"Action":"fail","Package":"example.org/broken","Elapsed":0,"FailedBuild":"example.org/broken [example.org/broken.test]"}
{"Action":"skip","Package":"example.org/empty","Elapsed":0}
"#;
    insta::assert_snapshot!(message(GoJson, text), @r#"
    failed example.org/pool | TestGet/empty 10000us "    pool_test.go:9: got 1, want 0"
    failed example.org/pool | TestGet 20000us ""
    skipped example.org/pool | TestSkip 0us "    pool_test.go:20: no server"
    passed example.org/pool | TestPut 1500000us
    failed example.org/queue | TestPanic 0us "it began and never ended\npanic: no"
    failed example.org/broken | (the package itself) 0us "./x.go:3:1: syntax error\nFAIL\texample.org/broken [build failed]"
    "#);
}

#[test]
fn what_is_cut_off_or_something_else_says_so() {
    let texts = [
        message(
            CargoJson,
            "{\"type\":\"test\",\"event\":\"ok\",\"name\":\"a\"}\n{\"type\":\"test\",\"eve",
        ),
        message(CargoJson, "running 3 tests\n"),
        message(CargoJson, "{\"reason\":\"compiler-message\"}\n"),
        message(GoJson, "ok  \texample.org/pool\t0.1s\n"),
        message(GoJson, "{\"Action\": oops}\n"),
        message(GoJson, "{}\n"),
    ];
    insta::assert_snapshot!(texts.join("\n"), @"
    passed report | a 0us
    ! 2:19 is cut off: EOF while parsing a string
    ! has no line of JSON: was the tool told to print JSON?
    ! has JSON, but nothing of a test: was libtest's JSON meant?
    ! has no line of JSON: was the tool told to print JSON?
    ! 1:12 is not JSON: expected value
    ! has JSON, but no event of `go test -json`
    ");
}
