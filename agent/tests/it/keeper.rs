//! The part of the test coordinator that keeps archives: by the calls of `protocol::blobs`, for one attempt at a time.

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use protocol::blobs::{BlobLimits, CacheFound, CacheWanted, Kept, NeededArtifact};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::coordinator::Coordinator;

#[derive(Deserialize)]
struct Under {
    epoch: i64,
}

pub fn routes() -> Router<Coordinator> {
    Router::new()
        .route("/agent/v1/attempts/{attempt}/limits", get(limits))
        .route("/agent/v1/attempts/{attempt}/needs", get(needs))
        .route("/agent/v1/attempts/{attempt}/caches/find", post(find))
        .route("/agent/v1/attempts/{attempt}/{kind}/{name}", put(keep))
        .route("/agent/v1/attempts/{attempt}/blobs/{sha}", get(read))
}

fn sha(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

async fn limits(State(coordinator): State<Coordinator>, Query(Under { epoch }): Query<Under>) -> Json<BlobLimits> {
    assert_eq!(epoch, 3);
    let most = match coordinator.truth().artifact_bytes {
        0 => u64::MAX,
        most => most,
    };
    Json(BlobLimits {
        artifact_bytes: most,
        repository_bytes_left: u64::MAX,
        cache_bytes: u64::MAX,
    })
}

async fn keep(
    State(coordinator): State<Coordinator>,
    Path((_, kind, name)): Path<(String, String, String)>,
    body: Body,
) -> Response {
    let is_broken = {
        let mut truth = coordinator.truth();
        let broken = truth.broken_uploads > 0;
        truth.broken_uploads = truth.broken_uploads.saturating_sub(1);
        broken
    };
    if is_broken {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let kept = Kept {
        sha256: sha(&bytes),
        bytes: bytes.len() as u64,
    };
    coordinator.change(|truth| drop(truth.archives.insert(format!("{kind}/{name}"), bytes.to_vec())));
    Json(kept).into_response()
}

async fn find(State(coordinator): State<Coordinator>, Json(wanted): Json<CacheWanted>) -> Response {
    assert_eq!(wanted.epoch, 3);
    let truth = coordinator.truth();
    let caches = truth
        .archives
        .iter()
        .filter_map(|(at, bytes)| Some((at.strip_prefix("caches/")?, bytes)));
    let fits = |key: &str| key == wanted.key || wanted.fallback.iter().any(|start| key.starts_with(start));
    match caches.into_iter().find(|(key, _)| fits(key)) {
        None => StatusCode::NO_CONTENT.into_response(),
        Some((key, bytes)) => Json(CacheFound {
            key: key.to_owned(),
            sha256: sha(bytes),
            bytes: bytes.len() as u64,
        })
        .into_response(),
    }
}

async fn needs(State(coordinator): State<Coordinator>) -> Json<Vec<NeededArtifact>> {
    let truth = coordinator.truth();
    let artifacts = truth
        .archives
        .iter()
        .filter_map(|(at, bytes)| Some((at.strip_prefix("artifacts/")?, bytes)));
    let needed = artifacts.map(|(name, bytes)| NeededArtifact {
        job: "build".into(),
        name: name.to_owned(),
        sha256: sha(bytes),
        bytes: bytes.len() as u64,
        files: 1,
    });
    Json(needed.collect())
}

async fn read(State(coordinator): State<Coordinator>, Path((_, wanted)): Path<(String, String)>) -> Response {
    let truth = coordinator.truth();
    match truth.archives.values().find(|bytes| sha(bytes) == wanted) {
        Some(bytes) => bytes.clone().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
