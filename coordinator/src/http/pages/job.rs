//! `/jobs/{job}`: one job at its newest attempt, or at the one that was asked for.

use axum::extract::State;
use axum::response::Response;
use job_specs::model::{ArtifactSpec, JobSpec};
use job_specs::status::JobStatus;
use protocol::ids::JobId;
use protocol::work::StackState;
use serde::Deserialize;
use web::views::{AttemptLink, JobActions, JobPage, Retained};

use super::attempt::{self, Screen};
use super::frame::Framed;
use super::{PageError, Part, rows, test_reports};
use crate::app::App;
use crate::http::access::Reader;
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::store::{artifacts, builds, jobs, stacks};

/// How to show it.
#[derive(Deserialize)]
pub(super) struct JobQuery {
    live: Option<u8>,
    plain: Option<u8>,
}

impl JobQuery {
    fn screen(&self) -> Screen {
        match (self.live, self.plain) {
            (Some(1), _) => Screen::Nothing,
            (_, Some(1)) => Screen::Plain,
            _ => Screen::First,
        }
    }
}

/// The job at its newest attempt.
pub(super) async fn newest(
    State(app): State<App>,
    reader: Reader,
    framed: Framed,
    Path(job): Path<String>,
    Query(query): Query<JobQuery>,
) -> Result<Response, PageError> {
    page(&app, (reader, framed), (JobId(job), None), query).await
}

/// The job at one of its attempts.
pub(super) async fn attempt(
    State(app): State<App>,
    reader: Reader,
    framed: Framed,
    Path((job, number)): Path<(String, u32)>,
    Query(query): Query<JobQuery>,
) -> Result<Response, PageError> {
    page(&app, (reader, framed), (JobId(job), Some(number)), query).await
}

async fn page(
    app: &App,
    (Reader(user), framed): (Reader, Framed),
    (job, number): (JobId, Option<u32>),
    query: JobQuery,
) -> Result<Response, PageError> {
    let found = jobs::show(&app.store, &job).await?;
    let build = builds::show(&app.store, found.job.build).await?;
    let part = Part { live: query.live };
    let shown = match number {
        Some(number) => {
            let attempt = found.attempts.iter().find(|attempt| attempt.number == number);
            Some(attempt.ok_or(ApiError::NotFound("attempt"))?)
        }
        None => found.attempts.last(),
    };
    let view = match shown {
        Some(shown) => Some(attempt::view(app, &found, shown, query.screen()).await?),
        None => None,
    };
    let tests = match shown {
        Some(shown) => test_reports::of_attempt(app, shown).await?,
        None => None,
    };
    let links = found.attempts.iter().map(|attempt| AttemptLink {
        number: attempt.number,
        status: attempt::status(attempt),
    });
    let siblings = rows::jobs(app, build.jobs).await?;
    let row = siblings.iter().find(|row| row.id == job.as_str()).cloned();
    let over = found.job.status.is_final();
    let of_shown = shown.map(|shown| shown.id.clone());
    let kept = artifacts::of_job(&app.store, &job).await?.into_iter();
    let kept = kept.filter(|artifact| of_shown.as_ref() == Some(&artifact.attempt));
    let stack = stacks::of_job(&app.store, &job).await?;
    let retained = stack.filter(|stack| user.is_some() && stack.state != StackState::Deleting);
    let page = JobPage {
        artifacts: kept.map(super::artifact::row).collect(),
        not_kept: shown
            .map(|shown| not_kept(&found.spec, attempt::status(shown)))
            .unwrap_or_default(),
        attempts: links.collect(),
        attempt: view,
        tests,
        build: rows::build(build.build),
        job: row.ok_or(ApiError::NotFound("job"))?,
        siblings,
        actions: JobActions {
            cancel: user.is_some() && !over,
            rerun: user.is_some() && over,
            enter: user.is_some() && (retained.is_some() || found.job.status == JobStatus::Running),
        },
        retained: retained.map(|stack| Retained {
            until: stack.expires_at,
            silent_agent: (stack.state == StackState::Unreachable).then_some(stack.agent_name),
        }),
    };
    Ok(framed.render_part(part, &page, (web::pages::job, web::pages::job_live)))
}

/// What an attempt that ended so did not keep.
fn not_kept(spec: &JobSpec, status: JobStatus) -> Vec<String> {
    match status {
        JobStatus::Failed | JobStatus::TimedOut => {
            let artifacts = spec.artifacts.iter();
            artifacts.filter_map(ArtifactSpec::not_kept_of_failed).collect()
        }
        _ => Vec::new(),
    }
}
