//! A service and its image to what is run and how its readiness is known. Pure: Compose's rules of entrypoint and
//! command, and the order of probes, are decided here and nowhere else.

use std::collections::BTreeMap;

use job_specs::model::{HealthTest, Healthcheck, ReadyProbe, ServiceSpec};
use regex::Regex;

use super::failure::FailureKind;
use super::ports::client_ports;
use super::ready_timeout::ReadyTimeout;
use super::signal;
use crate::engine::ImageInfo;
use crate::engine::plan::EngineHealth;
use crate::gate::{Go, HealthCheck};

/// How often the command of `ready: cmd` runs until its first success, milliseconds.
const CMD_STARTING_INTERVAL_MS: u64 = 50;
/// The same when the engine runs it, as a new process in the container each time, which costs 30 ms and more.
const ENGINE_INTERVAL_MS: u64 = 500;
/// A health command that is only a `ready: cmd` runs this often.
const CMD_INTERVAL_MS: u64 = 1_000;
const CMD_TIMEOUT_MS: u64 = 30_000;
/// The words for both.
const CMD: &str = "cmd";
const HEALTHCHECK: &str = "healthcheck";

/// How we know that a service is ready.
#[derive(Debug, Clone)]
pub(super) enum Probe {
    /// Its health command exits with 0 (the word for it), once one of its ports, if it has any, takes connections:
    /// while an image initialises itself, its health command may be answered by a server that nobody else reaches.
    Health(&'static str, Vec<u16>),
    /// A connection to the port is taken.
    Tcp(u16),
    /// A connection to one of the ports is taken; if that never is so, its process runs.
    AnyPort(Vec<u16>),
    /// A GET is answered.
    Http { port: u16, path: String },
    /// A line of its log matches.
    Log(Box<Regex>),
    /// Its process runs.
    Running,
    /// It exits with 0.
    Finished,
}

impl Probe {
    /// For people: `tcp 5432`.
    pub(super) fn name(&self) -> String {
        match self {
            Probe::Health(word, _) => (*word).to_owned(),
            Probe::Tcp(port) => format!("tcp {port}"),
            Probe::AnyPort(ports) => format!("tcp {}", listed(ports)),
            Probe::Http { port, path } => format!("http {port}{path}"),
            Probe::Log(_) => "log".into(),
            Probe::Running => "running".into(),
            Probe::Finished => "exited 0".into(),
        }
    }
}

/// A service, ready to be launched.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    pub(super) argv: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    /// Its health command, whether or not readiness depends on it.
    pub(super) health: Option<EngineHealth>,
    pub(super) stop_signal: i32,
    pub(super) probe: Probe,
    /// How long that may take.
    pub(super) ready_timeout: ReadyTimeout,
}

impl Launch {
    /// `is_task`: the service is to exit with 0.
    pub(super) fn of(service: &ServiceSpec, image: &ImageInfo, role: Role) -> Result<Launch, FailureKind> {
        let healthcheck = health_of(service, image);
        let (probe, health) = probe_of(service, image, healthcheck, role)?;
        Ok(Launch {
            argv: argv(service, image)?,
            env: service.environment.clone(),
            stop_signal: [&service.stop_signal, &image.stop_signal]
                .into_iter()
                .find_map(|signal| signal::number(signal.as_deref()?))
                .unwrap_or(signal::TERM),
            ready_timeout: ReadyTimeout::of(service, health.as_ref(), role),
            probe,
            health,
        })
    }

    /// What the gate is told.
    pub(super) fn go(&self, log_limit: u64) -> Go {
        Go {
            argv: self.argv.clone(),
            env: self.env.clone().into_iter().collect(),
            health: self.health.as_ref().map(|health| self.gate_health(health)),
            stop_signal: self.stop_signal,
            log_limit,
            ..Go::default()
        }
    }

    /// What the engine is told, when there is no gate to run it. Engines have one interval for all times, and try it
    /// for the first time when it is over; `retries` go on to mean the same time.
    pub(super) fn engine_health(&self) -> Option<EngineHealth> {
        let health = self.health.clone()?;
        let interval_ms = match &self.probe {
            Probe::Health(..) => health.interval_ms.min(health.start_interval_ms).min(ENGINE_INTERVAL_MS),
            _ => health.interval_ms,
        };
        let retries = u64::from(health.retries).saturating_mul(health.interval_ms) / interval_ms.max(1);
        Some(EngineHealth {
            interval_ms,
            retries: u32::try_from(retries).unwrap_or(u32::MAX),
            ..health
        })
    }

    fn gate_health(&self, health: &EngineHealth) -> HealthCheck {
        let small = |millis: u64| u32::try_from(millis).unwrap_or(u32::MAX);
        let starting = match &self.probe {
            Probe::Health(CMD, _) => CMD_STARTING_INTERVAL_MS,
            Probe::Health(..) => health.start_interval_ms,
            _ => health.interval_ms,
        };
        HealthCheck {
            argv: command_of(&health.test),
            starting_interval_ms: small(starting.min(health.interval_ms)),
            interval_ms: small(health.interval_ms),
            timeout_ms: small(health.timeout_ms),
            retries: health.retries,
            start_period_ms: small(health.start_period_ms),
        }
    }
}

