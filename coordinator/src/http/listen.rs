//! The listener: HTTP/1 connections that are taken at once and never wait for a place (see `connections`), small answers
//! sent at once, and a stop that waits, but not for ever.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::connections::{Connection, Connections, Stream};
use crate::config;

/// A connection's buffer for what it reads: a request's head is never longer.
const BUFFER: usize = 32 * 1024;
/// Requests that are being answered may take this long after the stop.
const DRAIN: Duration = Duration::from_secs(8);
/// Pause after `accept` failed, as when all file descriptors are taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// File descriptors that are not for connections: database, logs, mirrors.
const OTHER_FILES: u64 = 512;

/// Serves until `stop`, then lets requests end within [`DRAIN`].
pub(crate) async fn serve(
    listener: TcpListener,
    (router, mut limits): (Router, config::Connections),
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    limits.most = limits.most.min(room_for_files(limits.most));
    let open = TaskTracker::new();
    let cut = CancellationToken::new();
    let connections = Connections::new(limits);
    tasks.spawn(connections.clone().watch(stop.clone()));
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                // Without a place the socket is closed at once: every place is an agent's or a user's.
                let Some(connection) = connections.enter(peer.ip()) else {
                    continue;
                };
                let answering = answer((stream, connection), router.clone(), stop.clone(), cut.clone());
                tasks.spawn(open.track_future(answering));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    open.close();
    if tokio::time::timeout(DRAIN, open.wait()).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut");
    }
    cut.cancel();
}

/// How many connections the process may have open; asks for as many file descriptors as they need.
fn room_for_files(wanted: usize) -> usize {
    let needs = wanted as u64 + OTHER_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = needs.min(maximum.unwrap_or(u64::MAX)).max(current.unwrap_or(u64::MAX));
    let new = Rlimit {
        current: Some(raised),
        maximum,
    };
    let has = match setrlimit(Resource::Nofile, new) {
        Ok(()) => raised,
        Err(_) => current.unwrap_or(u64::MAX),
    };
    if has < needs {
        tracing::warn!(
            limit = has,
            "the limit of open files allows fewer connections than are configured"
        );
    }
    usize::try_from(has.saturating_sub(OTHER_FILES).max(has / 2)).unwrap_or(usize::MAX)
}

/// Answers the requests of one connection; after the stop the one that is under way. A WebSocket goes its own way.
async fn answer(
    (stream, connection): (TcpStream, Arc<Connection>),
    router: Router,
    stop: CancellationToken,
    cut: CancellationToken,
) {
    // Without it a small answer may wait for the peer's acknowledgement: 40 ms for every lease.
    let _ = stream.set_nodelay(true);
    let given_away = connection.cut().clone();
    let io = TokioIo::new(Stream::new(stream, Arc::clone(&connection)));
    let service = hyper::service::service_fn(move |request| respond(router.clone(), Arc::clone(&connection), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        // The table's own limits know a silent connection from one that rests between requests.
        .header_read_timeout(None)
        .max_buf_size(BUFFER)
        .serve_connection(io, service)
        .with_upgrades();
    let mut served = pin!(served);
    // A peer that goes away in mid-answer is daily life.
    tokio::select! {
        _ = served.as_mut() => return,
        () = given_away.cancelled() => return,
        () = stop.cancelled() => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = cut.run_until_cancelled(served).await;
}

/// Answers one request, and tells its connection when that is over.
async fn respond(
    router: Router,
    connection: Arc<Connection>,
    mut request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    connection.begins();
    request.extensions_mut().insert(Arc::clone(&connection));
    let response = router.oneshot(request).await?;
    // a WebSocket has this one answer for as long as it is there
    let ends = response.status() != StatusCode::SWITCHING_PROTOCOLS;
    let connection = ends.then_some(connection);
    Ok(response.map(|body| Answer { body, connection }))
}

/// An answer's body; when it is gone, the connection rests, if it is to have another request.
struct Answer {
    body: Body,
    connection: Option<Arc<Connection>>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.ends();
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
