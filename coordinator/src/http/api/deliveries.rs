//! Deliveries: what came in, what became of it, and once more please.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::api::{Delivery, DeliveryDetail, DeliveryStatus};
use protocol::ids::DeliveryId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::access::{By, User};
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::store::deliveries;
use crate::store::repositories;

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(redeliver))
}

impl From<deliveries::Delivery> for Delivery {
    fn from(delivery: deliveries::Delivery) -> Self {
        let pending = delivery.status == DeliveryStatus::Pending;
        Delivery {
            id: delivery.id.0,
            repository: delivery.repository_name,
            external_id: delivery.external_id,
            event: delivery.event,
            status: delivery.status,
            tries: delivery.tries,
            message: delivery.message,
            build: delivery.build,
            received_at: delivery.received_at,
            next_at: pending.then_some(delivery.next_at),
        }
    }
}

/// How many to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Limit {
    /// At most so many, 50 by default, 500 at most.
    limit: Option<u32>,
}

/// The newest deliveries of a repository.
#[utoipa::path(get, path = "/api/v1/repositories/{name}/deliveries",
    params(("name", description = "The repository"), Limit), responses((status = 200, body = Vec<Delivery>)))]
async fn list(
    State(app): State<App>,
    _: User,
    Path(name): Path<String>,
    Query(query): Query<Limit>,
) -> Result<Json<Vec<Delivery>>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    let limit = query.limit.unwrap_or(50).min(500);
    let newest = deliveries::list(&app.store, Some(&repository.id), limit).await?;
    Ok(Json(newest.into_iter().map(Delivery::from).collect()))
}

/// One delivery, with what was received.
#[utoipa::path(get, path = "/api/v1/deliveries/{id}", params(("id", description = "Its id")),
    responses((status = 200, body = DeliveryDetail)))]
async fn show(State(app): State<App>, _: User, Path(id): Path<String>) -> Result<Json<DeliveryDetail>, ApiError> {
    let full = deliveries::get(&app.store, &DeliveryId(id)).await?;
    Ok(Json(DeliveryDetail {
        delivery: full.delivery.into(),
        meaning: full.meaning,
        headers: full.headers,
        body: String::from_utf8_lossy(&full.body).into_owned(),
    }))
}

/// Processes a delivery again, whatever became of it before.
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/redeliver", params(("id", description = "Its id")),
    responses((status = 202, body = Delivery)))]
async fn redeliver(
    State(app): State<App>,
    By(actor): By,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Delivery>), ApiError> {
    let id = DeliveryId(id);
    deliveries::redeliver(&app.store, &actor, &id).await?;
    app.delivered.notify_one();
    let full = deliveries::get(&app.store, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(full.delivery.into())))
}
