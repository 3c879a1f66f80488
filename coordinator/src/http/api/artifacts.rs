//! Artifacts: list, fetch whole or one file of them, remove. Their bytes are a job's, so they are only ever handed out
//! as files to be saved, never as something that a browser shows.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use object_store::GetRange;
use protocol::api::{Artifact, ArtifactFile};
use protocol::ids::JobId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::blobs::browse;
use crate::http::access::{By, Reader};
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::store::{artifacts, builds, jobs};

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(of_build))
        .routes(routes!(of_job))
        .routes(routes!(fetch, remove))
        .routes(routes!(files))
        .routes(routes!(file))
}

impl From<artifacts::Artifact> for Artifact {
    fn from(artifact: artifacts::Artifact) -> Artifact {
        Artifact {
            id: artifact.id,
            build: artifact.build,
            job: artifact.job.0,
            job_title: artifact.job_title,
            attempt: artifact.attempt.0,
            name: artifact.name,
            sha256: artifact.sha256,
            bytes: artifact.bytes,
            files: artifact.files,
            created_at: artifact.created_at,
            expires_at: artifact.expires_at,
        }
    }
}

/// The artifacts of a build, of the newest attempt of each job.
#[utoipa::path(get, path = "/api/v1/builds/{number}/artifacts", params(("number" = i64, description = "The build")),
    responses((status = 200, body = Vec<Artifact>)))]
async fn of_build(State(app): State<App>, _: Reader, Path(number): Path<i64>) -> Result<Json<Vec<Artifact>>, ApiError> {
    builds::show(&app.store, number).await?;
    let found = artifacts::of_build(&app.store, number).await?;
    Ok(Json(found.into_iter().map(Artifact::from).collect()))
}

/// The artifacts of a job, of all its attempts.
#[utoipa::path(get, path = "/api/v1/jobs/{job}/artifacts", params(("job", description = "Its id")),
    responses((status = 200, body = Vec<Artifact>)))]
async fn of_job(State(app): State<App>, _: Reader, Path(job): Path<String>) -> Result<Json<Vec<Artifact>>, ApiError> {
    let job = JobId(job);
    jobs::show(&app.store, &job).await?;
    let found = artifacts::of_job(&app.store, &job).await?;
    Ok(Json(found.into_iter().map(Artifact::from).collect()))
}

/// The archive of an artifact (tar, zstd); with `Range: bytes=…` a part of it.
#[utoipa::path(get, path = "/api/v1/artifacts/{artifact}", params(("artifact", description = "Its id")),
    responses((status = 200, content_type = "application/zstd", body = Vec<u8>), (status = 206)))]
async fn fetch(
    State(app): State<App>,
    _: Reader,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let artifact = artifacts::show(&app.store, &id).await?;
    let range = headers
        .get(header::RANGE)
        .and_then(|range| range_of(range.to_str().ok()?));
    let is_part = range.is_some();
    let opened = app.blobs.read(&artifact.sha256, range).await?;
    let len = opened.range.end - opened.range.start;
    let last = opened.range.end.saturating_sub(1);
    let mut answer = saved_as(
        &format!("{}.tar.zst", artifact.name),
        len,
        Body::from_stream(opened.stream),
    );
    let described = answer.headers_mut();
    described.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/zstd"),
    );
    described.insert(header::ACCEPT_RANGES, header::HeaderValue::from_static("bytes"));
    if let Ok(tag) = format!("\"{}\"", artifact.sha256).parse() {
        described.insert(header::ETAG, tag);
    }
    if is_part && let Ok(range) = format!("bytes {}-{last}/{}", opened.range.start, opened.size).parse() {
        described.insert(header::CONTENT_RANGE, range);
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(answer)
}

/// The one range of a header: `bytes=5-9`, `bytes=5-`, `bytes=-9`. What is not understood is no range.
fn range_of(text: &str) -> Option<GetRange> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    match (from.trim().parse().ok(), to.trim().parse::<u64>().ok()) {
        (Some(from), Some(to)) if from <= to => Some(GetRange::Bounded(from..to + 1)),
        (Some(from), None) if to.trim().is_empty() => Some(GetRange::Offset(from)),
        (None, Some(last)) if from.trim().is_empty() => Some(GetRange::Suffix(last)),
        _ => None,
    }
}

/// Which files.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Leave out so many.
    #[serde(default)]
    after: usize,
    /// At most so many, 1,000 by default, 10,000 at most; fewer when their names are long.
    limit: Option<usize>,
}

/// What is in an artifact, in pages. The header `Link: <…>; rel="next"` leads to the next one; without it there is none.
#[utoipa::path(get, path = "/api/v1/artifacts/{artifact}/files",
    params(("artifact", description = "Its id"), Which), responses((status = 200, body = Vec<ArtifactFile>)))]
async fn files(
    State(app): State<App>,
    _: Reader,
    Path(id): Path<String>,
    Query(which): Query<Which>,
) -> Result<Response, ApiError> {
    let artifact = artifacts::show(&app.store, &id).await?;
    let limit = which.limit.unwrap_or(1_000).clamp(1, 10_000);
    let page = browse::page(&app.blobs, &artifact.sha256, which.after, limit).await?;
    let files = page.items.into_iter().map(|item| ArtifactFile {
        name: item.name,
        size: item.size,
        mode: item.mode,
        link: item.link,
    });
    let mut answer = Json(files.collect::<Vec<_>>()).into_response();
    if let Some(after) = page.next
        && let Ok(link) = format!("</api/v1/artifacts/{id}/files?after={after}&limit={limit}>; rel=\"next\"").parse()
    {
        answer.headers_mut().insert(header::LINK, link);
    }
    Ok(answer)
}

/// One file of an artifact.
#[utoipa::path(get, path = "/api/v1/artifacts/{artifact}/files/{*path}",
    params(("artifact", description = "Its id"), ("path" = String, description = "The file's name in it")),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)))]
async fn file(
    State(app): State<App>,
    _: Reader,
    Path((id, path)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let artifact = artifacts::show(&app.store, &id).await?;
    let file = browse::file(&app.blobs, &artifact.sha256, &path).await?;
    let name = path.rsplit('/').next().unwrap_or_default();
    Ok(saved_as(name, file.size, Body::from_stream(file.bytes)))
}

/// Removes an artifact.
#[utoipa::path(delete, path = "/api/v1/artifacts/{artifact}", params(("artifact", description = "Its id")),
    responses((status = 204)))]
async fn remove(State(app): State<App>, By(actor): By, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    artifacts::remove(&app.store, &actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Bytes to be saved under that name. A browser neither shows nor runs them.
fn saved_as(name: &str, len: u64, body: Body) -> Response {
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.+ ".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    let named = format!(
        "attachment; filename=\"{plain}\"; filename*=UTF-8''{}",
        web::routes::encode(name)
    );
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, named),
        (header::CONTENT_LENGTH, len.to_string()),
        (
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'".to_owned(),
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        // As it is: a compressor would only lose its length.
        (header::CONTENT_ENCODING, "identity".to_owned()),
    ];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_understood_or_ignored() {
        assert_eq!(range_of("bytes=5-9"), Some(GetRange::Bounded(5..10)));
        assert_eq!(range_of("bytes=5-"), Some(GetRange::Offset(5)));
        assert_eq!(range_of("bytes=-9"), Some(GetRange::Suffix(9)));
        for nonsense in ["bytes=9-5", "bytes=a-b", "lines=1-2", "bytes=1-2,4-5", ""] {
            assert_eq!(range_of(nonsense), None, "{nonsense}");
        }
    }
}
