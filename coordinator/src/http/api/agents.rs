//! Agents: who is there, one-time codes that let one in, drain, remove. An agent is named by its id or its name.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::api::{Agent, AgentLabels, EnrolmentCode, NewEnrolmentCode};
use protocol::ids::AgentId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::access::{By, User};
use crate::http::error::ApiError;
use crate::http::extract::{Json as Body, OptionalJson, Path};
use crate::store::Actor;
use crate::store::agents::{self, Draining};

/// How long an enrolment code can be used.
pub(crate) const CODE: Duration = Duration::from_secs(3600);

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(enrolment_code))
        .routes(routes!(drain))
        .routes(routes!(undrain))
        .routes(routes!(set_labels))
        .routes(routes!(remove))
}

impl From<agents::Agent> for Agent {
    fn from(agent: agents::Agent) -> Self {
        Agent {
            id: agent.id.0,
            name: agent.name,
            labels: agent.labels,
            asked_labels: agent.asked_labels,
            slots: agent.slots,
            memory_bytes: agent.resources.map(|resources| resources.memory_bytes),
            free_memory_bytes: agent.resources.map(|resources| resources.free_memory_bytes),
            free_disk_bytes: agent.resources.and_then(|resources| resources.free_disk_bytes),
            running: agent.running.into_iter().map(|attempt| attempt.0).collect(),
            draining: agent.draining,
            connected: agent.connected,
            software: agent.software,
            created_at: agent.created_at,
            seen_at: agent.seen_at,
        }
    }
}

/// All agents, by name.
#[utoipa::path(get, path = "/api/v1/agents", responses((status = 200, body = Vec<Agent>)))]
async fn list(State(app): State<App>, _: User) -> Result<Json<Vec<Agent>>, ApiError> {
    Ok(Json(
        agents::list(&app.store).await?.into_iter().map(Agent::from).collect(),
    ))
}

/// Makes a code that lets one agent in, once, within the hour.
#[utoipa::path(post, path = "/api/v1/agents/enrolment-codes", request_body = NewEnrolmentCode,
    responses((status = 201, body = EnrolmentCode), (status = 422)))]
async fn enrolment_code(
    State(app): State<App>,
    By(actor): By,
    OptionalJson(body): OptionalJson<NewEnrolmentCode>,
) -> Result<(StatusCode, Json<EnrolmentCode>), ApiError> {
    let code = EnrolmentCode {
        code: agents::enrol_code(&app.store, &actor, CODE, body.labels.as_ref()).await?,
        expires_at: app.store.now() + i64::try_from(CODE.as_micros()).unwrap_or(i64::MAX),
    };
    Ok((StatusCode::CREATED, Json(code)))
}

/// Lets an agent finish what it has and gives it nothing new.
#[utoipa::path(post, path = "/api/v1/agents/{agent}/drain", params(("agent", description = "Its id or name")),
    responses((status = 200, body = Agent)))]
async fn drain(State(app): State<App>, By(actor): By, Path(agent): Path<String>) -> Result<Json<Agent>, ApiError> {
    set_draining(&app, &actor, &agent, Draining::Yes).await
}

/// Gives a drained agent work again.
#[utoipa::path(post, path = "/api/v1/agents/{agent}/undrain", params(("agent", description = "Its id or name")),
    responses((status = 200, body = Agent)))]
async fn undrain(State(app): State<App>, By(actor): By, Path(agent): Path<String>) -> Result<Json<Agent>, ApiError> {
    set_draining(&app, &actor, &agent, Draining::No).await
}

/// Gives an agent other labels, all of them at once.
#[utoipa::path(put, path = "/api/v1/agents/{agent}/labels", params(("agent", description = "Its id or name")),
    request_body = AgentLabels, responses((status = 200, body = Agent), (status = 422)))]
async fn set_labels(
    State(app): State<App>,
    By(actor): By,
    Path(agent): Path<String>,
    Body(body): Body<AgentLabels>,
) -> Result<Json<Agent>, ApiError> {
    let id = named(&app, &agent).await?.id;
    agents::set_labels(&app.store, &actor, &id, &body.labels).await?;
    Ok(Json(named(&app, id.as_str()).await?.into()))
}

/// Removes an agent: its token is worth nothing from now on, and others get its work.
#[utoipa::path(delete, path = "/api/v1/agents/{agent}", params(("agent", description = "Its id or name")),
    responses((status = 204)))]
async fn remove(State(app): State<App>, By(actor): By, Path(agent): Path<String>) -> Result<StatusCode, ApiError> {
    let id = named(&app, &agent).await?.id;
    agents::remove(&app.store, &actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_draining(app: &App, actor: &Actor, agent: &str, to: Draining) -> Result<Json<Agent>, ApiError> {
    let id = named(app, agent).await?.id;
    agents::drain(&app.store, actor, &id, to).await?;
    Ok(Json(named(app, id.as_str()).await?.into()))
}

/// The agent of that id, else of that name.
async fn named(app: &App, text: &str) -> Result<agents::Agent, ApiError> {
    let wanted = AgentId(text.to_owned());
    let mut all = agents::list(&app.store).await?;
    let place = all.iter().position(|agent| agent.id == wanted);
    let place = place.or_else(|| all.iter().position(|agent| agent.name == text));
    place
        .map(|place| all.swap_remove(place))
        .ok_or(ApiError::NotFound("agent"))
}
