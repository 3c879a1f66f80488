//! The life of one service: image, container (made and started ahead), dependencies, go, ready, death, removal.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use job_specs::model::{Dependency, DependencyCondition, ServiceSpec};
use protocol::attempt::{Micros, ServiceState};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::body::{Body, ServiceExit};
use super::excerpt;
use super::failure::{FailureKind, StackFailure, Stage, WaitEnd};
use super::launch::{Launch, Probe, Role};
use super::ready::{self, Probed};
use super::restart::Restarts;
use super::spec::{StackEvent, StackSpec};
use super::states::{Progress, ServiceStates};
use super::{container, workspace};
use crate::clock::{millis, now};
use crate::engine::labels::Labels;
use crate::engine::{ContainerId, Engine, Kept, NetworkId};
use crate::gate::{self, HealthState};
use crate::sandbox;

/// What all services of a stack share.
pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) spec: StackSpec,
    pub(super) network: NetworkId,
    pub(super) anchor: sandbox::AnchorHandle,
    /// The stack's, with the sandbox's.
    pub(super) labels: Labels,
    pub(super) states: ServiceStates,
    /// How many services have yet to mount what they want of the workspace.
    pub(super) mounting: watch::Sender<usize>,
    pub(super) observer: mpsc::UnboundedSender<StackEvent>,
    /// The stack is over, or the agent stops.
    pub(super) quit: CancellationToken,
    /// What quits must also remove its container.
    pub(super) remove: AtomicBool,
    /// Containers from before a restart, by service; `None`: there was none.
    pub(super) earlier: Option<BTreeMap<String, ContainerId>>,
    pub(super) _kept: Kept,
}

/// One service of a stack.
pub(super) struct Service {
    pub(super) shared: Arc<Shared>,
    pub(super) spec: ServiceSpec,
    pub(super) role: Role,
}

/// A service that can be let run.
pub(super) struct Prepared {
    pub(super) body: Body,
    pub(super) launch: Launch,
    /// The code, when it mounts some of it.
    pub(super) workspace: Option<PathBuf>,
    /// Where in its log the output of this run begins.
    pub(super) log_from: u64,
}

/// How far a service came in one run.
enum RunEnd {
    /// It did what it was there for.
    Done,
    /// It ended while it was needed.
    Exited(ServiceExit, Stage),
}

impl Service {
    /// Runs it until the stack is over.
    pub(super) async fn run(self) {
        let quit = &self.shared.quit;
        let is_over = self.shared.earlier.is_some() && gate::read_status(&self.folder()).is_some();
        if !is_over {
            self.report(now(), ServiceState::Starting);
        }
        let mut prepared = None;
        if let Some(inputs) = quit.run_until_cancelled(self.inputs()).await {
            // not to be cancelled: nothing may be made of which nobody knows
            let made = match inputs {
                Ok(inputs) => self.prepare(&inputs).await,
                Err(kind) => Err(kind),
            };
            self.has_mounted();
            match made {
                Ok(made) => {
                    let made = prepared.insert(made);
                    if let Some(Err(kind)) = quit.run_until_cancelled(self.supervise(made)).await {
                        self.fail(kind).await;
                    }
                }
                Err(kind) => self.fail(kind).await,
            }
        }
        quit.cancelled().await;
        if let Some(prepared) = prepared
            && self.shared.remove.load(Ordering::Acquire)
        {
            self.remove(&prepared).await;
        }
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder().join(gate::LOG)
    }

