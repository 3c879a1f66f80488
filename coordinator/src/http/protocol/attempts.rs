//! What agents report about an attempt: events, then the end.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::ids::StackId;
use protocol::lease::{Events, Finish, Finished};

use super::hold;
use crate::app::App;
use crate::http::access::AgentCaller;
use crate::http::error::ApiError;
use crate::http::extract::{Json as Body, Path};
use crate::store::queue::AgentLease;
use crate::store::stacks::Retain;
use crate::store::{Micros, StoreError, attempts, queue};

/// Keeps events; reporting one twice changes nothing.
pub(super) async fn events(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Path(attempt): Path<String>,
    Body(report): Body<Events>,
) -> Result<StatusCode, ApiError> {
    attempts::events(&app.store, &hold(agent, attempt, report.epoch), &report.events).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends an attempt; reporting it twice changes nothing. The logs are sealed first, so that whoever sees the end sees
/// them whole.
pub(super) async fn finish(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Path(attempt): Path<String>,
    Body(report): Body<Finish>,
) -> Result<Json<Finished>, ApiError> {
    let hold = hold(agent, attempt, report.epoch);
    match attempts::check(&app.store, &hold).await {
        Ok(()) => app.logs.seal_all(&hold.attempt).await?,
        // It may have ended with this very call before; `finish` knows.
        Err(StoreError::StaleLease) => {}
        Err(error) => return Err(error.into()),
    }
    let verdict = report.result.verdict;
    let ending = queue::Ending {
        events: report.events,
        result: report.result,
        outputs: report.outputs,
        retain: retain(&hold, report.retain_secs, report.held_until),
    };
    let stack = queue::finish_with(&app.store, &hold, ending).await?;
    metrics::counter!("drover_attempts_finished_total", "verdict" => format!("{verdict:?}").to_lowercase())
        .increment(1);
    tracing::info!(attempt.id = %hold.attempt, ?verdict, "an attempt ended");
    Ok(Json(Finished { stack }))
}

/// What is to stay. An agent of version 1 says until when, and calls it by its attempt.
fn retain(hold: &AgentLease, secs: Option<u64>, until: Option<Micros>) -> Option<Retain> {
    let of_version_1 = || {
        let rest = until? - jiff::Timestamp::now().as_microsecond();
        Some(Retain {
            time: Duration::from_micros(u64::try_from(rest).ok()?),
            called: Some(StackId(hold.attempt.0.clone())),
        })
    };
    let retain = secs.map(|secs| Retain {
        time: Duration::from_secs(secs),
        called: None,
    });
    retain.or_else(of_version_1)
}
