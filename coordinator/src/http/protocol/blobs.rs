//! Caches and artifacts of agents: what they send is kept under their lease, what they may read is given.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::blobs::{BlobLimits, CacheWanted, Kept, NeededArtifact, OVER_QUOTA, READ_ONLY};
use serde::Deserialize;

use super::hold;
use crate::app::App;
use crate::blobs::BlobError;
use crate::http::access::AgentCaller;
use crate::http::error::ApiError;
use crate::http::extract::{Json as AsJson, Path, Query};
use crate::store::artifacts::{self, NewArtifact};
use crate::store::blobs::{Asker, Blob, asker};
use crate::store::caches::{self, NewCache};
use crate::store::queue::AgentLease;

/// Names of artifacts and keys of caches are at most so long, in bytes.
const LONGEST_NAME: usize = 512;
const DAY_SECS: u64 = 24 * 3_600;

/// Under which epoch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Epoch {
    epoch: i64,
}

/// What comes with an artifact.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    epoch: i64,
    files: u64,
    expires: Option<u64>,
}

/// How large things may be.
pub(super) async fn limits(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Path(attempt): Path<String>,
    Query(Epoch { epoch }): Query<Epoch>,
) -> Result<Json<BlobLimits>, ApiError> {
    let asker = asker(&app.store, &hold(agent, attempt, epoch)).await?;
    Ok(Json(limits_for(&app, &asker).await?))
}

async fn limits_for(app: &App, asker: &Asker) -> Result<BlobLimits, ApiError> {
    let limits = &app.config.blobs;
    let used = artifacts::total_bytes(&app.store, &asker.repository).await?;
    Ok(BlobLimits {
        artifact_bytes: limits.artifact_bytes,
        repository_bytes_left: limits.repository_bytes.saturating_sub(used),
        cache_bytes: limits.cache_bytes.min(limits.artifact_bytes),
    })
}

/// Keeps an artifact.
pub(super) async fn keep_artifact(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Path((attempt, name)): Path<(String, String)>,
    Query(sent): Query<Sent>,
    body: Body,
) -> Result<Json<Kept>, ApiError> {
    check_name("an artifact's name", &name)?;
    let hold = hold(agent, attempt, sent.epoch);
    let asker = asker(&app.store, &hold).await?;
    let limits = limits_for(&app, &asker).await?;
    let limit = limits.artifact_bytes.min(limits.repository_bytes_left);
    let blob = receive(&app, body, limit).await?;
    let default = u64::from(app.config.blobs.expires_days) * DAY_SECS;
    let lasts = sent.expires.unwrap_or(default).saturating_mul(1_000_000);
    let new = NewArtifact {
        name,
        blob: blob.clone(),
        files: sent.files,
        expires_at: app.store.now().saturating_add(i64::try_from(lasts).unwrap_or(i64::MAX)),
        repository_limit: app.config.blobs.repository_bytes,
    };
    match artifacts::keep(&app.store, &hold, new).await? {
        Some(id) => {
            tracing::info!(artifact.id = id, attempt.id = %hold.attempt, bytes = blob.bytes, "an artifact is kept")
        }
        None => return Err(over_quota(limit)),
    }
    Ok(Json(kept(blob)))
}

/// Keeps a cache in the scope of the build's own reference.
pub(super) async fn save_cache(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Path((attempt, key)): Path<(String, String)>,
    Query(Epoch { epoch }): Query<Epoch>,
    body: Body,
) -> Result<Json<Kept>, ApiError> {
    check_name("a cache's key", &key)?;
    let hold = hold(agent, attempt, epoch);
    let asker = asker(&app.store, &hold).await?;
    let Some(scope) = crate::caches::writable(&asker).map(str::to_owned) else {
        let why = "the build is not trusted, so it may only read caches";
        return Err(ApiError::Unprocessable(READ_ONLY, why.into()));
    };
    let limit = limits_for(&app, &asker).await?.cache_bytes;
    let blob = receive(&app, body, limit).await?;
    let new = NewCache {
        repository: asker.repository.clone(),
        scope,
        key,
        blob: blob.clone(),
    };
    caches::save(&app.store, &hold, new).await?;
    caches::evict(&app.store, &asker.repository, app.config.blobs.cache_bytes).await?;
    Ok(Json(kept(blob)))
}

/// Looks for a cache.
pub(super) async fn find_cache(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Path(attempt): Path<String>,
    AsJson(wanted): AsJson<CacheWanted>,
) -> Result<Response, ApiError> {
    let asker = asker(&app.store, &hold(agent, attempt, wanted.epoch)).await?;
    Ok(
        match crate::caches::find(&app, &asker, &wanted.key, &wanted.fallback).await? {
            Some(found) => Json(found).into_response(),
            None => StatusCode::NO_CONTENT.into_response(),
        },
    )
}

/// The artifacts of the jobs that the attempt's job needs.
pub(super) async fn needs(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Path(attempt): Path<String>,
    Query(Epoch { epoch }): Query<Epoch>,
) -> Result<Json<Vec<NeededArtifact>>, ApiError> {
    let asker = asker(&app.store, &hold(agent, attempt, epoch)).await?;
    Ok(Json(artifacts::needed(&app.store, &asker).await?))
}

/// An archive: of a cache in a scope that the build may read, or of an artifact that the job needs.
pub(super) async fn read(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Path((attempt, sha)): Path<(String, String)>,
    Query(Epoch { epoch }): Query<Epoch>,
) -> Result<Response, ApiError> {
    let hold: AgentLease = hold(agent, attempt, epoch);
    let asker = asker(&app.store, &hold).await?;
    if !may_read(&app, &asker, &sha).await? {
        return Err(ApiError::NotFound("archive"));
    }
    let opened = app.blobs.read(&sha, None).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/zstd".to_owned()),
        (header::CONTENT_LENGTH, opened.size.to_string()),
        // It is compressed as it is.
        (header::CONTENT_ENCODING, "identity".to_owned()),
    ];
    Ok((headers, Body::from_stream(opened.stream)).into_response())
}

async fn may_read(app: &App, asker: &Asker, sha: &str) -> Result<bool, ApiError> {
    let own = std::slice::from_ref(&asker.scope);
    if caches::has(&app.store, &asker.repository, own, sha).await? {
        return Ok(true);
    }
    let needed = artifacts::needed(&app.store, asker).await?;
    if needed.iter().any(|artifact| artifact.sha256 == sha) {
        return Ok(true);
    }
    let scopes = crate::caches::readable_by(app, asker).await;
    Ok(caches::has(&app.store, &asker.repository, &scopes, sha).await?)
}

/// Takes an upload and puts it in place.
async fn receive(app: &App, body: Body, limit: u64) -> Result<Blob, ApiError> {
    let received = match app.blobs.receive(body, limit).await {
        Err(BlobError::TooLarge(_)) => return Err(over_quota(limit)),
        other => other?,
    };
    Ok(received.settle(&app.store).await?)
}

fn over_quota(limit: u64) -> ApiError {
    let why = format!("it has more than {limit} bytes, and there is no room for more");
    ApiError::OverQuota(OVER_QUOTA, why)
}

fn kept(blob: Blob) -> Kept {
    Kept {
        sha256: blob.sha,
        bytes: blob.bytes,
    }
}

fn check_name(what: &str, name: &str) -> Result<(), ApiError> {
    let is_good = !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(char::is_control);
    match is_good {
        true => Ok(()),
        false => Err(ApiError::BadRequest(format!(
            "{what} has 1 to {LONGEST_NAME} bytes and no control characters"
        ))),
    }
}
