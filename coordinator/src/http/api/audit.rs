//! The audit: what users changed, newest first. It is read and never written here: each change writes its own entry.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::access::User;
use crate::http::error::ApiError;
use crate::http::extract::Query;
use crate::store::Micros;
use crate::store::audit::{self, Action};

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// One change that somebody made.
#[derive(Debug, Serialize, ToSchema)]
struct Entry {
    /// Its id.
    id: String,
    /// When.
    at: Micros,
    /// `session`: in a browser; `token`: with an API token; `console`: on the coordinator's machine.
    actor_kind: &'static str,
    /// Id of the session or token; null: the console.
    actor_id: Option<String>,
    /// Name of the token, `administrator` or `console`.
    actor: String,
    /// What they did: `secret.set`.
    #[schema(value_type = String, example = "secret.set")]
    action: Action,
    /// To what: the name of a secret, the title of a job, the number of a build.
    subject: String,
    /// The id of that, when it has one beside its name.
    subject_id: Option<String>,
    /// Name of its repository, at that time.
    repository: Option<String>,
    /// Its build.
    build: Option<i64>,
}

impl From<audit::Entry> for Entry {
    fn from(entry: audit::Entry) -> Entry {
        Entry {
            id: entry.id,
            at: entry.at,
            actor_kind: entry.actor.kind(),
            actor_id: entry.actor.person().map(|person| person.id.clone()),
            actor: entry.actor.name().to_owned(),
            action: entry.action,
            subject: entry.subject,
            subject_id: entry.subject_id,
            repository: entry.repository,
            build: entry.build,
        }
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
#[utoipa::path(get, path = "/api/v1/audit", params(Page), responses((status = 200, body = Vec<Entry>)))]
async fn list(State(app): State<App>, _: User, Query(page): Query<Page>) -> Result<Json<Vec<Entry>>, ApiError> {
    let limit = page.limit.unwrap_or(50).min(500);
    let entries = audit::list(&app.store, page.before.as_deref(), limit).await?;
    Ok(Json(entries.into_iter().map(Entry::from).collect()))
}
