//! Builds: list, show, cancel, run again, why, and what is wrong with a job file.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use job_specs::status::JobStatus;
use protocol::api::{
    Build, BuildDetail, BuildDiagnosis, JobFileText, MadeBuild, Rerun as RerunBody, RerunJobs, WhyWaiting,
};
use protocol::ids::JobId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shapes;
use crate::app::App;
use crate::builds::job_files;
use crate::http::access::{By, User};
use crate::http::error::ApiError;
use crate::http::extract::{OptionalJson, Path, Query};
use crate::http::shell;
use crate::store::builds::{self, Filter, Rerun};
use crate::store::{approvals, attempts, jobs, repositories, stacks};

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(cancel))
        .routes(routes!(approve))
        .routes(routes!(rerun))
        .routes(routes!(why))
        .routes(routes!(diagnostics))
}

/// Which builds to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Of this repository only.
    repository: Option<String>,
    /// On this branch only.
    branch: Option<String>,
    /// At this commit only.
    commit: Option<String>,
    /// With this status only.
    status: Option<String>,
    /// Older than this number: for the next page.
    before: Option<i64>,
    /// At most so many, 50 by default, 500 at most.
    limit: Option<u32>,
}

/// Builds, newest first.
#[utoipa::path(get, path = "/api/v1/builds", params(ListQuery), responses((status = 200, body = Vec<Build>)))]
async fn list(State(app): State<App>, _: User, Query(query): Query<ListQuery>) -> Result<Json<Vec<Build>>, ApiError> {
    let repository = match &query.repository {
        Some(name) => Some(repositories::by_name(&app.store, name).await?.id),
        None => None,
    };
    let status = match query.status.as_deref() {
        Some(name) => Some(JobStatus::from_name(name).ok_or_else(|| unknown_status(name))?),
        None => None,
    };
    let filter = Filter {
        repository,
        status,
        branch: query.branch,
        commit: query.commit,
        before: query.before,
        limit: query.limit.unwrap_or(50).min(500),
        ..Filter::default()
    };
    let found = builds::list(&app.store, &filter).await?.into_iter();
    Ok(Json(found.map(|build| shapes::build(build, &app.url)).collect()))
}

fn unknown_status(name: &str) -> ApiError {
    let known = JobStatus::ALL.map(JobStatus::name).join(", ");
    ApiError::BadRequest(format!("unknown status `{name}`; known are {known}"))
}

/// One build with its jobs.
#[utoipa::path(get, path = "/api/v1/builds/{number}", params(("number", description = "Its number")),
    responses((status = 200, body = BuildDetail)))]
async fn show(State(app): State<App>, _: User, Path(number): Path<i64>) -> Result<Json<BuildDetail>, ApiError> {
    let found = builds::show(&app.store, number).await?;
    let in_common = in_common(&found.jobs);
    let mut left = stacks::of_build(&app.store, number).await?;
    let mut jobs = Vec::with_capacity(found.jobs.len());
    for job in found.jobs {
        let attempts = match job.attempts {
            0 => Vec::new(),
            _ => attempts::list(&app.store, &job.id).await?,
        };
        let stack = left
            .iter()
            .position(|stack| stack.job == job.id)
            .map(|place| left.remove(place));
        jobs.push(shapes::job(job, attempts, stack));
    }
    Ok(Json(BuildDetail {
        build: shapes::build(found.build, &app.url),
        jobs,
        diagnostics: found.diagnostics,
        in_common,
    }))
}

/// What the failing cells of each job have in common.
pub(super) fn in_common(jobs: &[jobs::Job]) -> Vec<String> {
    let mut by_name: BTreeMap<&str, Vec<web::common::Ended<'_>>> = BTreeMap::new();
    for job in jobs {
        by_name.entry(&job.name).or_default().push((&job.matrix, job.status));
    }
    let said = |(name, cells): (&str, Vec<_>)| Some(format!("{name}: {}", web::common::in_common(&cells)?));
    by_name.into_iter().filter_map(said).collect()
}

/// Stops a build: waiting jobs at once, running ones by their agents; what is retained of others is removed.
#[utoipa::path(post, path = "/api/v1/builds/{number}/cancel", params(("number", description = "Its number")),
    responses((status = 202, body = Build)))]
async fn cancel(
    State(app): State<App>,
    By(actor): By,
    Path(number): Path<i64>,
) -> Result<(StatusCode, Json<Build>), ApiError> {
    builds::cancel(&app.store, &actor, number).await?;
    shell::release(&app, &actor, number, None).await?;
    let found = builds::show(&app.store, number).await?;
    Ok((StatusCode::ACCEPTED, Json(shapes::build(found.build, &app.url))))
}

/// Lets the build of a stranger's pull request run, and every other one of the same commit; a new commit waits again.
#[utoipa::path(post, path = "/api/v1/builds/{number}/approve", params(("number", description = "Its number")),
    responses((status = 200, body = Build), (status = 422)))]
async fn approve(State(app): State<App>, By(actor): By, Path(number): Path<i64>) -> Result<Json<Build>, ApiError> {
    approvals::approve(&app.store, &actor, number).await?;
    let found = builds::show(&app.store, number).await?;
    Ok(Json(shapes::build(found.build, &app.url)))
}

/// Makes a new build of the same commit.
#[utoipa::path(post, path = "/api/v1/builds/{number}/rerun", params(("number", description = "Its number")),
    request_body = RerunBody, responses((status = 201, body = MadeBuild), (status = 422)))]
async fn rerun(
    State(app): State<App>,
    By(actor): By,
    Path(number): Path<i64>,
    OptionalJson(body): OptionalJson<RerunBody>,
) -> Result<(StatusCode, Json<MadeBuild>), ApiError> {
    let which = match body.which {
        RerunJobs::All => Rerun::All,
        RerunJobs::Failed => Rerun::Failed,
        RerunJobs::Jobs(ids) => Rerun::Jobs(ids.into_iter().map(JobId).collect()),
    };
    let made = crate::builds::rerun(&app, &actor, number, which).await?;
    Ok((StatusCode::CREATED, Json(shapes::made_build(made, &app.url))))
}

/// Why each job of a build that is not over stands where it stands.
#[utoipa::path(get, path = "/api/v1/builds/{number}/why", params(("number", description = "Its number")),
    responses((status = 200, body = Vec<WhyWaiting>)))]
async fn why(State(app): State<App>, _: User, Path(number): Path<i64>) -> Result<Json<Vec<WhyWaiting>>, ApiError> {
    let mut reasons = Vec::new();
    for job in builds::show(&app.store, number).await?.jobs {
        if !job.status.is_final() {
            let why = jobs::why(&app.store, &job.id).await?;
            reasons.push(WhyWaiting {
                job: job.id.0,
                title: job.title,
                status: job.status,
                why,
            });
        }
    }
    Ok(Json(reasons))
}

/// What is wrong with the job files of a build, and the files themselves.
#[utoipa::path(get, path = "/api/v1/builds/{number}/diagnostics", params(("number", description = "Its number")),
    responses((status = 200, body = BuildDiagnosis)))]
async fn diagnostics(
    State(app): State<App>,
    _: User,
    Path(number): Path<i64>,
) -> Result<Json<BuildDiagnosis>, ApiError> {
    let found = builds::show(&app.store, number).await?;
    let files = job_files(&app, &found.build).await.into_iter().map(|file| JobFileText {
        name: file.name,
        text: file.text,
    });
    Ok(Json(BuildDiagnosis {
        diagnostics: found.diagnostics,
        files: files.collect(),
    }))
}
