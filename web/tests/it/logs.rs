//! The first screen of a log: what the browser's half goes on with.

use web::pages;
use web::views::{JobPage, LogSource, LogView};

use crate::html::tags;
use crate::samples;

fn page_with(log: LogView) -> String {
    let mut view: JobPage = samples::running_job();
    view.attempt.as_mut().expect("the sample has one").steps[1].log = log;
    pages::job(&samples::frame(), &view)
}

#[test]
fn a_line_has_its_number_time_and_source_and_its_text_is_a_text() {
    let lines = vec![
        samples::line(51, LogSource::Stdout, "plain <b>"),
        samples::line(52, LogSource::Stderr, "\x1b[1;31mred\x1b[0m \x1b[38;2;255;128;0morange"),
        samples::line(53, LogSource::System, "drover says"),
    ];
    let page = page_with(samples::log("step-1", lines, &[52]));
    let (_, log) = page.split_once("stream=\"step-1\"").expect("the log is there");
    let (_, cluster) = log
        .split_once("<ol class=\"c\" data-c=\"1\">")
        .expect("line 51 begins the second fifty");
    let (cluster, _) = cluster.split_once("</ol>").expect("it ends");
    insta::assert_snapshot!(cluster.replace("</li>", "</li>\n"), @r##"
    <li id="step-1-L51" data-t="1795176246987000"><a href="#step-1-L51" data-n="51" aria-label="Line 51"></a>plain &#60;b&#62;</li>
    <li id="step-1-L52" class="e x" data-t="1795176247124000"><a href="#step-1-L52" data-n="52" aria-label="Line 52"></a><span class="ab f1">red</span> <span data-fg="#ff8000">orange</span></li>
    <li id="step-1-L53" class="y" data-t="1795176247261000"><a href="#step-1-L53" data-n="53" aria-label="Line 53"></a>drover says</li>
    "##);
}

#[test]
fn lines_before_and_after_the_first_screen_are_reported_and_linked() {
    let lines = (120..=170).map(|n| samples::line(n, LogSource::Stdout, "x")).collect();
    let page = page_with(LogView {
        lines: 1204,
        eof: false,
        ..samples::log("step-1", lines, &[])
    });
    assert!(page.contains(">▲ 119 earlier lines</a>"));
    assert!(page.contains(">▼ 1,034 later lines</a>"));
    let tags = tags(&page);
    let view = tags
        .iter()
        .find(|tag| tag.get("stream") == Some("step-1"))
        .expect("the log is there");
    assert_eq!(view.get("lines"), Some("1204"));
    assert_eq!(view.get("src"), Some("/api/v1/attempts/0193a1/logs/step-1"));
    assert!(view.get("live").is_some() && view.get("eof").is_none());
    let clusters: Vec<_> = tags.iter().filter_map(|tag| tag.get("data-c")).collect();
    assert!(
        clusters.ends_with(&["2", "3", "0"]),
        "150 ends the third fifty; then the agent's own log: {clusters:?}"
    );
}

#[test]
fn a_finished_attempt_is_not_live_and_an_old_one_says_how_it_ended() {
    let frame = samples::frame();
    let page = pages::job(&frame, &samples::job_page());
    assert!(
        !tags(&page)
            .iter()
            .any(|tag| tag.name == "log-view" && tag.get("live").is_some())
    );

    let mut view = samples::running_job();
    view.attempts.insert(0, samples::job_page().attempts[0].clone());
    view.attempts[1].number = 2;
    view.attempt = samples::job_page().attempt;
    view.attempt.as_mut().expect("the sample has one").number = 1;
    let page = pages::job(&frame, &view);
    let source = tags(&page)
        .into_iter()
        .find(|tag| tag.name == "live-region")
        .and_then(|tag| tag.get("src").map(str::to_owned));
    assert_eq!(source.as_deref(), Some("/jobs/t20/attempts/1?live=1"));
    assert!(page.contains("<title>failed test (postgres=17, redis=6) · #42 · warehouse · Drover</title>"));
}

#[test]
fn the_page_listens_from_where_its_logs_end() {
    let page = pages::job(&samples::frame(), &samples::running_job());
    let body = tags(&page)
        .into_iter()
        .find(|tag| tag.name == "body")
        .expect("a page has a body");
    assert_eq!(
        body.get("data-events"),
        Some("/events?job=t20&#38;cursor=service-db%3A39%2Cstep-0%3A60%2Cstep-1%3A10")
    );
}
