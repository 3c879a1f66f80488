//! Caches of a repository: list, prune.

use axum::Json;
use axum::extract::State;
use protocol::api::{Cache, RemovedCaches};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::access::{By, User};
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::store::{caches, repositories};

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, prune))
}

/// Which to remove.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Of this reference only: `refs/heads/main`.
    scope: Option<String>,
}

/// The caches of a repository, last used first.
#[utoipa::path(get, path = "/api/v1/repositories/{name}/caches", params(("name", description = "The repository")),
    responses((status = 200, body = Vec<Cache>)))]
async fn list(State(app): State<App>, _: User, Path(name): Path<String>) -> Result<Json<Vec<Cache>>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    Ok(Json(caches::list(&app.store, &repository.id).await?))
}

/// Removes the caches of a repository, of all references or of one.
#[utoipa::path(delete, path = "/api/v1/repositories/{name}/caches",
    params(("name", description = "The repository"), Which), responses((status = 200, body = RemovedCaches)))]
async fn prune(
    State(app): State<App>,
    By(actor): By,
    Path(name): Path<String>,
    Query(which): Query<Which>,
) -> Result<Json<RemovedCaches>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    let removed = caches::prune(&app.store, &actor, &repository.id, which.scope).await?;
    Ok(Json(RemovedCaches { removed }))
}
