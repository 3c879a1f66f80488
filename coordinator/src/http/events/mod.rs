//! `/events`: one stream of server-sent events per page. `change` says that the page's live part is not what it was;
//! `lines` brings log lines of a job. A stream that breaks is resumed by `Last-Event-ID` without gap or doubling.

mod cursor;
mod topic;
mod watch;

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, Method, Uri, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use tokio::sync::mpsc;

use super::access::Reader;
use super::error::ApiError;
use super::routes::Routes;
use crate::app::App;
use crate::store::{builds, jobs};

pub(crate) use cursor::Cursor;
pub(crate) use topic::Topic;

/// Proxies drop a stream that is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A browser that lost its stream comes back after this time.
const RETRY: Duration = Duration::from_millis(500);
/// Events that wait for a slow browser; behind them the logs wait.
const AHEAD: usize = 16;

/// The routes of this file.
pub(super) fn router() -> Routes {
    Routes::new().route("/events", [Method::GET], get(events))
}

async fn events(State(app): State<App>, _: Reader, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    let mut topic = Topic::of(&uri)?;
    // A browser gives up on an error, and tries for ever on a stream that ends.
    match &topic {
        Topic::Build(number) => drop(builds::show(&app.store, *number).await?),
        Topic::Job(watched) => drop(jobs::show(&app.store, &watched.job).await?),
        Topic::Builds | Topic::Queue => {}
    }
    let resumed = headers
        .get("last-event-id")
        .and_then(|id| Cursor::parse(id.to_str().ok()?));
    if let (Topic::Job(watched), Some(cursor)) = (&mut topic, resumed) {
        watched.cursor = Some(cursor);
    }
    let (out, coming) = mpsc::channel(AHEAD);
    // Told first, so that the browser knows how to come back even when nothing happens for long.
    let _ = out.try_send(Event::default().retry(RETRY));
    app.tasks.spawn(watch::watch(app.clone(), topic, out));
    let events = stream::unfold(coming, async |mut coming| {
        let event: Event = coming.recv().await?;
        Some((Ok::<Event, Infallible>(event), coming))
    });
    let headers = [
        (header::CACHE_CONTROL, "no-store, no-transform"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let alive = KeepAlive::new().interval(HEARTBEAT);
    Ok((headers, Sse::new(events).keep_alive(alive)).into_response())
}
