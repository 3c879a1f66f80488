//! What other programs look at: `/healthz`, `/readyz`, `/metrics`, the badge, the JSON Schema of job files.

use std::sync::OnceLock;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::access::Reader;
use super::error::ApiError;
use super::extract::Path;
use super::routes::Routes;
use crate::app::App;
use crate::disk;
use crate::store::{agents, builds, queue, repositories};

/// Our numbers, rendered for Prometheus.
#[derive(Clone)]
pub(crate) struct Metrics(PrometheusHandle);

impl Metrics {
    /// Starts counting; there is one recorder in a process, however many coordinators a test starts in it.
    pub fn install() -> Metrics {
        static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
        let handle = HANDLE.get_or_init(|| {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            // Another recorder was installed before: ours then stays empty, which is no reason not to start.
            let _ = metrics::set_global_recorder(recorder);
            handle
        });
        Metrics(handle.clone())
    }
}

/// The routes of this file.
pub(super) fn router(metrics: Metrics) -> Routes {
    let render = move |State(app): State<App>| render(app, metrics.clone());
    Routes::new()
        .route("/healthz", [Method::GET], get(healthz))
        .route("/readyz", [Method::GET], get(readyz))
        .route("/metrics", [Method::GET], get(render))
        .route("/badge/{file}", [Method::GET], get(badge))
        .route("/schema/v1.json", [Method::GET], get(schema))
}

/// Counts answers by method and status; never by path, which would be without bound.
pub(super) async fn count(request: Request, next: Next) -> Response {
    let method = request.method().as_str().to_owned();
    let response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    metrics::counter!("drover_http_requests_total", "method" => method, "status" => status).increment(1);
    response
}

/// The JSON Schema of job files, for editors: it is the same for everybody, so nobody has to log in.
async fn schema() -> Response {
    axum::Json(job_specs::schema()).into_response()
}

/// Alive, and the store answers.
async fn healthz(State(app): State<App>) -> Response {
    match app.store.ping().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response()
        }
    }
}

/// Able to take work: the store answers, and there is room for what it would bring. The sentence says what is missing,
/// without the places of our insides.
async fn readyz(State(app): State<App>) -> Response {
    if let Some(trouble) = disk::trouble(&app.config.data) {
        tracing::error!(folder = %app.config.data.display(), "{trouble}");
        return (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {trouble}\n")).into_response();
    }
    healthz(State(app)).await
}

async fn render(app: App, metrics: Metrics) -> Result<Response, ApiError> {
    let waiting = queue::waiting(&app.store, 10_000).await?;
    let connected = agents::list(&app.store)
        .await?
        .iter()
        .filter(|agent| agent.connected)
        .count();
    metrics::gauge!("drover_jobs_waiting").set(waiting.len() as f64);
    metrics::gauge!("drover_agents_connected").set(connected as f64);
    if let Some(free) = disk::free(&app.config.data) {
        metrics::gauge!("drover_disk_free_bytes").set(free as f64);
    }
    metrics.0.run_upkeep();
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        metrics.0.render(),
    )
        .into_response())
}

async fn badge(State(app): State<App>, _: Reader, Path(file): Path<String>) -> Result<Response, ApiError> {
    let name = file.strip_suffix(".svg").ok_or(ApiError::NotFound("badge"))?;
    let repository = repositories::by_name(&app.store, name).await?;
    let newest = builds::Filter {
        repository: Some(repository.id),
        limit: 1,
        ..builds::Filter::default()
    };
    let newest = builds::list(&app.store, &newest).await?;
    let svg = web::badge::svg(name, newest.first().map(|build| build.status));
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    Ok((headers, svg).into_response())
}
