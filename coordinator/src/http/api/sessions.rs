//! Sessions: the browsers that are logged in, and how they are logged out from elsewhere.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::api::{RevokedSessions, Session};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::access::{By, User};
use crate::http::error::ApiError;
use crate::http::extract::Path;
use crate::store::access;

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, revoke_others))
        .routes(routes!(revoke))
}

/// All sessions that still work, newest first.
#[utoipa::path(get, path = "/api/v1/sessions", responses((status = 200, body = Vec<Session>)))]
async fn list(State(app): State<App>, user: User) -> Result<Json<Vec<Session>>, ApiError> {
    let all = access::list_sessions(&app.store).await?.into_iter();
    let all = all.map(|session| Session {
        current: session.id == user.id,
        id: session.id,
        created_at: session.created_at,
        expires_at: session.expires_at,
        last_used_at: session.last_used_at,
    });
    Ok(Json(all.collect()))
}

/// Ends all sessions but the caller's own; with an API token, all.
#[utoipa::path(delete, path = "/api/v1/sessions", responses((status = 200, body = RevokedSessions)))]
async fn revoke_others(State(app): State<App>, By(actor): By) -> Result<Json<RevokedSessions>, ApiError> {
    let revoked = access::revoke_other_sessions(&app.store, &actor).await?;
    Ok(Json(RevokedSessions {
        revoked: u64::try_from(revoked).unwrap_or(u64::MAX),
    }))
}

/// Ends a session, with the streams and shells that its browser has open.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", params(("id", description = "Its id")),
    responses((status = 204), (status = 404)))]
async fn revoke(State(app): State<App>, By(actor): By, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    access::revoke_session(&app.store, &actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
