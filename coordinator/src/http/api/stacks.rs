//! Stacks that live longer than what made them: list, show, extend, remove.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::ids::StackId;
use protocol::work::{StackSpec, StackState};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::access::User;
use crate::http::error::ApiError;
use crate::http::extract::Path;
use crate::store::{Micros, stacks};

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, remove))
        .routes(routes!(extend))
}

/// A stack: services, and containers beside them, that stay until somebody ends them or their time is over.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Stack {
    /// Its id.
    pub id: String,
    /// `retained`: what an attempt left (`hold_on_failure`).
    pub kind: &'static str,
    /// The attempt that left it.
    pub attempt: String,
    /// That attempt's job.
    pub job: String,
    /// `test (postgres=15)`
    pub title: String,
    /// The build of that job.
    pub build: i64,
    /// Name of the repository.
    pub repository: String,
    /// Name of the agent that has it.
    pub agent: String,
    /// `running`; `unreachable`: its agent is silent; `deleting`: its agent has not removed it yet.
    #[schema(value_type = String, example = "running")]
    pub state: StackState,
    /// Since when.
    pub created_at: Micros,
    /// Until when; each use moves that.
    pub expires_at: Micros,
}

impl From<stacks::Stack> for Stack {
    fn from(stack: stacks::Stack) -> Stack {
        let StackSpec::Retained { attempt } = stack.spec;
        Stack {
            id: stack.id.0,
            kind: "retained",
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
}

/// Every stack, oldest first.
#[utoipa::path(get, path = "/api/v1/stacks", responses((status = 200, body = Vec<Stack>)))]
async fn list(State(app): State<App>, _: User) -> Result<Json<Vec<Stack>>, ApiError> {
    let stacks = stacks::list(&app.store).await?;
    Ok(Json(stacks.into_iter().map(Stack::from).collect()))
}

/// One stack.
#[utoipa::path(get, path = "/api/v1/stacks/{stack}", params(("stack", description = "Its id")),
    responses((status = 200, body = Stack), (status = 404)))]
async fn show(State(app): State<App>, _: User, Path(stack): Path<String>) -> Result<Json<Stack>, ApiError> {
    Ok(Json(stacks::show(&app.store, &StackId(stack)).await?.into()))
}

/// Removes a stack. One whose agent is silent goes when the agent is back.
#[utoipa::path(delete, path = "/api/v1/stacks/{stack}", params(("stack", description = "Its id")),
    responses((status = 202, body = Stack), (status = 404)))]
async fn remove(
    State(app): State<App>,
    _: User,
    Path(stack): Path<String>,
) -> Result<(StatusCode, Json<Stack>), ApiError> {
    let id = StackId(stack);
    let stack = stacks::show(&app.store, &id).await?;
    stacks::delete(&app.store, &id).await?;
    let state = StackState::Deleting;
    Ok((StatusCode::ACCEPTED, Json(stacks::Stack { state, ..stack }.into())))
}

/// Gives a stack its full time again, as every use does.
#[utoipa::path(post, path = "/api/v1/stacks/{stack}/extend", params(("stack", description = "Its id")),
    responses((status = 200, body = Stack), (status = 404)))]
async fn extend(State(app): State<App>, _: User, Path(stack): Path<String>) -> Result<Json<Stack>, ApiError> {
    let id = StackId(stack);
    stacks::renew(&app.store, &id).await?;
    Ok(Json(stacks::show(&app.store, &id).await?.into()))
}
