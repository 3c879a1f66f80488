//! What tests said: of a build, and of a repository.

use axum::Json;
use axum::extract::State;
use protocol::api::{BuildTests, FlakyTest, PastTest, TestResult, TestRun, TestTiming};
use protocol::reports::TestStatus;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::access::User;
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::store::reports::{self, Filter, Found, Run};
use crate::store::{builds, repositories};

/// Tests of one answer at most.
const MOST: i64 = 5_000;
/// Timings of one answer at most.
const MOST_TIMINGS: i64 = 200_000;

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(of_build))
        .routes(routes!(flaky))
        .routes(routes!(slowest))
        .routes(routes!(history))
        .routes(routes!(timings))
}

/// Which tests of a build.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct BuildQuery {
    /// `failed`, `flaky`, `passed` or `skipped` only.
    status: Option<String>,
    /// Of this job (name or title) only.
    job: Option<String>,
    /// At most so many, 100 by default, 5,000 at most.
    limit: Option<i64>,
    /// Without the first so many.
    offset: Option<i64>,
}

/// At most so many.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Limit {
    /// 50 by default, 5,000 at most.
    limit: Option<i64>,
}

/// Which test.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    /// Its suite; may be empty.
    #[serde(default)]
    suite: String,
    /// Its name.
    name: String,
    /// At most so many results, 50 by default, 5,000 at most.
    limit: Option<i64>,
}

fn run(run: Run) -> TestRun {
    TestRun {
        attempt: run.attempt,
        job: run.job,
        cell: run.cell,
        job_name: run.job_name,
        build: run.build,
        complete: run.complete,
        failed: run.failed,
        flaky: run.flaky,
        passed: run.passed,
        skipped: run.skipped,
        duration_us: run.duration_us,
        problems: run.problems,
        at: run.at,
    }
}

/// A test's result in the API's shape.
pub(super) fn result(found: Found) -> TestResult {
    TestResult {
        attempt: found.attempt,
        job: found.job,
        cell: found.cell,
        suite: found.suite,
        name: found.name,
        status: found.status,
        duration_us: found.duration_us,
        message: found.message,
        file: found.file,
        change: found.change,
        known_flaky: found.known_flaky,
    }
}

fn bounded(limit: Option<i64>, usual: i64) -> i64 {
    limit.unwrap_or(usual).clamp(1, MOST)
}

/// The tests of a build, failed ones first.
#[utoipa::path(get, path = "/api/v1/builds/{number}/tests", params(("number", description = "Its number"), BuildQuery),
    responses((status = 200, body = BuildTests)))]
async fn of_build(
    State(app): State<App>,
    _: User,
    Path(number): Path<i64>,
    Query(query): Query<BuildQuery>,
) -> Result<Json<BuildTests>, ApiError> {
    let status = match query.status.as_deref() {
        Some(name) => Some(TestStatus::from_name(name).ok_or_else(|| unknown_status(name))?),
        None => None,
    };
    builds::show(&app.store, number).await?;
    let runs = reports::of_build(&app.store, number).await?;
    let filter = Filter {
        status,
        job: query.job,
        limit: bounded(query.limit, 100),
        offset: query.offset.unwrap_or(0),
    };
    let tests = reports::results(&app.store, &runs, &filter).await?;
    Ok(Json(BuildTests {
        reports: runs.into_iter().map(run).collect(),
        tests: tests.into_iter().map(result).collect(),
    }))
}

fn unknown_status(name: &str) -> ApiError {
    let known = TestStatus::ALL.map(TestStatus::name).join(", ");
    ApiError::BadRequest(format!("unknown status `{name}`; known are {known}"))
}

/// BuildTests that passed and failed at one commit within 14 days, the worst first.
#[utoipa::path(get, path = "/api/v1/repositories/{name}/tests/flaky", params(("name", description = "Its name"), Limit),
    responses((status = 200, body = Vec<FlakyTest>)))]
async fn flaky(
    State(app): State<App>,
    _: User,
    Path(name): Path<String>,
    Query(query): Query<Limit>,
) -> Result<Json<Vec<FlakyTest>>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    Ok(Json(
        reports::flaky(&app.store, &repository.id, bounded(query.limit, 50)).await?,
    ))
}

/// The slowest tests.
#[utoipa::path(get, path = "/api/v1/repositories/{name}/tests/slowest", params(("name", description = "Its name"), Limit),
    responses((status = 200, body = Vec<TestTiming>)))]
async fn slowest(
    State(app): State<App>,
    _: User,
    Path(name): Path<String>,
    Query(query): Query<Limit>,
) -> Result<Json<Vec<TestTiming>>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    Ok(Json(
        reports::slowest(&app.store, &repository.id, bounded(query.limit, 50)).await?,
    ))
}

/// The newest results of one test, newest first.
#[utoipa::path(get, path = "/api/v1/repositories/{name}/tests/history",
    params(("name", description = "Its name"), HistoryQuery), responses((status = 200, body = Vec<PastTest>)))]
async fn history(
    State(app): State<App>,
    _: User,
    Path(name): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Vec<PastTest>>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    let test = (query.suite.as_str(), query.name.as_str());
    Ok(Json(
        reports::history(&app.store, &repository.id, test, bounded(query.limit, 50)).await?,
    ))
}

/// How long each test takes, for splitting them; `drover tests split --timings FILE` reads it.
#[utoipa::path(get, path = "/api/v1/repositories/{name}/tests/timings", params(("name", description = "Its name")),
    responses((status = 200, body = Vec<TestTiming>)))]
async fn timings(State(app): State<App>, _: User, Path(name): Path<String>) -> Result<Json<Vec<TestTiming>>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    Ok(Json(reports::timings(&app.store, &repository.id, MOST_TIMINGS).await?))
}
