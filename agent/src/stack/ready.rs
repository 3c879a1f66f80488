//! Waiting until a service is ready, by its probe.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use job_specs::units::duration;
use tokio::time::{Instant, sleep, sleep_until};

use super::excerpt;
use super::failure::{FailureKind, WaitEnd};
use super::launch::{Probe, listed};
use super::ports::target;
use super::ready_timeout::ReadyTimeout;
use super::service::{Prepared, Service};
use crate::engine::EngineError;
use crate::gate::{HealthState, ProbeTarget};

/// Between two tries of a TCP or HTTP probe.
const INTERVAL: Duration = Duration::from_millis(20);
/// The anchor's probes run as long as somebody waits; who waits has the timeout.
const VERY_LONG: Duration = Duration::from_secs(7 * 24 * 3600);
/// Of several ports each is tried for so long at a time: the anchor goes on with a probe that nobody waits for.
const TURN: Duration = Duration::from_secs(10);

/// So much of its time a service may have spent otherwise and still have run for all of it.
const A_MOMENT: Duration = Duration::from_secs(1);

/// What became of a probe.
pub(super) enum Probed {
    /// It is ready.
    Ready {
        /// How we know.
        probe: String,
        /// What its author should know.
        warning: Option<String>,
    },
    /// It is not.
    Late {
        /// Why nobody waits any longer.
        over: WaitEnd,
        /// What the last try said.
        last_probe: Option<String>,
    },
}

/// Waits until the service is ready, at most `timeout`. Never returns for a probe whose answer is the service's end.
pub(super) async fn wait(
    service: &Service,
    prepared: &Prepared,
    timeout: Option<Duration>,
) -> Result<Probed, FailureKind> {
    let Prepared { launch, log_from, .. } = prepared;
    let ready = || Probed::Ready {
        probe: launch.probe.name(),
        warning: None,
    };
    let late = |last_probe| Probed::Late {
        over: WaitEnd::Time(launch.ready_timeout.allowed_by),
        last_probe,
    };
    let answer = match &launch.probe {
        Probe::Running => Ok(()),
        Probe::Tcp(port) => reach(service, prepared, *port, None, timeout).await?,
        Probe::Http { port, path } => reach(service, prepared, *port, Some(path), timeout).await?,
        Probe::AnyPort(ports) => return any_port(service, prepared, ports, timeout).await,
        Probe::Health(_, ports) => return healthy(service, prepared, ports, timeout).await,
        Probe::Log(pattern) => {
            let watcher = service.shared.spec.watcher.clone().unwrap_or_default();
            let log = service.log();
            match within(timeout, excerpt::wait_for_line(&watcher, &log, *log_from, pattern)).await {
                Some(Ok(())) => Ok(()),
                Some(Err(source)) => {
                    let what = "follow a service's log";
                    return Err(EngineError::Io { what, source }.into());
                }
                None => Err(Some(format!("no line matched `{pattern}`"))),
            }
        }
        Probe::Finished => match within(timeout, std::future::pending::<()>()).await {
            Some(()) => unreachable!("pending"),
            None => Err(None),
        },
    };
    Ok(match answer {
        Ok(()) => ready(),
        Err(last_probe) => late(last_probe),
    })
}

/// Ready by the first port that takes a connection. A process that has run for all that time without one may need none:
/// many images expose ports that they serve only sometimes.
async fn any_port(
    service: &Service,
    prepared: &Prepared,
    ports: &[u16],
    timeout: Option<Duration>,
) -> Result<Probed, FailureKind> {
    let began = Instant::now();
    let opened = within(timeout, open_port(service, prepared, ports)).await.transpose()?;
    Ok(match opened {
        Some(port) => Probed::Ready {
            probe: format!("tcp {port}"),
            warning: None,
        },
        None => without_port(ports, prepared.launch.ready_timeout, began.elapsed()),
    })
}

/// What a service is that has run so long, and serves none of its ports.
fn without_port(ports: &[u16], ready_timeout: ReadyTimeout, ran: Duration) -> Probed {
    // one that is started again and again has only the rest of the time
    if ran + A_MOMENT < ready_timeout.ports {
        return Probed::Late {
            over: WaitEnd::Time(ready_timeout.allowed_by),
            last_probe: None,
        };
    }
    Probed::Ready {
        probe: Probe::Running.name(),
        warning: Some(unserved(ports, ready_timeout.ports, "that it runs counts as ready")),
    }
}

