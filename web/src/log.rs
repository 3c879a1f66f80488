//! The server's half of the log viewer: the first screen of a stream, in the form that `assets/log.js` goes on with.
//! Lines are grouped in clusters of fifty by number (line 51 begins the second), so that both halves agree on which
//! line lives where, whatever the first screen shows.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::ansi::{self, Span};
use crate::format;
use crate::routes;
use crate::views::{AttemptView, Failure, LogLine, LogSource, LogView, Micros};

/// Lines in a cluster; `assets/log.js` has the same number.
const CLUSTER: u64 = 50;

/// A log with what is around it.
#[derive(Template)]
#[template(path = "parts/log.html")]
pub struct Log<'a> {
    log: &'a LogView,
    attempt: &'a str,
    base: String,
    is_live: bool,
    start: Micros,
    name: &'a str,
    clusters: Vec<Cluster<'a>>,
}
impl HtmlSafe for Log<'_> {}

/// Lines without anything around them, in a card.
#[derive(Template)]
#[template(path = "parts/excerpt.html")]
pub struct Excerpt<'a> {
    clusters: Vec<Cluster<'a>>,
    stream: &'a str,
    href: String,
}
impl HtmlSafe for Excerpt<'_> {}

/// Lines of the same fifty.
struct Cluster<'a> {
    number: u64,
    lines: Vec<Line<'a>>,
}

struct Line<'a> {
    line: &'a LogLine,
    spans: Vec<Span>,
    is_error: bool,
}

impl Line<'_> {
    /// Classes of the line: who said it, and whether it looks like an error.
    fn class(&self) -> &'static str {
        match (self.line.s, self.is_error) {
            (LogSource::Stdout, false) => "",
            (LogSource::Stdout, true) => "x",
            (LogSource::Stderr, false) => "e",
            (LogSource::Stderr, true) => "e x",
            (LogSource::System, _) => "y",
        }
    }
}

/// The first screen of a stream, with the controls that need no script.
pub fn log<'a>(attempt: &'a AttemptView, log: &'a LogView, start: Micros, name: &'a str) -> Log<'a> {
    Log {
        log,
        attempt: &attempt.id,
        base: routes::log(&attempt.id, &log.stream),
        is_live: !attempt.status.is_final(),
        start,
        name,
        clusters: clusters(&log.shown, &log.errors),
    }
}

/// The lines of a failure card; their numbers link to the job's page.
pub fn excerpt(failure: &Failure) -> Excerpt<'_> {
    Excerpt {
        clusters: clusters(&failure.lines, &[]),
        stream: &failure.stream,
        href: routes::job(&failure.job),
    }
}

fn clusters<'a>(lines: &'a [LogLine], errors: &[u64]) -> Vec<Cluster<'a>> {
    let mut clusters: Vec<Cluster<'a>> = Vec::new();
    for line in lines {
        let number = line.n.saturating_sub(1) / CLUSTER;
        if clusters.last().is_none_or(|cluster| cluster.number != number) {
            clusters.push(Cluster {
                number,
                lines: Vec::new(),
            });
        }
        let cluster = clusters.last_mut().expect("one was just pushed if there was none");
        let is_error = errors.binary_search(&line.n).is_ok();
        cluster.lines.push(Line {
            line,
            spans: ansi::parse(&line.text),
            is_error,
        });
    }
    clusters
}
