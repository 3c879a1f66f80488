//! The dialects of JUnit's XML.

use job_specs::model::ReportFormat::Junit;

use super::message;

#[test]
fn surefire() {
    let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="x.xsd" version="3.0" name="org.example.PoolTest" time="1,204.5" tests="4" errors="1" skipped="1" failures="1">
  <properties><property name="java.version" value="21"/></properties>
  <testcase name="reconnects" classname="org.example.PoolTest" time="1,203.004"/>
  <testcase name="refuses[1: &quot;a &lt; b&quot;]" classname="org.example.PoolTest" time="0.021">
    <failure message="expected: &lt;3&gt; but was: &lt;4&gt;" type="org.opentest4j.AssertionFailedError"><![CDATA[org.opentest4j.AssertionFailedError: expected: <3> but was: <4>
	at org.example.PoolTest.refuses(PoolTest.java:21)
]]></failure>
    <system-out><![CDATA[a lot of output]]></system-out>
  </testcase>
  <testcase name="breaks" classname="org.example.PoolTest" time="0"><error type="java.lang.NullPointerException">java.lang.NullPointerException
	at org.example.Pool.get(Pool.java:3)</error></testcase>
  <testcase name="later" classname="org.example.PoolTest" time="0"><skipped message="not yet"/></testcase>
  <testcase name="flickers" classname="org.example.PoolTest" time="0.5"><flakyFailure message="timeout" type="java.util.concurrent.TimeoutException"><stackTrace>at org.example.PoolTest</stackTrace><system-out>x</system-out></flakyFailure></testcase>
  <testcase name="gives up" classname="org.example.PoolTest" time="0.5"><failure message="timeout" type="T"/><rerunFailure message="timeout again" type="T"/></testcase>
</testsuite>"#;
    insta::assert_snapshot!(message(Junit, text), @r#"
    passed org.example.PoolTest | reconnects 1203004000us
    failed org.example.PoolTest | refuses[1: "a < b"] 21000us "expected: <3> but was: <4>\norg.opentest4j.AssertionFailedError: expected: <3> but was: <4>\n\tat org.example.PoolTest.refuses(PoolTest.java:21)"
    failed org.example.PoolTest | breaks 0us "java.lang.NullPointerException\n\tat org.example.Pool.get(Pool.java:3)"
    skipped org.example.PoolTest | later 0us "not yet"
    flaky org.example.PoolTest | flickers 500000us "timeout\nat org.example.PoolTest"
    failed org.example.PoolTest | gives up 500000us "timeout again"
    "#);
}

#[test]
fn gradle_with_a_decimal_comma() {
    let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="com.example.AppTest" tests="2" skipped="0" failures="0" errors="0" timestamp="2026-11-20T10:00:00" hostname="h" time="0,012">
  <properties/>
  <testcase name="greets()" classname="com.example.AppTest" time="0,011"/>
  <testcase name="counts()" classname="com.example.AppTest" time="0.001"/>
  <system-out><![CDATA[]]></system-out>
  <system-err><![CDATA[]]></system-err>
</testsuite>"#;
    insta::assert_snapshot!(message(Junit, text), @"
    passed com.example.AppTest | greets() 11000us
    passed com.example.AppTest | counts() 1000us
    ");
}

#[test]
fn pytest() {
    let text = r#"<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="0" failures="1" skipped="1" tests="3" time="0.060" timestamp="2026-11-20T10:00:00+00:00" hostname="h"><testcase classname="tests.test_pool.TestPool" name="test_get[15-3.7]" time="1e-03" /><testcase classname="tests.test_pool" name="test_put" file="tests/test_pool.py" line="8" time="0.002"><failure message="assert 1 == 2">def test_put():
&gt;       assert 1 == 2
E       assert 1 == 2

tests/test_pool.py:9: AssertionError</failure></testcase><testcase classname="tests.test_pool" name="test_skip" time="0.000"><skipped type="pytest.skip" message="needs a database">/workspace/tests/test_pool.py:12: needs a database</skipped></testcase><testcase classname="" name="tests.test_broken" time="0.000"><error message="collection failure">ImportError while importing test module</error></testcase></testsuite></testsuites>"#;
    insta::assert_snapshot!(message(Junit, text), @r#"
    passed tests.test_pool.TestPool | test_get[15-3.7] 1000us
    failed tests.test_pool | test_put 2000us [tests/test_pool.py] "assert 1 == 2\ndef test_put():\n>       assert 1 == 2\nE       assert 1 == 2\n\ntests/test_pool.py:9: AssertionError"
    skipped tests.test_pool | test_skip 0us "needs a database\n/workspace/tests/test_pool.py:12: needs a database"
    failed pytest | tests.test_broken 0us "collection failure\nImportError while importing test module"
    "#);
}

#[test]
fn jest() {
    let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="jest tests" tests="3" failures="1" errors="0" time="0.9">
  <testsuite name="pool" errors="0" failures="1" skipped="0" timestamp="2026-11-20T10:00:00" time="0.5" tests="2">
    <testcase classname="pool gives" name="pool gives" time="0.002">
    </testcase>
    <testcase classname="pool takes" name="pool takes" time="0.003">
      <failure>Error: expect(received).toBe(expected) // Object.is equality

Expected: 2
Received: 1
    at Object.&lt;anonymous&gt; (/workspace/pool.test.js:7:13)</failure>
    </testcase>
  </testsuite>
</testsuites>"#;
    insta::assert_snapshot!(message(Junit, text), @r#"
    passed pool | pool gives 2000us
    failed pool | pool takes 3000us "Error: expect(received).toBe(expected) // Object.is equality\n\nExpected: 2\nReceived: 1\n    at Object.<anonymous> (/workspace/pool.test.js:7:13)"
    "#);
}

#[test]
fn nextest() {
    let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="3" failures="1" errors="0" uuid="0" timestamp="2026-11-20T10:00:00.000+00:00" time="0.5">
    <testsuite name="store::it" tests="3" disabled="0" errors="0" failures="1">
        <testcase name="leases::expire" classname="store::it" timestamp="2026-11-20T10:00:00.000+00:00" time="0.010">
        </testcase>
        <testcase name="leases::renew" classname="store::it" time="0.020">
            <failure message="thread 'leases::renew' panicked at store/tests/it/leases.rs:9:5" type="test failure with exit code 101">thread 'leases::renew' panicked at store/tests/it/leases.rs:9:5:
assertion failed: renewed
            <system-out>x</system-out></failure>
            <rerunFailure timestamp="2026-11-20T10:00:00.000+00:00" time="0.02" message="again" type="test failure"><system-err>y</system-err></rerunFailure>
        </testcase>
        <testcase name="leases::take" classname="store::it" time="0.030">
            <flakyFailure timestamp="2026-11-20T10:00:00.000+00:00" time="0.03" message="panicked at store/tests/it/leases.rs:20:5" type="test failure with exit code 101">assertion failed<system-out>z</system-out></flakyFailure>
        </testcase>
    </testsuite>
</testsuites>"#;
    insta::assert_snapshot!(message(Junit, text), @r#"
    passed store::it | leases::expire 10000us
    failed store::it | leases::renew 20000us "thread 'leases::renew' panicked at store/tests/it/leases.rs:9:5:\nassertion failed: renewed\n            \nagain"
    flaky store::it | leases::take 30000us "panicked at store/tests/it/leases.rs:20:5\nassertion failed"
    "#);
}

#[test]
fn go_junit_report_and_google_test() {
    let go = r#"<testsuites tests="2" failures="1">
	<testsuite name="example.org/pool" tests="2" failures="1" errors="0" id="0" hostname="h" time="0.1" timestamp="t">
		<properties><property name="go.version" value="go1.23"></property></properties>
		<testcase name="TestGet" classname="example.org/pool" time="0.010"></testcase>
		<testcase name="TestGet/empty" classname="example.org/pool" time="0.000"><failure message="Failed" type=""><![CDATA[    pool_test.go:9: got 1]]></failure></testcase>
	</testsuite>
</testsuites>"#;
    let google = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="2" failures="0" disabled="1" errors="0" time="0" name="AllTests">
  <testsuite name="Pool" tests="2"><testcase name="Gives" file="pool_test.cc" line="3" status="run" result="completed" time="0.001" classname="Pool" /><testcase name="DISABLED_Takes" status="notrun" result="suppressed" time="0" classname="Pool" /></testsuite>
</testsuites>"#;
    let both = format!("{}\n{}", message(Junit, go), message(Junit, google));
    insta::assert_snapshot!(both, @r#"
    passed example.org/pool | TestGet 10000us
    failed example.org/pool | TestGet/empty 0us "Failed\n    pool_test.go:9: got 1"
    passed Pool | Gives 1000us [pool_test.cc]
    skipped Pool | DISABLED_Takes 0us
    "#);
}

#[test]
fn suites_in_suites_and_a_suite_that_breaks_as_a_whole() {
    let text = r#"<testsuites><testsuite name="outer"><testsuite name="inner"><testcase name="a"/></testsuite>
<testsuite name="broken"><error message="cannot connect">at setup</error></testsuite>
<testsuite><testcase name="of the outer one"/></testsuite></testsuite></testsuites>"#;
    insta::assert_snapshot!(message(Junit, text), @r#"
    passed inner | a 0us
    failed broken | (the suite itself) 0us "cannot connect\nat setup"
    passed outer | of the outer one 0us
    "#);
}

#[test]
fn what_is_no_junit_says_where() {
    let texts = [
        "",
        "  1 passed\n",
        "<html><body>404</body></html>",
        "<testsuite>\n  <testcase name='a'></wrong>\n</testsuite>",
        "<testsuite><testcase name='kept'/>\n<testcase name='a'><failure message='x'>cut of",
        "<testsuite name='s",
        "<!DOCTYPE x><testsuite/>",
    ];
    let all: Vec<String> = texts.iter().map(|text| message(Junit, text)).collect();
    insta::assert_snapshot!(all.join("\n"), @"
    ! 1:1 is not XML: it has no element
    ! 1:1 is not XML: it has no element
    ! 1:1 is XML but not JUnit's: it begins with <html>, not with <testsuites> or <testsuite>
    ! 2:22 is not XML: ill-formed document: expected `</testcase>`, but `</wrong>` was found
    passed  | kept 0us
    ! 2:47 is cut off in a <testcase>
    ! 1:1 is cut off: syntax error: attribute value not closed: `'` not found before end of input
    ! 1:1 has a document type of its own, which is refused: no test report needs entities
    ");
}
