//! About the coordinator itself, and the job language that it speaks.

use axum::Json;
use axum::extract::State;
use protocol::api::Version;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::access::User;

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(version)).routes(routes!(schema))
}

/// The versions that run here.
#[utoipa::path(get, path = "/api/v1/version", responses((status = 200, body = Version)))]
async fn version(State(app): State<App>, _: User) -> Json<Version> {
    Json(Version {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: ::protocol::VERSION,
        url: app.url.to_string(),
    })
}

/// The JSON Schema of the job file.
#[utoipa::path(get, path = "/api/v1/schema", responses((status = 200, body = Object)))]
async fn schema(_: User) -> Json<serde_json::Value> {
    Json(job_specs::schema())
}
