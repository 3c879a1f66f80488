//! Attempts: show one, and what its agent reported.

use axum::Json;
use axum::extract::State;
use protocol::api::Attempt;
use protocol::attempt::AttemptEvent;
use protocol::ids::AttemptId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shapes;
use crate::app::App;
use crate::http::access::User;
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::store::attempts;

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(events))
}

/// From which event on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct From {
    /// From this `seq` on, 0 by default.
    #[serde(default)]
    from: u64,
}

/// One attempt.
#[utoipa::path(get, path = "/api/v1/attempts/{attempt}", params(("attempt", description = "Its id")),
    responses((status = 200, body = Attempt)))]
async fn show(State(app): State<App>, _: User, Path(attempt): Path<String>) -> Result<Json<Attempt>, ApiError> {
    Ok(Json(shapes::attempt(
        attempts::show(&app.store, &AttemptId(attempt)).await?,
    )))
}

/// What its agent reported, in order.
#[utoipa::path(get, path = "/api/v1/attempts/{attempt}/events", params(("attempt", description = "Its id"), From),
    responses((status = 200, body = Vec<Object>)))]
async fn events(
    State(app): State<App>,
    _: User,
    Path(attempt): Path<String>,
    Query(query): Query<From>,
) -> Result<Json<Vec<AttemptEvent>>, ApiError> {
    let attempt = attempts::show(&app.store, &AttemptId(attempt)).await?;
    Ok(Json(attempts::list_events(&app.store, &attempt.id, query.from).await?))
}
