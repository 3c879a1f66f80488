//! Waiting until a service is ready, by its probe.

use std::net::SocketAddr;
use std::time::Duration;

use super::body::Body;
use super::excerpt;
use super::failure::FailureKind;
use super::launch::Probe;
use super::service::{Prepared, Service};
use crate::engine::EngineError;
use crate::gate::{HealthState, ProbeTarget};

/// Between two tries of a TCP or HTTP probe.
const INTERVAL: Duration = Duration::from_millis(20);
/// The anchor's probes run as long as somebody waits; who waits has the timeout.
const VERY_LONG: Duration = Duration::from_secs(7 * 24 * 3600);

/// What became of a probe.
pub(super) enum Probed {
    /// It is ready.
    Ready,
    /// The time is over; what the last try said.
    Late(Option<String>),
}

/// Waits until the service is ready, at most `timeout`. Never returns for a probe whose answer is the service's end.
pub(super) async fn wait(
    service: &Service,
    Prepared {
        body, launch, log_from, ..
    }: &Prepared,
    timeout: Option<Duration>,
) -> Result<Probed, FailureKind> {
    match &launch.probe {
        Probe::Running => Ok(Probed::Ready),
        Probe::Tcp(port) => reach(service, body, *port, None, timeout).await,
        Probe::Http { port, path } => reach(service, body, *port, Some(path), timeout).await,
        Probe::Health(_) => {
            let engine = &service.shared.engine;
            match within(timeout, body.health(engine, HealthState::Healthy)).await {
                Some(()) => Ok(Probed::Ready),
                None => Ok(Probed::Late(body.last_health(engine).await)),
            }
        }
        Probe::Log(pattern) => {
            let watcher = service.shared.spec.watcher.clone().unwrap_or_default();
            let log = service.log();
            match within(timeout, excerpt::wait_for_line(&watcher, &log, *log_from, pattern)).await {
                Some(Ok(())) => Ok(Probed::Ready),
                Some(Err(source)) => Err(EngineError::Io {
                    what: "follow a service's log",
                    source,
                }
                .into()),
                None => Ok(Probed::Late(Some(format!("no line matched `{pattern}`")))),
            }
        }
        Probe::Finished => match within(timeout, std::future::pending::<()>()).await {
            Some(()) => unreachable!("pending"),
            None => Ok(Probed::Late(None)),
        },
    }
}

/// Has the sandbox's anchor try: it sees what a step sees.
async fn reach(
    service: &Service,
    body: &Body,
    port: u16,
    path: Option<&String>,
    timeout: Option<Duration>,
) -> Result<Probed, FailureKind> {
    let Some(address) = service.address(body).await? else {
        return std::future::pending().await; // it has ended; the race has other runners
    };
    let addr = SocketAddr::new(address, port);
    let target = match path {
        None => ProbeTarget::Tcp(addr),
        Some(path) => ProbeTarget::Http {
            addr,
            path: path.clone(),
        },
    };
    let anchor = service.shared.anchor.gate().await?;
    let answer = anchor.probe(target, INTERVAL, timeout.unwrap_or(VERY_LONG)).await;
    match answer {
        Ok(Ok(())) => Ok(Probed::Ready),
        Ok(Err(words)) => Ok(Probed::Late(Some(words))),
        Err(error) => Err(EngineError::Gate(format!("the anchor: {error}")).into()),
    }
}

async fn within<T>(timeout: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match timeout {
        Some(timeout) => tokio::time::timeout(timeout, work).await.ok(),
        None => Some(work.await),
    }
}
