//! Secrets: set, list by name, remove. A value never comes back.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::api::{NewSecretValue, Secret};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::access::{By, User};
use crate::http::error::ApiError;
use crate::http::extract::{Json as Body, Path};
use crate::store::{repositories, secrets};

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(set, remove))
}

/// The secrets of a repository, by name.
#[utoipa::path(get, path = "/api/v1/repositories/{name}/secrets", params(("name", description = "The repository")),
    responses((status = 200, body = Vec<Secret>)))]
async fn list(State(app): State<App>, _: User, Path(name): Path<String>) -> Result<Json<Vec<Secret>>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    Ok(Json(secrets::list(&app.store, &repository.id).await?))
}

/// Sets a secret.
#[utoipa::path(put, path = "/api/v1/repositories/{name}/secrets/{secret}",
    params(("name", description = "The repository"), ("secret", description = "The secret's name")),
    request_body = NewSecretValue, responses((status = 204)))]
async fn set(
    State(app): State<App>,
    By(actor): By,
    Path((name, secret)): Path<(String, String)>,
    Body(body): Body<NewSecretValue>,
) -> Result<StatusCode, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    secrets::set(&app.store, &actor, (&repository.id, &secret), body.value).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Destroys a secret.
#[utoipa::path(delete, path = "/api/v1/repositories/{name}/secrets/{secret}",
    params(("name", description = "The repository"), ("secret", description = "The secret's name")),
    responses((status = 204)))]
async fn remove(
    State(app): State<App>,
    By(actor): By,
    Path((name, secret)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    secrets::remove(&app.store, &actor, (&repository.id, &secret)).await?;
    Ok(StatusCode::NO_CONTENT)
}
