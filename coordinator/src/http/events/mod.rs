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
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use super::access::Reader;
use super::error::ApiError;
use super::routes::Routes;
use crate::app::App;
use crate::store::{builds, jobs};

pub(crate) use cursor::Cursor;
pub(crate) use topic::Topic;
use topic::WatchedJob;

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

async fn events(
    State(app): State<App>,
    Reader(user): Reader,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let resumed = headers
        .get("last-event-id")
        .and_then(|id| Cursor::parse(id.to_str().ok()?));
    // A browser gives up on an error, and tries for ever on a stream that ends.
    let topic = match Topic::of(&uri)? {
        Topic::Build(number) => {
            builds::show(&app.store, number).await?;
            Topic::Build(number)
        }
        Topic::Job(watched) => Topic::Job(begin(&app, watched, resumed).await?),
        page => page,
    };
    let (out, coming) = mpsc::channel(AHEAD);
    // Sent first, so that the browser knows how to come back even when nothing happens for long.
    let _ = out.try_send(Event::default().retry(RETRY));
    app.tasks.spawn(watch::watch(app.clone(), user, topic, out));
    let events = stream::unfold(coming, async |mut coming| {
        let event: Event = coming.recv().await?;
        Some((Ok::<Event, Infallible>(event), coming))
    });
    let headers = [
        (header::CACHE_CONTROL, "no-store, no-transform"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let alive = KeepAlive::new().interval(HEARTBEAT);
    Ok((headers, Sse::new(events.fuse()).keep_alive(alive)).into_response())
}

/// Where a job's stream begins. The page of an attempt that is not the newest stays at that attempt.
async fn begin(app: &App, mut watched: WatchedJob, resumed: Option<Cursor>) -> Result<WatchedJob, ApiError> {
    let newest = jobs::show(&app.store, &watched.job)
        .await?
        .attempts
        .last()
        .map(|attempt| attempt.number);
    let page = watched.cursor.as_ref().and_then(|cursor| cursor.attempt);
    let moved_on = resumed.as_ref().is_some_and(|cursor| cursor.attempt != page);
    if watched.attempt.is_none() && page < newest && !moved_on {
        watched.attempt = page;
    }
    watched.cursor = resumed.or(watched.cursor);
    Ok(watched)
}
