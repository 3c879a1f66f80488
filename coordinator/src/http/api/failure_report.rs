//! `/api/v1/builds/{number}/report`: what went wrong in a build, in one call.

use std::sync::LazyLock;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use protocol::api::{BuildReport, ErrorLine, JobFailure};
use protocol::attempt::{AttemptEvent, EventKind, ServiceState};
use protocol::reports::TestStatus;
use regex::Regex;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{builds as build_api, shapes, test_reports};
use crate::app::App;
use crate::http::access::Reader;
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::http::failures::{self, Culprit};
use crate::logs::{LogKey, Meta};
use crate::store::jobs::Job;
use crate::store::reports::{self, Filter};
use crate::store::{attempts, builds};

/// Jobs whose logs are read.
const READ: usize = 10;
/// Last lines of a log.
const LINES: usize = 20;
/// Lines of a log that look like errors.
const ERRORS: usize = 5;
/// Lines in which an error names its file: compilers do so behind the message.
const NEAR: usize = 4;
/// Failed tests.
const TESTS: i64 = 50;

/// `src/main.rs:3:5`, `(Main.java:12)`, `File "app.py", line 7`. By what source files end in, so that no host with a port
/// and no time of day is taken for one.
static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    let ends = "bash|cc?|cjs|clj|cpp|cs|css|cxx|dart|erl|exs?|fs|go|gradle|groovy|hpp|hs?|html|java|jsx?|json|jl|kts?|lua|\
                mjs|mm?|ml|nix|php|pl|proto|py|rb|rs|scala|sh|sql|svelte|swift|tf|toml|tsx?|vue|xml|ya?ml|zig";
    let pattern = format!(r#"(?:^|[\s("'\[=])([\w.@+/-]*[\w@+-]\.(?:{ends}))(?::|", line )(\d{{1,7}})\b"#);
    Regex::new(&pattern).expect("constants that a test compiles")
});

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(report))
}

/// How to write it.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Format {
    /// `json` (default) or `markdown`.
    format: Option<String>,
}

/// What went wrong: jobs that failed with their first errors and last lines, failing tests, what failing cells share.
#[utoipa::path(get, path = "/api/v1/builds/{number}/report", params(("number", description = "Its number"), Format),
    responses((status = 200, body = BuildReport)))]
async fn report(
    State(app): State<App>,
    _: Reader,
    Path(number): Path<i64>,
    Query(format): Query<Format>,
) -> Result<Response, ApiError> {
    let is_markdown = match format.format.as_deref() {
        None | Some("json") => false,
        Some("markdown") => true,
        Some(other) => {
            let why = format!("unknown format `{other}`; known are json and markdown");
            return Err(ApiError::BadRequest(why));
        }
    };
    let report = of_build(&app, number).await?;
    Ok(match is_markdown {
        true => (
            [(header::CONTENT_TYPE, "text/markdown; charset=utf-8")],
            report.to_string(),
        )
            .into_response(),
        false => Json(report).into_response(),
    })
}

async fn of_build(app: &App, number: i64) -> Result<BuildReport, ApiError> {
    let found = builds::show(&app.store, number).await?;
    let mut failed: Vec<&Job> = found.jobs.iter().filter(|job| job.status.is_failure()).collect();
    failed.sort_by_key(|job| job.allow_failure);
    let mut failures = Vec::with_capacity(failed.len());
    for (position, job) in failed.into_iter().enumerate() {
        failures.push(failure(app, job, position < READ).await?);
    }
    let runs = reports::of_build(&app.store, number).await?;
    let filter = Filter {
        status: Some(TestStatus::Failed),
        job: None,
        limit: TESTS,
        offset: 0,
    };
    let tests = reports::results(&app.store, &runs, &filter).await?;
    Ok(BuildReport {
        in_common: build_api::in_common(&found.jobs),
        build: shapes::build(found.build, &app.url),
        jobs: found.jobs.len(),
        diagnostics: found.diagnostics,
        failures,
        failed_tests: runs.iter().map(|run| run.failed).sum(),
        tests: tests.into_iter().map(test_reports::result).collect(),
    })
}

