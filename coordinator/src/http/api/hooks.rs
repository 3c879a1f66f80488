//! A repository's webhook: where its forge sends pushes, and the secret that signs them.

use axum::Json;
use axum::extract::State;
use protocol::api::Hook;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::access::{By, User};
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::store::repositories::{self, OldSecret, Repository};

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(rotate))
}

/// The webhook of `repository`.
pub(super) async fn hook(app: &App, repository: &Repository) -> Result<Hook, ApiError> {
    let secrets = repositories::hook_secrets(&app.store, &repository.id).await?;
    let secret = secrets.current.0;
    Ok(Hook {
        url: app.hook_url(repository),
        signing_token: repository.forge.signing_token(&secret),
        secret,
        before_until: secrets.before_until,
    })
}

/// The webhook's URL and secret.
#[utoipa::path(get, path = "/api/v1/repositories/{name}/hook", params(("name", description = "The repository")),
    responses((status = 200, body = Hook)))]
async fn show(State(app): State<App>, _: User, Path(name): Path<String>) -> Result<Json<Hook>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    Ok(Json(hook(&app, &repository).await?))
}

/// What becomes of the old secret.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// It is worth nothing from now on.
    #[serde(default)]
    now: bool,
}

/// Makes a new secret; the old one counts for 7 days more, unless `now`.
#[utoipa::path(post, path = "/api/v1/repositories/{name}/hook/rotate",
    params(("name", description = "The repository"), Rotation), responses((status = 200, body = Hook)))]
async fn rotate(
    State(app): State<App>,
    By(actor): By,
    Path(name): Path<String>,
    Query(rotation): Query<Rotation>,
) -> Result<Json<Hook>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    let old = match rotation.now {
        true => OldSecret::Ends,
        false => OldSecret::Overlaps,
    };
    repositories::rotate_hook(&app.store, &actor, &repository.id, old).await?;
    Ok(Json(hook(&app, &repository).await?))
}
