//! A repository's connection with its forge: whom it is told to, and how that goes.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::api::{ForgeConnection, NewForgeConnection};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::forges::Location;
use crate::http::access::{By, User};
use crate::http::error::ApiError;
use crate::http::extract::{Json as Body, Path};
use crate::store::repositories::Repository;
use crate::store::{StoreError, connections, outbox, repositories};

/// Most of what a forge is told that is shown.
const SHOWN: u32 = 50;

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show, connect, disconnect))
}

/// The connection of `repository`. `None`: there is none.
///
/// # Errors
/// The store's.
pub(crate) async fn connection(app: &App, repository: &Repository) -> Result<Option<ForgeConnection>, StoreError> {
    let Some(location) = connections::location(&app.store, &repository.id).await? else {
        return Ok(None);
    };
    Ok(Some(ForgeConnection {
        held_until: outbox::held_until(&app.store, &location.api).await?,
        outbox: outbox::list(&app.store, &repository.id, SHOWN).await?,
        api: location.api,
        project: location.project,
    }))
}

/// Where a repository of that address is at its forge.
pub(super) fn location(
    (forge, git): (crate::forges::Forge, &str),
    wanted: &NewForgeConnection,
) -> Result<Location, ApiError> {
    let given = (wanted.api.as_deref(), wanted.project.as_deref());
    Location::of(forge, git, given).map_err(|error| ApiError::Unprocessable("refused", error.to_string()))
}

/// How a repository is reached at its forge, and what the forge was told last; null: it is not connected.
#[utoipa::path(get, path = "/api/v1/repositories/{name}/forge", params(("name", description = "The repository")),
    responses((status = 200, body = Option<ForgeConnection>)))]
async fn show(
    State(app): State<App>,
    _: User,
    Path(name): Path<String>,
) -> Result<Json<Option<ForgeConnection>>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    Ok(Json(connection(&app, &repository).await?))
}

/// Connects a repository with its forge, or changes the connection: the forge is told of the webhook and from now on of
/// every build, and again of what it would not hear before.
#[utoipa::path(put, path = "/api/v1/repositories/{name}/forge", params(("name", description = "The repository")),
    request_body = NewForgeConnection, responses((status = 200, body = ForgeConnection), (status = 422)))]
async fn connect(
    State(app): State<App>,
    By(actor): By,
    Path(name): Path<String>,
    Body(wanted): Body<NewForgeConnection>,
) -> Result<Json<ForgeConnection>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    let location = location((repository.forge, &repository.git), &wanted)?;
    connections::connect(&app.store, &actor, &repository.id, (location, wanted.token)).await?;
    let found = connection(&app, &repository).await?;
    Ok(Json(found.ok_or(StoreError::NotFound("connection with a forge"))?))
}

/// Destroys the token and tells the forge nothing more.
#[utoipa::path(delete, path = "/api/v1/repositories/{name}/forge", params(("name", description = "The repository")),
    responses((status = 204)))]
async fn disconnect(State(app): State<App>, By(actor): By, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    connections::disconnect(&app.store, &actor, &repository.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
