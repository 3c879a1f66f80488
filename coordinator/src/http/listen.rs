//! The listener: HTTP/1 connections with a limit on slow headers, small answers sent at once, and a stop that waits,
//! but not for ever.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A request's head must be there within this time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// Connections at once; more wait in the system's queue.
const CONNECTIONS: usize = 4_096;
/// Requests that are being answered may take this long after the stop.
const DRAIN: Duration = Duration::from_secs(8);
/// Pause after `accept` failed, as when all file descriptors are taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`, then lets requests end within [`DRAIN`].
pub(crate) async fn serve(listener: TcpListener, router: Router, tasks: TaskTracker, stop: CancellationToken) {
    let open = TaskTracker::new();
    let cut = CancellationToken::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) => {
                let answering = answer(stream, router.clone(), stop.clone(), cut.clone());
                tasks.spawn(open.track_future(async move {
                    answering.await;
                    drop(place);
                }));
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

/// Answers the requests of one connection; after the stop the one that is under way. A WebSocket goes its own way.
async fn answer(stream: TcpStream, router: Router, stop: CancellationToken, cut: CancellationToken) {
    // Without it a small answer may wait for the peer's acknowledgement: 40 ms for every lease.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = pin!(connection);
    // A peer that goes away in mid-answer is daily life.
    if stop.run_until_cancelled(connection.as_mut()).await.is_none() {
        connection.as_mut().graceful_shutdown();
        let _ = cut.run_until_cancelled(connection).await;
    }
}