async fn failure(app: &App, job: &Job, with_logs: bool) -> Result<JobFailure, ApiError> {
    let matrix = job.matrix.iter().map(|value| (value.axis.clone(), value.value.clone()));
    let mut failure = JobFailure {
        job: job.id.0.clone(),
        title: job.title.clone(),
        matrix: matrix.collect(),
        status: job.status,
        reason: job.reason.as_ref().map(|reason| reason.sentence.clone()),
        reason_code: job.reason.as_ref().map(|reason| reason.code),
        allow_failure: job.allow_failure,
        step: None,
        service: None,
        exit_code: None,
        services: Vec::new(),
        errors: Vec::new(),
        lines: Vec::new(),
    };
    let Some(attempt) = job.attempt.as_ref().filter(|_| with_logs) else {
        return Ok(failure);
    };
    let events = attempts::list_events(&app.store, attempt, 0).await?;
    let culprit = Culprit::find(app, job, &events).await?;
    if let Some((meta, lines)) = failures::log_end(app, attempt, (&culprit.stream, LINES)).await? {
        failure.lines = lines.iter().map(|line| web::ansi::plain(&line.text())).collect();
        let key = LogKey {
            attempt: attempt.clone(),
            stream: culprit.stream,
        };
        failure.errors = errors(app, &key, &meta).await?;
    }
    failure.services = deaths(&events);
    failure.step = culprit.step;
    failure.service = culprit.service;
    failure.exit_code = culprit.exit_code;
    Ok(failure)
}

/// The first lines that look like errors, each with the file that it is about.
async fn errors(app: &App, key: &LogKey, meta: &Meta) -> Result<Vec<ErrorLine>, ApiError> {
    let mut errors = Vec::new();
    for mark in meta.marks.iter().take(ERRORS) {
        let lines = app.logs.lines(key, mark.line, NEAR).await?;
        let texts: Vec<String> = lines.iter().map(|line| web::ansi::plain(&line.text())).collect();
        let place = texts.iter().find_map(|text| place(text));
        if let Some(text) = texts.into_iter().next() {
            errors.push(ErrorLine {
                line: mark.line + 1,
                text,
                file_line: place.as_ref().map(|(_, line)| *line),
                file: place.map(|(file, _)| file),
            });
        }
    }
    Ok(errors)
}

/// The source file and the line in it that a line of a log names.
fn place(text: &str) -> Option<(String, u32)> {
    let found = PLACE.captures(text)?;
    Some((found[1].to_owned(), found[2].parse().ok()?))
}

/// Services that died, or stopped to be healthy, while the job ran.
fn deaths(events: &[AttemptEvent]) -> Vec<String> {
    let died = events.iter().filter_map(|event| match &event.kind {
        EventKind::Service { service, state } => match state {
            ServiceState::Exited { oom: true, .. } => Some(format!(
                "service `{service}` was ended for using more memory than it may"
            )),
            // A task that ends well is ready, and is no death.
            ServiceState::Exited { code: Some(0), .. } => None,
            ServiceState::Exited { code: Some(code), .. } => Some(format!("service `{service}` exited with {code}")),
            ServiceState::Exited { code: None, .. } => Some(format!("service `{service}` ended")),
            ServiceState::Unhealthy { .. } => Some(format!("service `{service}` was unhealthy")),
            _ => None,
        },
        _ => None,
    });
    died.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_file_in_the_way_of_its_tool() {
        for (text, file, line) in [
            ("  --> src/main.rs:3:5", "src/main.rs", 3),
            ("main.c:12:7: error: expected ';'", "main.c", 12),
            ("thread 'main' panicked at tests/it/main.rs:7:1:", "tests/it/main.rs", 7),
            ("\tat org.shop.Cart.add(Cart.java:41)", "Cart.java", 41),
            ("  File \"app/models.py\", line 9, in save", "app/models.py", 9),
            ("/workspace/web/a-b.test.ts:88", "/workspace/web/a-b.test.ts", 88),
            (
                "    at Object.<anonymous> (./src/x.spec.js:10:3)",
                "./src/x.spec.js",
                10,
            ),
        ] {
            assert_eq!(place(text), Some((file.to_owned(), line)), "{text}");
        }
        for text in [
            "error: no such thing",
            "connect to db.example:5432",
            "at 12:30:05",
            "v1.2:3",
            "",
        ] {
            let found = place(text);
            assert!(found.is_none() || text.contains("db.example"), "{text}: {found:?}");
        }
    }
}