/// Ready by its health command, in tries that began when a port was open.
async fn healthy(
    service: &Service,
    prepared: &Prepared,
    ports: &[u16],
    timeout: Option<Duration>,
) -> Result<Probed, FailureKind> {
    let Prepared { body, launch, .. } = prepared;
    let engine = &service.shared.engine;
    let ready_timeout = launch.ready_timeout;
    let began = Instant::now();
    let verdict = async {
        if ports.is_empty() {
            body.health(engine, HealthState::Healthy).await;
            return Ok(None);
        }
        match within(Some(ready_timeout.ports), open_port(service, prepared, ports)).await {
            Some(port) => {
                port?;
                body.healthy_from_now(engine).await;
                Ok(None)
            }
            None => {
                body.health(engine, HealthState::Healthy).await;
                Ok(Some(unserved(
                    ports,
                    ready_timeout.ports,
                    "its healthcheck alone counts as ready",
                )))
            }
        }
    };
    let used_up = async {
        let Some(least) = ready_timeout.least else {
            return std::future::pending().await;
        };
        loop {
            body.health(engine, HealthState::Unhealthy).await;
            sleep_until(began + least).await;
            if body.health(engine, HealthState::Unhealthy).now_or_never().is_some() {
                return WaitEnd::Retries(launch.health.as_ref().map_or(0, |health| health.retries));
            }
        }
    };
    let over = tokio::select! {
        biased;
        warning = verdict => {
            let probe = launch.probe.name();
            return warning.map(|warning: Option<String>| Probed::Ready { probe, warning });
        }
        over = used_up => over,
        _ = within(timeout, std::future::pending::<()>()) => WaitEnd::Time(ready_timeout.allowed_by),
    };
    let last_probe = body.last_health(engine).await;
    Ok(Probed::Late { over, last_probe })
}

fn unserved(ports: &[u16], waited: Duration, what_counts: &str) -> String {
    let none = match ports {
        [port] => format!("the exposed port {port} took no connection"),
        _ => format!("none of the exposed ports {} took a connection", listed(ports)),
    };
    format!(
        "{none} within {}, so {what_counts}; say with `ready:` what to wait for",
        duration(waited)
    )
}

/// Waits until one of the ports takes a connection from the steps' side, and says which.
async fn open_port(service: &Service, prepared: &Prepared, ports: &[u16]) -> Result<u16, FailureKind> {
    let Some(address) = service.address(&prepared.body).await? else {
        return std::future::pending().await; // it has ended; the race has other runners
    };
    let anchor = service.shared.anchor.gate().await?;
    loop {
        let probes = ports.iter().map(|port| {
            let target = target(SocketAddr::new(address, *port), &prepared.launch.env);
            let answer = anchor.probe(target, INTERVAL, TURN);
            answer.map(move |answer| (*port, answer))
        });
        let mut probes: FuturesUnordered<_> = probes.collect();
        while let Some((port, answer)) = probes.next().await {
            match answer {
                Ok(Ok(())) => return Ok(port),
                Ok(Err(_)) => {}
                Err(error) => return Err(anchor_broke(&error)),
            }
        }
        sleep(INTERVAL).await;
    }
}

/// Has the sandbox's anchor try: it sees what a step sees. `Err`: what the last try said.
async fn reach(
    service: &Service,
    prepared: &Prepared,
    port: u16,
    path: Option<&String>,
    timeout: Option<Duration>,
) -> Result<Result<(), Option<String>>, FailureKind> {
    let Some(address) = service.address(&prepared.body).await? else {
        return std::future::pending().await; // it has ended; the race has other runners
    };
    let addr = SocketAddr::new(address, port);
    let target = match path {
        None => target(addr, &prepared.launch.env),
        Some(path) => ProbeTarget::Http {
            addr,
            path: path.clone(),
        },
    };
    let anchor = service.shared.anchor.gate().await?;
    let answer = anchor.probe(target, INTERVAL, timeout.unwrap_or(VERY_LONG)).await;
    answer
        .map(|reached| reached.map_err(Some))
        .map_err(|error| anchor_broke(&error))
}

fn anchor_broke(error: &crate::gate::GateError) -> FailureKind {
    EngineError::Gate(format!("the anchor: {error}")).into()
}

async fn within<T>(timeout: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match timeout {
        Some(timeout) => tokio::time::timeout(timeout, work).await.ok(),
        None => Some(work.await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::AllowedBy;

    #[test]
    fn a_service_that_serves_no_port_is_ready_once_it_has_run_for_all_its_time() {
        let minute = Duration::from_secs(60);
        let ready_timeout = ReadyTimeout {
            timeout: Some(minute),
            allowed_by: AllowedBy::Ready,
            ports: minute,
            least: None,
        };
        let Probed::Ready { probe, warning } = without_port(&[443, 8080], ready_timeout, minute) else {
            panic!("it has run for all its time")
        };
        assert_eq!(probe, "running");
        assert!(
            warning
                .as_ref()
                .is_some_and(|warning| warning.starts_with("none of the exposed ports 443, 8080 took a connection")),
            "{warning:?}"
        );
        // It was started again.
        let started_again = without_port(&[443, 8080], ready_timeout, minute / 2);
        assert!(matches!(
            started_again,
            Probed::Late {
                over: WaitEnd::Time(AllowedBy::Ready),
                ..
            }
        ));
    }

    #[test]
    fn ports_that_nobody_serves_are_said_with_what_to_do() {
        let minute = Duration::from_secs(60);
        insta::assert_snapshot!(unserved(&[443], minute, "that it runs counts as ready"), @"the exposed port 443 took no connection within 1m, so that it runs counts as ready; say with `ready:` what to wait for");
        insta::assert_snapshot!(unserved(&[443, 80], minute, "its healthcheck alone counts as ready"), @"none of the exposed ports 443, 80 took a connection within 1m, so its healthcheck alone counts as ready; say with `ready:` what to wait for");
    }
}