    /// Its address on the network; `None` when it has ended.
    pub(super) async fn address(&self, body: &Body) -> Result<Option<IpAddr>, FailureKind> {
        let id = match body {
            Body::Gated { id, .. } | Body::Plain { id, .. } => id,
            Body::Gone(_) => return Ok(None),
        };
        match self.shared.engine.address(id).await {
            Ok(address) => Ok(Some(address)),
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.shared.spec.folder.join(format!("service-{}", self.spec.name))
    }

    pub(super) fn report(&self, at: Micros, state: ServiceState) {
        let event = StackEvent {
            service: self.spec.name.clone(),
            at,
            state,
        };
        let _ = self.shared.observer.send(event); // nobody has to listen
    }

    /// What it mounts of the workspace is mounted, or never will be.
    fn has_mounted(&self) {
        if workspace::mounts(&self.spec).next().is_some() {
            self.shared
                .mounting
                .send_modify(|count| *count = count.saturating_sub(1));
        }
    }

    /// From its dependencies to its end. `Ok`: it did what it was there for.
    async fn supervise(&self, prepared: &mut Prepared) -> Result<(), FailureKind> {
        self.shared.states.wait_for(&self.spec.depends_on).await?;
        if workspace::writes(&self.spec) {
            let mut mounting = self.shared.mounting.subscribe();
            let _ = mounting.wait_for(|count| *count == 0).await; // the sender lives as long as `self`
        }
        let mut restarts = Restarts::of(&self.spec, self.role);
        loop {
            let (ended, stage) = match self.run_once(prepared, &mut restarts).await? {
                RunEnd::Done => return Ok(()),
                RunEnd::Exited(ended, stage) => (ended, stage),
            };
            let pause = match prepared.body {
                Body::Gone(_) => None,
                Body::Gated { .. } | Body::Plain { .. } => restarts.after(&ended),
            };
            let Some(pause) = pause else {
                if self.may_end(&ended, stage, &prepared.launch.probe) {
                    self.completed(ended.at, ended.code, self.warning_of(ended.code));
                    return Ok(());
                }
                return Err(self.exit_failure(ended, stage, restarts.done()));
            };
            let ServiceExit { at, code, oom, .. } = ended;
            let warning = None;
            self.report(at, ServiceState::Exited { code, oom, warning });
            self.shared.states.set(&self.spec.name, Progress::Pending);
            tokio::time::sleep(pause).await;
            self.report(now(), ServiceState::Starting);
            self.start_again(prepared).await?;
        }
    }

    /// Whether the job goes on after that end. With 0: in a Compose file, unless somebody still waits until it is
    /// healthy; elsewhere, when nothing is there to say that it is ready. With another code as Compose has it: only when
    /// nobody and nothing waits for it.
    fn may_end(&self, ended: &ServiceExit, stage: Stage, probe: &Probe) -> bool {
        if ended.ours || ended.oom || ended.error.is_some() {
            return false;
        }
        let has_probe = !matches!(probe, Probe::Running);
        let edges = || {
            let others = self.shared.spec.services.iter().flat_map(|other| &other.depends_on);
            others.filter(|edge| edge.service == self.spec.name && edge.required)
        };
        let awaits_health = |edge: &Dependency| edge.condition == DependencyCondition::ServiceHealthy;
        match ended.code {
            None => false,
            Some(0) if self.spec.may_end => stage == Stage::Ready || !edges().any(awaits_health),
            Some(0) => !has_probe,
            Some(_) => self.spec.may_end && !has_probe && edges().next().is_none(),
        }
    }

    /// What its author should know of such an end.
    fn warning_of(&self, code: Option<i32>) -> Option<String> {
        match code? {
            0 if self.spec.may_end => None,
            0 => Some("it exited with 0; with `run_once: true` the steps wait for its end".into()),
            code => Some(format!(
                "it exited with {code}; nothing waits for it, so the job goes on"
            )),
        }
    }

    /// One run, from its start to its end.
    async fn run_once(&self, prepared: &Prepared, restarts: &mut Restarts) -> Result<RunEnd, FailureKind> {
        let (states, engine) = (&self.shared.states, &self.shared.engine);
        let Prepared { body, launch, .. } = prepared;
        let started = body.go(engine, launch).await?;
        let began = Instant::now();
        self.report(started, ServiceState::Running);
        states.set(&self.spec.name, Progress::Running);

        let timeout = launch.ready_timeout.timeout.map(|timeout| restarts.rest_of(timeout));
        let ready = tokio::select! {
            biased;
            ended = body.ended(engine) => return self.ended_early(ended?, launch, began),
            ready = ready::wait(self, prepared, timeout) => ready?,
        };
        let (probe, warning) = match ready {
            Probed::Ready { probe, warning } => (probe, warning),
            Probed::Late { over, last_probe } => {
                let waited = match over {
                    WaitEnd::Time(_) => launch.ready_timeout.timeout.unwrap_or_default(),
                    WaitEnd::Retries(_) => began.elapsed(),
                };
                return Err(FailureKind::NotReady {
                    waited_ms: millis(waited).next_multiple_of(100),
                    probe: launch.probe.name(),
                    last_probe,
                    over,
                });
            }
        };
        restarts.is_ready();
        self.report_ready(probe, warning, began);
        states.set(&self.spec.name, Progress::Ready);
        let ended = tokio::select! {
            ended = body.ended(engine) => ended?,
            never = self.watch_health(body, launch, began) => match never {},
        };
        Ok(RunEnd::Exited(ended, Stage::Ready))
    }

    /// It ended before its probe said anything: right for a task that exits with 0, else wrong.
    fn ended_early(&self, ended: ServiceExit, launch: &Launch, began: Instant) -> Result<RunEnd, FailureKind> {
        match self.role {
            Role::Server => Ok(RunEnd::Exited(ended, Stage::Starting)),
            Role::Task if ended.code != Some(0) => Ok(RunEnd::Exited(ended, Stage::Task)),
            Role::Task => {
                self.report_ready(launch.probe.name(), None, began);
                self.completed(ended.at, Some(0), None);
                Ok(RunEnd::Done)
            }
        }
    }

    /// It has exited, as it may.
    fn completed(&self, at: Micros, code: Option<i32>, warning: Option<String>) {
        let exited = ServiceState::Exited {
            code,
            oom: false,
            warning,
        };
        self.report(at, exited);
        self.shared.states.set(&self.spec.name, Progress::Completed);
    }

    fn exit_failure(&self, ended: ServiceExit, stage: Stage, restarts: u32) -> FailureKind {
        let ServiceExit {
            at,
            code,
            oom,
            error,
            ours,
        } = ended;
        let warning = None;
        self.report(at, ServiceState::Exited { code, oom, warning });
        if ours {
            return FailureKind::Engine {
                detail: error.unwrap_or_default(),
            };
        }
        FailureKind::Exited {
            code,
            oom,
            stage,
            memory_bytes: container::limits(&self.spec)
                .or(self.shared.engine.config().limits)
                .memory_bytes,
            error,
            restarts,
        }
    }

    /// Reports when its health turns bad, and good again.
    async fn watch_health(&self, body: &Body, launch: &Launch, began: Instant) -> Infallible {
        let engine = &self.shared.engine;
        loop {
            body.health(engine, HealthState::Unhealthy).await;
            let output = body.last_health(engine).await.unwrap_or_default();
            self.report(now(), ServiceState::Unhealthy { output });
            body.health(engine, HealthState::Healthy).await;
            self.report_ready(launch.probe.name(), None, began);
        }
    }

    fn report_ready(&self, probe: String, warning: Option<String>, began: Instant) {
        let ready = ServiceState::Ready {
            after_ms: millis(began.elapsed()),
            probe,
            warning,
        };
        self.report(now(), ready);
    }

    async fn fail(&self, kind: FailureKind) {
        let never_ran = !matches!(kind, FailureKind::Exited { .. } | FailureKind::NotReady { .. });
        if never_ran {
            let exited = ServiceState::Exited {
                code: None,
                oom: false,
                warning: None,
            };
            self.report(now(), exited);
        }
        let last_lines = excerpt::last_lines(self.log(), self.shared.spec.mask.clone()).await;
        self.shared.states.fail(StackFailure {
            service: self.spec.name.clone(),
            kind,
            last_lines,
        });
    }

    async fn remove(&self, Prepared { body, launch, .. }: &Prepared) {
        if self.shared.states.is_up(&self.spec.name) {
            self.report(now(), ServiceState::Stopped);
        }
        let own_grace = self.spec.stop_grace_period_ms.map(Duration::from_millis);
        let grace = own_grace.unwrap_or(self.shared.spec.grace);
        let removed = body.remove(&self.shared.engine, launch.stop_signal, grace).await;
        if let Err(error) = removed {
            tracing::warn!(service = self.spec.name, %error, "a service cannot be removed yet");
        }
    }
}