/// What a service is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// To be used by others.
    Server,
    /// To do something once.
    Task,
}

impl Role {
    /// `run_once`, or another service waits for its successful end.
    pub(super) fn of(service: &ServiceSpec, all: &[ServiceSpec]) -> Role {
        use job_specs::model::DependencyCondition::ServiceCompletedSuccessfully as Completed;
        let mut edges = all.iter().flat_map(|other| &other.depends_on);
        let awaited = edges.any(|edge| edge.service == service.name && edge.condition == Completed);
        if service.run_once || awaited {
            Role::Task
        } else {
            Role::Server
        }
    }
}

/// Compose's rule: an `entrypoint` replaces the image's and drops its CMD, a `command` replaces the CMD alone.
fn argv(service: &ServiceSpec, image: &ImageInfo) -> Result<Vec<String>, FailureKind> {
    let mut argv = service.entrypoint.clone().unwrap_or_else(|| image.entrypoint.clone());
    match (&service.command, &service.entrypoint) {
        (Some(command), _) => argv.extend(command.iter().cloned()),
        (None, None) => argv.extend(image.cmd.iter().cloned()),
        (None, Some(_)) => {}
    }
    if argv.is_empty() {
        return Err(FailureKind::CannotStart {
            detail: "its image has no command; give it one with `command`".into(),
        });
    }
    Ok(argv)
}

/// The service's own healthcheck, else the image's; a service can switch the image's off.
fn health_of(service: &ServiceSpec, image: &ImageInfo) -> Option<EngineHealth> {
    match &service.healthcheck {
        Some(own) if own.of_image => image.health.as_ref().map(|of_image| EngineHealth {
            test: of_image.test.clone(),
            ..engine_health(&HealthTest::Exec(Vec::new()), own)
        }),
        Some(own) => own.test.as_ref().map(|test| engine_health(test, own)),
        None => image.health.clone(),
    }
}

/// The probe, and the health command that goes with it.
fn probe_of(
    service: &ServiceSpec,
    image: &ImageInfo,
    health: Option<EngineHealth>,
    role: Role,
) -> Result<(Probe, Option<EngineHealth>), FailureKind> {
    let refused = |detail: String| Err(FailureKind::CannotStart { detail });
    if role == Role::Task {
        return Ok((Probe::Finished, None));
    }
    let probe = match service.ready.as_ref().map(|ready| &ready.probe) {
        Some(ReadyProbe::Tcp(port)) => Probe::Tcp(*port),
        Some(ReadyProbe::Http { port, path }) => Probe::Http {
            port: *port,
            path: path.clone(),
        },
        Some(ReadyProbe::Log(pattern)) => match Regex::new(pattern) {
            Ok(regex) => Probe::Log(Box::new(regex)),
            Err(error) => return refused(format!("`ready: log` is no regular expression: {error}")),
        },
        Some(ReadyProbe::Cmd(test)) => {
            return Ok((
                Probe::Health(CMD, client_ports(&service.expose, &image.tcp_ports)),
                Some(ready_command(test)),
            ));
        }
        Some(ReadyProbe::Docker) if health.is_none() => {
            return refused(
                "`ready: docker` needs a healthcheck, and neither the service nor its image has one".into(),
            );
        }
        Some(ReadyProbe::Docker) => Probe::Health(HEALTHCHECK, Vec::new()),
        None if health.is_some() => Probe::Health(HEALTHCHECK, client_ports(&service.expose, &image.tcp_ports)),
        None => match client_ports(&service.expose, &image.tcp_ports) {
            none if none.is_empty() => Probe::Running,
            ports => Probe::AnyPort(ports),
        },
    };
    Ok((probe, health))
}

/// `443, 8080`
pub(super) fn listed(ports: &[u16]) -> String {
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

fn engine_health(test: &HealthTest, check: &Healthcheck) -> EngineHealth {
    EngineHealth {
        test: engine_test(test),
        interval_ms: check.interval_ms,
        timeout_ms: check.timeout_ms,
        retries: check.retries,
        start_period_ms: check.start_period_ms,
        start_interval_ms: check.start_interval_ms.unwrap_or(EngineHealth::START_INTERVAL_MS),
    }
}

fn ready_command(test: &HealthTest) -> EngineHealth {
    EngineHealth {
        test: engine_test(test),
        interval_ms: CMD_INTERVAL_MS,
        timeout_ms: CMD_TIMEOUT_MS,
        retries: 3,
        start_period_ms: 0,
        start_interval_ms: CMD_INTERVAL_MS,
    }
}

fn engine_test(test: &HealthTest) -> Vec<String> {
    match test {
        HealthTest::Exec(argv) => std::iter::once("CMD".to_owned()).chain(argv.iter().cloned()).collect(),
        HealthTest::Shell(script) => vec!["CMD-SHELL".into(), script.clone()],
    }
}

/// `["CMD", …]` or `["CMD-SHELL", script]` to what is executed.
fn command_of(test: &[String]) -> Vec<String> {
    match test {
        [shell, script, ..] if shell == "CMD-SHELL" => vec!["/bin/sh".into(), "-c".into(), script.clone()],
        [_, argv @ ..] => argv.to_vec(),
        [] => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
