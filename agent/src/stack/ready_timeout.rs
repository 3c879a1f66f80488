//! How long a service may take until it is ready: as long as its `ready:` or its healthcheck allows, and what ends the
//! wait before. Pure; the rules are here, and nowhere else.

use std::time::Duration;

use job_specs::model::{DEFAULT_READY_TIMEOUT_MS, ReadyProbe, ServiceSpec};

use super::launch::Role;
use crate::engine::plan::EngineHealth;

/// How long is waited, counted from the service's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadyTimeout {
    /// It must be ready by then. `None`: as long as its owner waits.
    pub(super) timeout: Option<Duration>,
    /// Who says so.
    pub(super) allowed_by: AllowedBy,
    /// Its ports are waited for so long. Then its health command alone counts; without one, that it runs.
    pub(super) ports: Duration,
    /// When its health command has failed as often as it may (`retries`), the wait ends, but not before this. `None`:
    /// the wait goes on.
    pub(super) least: Option<Duration>,
}

/// Whose time it is that is over when a service is not ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowedBy {
    /// That of its `ready:`, or the usual one.
    Ready,
    /// That of its healthcheck.
    Healthcheck,
}

const USUAL: Duration = Duration::from_millis(DEFAULT_READY_TIMEOUT_MS);

impl ReadyTimeout {
    /// A healthcheck is given all the time that it may take until its retries are used up, each of its probes included,
    /// and never less than the usual. A number of retries that somebody has written is taken at its word.
    pub(super) fn of(service: &ServiceSpec, health: Option<&EngineHealth>, role: Role) -> ReadyTimeout {
        let usual = |timeout| ReadyTimeout {
            timeout,
            allowed_by: AllowedBy::Ready,
            ports: USUAL,
            least: None,
        };
        let own = service.ready.as_ref().filter(|ready| {
            let by_healthcheck = matches!(ready.probe, ReadyProbe::Docker);
            !by_healthcheck || ready.own_timeout
        });
        match (own, role, health) {
            (Some(ready), _, _) => {
                let timeout = Duration::from_millis(ready.timeout_ms);
                ReadyTimeout {
                    // what is left is for the command alone
                    ports: (timeout / 2).min(USUAL),
                    ..usual(Some(timeout))
                }
            }
            (None, Role::Task, _) => usual(None),
            (None, Role::Server, None) => usual(Some(USUAL)),
            (None, Role::Server, Some(health)) => {
                let within = |cycle_ms: u64| {
                    let cycles = cycle_ms.saturating_mul(u64::from(health.retries.max(1)));
                    Duration::from_millis(cycles.saturating_add(health.start_period_ms)).max(USUAL)
                };
                let says_retries = service.healthcheck.as_ref().is_some_and(|check| check.own_retries);
                let timeout = within(health.interval_ms.saturating_add(health.timeout_ms));
                ReadyTimeout {
                    timeout: Some(timeout),
                    allowed_by: match timeout == USUAL {
                        true => AllowedBy::Ready,
                        false => AllowedBy::Healthcheck,
                    },
                    ports: within(health.interval_ms),
                    least: Some(if says_retries { Duration::ZERO } else { USUAL }),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use job_specs::model::{HealthTest, Healthcheck, Ready};

    use super::*;

    fn checked(interval_ms: u64, retries: Option<u32>, start_period_ms: u64) -> (ServiceSpec, EngineHealth) {
        let check = Healthcheck {
            test: Some(HealthTest::Shell("true".into())),
            interval_ms,
            timeout_ms: 5_000,
            retries: retries.unwrap_or(3),
            own_retries: retries.is_some(),
            start_period_ms,
            ..Healthcheck::default()
        };
        let health = EngineHealth {
            test: vec!["CMD-SHELL".into(), "true".into()],
            interval_ms,
            timeout_ms: 5_000,
            retries: check.retries,
            start_period_ms,
            start_interval_ms: 5_000,
        };
        let service = ServiceSpec {
            healthcheck: Some(check),
            ..ServiceSpec::default()
        };
        (service, health)
    }

    fn message(service: &ServiceSpec, health: Option<&EngineHealth>, role: Role) -> String {
        let ReadyTimeout {
            timeout,
            allowed_by,
            ports,
            least,
        } = ReadyTimeout::of(service, health, role);
        format!("{timeout:?} by {allowed_by:?}, ports {ports:?}, used-up retries from {least:?}")
    }

    #[test]
    fn a_healthcheck_has_the_time_that_it_allows() {
        let mut lines = Vec::new();
        for (interval, retries, start_period) in [
            (10_000, Some(30), 0),
            (1_000, Some(3), 0),
            (500, None, 0),
            (30_000, None, 20_000),
            (u64::MAX, Some(1000), u64::MAX),
        ] {
            let (service, health) = checked(interval, retries, start_period);
            let message = message(&service, Some(&health), Role::Server);
            lines.push(format!(
                "every {interval}, {retries:?} times, after {start_period}: {message}"
            ));
        }
        let (mut service, health) = checked(10_000, Some(30), 0);
        for (probe, own_timeout) in [
            (ReadyProbe::Docker, false),
            (ReadyProbe::Docker, true),
            (ReadyProbe::Tcp(1), false),
        ] {
            service.ready = Some(Ready {
                probe,
                timeout_ms: 60_000,
                own_timeout,
            });
            let message = message(&service, Some(&health), Role::Server);
            lines.push(format!(
                "{:?} {own_timeout}: {message}",
                service.ready.as_ref().map(|ready| &ready.probe)
            ));
        }
        let plain = ServiceSpec::default();
        lines.push(format!("no health command: {}", message(&plain, None, Role::Server)));
        lines.push(format!("task: {}", message(&plain, None, Role::Task)));
        insta::assert_snapshot!(lines.join("\n"), @"
        every 10000, Some(30) times, after 0: Some(450s) by Healthcheck, ports 300s, used-up retries from Some(0ns)
        every 1000, Some(3) times, after 0: Some(60s) by Ready, ports 60s, used-up retries from Some(0ns)
        every 500, None times, after 0: Some(60s) by Ready, ports 60s, used-up retries from Some(60s)
        every 30000, None times, after 20000: Some(125s) by Healthcheck, ports 110s, used-up retries from Some(60s)
        every 18446744073709551615, Some(1000) times, after 18446744073709551615: Some(18446744073709551.615s) by Healthcheck, ports 18446744073709551.615s, used-up retries from Some(0ns)
        Some(Docker) false: Some(450s) by Healthcheck, ports 300s, used-up retries from Some(0ns)
        Some(Docker) true: Some(60s) by Ready, ports 30s, used-up retries from None
        Some(Tcp(1)) false: Some(60s) by Ready, ports 30s, used-up retries from None
        no health command: Some(60s) by Ready, ports 60s, used-up retries from None
        task: None by Ready, ports 60s, used-up retries from None
        ");
    }
}
