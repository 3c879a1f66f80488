//! `/api/v1`: everything that people and programs can ask or do. Each file is one noun: its JSON, its routes, its
//! handlers. The description at `/api/v1/openapi.json` is made from the same declarations as the routes.

pub(crate) mod agents;
mod artifacts;
mod attempts;
mod audit;
mod build_logs;
mod builds;
mod caches;
mod deliveries;
mod failure_report;
pub(crate) mod forges;
mod hooks;
mod jobs;
mod logs;
mod repositories;
mod secrets;
mod sessions;
mod shapes;
mod stacks;
mod system;
mod test_reports;
pub(crate) mod tokens;

use std::str::FromStr;

use axum::http::Method;
use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Description;
use utoipa_axum::router::OpenApiRouter;

use super::routes::Route;
use crate::app::App;

#[derive(OpenApi)]
#[openapi(info(
    title = "Drover",
    description = "Every call but the log reads of public repositories needs `Authorization: Bearer <API token>`. \
                   Errors are `{code, message}`. Times are microseconds since 1970."
))]
struct Head;

/// The routes and their description.
pub(crate) fn router() -> (Router<App>, Description) {
    OpenApiRouter::with_openapi(Head::openapi())
        .merge(repositories::router())
        .merge(hooks::router())
        .merge(forges::router())
        .merge(deliveries::router())
        .merge(secrets::router())
        .merge(builds::router())
        .merge(failure_report::router())
        .merge(build_logs::router())
        .merge(jobs::router())
        .merge(super::shell::described())
        .merge(stacks::router())
        .merge(attempts::router())
        .merge(logs::router())
        .merge(artifacts::router())
        .merge(caches::router())
        .merge(agents::router())
        .merge(tokens::router())
        .merge(sessions::router())
        .merge(audit::router())
        .merge(test_reports::router())
        .merge(system::router())
        .split_for_parts()
}

/// The route of the description itself.
pub(crate) fn described(mut openapi: Description) -> Router<App> {
    // A rest of a path is marked for our router alone.
    let paths = std::mem::take(&mut openapi.paths.paths);
    openapi.paths.paths = paths
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
    Router::new().route("/api/v1/openapi.json", get(async move || Json(openapi)))
}

/// Every route of the description, and the description's own.
pub(crate) fn list(openapi: &Description) -> Vec<Route> {
    let text = serde_json::to_value(openapi).unwrap_or_default();
    let paths = text
        .get("paths")
        .and_then(|paths| paths.as_object())
        .cloned()
        .unwrap_or_default();
    let mut routes = vec![Route {
        method: Method::GET,
        path: "/api/v1/openapi.json".to_owned(),
    }];
    for (path, item) in paths {
        let methods = item.as_object().into_iter().flat_map(|item| item.keys().cloned());
        let methods = methods.filter_map(|name| Method::from_str(&name.to_ascii_uppercase()).ok());
        let known = methods
            .filter(|method| [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method));
        routes.extend(known.map(|method| Route {
            method,
            path: path.clone(),
        }));
    }
    routes
}
