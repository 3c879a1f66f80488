//! Stacks that live longer than what made them: list, show, extend, remove.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::api::Stack;
use protocol::ids::StackId;
use protocol::work::{StackSpec, StackState};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::access::{By, User};
use crate::http::error::ApiError;
use crate::http::extract::Path;
use crate::store::stacks;

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, remove))
        .routes(routes!(extend))
}

/// From the store.
pub(super) fn stack(stack: stacks::Stack) -> Stack {
    let StackSpec::Retained { attempt } = stack.spec;
    Stack {
        id: stack.id.0,
        kind: "retained".to_owned(),
        attempt: attempt.0,
        job: stack.job.0,
        title: stack.title,
        build: stack.build,
        repository: stack.repository,
        agent: stack.agent_name,
        state: stack.state,
        created_at: stack.created_at,
        expires_at: stack.expires_at,
    }
}

/// Every stack, oldest first.
#[utoipa::path(get, path = "/api/v1/stacks", responses((status = 200, body = Vec<Stack>)))]
async fn list(State(app): State<App>, _: User) -> Result<Json<Vec<Stack>>, ApiError> {
    let stacks = stacks::list(&app.store).await?;
    Ok(Json(stacks.into_iter().map(self::stack).collect()))
}

/// One stack.
#[utoipa::path(get, path = "/api/v1/stacks/{stack}", params(("stack", description = "Its id")),
    responses((status = 200, body = Stack), (status = 404)))]
async fn show(State(app): State<App>, _: User, Path(stack): Path<String>) -> Result<Json<Stack>, ApiError> {
    Ok(Json(self::stack(stacks::show(&app.store, &StackId(stack)).await?)))
}

/// Removes a stack. One whose agent is silent goes when the agent is back.
#[utoipa::path(delete, path = "/api/v1/stacks/{stack}", params(("stack", description = "Its id")),
    responses((status = 202, body = Stack), (status = 404)))]
async fn remove(
    State(app): State<App>,
    By(actor): By,
    Path(stack): Path<String>,
) -> Result<(StatusCode, Json<Stack>), ApiError> {
    let id = StackId(stack);
    let stack = stacks::show(&app.store, &id).await?;
    stacks::delete(&app.store, &actor, &id).await?;
    let state = StackState::Deleting;
    Ok((
        StatusCode::ACCEPTED,
        Json(self::stack(stacks::Stack { state, ..stack })),
    ))
}

/// Gives a stack its full time again, as every use does.
#[utoipa::path(post, path = "/api/v1/stacks/{stack}/extend", params(("stack", description = "Its id")),
    responses((status = 200, body = Stack), (status = 404)))]
async fn extend(State(app): State<App>, By(actor): By, Path(stack): Path<String>) -> Result<Json<Stack>, ApiError> {
    let id = StackId(stack);
    stacks::extend(&app.store, &actor, &id).await?;
    Ok(Json(self::stack(stacks::show(&app.store, &id).await?)))
}
