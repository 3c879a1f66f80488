//! Log uploads by offset: bytes of records, compressed. A wrong offset is answered with the right one, so an agent
//! that was cut off goes on without gap or doubling.

use std::io::Read;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use protocol::ids::StreamId;
use protocol::lease::LogAnswer;
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::hold;
use crate::app::App;
use crate::http::access::AgentCaller;
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::logs::{LogError, LogKey};
use crate::store::attempts;

/// Where the body belongs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogPart {
    /// Bytes of records before it.
    offset: u64,
    /// Under which epoch.
    epoch: i64,
    /// `1`: nothing comes after it.
    eof: Option<u8>,
}

/// Adds records to a log.
pub(super) async fn append(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Path((attempt, stream)): Path<(String, String)>,
    Query(place): Query<LogPart>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let hold = hold(agent, attempt, place.epoch);
    attempts::check(&app.store, &hold).await?;
    let key = LogKey {
        attempt: hold.attempt,
        stream: StreamId::parse(&stream).ok_or(ApiError::NotFound("log"))?,
    };
    let records = decompress(body, app.config.limits.log_bytes).await?;
    metrics::counter!("drover_log_bytes_total").increment(records.len() as u64);
    let next_offset = match add(&app, &key, place.offset, records).await {
        Err(LogError::WrongOffset { expected }) => {
            let answer = LogAnswer { next_offset: expected };
            return Ok((StatusCode::CONFLICT, Json(answer)).into_response());
        }
        other => other?,
    };
    if place.eof == Some(1) {
        app.logs.seal(&key).await?;
    }
    Ok(Json(LogAnswer { next_offset }).into_response())
}

/// The same end may be reported twice: what adds nothing to a complete log is no error.
async fn add(app: &App, key: &LogKey, offset: u64, records: Vec<u8>) -> Result<u64, LogError> {
    let adds_nothing = records.is_empty();
    match app.logs.append(key, offset, records).await {
        Err(LogError::Sealed) => {
            let bytes = app.logs.meta(key).await?.bytes;
            if adds_nothing && offset == bytes {
                Ok(bytes)
            } else if offset < bytes {
                Err(LogError::WrongOffset { expected: bytes })
            } else {
                Err(LogError::Sealed)
            }
        }
        other => other,
    }
}

/// The records, if they are not more than `limit` bytes: a small body can be large inside.
pub(super) async fn decompress(body: Bytes, limit: usize) -> Result<Vec<u8>, ApiError> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let work = spawn_blocking(move || {
        let mut records = Vec::new();
        let decoder = zstd::stream::read::Decoder::with_buffer(&body[..])?;
        decoder.take(limit as u64 + 1).read_to_end(&mut records)?;
        std::io::Result::Ok(records)
    });
    let records = work.await.map_err(|error| ApiError::Internal(error.into()))?;
    let records = records.map_err(|_| ApiError::BadRequest("the body is not zstd".into()))?;
    if records.len() > limit {
        Err(ApiError::TooLarge(limit))
    } else {
        Ok(records)
    }
}
