//! `/jobs/{job}/shell`: a terminal in a step that runs, a service, or what is retained of a job.

use axum::extract::State;
use axum::response::Response;
use protocol::ids::JobId;
use serde::Deserialize;
use web::views::ShellPage;

use super::PageError;
use super::frame::Framed;
use crate::app::App;
use crate::http::access::User;
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::http::shell;
use crate::store::{jobs, stacks};

/// What is entered.
#[derive(Deserialize)]
pub(super) struct ShellQuery {
    service: Option<String>,
}

pub(super) async fn page(
    State(app): State<App>,
    _: User,
    framed: Framed,
    Path(job): Path<String>,
    Query(query): Query<ShellQuery>,
) -> Result<Response, PageError> {
    let id = JobId(job);
    shell::enterable(&app, &id).await?;
    let found = jobs::show(&app.store, &id).await?;
    let services: Vec<String> = found.spec.services.iter().map(|service| service.name.clone()).collect();
    if query
        .service
        .as_ref()
        .is_some_and(|service| !services.contains(service))
    {
        return Err(ApiError::NotFound("service").into());
    }
    let page = ShellPage {
        build: found.job.build,
        job: id.0,
        title: found.job.title,
        service: query.service,
        services,
        retained_until: stacks::of_job(&app.store, &found.job.id)
            .await?
            .map(|stack| stack.expires_at),
    };
    Ok(framed.render(&page, web::pages::shell))
}
