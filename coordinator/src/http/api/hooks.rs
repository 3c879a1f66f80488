//! A repository's webhook: where its forge sends pushes, and the secret that signs them.

use axum::Json;
use axum::extract::State;
use protocol::api::Hook;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::access::{By, User};
use crate::http::error::ApiError;
use crate::http::extract::Path;
use crate::store::repositories::{self, Repository};

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(rotate))
}

/// The webhook of `repository`.
pub(super) async fn hook(app: &App, repository: &Repository) -> Result<Hook, ApiError> {
    Ok(Hook {
        url: url(app, repository),
        secret: repositories::hook_secret(&app.store, &repository.id).await?.0,
    })
}

/// Where the forge of `repository` sends pushes.
pub(crate) fn url(app: &App, repository: &Repository) -> String {
    let forge = repository.forge.word();
    format!("{}/hooks/{forge}/{}", app.url, web::routes::encode(&repository.name))
}

/// The webhook's URL and secret.
#[utoipa::path(get, path = "/api/v1/repositories/{name}/hook", params(("name", description = "The repository")),
    responses((status = 200, body = Hook)))]
async fn show(State(app): State<App>, _: User, Path(name): Path<String>) -> Result<Json<Hook>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    Ok(Json(hook(&app, &repository).await?))
}

/// Makes a new secret; the old one is worth nothing from now on.
#[utoipa::path(post, path = "/api/v1/repositories/{name}/hook/rotate",
    params(("name", description = "The repository")), responses((status = 200, body = Hook)))]
async fn rotate(State(app): State<App>, By(actor): By, Path(name): Path<String>) -> Result<Json<Hook>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    repositories::rotate_hook(&app.store, &actor, &repository.id).await?;
    Ok(Json(hook(&app, &repository).await?))
}
