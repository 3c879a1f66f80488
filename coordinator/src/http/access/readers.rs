//! Whether a thing may be read without a login: whether it belongs to a repository that is marked public. What does
//! not exist is not public, so a visitor cannot tell the two apart.

use std::collections::HashMap;

use axum::RequestPartsExt;
use axum::extract::{Path, Query};
use axum::http::request::Parts;
use protocol::ids::{AttemptId, JobId};
use serde::Deserialize;

use super::rules::Subject;
use crate::app::App;
use crate::http::error::ApiError;
use crate::http::events::Topic;
use crate::store::{StoreError, artifacts, attempts, builds, jobs, repositories};

/// The part of the list's query that decides who may see it.
#[derive(Debug, Default, Deserialize)]
struct Filter {
    repository: Option<String>,
}

/// Whether the thing that the request names belongs to a public repository.
pub(super) async fn is_public(app: &App, subject: Subject, parts: &mut Parts) -> Result<bool, ApiError> {
    match is_public_if_there(app, subject, parts).await {
        Err(StoreError::NotFound(_)) => Ok(false),
        other => Ok(other?),
    }
}

async fn is_public_if_there(app: &App, subject: Subject, parts: &mut Parts) -> Result<bool, StoreError> {
    let path = parts.extract::<Path<HashMap<String, String>>>().await;
    let mut path = path.map(|Path(path)| path).unwrap_or_default();
    let mut named = |key: &str| path.remove(key).ok_or(StoreError::NotFound("page"));
    match subject {
        Subject::Build => is_build_public(app, named("number")?.parse().unwrap_or(-1)).await,
        Subject::Job => is_job_public(app, JobId(named("job")?)).await,
        Subject::Attempt => {
            let attempt = attempts::show(&app.store, &AttemptId(named("attempt")?)).await?;
            is_build_public(app, attempt.build).await
        }
        Subject::Artifact => {
            let artifact = artifacts::show(&app.store, &named("artifact")?).await?;
            is_build_public(app, artifact.build).await
        }
        Subject::Repository => is_repository_public(app, &named("name")?).await,
        Subject::Badge => {
            let file = named("file")?;
            let name = file.strip_suffix(".svg").ok_or(StoreError::NotFound("badge"))?;
            is_repository_public(app, name).await
        }
        Subject::Topic => match Topic::of(&parts.uri) {
            Ok(Topic::Build(number)) => is_build_public(app, number).await,
            Ok(Topic::Job(watched)) => is_job_public(app, watched.job).await,
            Ok(Topic::Builds | Topic::Queue) | Err(_) => Ok(false),
        },
        Subject::Filter => match Query::<Filter>::try_from_uri(&parts.uri) {
            Ok(Query(Filter { repository: Some(name) })) => is_repository_public(app, &name).await,
            _ => Ok(false),
        },
    }
}

async fn is_job_public(app: &App, job: JobId) -> Result<bool, StoreError> {
    let job = jobs::show(&app.store, &job).await?;
    is_build_public(app, job.job.build).await
}

async fn is_build_public(app: &App, number: i64) -> Result<bool, StoreError> {
    Ok(builds::show(&app.store, number).await?.build.public)
}

async fn is_repository_public(app: &App, name: &str) -> Result<bool, StoreError> {
    Ok(repositories::by_name(&app.store, name).await?.public)
}
