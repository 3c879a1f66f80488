//! The audit: what users changed, newest first. It is read and never written here: each change writes its own entry.

use axum::Json;
use axum::extract::State;
use protocol::api::AuditEntry;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::access::User;
use crate::http::error::ApiError;
use crate::http::extract::Query;
use crate::store::audit;

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// From the store.
fn entry(entry: audit::Entry) -> AuditEntry {
    AuditEntry {
        id: entry.id,
        at: entry.at,
        actor_kind: entry.actor.kind().to_owned(),
        actor_id: entry.actor.person().map(|person| person.id.clone()),
        actor: entry.actor.name().to_owned(),
        action: entry.action.word(),
        subject: entry.subject,
        subject_id: entry.subject_id,
        repository: entry.repository,
        build: entry.build,
    }
}

/// Which part of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Page {
    /// Older than the entry of this id: for the next page.
    before: Option<String>,
    /// At most so many, 50 by default, 500 at most.
    limit: Option<u32>,
}

/// What users changed, newest first.
#[utoipa::path(get, path = "/api/v1/audit", params(Page), responses((status = 200, body = Vec<AuditEntry>)))]
async fn list(State(app): State<App>, _: User, Query(page): Query<Page>) -> Result<Json<Vec<AuditEntry>>, ApiError> {
    let limit = page.limit.unwrap_or(50).min(500);
    let entries = audit::list(&app.store, page.before.as_deref(), limit).await?;
    Ok(Json(entries.into_iter().map(entry).collect()))
}
