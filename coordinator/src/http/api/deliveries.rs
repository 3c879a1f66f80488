//! Deliveries: what came in, what became of it, and once more please.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::ids::DeliveryId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::access::User;
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::store::deliveries::{self, DeliveryStatus};
use crate::store::{Micros, repositories};

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(redeliver))
}

/// One delivery.
#[derive(Debug, Serialize, ToSchema)]
struct Delivery {
    /// Its id.
    id: String,
    /// Name of its repository.
    repository: String,
    /// The forge's id of it.
    external_id: Option<String>,
    /// The forge's word for it: `push`.
    event: String,
    /// `pending`, `done` or `failed`.
    #[schema(value_type = String)]
    status: DeliveryStatus,
    /// How often it was tried.
    tries: i64,
    /// What came of it, or what is wrong.
    message: Option<String>,
    /// The build that it made.
    build: Option<i64>,
    /// When it came.
    received_at: Micros,
    /// When it is tried next, while pending.
    next_at: Option<Micros>,
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

/// A delivery with what was received.
#[derive(Debug, Serialize, ToSchema)]
struct FullDelivery {
    #[serde(flatten)]
    delivery: Delivery,
    /// The headers that were kept.
    headers: BTreeMap<String, String>,
    /// The body, as text.
    body: String,
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
    responses((status = 200, body = FullDelivery)))]
async fn show(State(app): State<App>, _: User, Path(id): Path<String>) -> Result<Json<FullDelivery>, ApiError> {
    let full = deliveries::get(&app.store, &DeliveryId(id)).await?;
    Ok(Json(FullDelivery {
        delivery: full.delivery.into(),
        headers: full.headers,
        body: String::from_utf8_lossy(&full.body).into_owned(),
    }))
}

/// Processes a delivery again, whatever became of it before.
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/redeliver", params(("id", description = "Its id")),
    responses((status = 202, body = Delivery)))]
async fn redeliver(
    State(app): State<App>,
    _: User,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Delivery>), ApiError> {
    let id = DeliveryId(id);
    deliveries::redeliver(&app.store, &id).await?;
    app.delivered.notify_one();
    let full = deliveries::get(&app.store, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(full.delivery.into())))
}
