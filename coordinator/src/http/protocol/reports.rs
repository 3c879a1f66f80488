//! What tests said: parts of reports, compressed, before the end of their attempt.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::reports::TestUpload;
use serde::Deserialize;

use super::{hold, logs};
use crate::app::App;
use crate::http::access::AgentCaller;
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::store::{attempts, reports};

/// Bytes of one part after decompression: 5,000 cases with a long message each.
const MAX_PART: usize = 32 << 20;

/// Under which lease.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lease {
    epoch: i64,
}

/// Keeps a part of a report; reporting it twice changes nothing.
pub(super) async fn keep(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Path(attempt): Path<String>,
    Query(lease): Query<Lease>,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let hold = hold(agent, attempt, lease.epoch);
    attempts::check(&app.store, &hold).await?;
    let json = logs::decompress(body, MAX_PART).await?;
    let part: TestUpload = serde_json::from_slice(&json)
        .map_err(|error| ApiError::BadRequest(format!("the body is no part of a test report: {error}")))?;
    metrics::counter!("drover_test_cases_total").increment(part.cases.len() as u64);
    reports::keep(&app.store, &hold, part).await?;
    Ok(StatusCode::NO_CONTENT)
}
