//! What agents tell about an attempt: events, then the end.

use axum::extract::State;
use axum::http::StatusCode;
use protocol::lease::{Events, Finish};

use super::hold;
use crate::app::App;
use crate::http::access::AgentCaller;
use crate::http::error::ApiError;
use crate::http::extract::{Json as Body, Path};
use crate::store::{StoreError, attempts, queue};

/// Keeps events; telling one twice changes nothing.
pub(super) async fn events(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Path(attempt): Path<String>,
    Body(told): Body<Events>,
) -> Result<StatusCode, ApiError> {
    attempts::events(&app.store, &hold(agent, attempt, told.epoch), &told.events).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends an attempt; telling it twice changes nothing. The logs are sealed first, so that whoever sees the end sees
/// them whole.
pub(super) async fn finish(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Path(attempt): Path<String>,
    Body(told): Body<Finish>,
) -> Result<StatusCode, ApiError> {
    let hold = hold(agent, attempt, told.epoch);
    match attempts::check(&app.store, &hold).await {
        Ok(()) => app.logs.seal_all(&hold.attempt).await?,
        // It may have ended with this very call before; `finish` knows.
        Err(StoreError::StaleLease) => {}
        Err(error) => return Err(error.into()),
    }
    let verdict = told.result.verdict;
    // First, so that whoever sees the end sees this too.
    if let Some(until) = told.held_until {
        app.shells.hold(&hold.agent, &hold.attempt, until);
    }
    let ending = queue::Ending {
        events: told.events,
        result: told.result,
        outputs: told.outputs,
    };
    queue::finish_with(&app.store, &hold, ending).await?;
    metrics::counter!("drover_attempts_finished_total", "verdict" => format!("{verdict:?}").to_lowercase())
        .increment(1);
    tracing::info!(attempt.id = %hold.attempt, ?verdict, "an attempt ended");
    Ok(StatusCode::NO_CONTENT)
}
