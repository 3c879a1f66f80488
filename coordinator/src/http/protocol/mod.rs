//! `/agent/v1`: what agents ask and report. Every call about an attempt names its epoch; what is stale is answered with
//! 409, and the agent stops that work.

mod attempts;
mod blobs;
mod logs;
mod poll;
mod reports;

use axum::Json;
use axum::extract::State;
use axum::http::Method;
use axum::routing::{get, patch, post, put};
use protocol::ids::{AgentId, AttemptId};
use protocol::lease::{Enrol, Enrolled};

use super::error::ApiError;
use super::extract::Json as Body;
use super::routes::Routes;
use crate::app::App;
use crate::store::agents;
use crate::store::queue::AgentLease;

/// The routes of agents.
pub(super) fn router() -> Routes {
    Routes::new()
        .route("/agent/v1/enrol", [Method::POST], post(enrol))
        .route("/agent/v1/poll", [Method::POST], post(poll::poll))
        .route(
            "/agent/v1/attempts/{attempt}/events",
            [Method::POST],
            post(attempts::events),
        )
        .route(
            "/agent/v1/attempts/{attempt}/finish",
            [Method::POST],
            post(attempts::finish),
        )
        .route(
            "/agent/v1/attempts/{attempt}/logs/{stream}",
            [Method::PATCH],
            patch(logs::append),
        )
        .route("/agent/v1/attempts/{attempt}/limits", [Method::GET], get(blobs::limits))
        // as agents of version 1 call it
        .route("/agent/v1/attempts/{attempt}/room", [Method::GET], get(blobs::limits))
        .route("/agent/v1/attempts/{attempt}/needs", [Method::GET], get(blobs::needs))
        .route(
            "/agent/v1/attempts/{attempt}/artifacts/{name}",
            [Method::PUT],
            put(blobs::keep_artifact),
        )
        .route(
            "/agent/v1/attempts/{attempt}/caches/find",
            [Method::POST],
            post(blobs::find_cache),
        )
        .route(
            "/agent/v1/attempts/{attempt}/caches/{key}",
            [Method::PUT],
            put(blobs::save_cache),
        )
        .route(
            "/agent/v1/attempts/{attempt}/blobs/{sha}",
            [Method::GET],
            get(blobs::read),
        )
        .route("/agent/v1/attempts/{attempt}/tests", [Method::PUT], put(reports::keep))
}

/// Lets an agent in by its one-time code.
async fn enrol(State(app): State<App>, Body(enrol): Body<Enrol>) -> Result<Json<Enrolled>, ApiError> {
    let enrolled = agents::enrol(&app.store, &enrol.code, (&enrol.name, enrol.labels)).await?;
    tracing::info!(agent.id = %enrolled.agent, agent.name = enrol.name, "an agent came in");
    Ok(Json(enrolled))
}

/// The lease that a call is about.
fn hold(agent: AgentId, attempt: String, epoch: i64) -> AgentLease {
    AgentLease {
        agent,
        attempt: AttemptId(attempt),
        epoch,
    }
}
