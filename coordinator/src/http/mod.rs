//! Everything that answers a request: API, pages, agents, webhooks, live events. Every route is registered here or in
//! one of these modules, and passes the one guard of `access`.

pub(crate) mod access;
mod api;
mod client;
mod connections;
pub(crate) mod error;
mod events;
mod extract;
mod failures;
mod follow;
mod hooks;
pub(crate) mod listen;
mod pages;
mod probes;
mod protocol;
mod routes;
mod shell;
mod well_known;

use std::any::Any;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};

use crate::app::App;
use error::ApiError;

pub(crate) use api::tokens::LOGIN_LINK;
pub(crate) use probes::Metrics;
pub use routes::{Route, routes};

/// The whole of HTTP, ready to be served.
pub(crate) fn router(app: App, metrics: Metrics) -> Router {
    let (api, openapi) = api::router();
    // Lines that are followed must not wait for a compressor's block.
    let compressed = DefaultPredicate::new().and(NotForContentType::const_new("application/x-ndjson"));
    Router::new()
        .merge(api)
        .merge(api::described(openapi))
        .merge(protocol::router().finish())
        .merge(pages::router().finish())
        .merge(hooks::router().finish())
        .merge(events::router().finish())
        .merge(shell::router().finish())
        .merge(well_known::router().finish())
        .merge(probes::router(metrics).finish())
        .fallback(pages::nothing_here)
        .layer(DefaultBodyLimit::max(app.config.limits.request_bytes))
        .layer(middleware::from_fn_with_state(app.clone(), access::guard))
        .layer(middleware::from_fn(headers))
        .layer(CompressionLayer::new().compress_when(compressed))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(probes::count))
        .with_state(app)
}

/// A handler that panicked is an error of ours like any other.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::Internal(anyhow::anyhow!("a handler panicked")).into_response()
}

/// What every answer says to browsers; a route's own word wins.
async fn headers(request: Request, next: Next) -> Response {
    const ALWAYS: [(HeaderName, HeaderValue); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let mut response = next.run(request).await;
    let policy = HeaderValue::from_static(web::CONTENT_SECURITY_POLICY);
    let always = ALWAYS.into_iter().chain([(header::CONTENT_SECURITY_POLICY, policy)]);
    for (name, value) in always {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}
