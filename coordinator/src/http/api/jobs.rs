//! Jobs: show, why, cancel; and the queue.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::api::{HistoryEntry, Job, JobDetail, WaitingJob, WhyWaiting};
use protocol::ids::JobId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shapes;
use crate::app::App;
use crate::http::access::{By, User};
use crate::http::error::ApiError;
use crate::http::extract::Path;
use crate::http::shell;
use crate::store::{jobs, queue, stacks};

/// Jobs of the queue that are listed at most.
const QUEUE_LIMIT: u32 = 500;

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(why))
        .routes(routes!(cancel))
        .routes(routes!(waiting))
}

/// One job with its attempts, its definition and its history.
#[utoipa::path(get, path = "/api/v1/jobs/{job}", params(("job", description = "Its id")),
    responses((status = 200, body = JobDetail)))]
async fn show(State(app): State<App>, _: User, Path(job): Path<String>) -> Result<Json<JobDetail>, ApiError> {
    let id = JobId(job);
    let found = jobs::show(&app.store, &id).await?;
    let stack = stacks::of_job(&app.store, &id).await?;
    let history = found.history.into_iter().map(|entry| HistoryEntry {
        at: entry.at,
        event: entry.event,
        status: entry.status,
    });
    Ok(Json(JobDetail {
        history: history.collect(),
        job: shapes::job(found.job, found.attempts, stack),
        spec: found.spec,
        labels: found.labels,
    }))
}

/// Why a job stands where it stands.
#[utoipa::path(get, path = "/api/v1/jobs/{job}/why", params(("job", description = "Its id")),
    responses((status = 200, body = WhyWaiting)))]
async fn why(State(app): State<App>, _: User, Path(job): Path<String>) -> Result<Json<WhyWaiting>, ApiError> {
    let id = JobId(job);
    let found = jobs::show(&app.store, &id).await?.job;
    let why = jobs::why(&app.store, &id).await?;
    Ok(Json(WhyWaiting {
        job: id.0,
        title: found.title,
        status: found.status,
        why,
    }))
}

/// Stops one job; of one that is over, removes what is retained.
#[utoipa::path(post, path = "/api/v1/jobs/{job}/cancel", params(("job", description = "Its id")),
    responses((status = 202, body = Job)))]
async fn cancel(
    State(app): State<App>,
    By(actor): By,
    Path(job): Path<String>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let id = JobId(job);
    let build = jobs::show(&app.store, &id).await?.job.build;
    if !shell::release(&app, &actor, build, Some(&id)).await? {
        queue::cancel(&app.store, &actor, &id).await?;
    }
    let found = jobs::show(&app.store, &id).await?;
    let stack = stacks::of_job(&app.store, &id).await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(shapes::job(found.job, found.attempts, stack)),
    ))
}

/// Jobs that wait, in the order in which they will run, each with its reason.
#[utoipa::path(get, path = "/api/v1/queue", responses((status = 200, body = Vec<WaitingJob>)))]
async fn waiting(State(app): State<App>, _: User) -> Result<Json<Vec<WaitingJob>>, ApiError> {
    let waiting = queue::waiting(&app.store, QUEUE_LIMIT).await?.into_iter();
    let waiting = waiting.map(|job| WaitingJob {
        job: job.job.0,
        build: job.build,
        repository: job.repository,
        title: job.title,
        since: job.since,
        why: job.why,
    });
    Ok(Json(waiting.collect()))
}
