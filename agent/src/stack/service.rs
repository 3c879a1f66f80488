//! The life of one service: image, container (made and started ahead), dependencies, go, ready, death, removal.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use job_specs::model::ServiceSpec;
use protocol::attempt::{Micros, ServiceState};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::board::{Board, Standing};
use super::body::{Body, Ended};
use super::excerpt;
use super::failure::{FailureKind, StackFailure, Stage};
use super::launch::{Launch, Role};
use super::ready::{self, Probed};
use super::spec::{StackEvent, StackSpec, now};
use crate::engine::labels::Labels;
use crate::engine::{ContainerId, Engine, ImageInfo, Kept, Limits, NetworkId};
use crate::gate::{self, HealthState};
use crate::sandbox;

/// What all services of a stack share.
pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) spec: StackSpec,
    pub(super) network: NetworkId,
    pub(super) anchor: sandbox::Standing,
    /// The stack's, with the sandbox's.
    pub(super) labels: Labels,
    pub(super) board: Board,
    pub(super) observer: mpsc::UnboundedSender<StackEvent>,
    /// The stack is over, or the agent stops.
    pub(super) quit: CancellationToken,
    /// What quits must also remove its container.
    pub(super) remove: AtomicBool,
    /// Containers of an earlier life, by service; `None`: there was none.
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
}

impl Service {
    /// Runs it until the stack is over.
    pub(super) async fn run(self) {
        let quit = &self.shared.quit;
        self.tell(now(), ServiceState::Starting);
        let mut prepared = None;
        if let Some(image) = quit.run_until_cancelled(self.image()).await {
            // not to be cancelled: nothing may be made of which nobody knows
            let made = match image {
                Ok(image) => self.prepare(&image).await,
                Err(kind) => Err(kind),
            };
            match made {
                Ok(made) => {
                    let made = prepared.insert(made);
                    if let Some(Err(kind)) = quit.run_until_cancelled(self.attend(made)).await {
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

    fn tell(&self, at: Micros, state: ServiceState) {
        let event = StackEvent {
            service: self.spec.name.clone(),
            at,
            state,
        };
        let _ = self.shared.observer.send(event); // nobody has to listen
    }

    async fn image(&self) -> Result<Arc<ImageInfo>, FailureKind> {
        let mut pulling = false;
        let image = self.shared.engine.ensure_image(&self.spec.image, |progress| {
            if !std::mem::replace(&mut pulling, true) {
                self.tell(now(), ServiceState::Pulling);
            }
            if let Some(on_pull) = &self.shared.spec.on_pull {
                on_pull(&self.spec.name, progress);
            }
        });
        let image = image.await?;
        if pulling {
            self.tell(now(), ServiceState::Starting);
        }
        Ok(image)
    }

    /// From its dependencies to its end. `Ok`: it did what it was there for.
    async fn attend(&self, Prepared { body, launch }: &Prepared) -> Result<(), FailureKind> {
        let board = &self.shared.board;
        board.wait_for(&self.spec.depends_on).await?;
        let engine = &self.shared.engine;
        let started = body.go(engine, launch).await?;
        let began = Instant::now();
        self.tell(started, ServiceState::Running);
        board.set(&self.spec.name, Standing::Running);

        let ready = tokio::select! {
            biased;
            ended = body.ended(engine) => return self.ended_early(ended?, launch, began),
            ready = ready::wait(self, body, &launch.probe, launch.timeout) => ready?,
        };
        if let Probed::Late(last_probe) = ready {
            return Err(FailureKind::NotReady {
                waited_ms: launch.timeout.map_or(0, millis),
                probe: launch.probe.name(),
                last_probe,
            });
        }
        self.tell_ready(launch, began);
        board.set(&self.spec.name, Standing::Ready);
        let ended = tokio::select! {
            ended = body.ended(engine) => ended?,
            never = self.watch_health(body, launch, began) => match never {},
        };
        Err(self.died(ended, Stage::Ready))
    }

    /// It ended before its probe said anything: right for a task that exits with 0, else wrong.
    fn ended_early(&self, ended: Ended, launch: &Launch, began: Instant) -> Result<(), FailureKind> {
        match self.role {
            Role::Server => Err(self.died(ended, Stage::Starting)),
            Role::Task if ended.code != Some(0) => Err(self.died(ended, Stage::Task)),
            Role::Task => {
                self.tell_ready(launch, began);
                let exited = ServiceState::Exited {
                    code: Some(0),
                    oom: false,
                };
                self.tell(ended.at, exited);
                self.shared.board.set(&self.spec.name, Standing::Completed);
                Ok(())
            }
        }
    }

    fn died(&self, ended: Ended, stage: Stage) -> FailureKind {
        let Ended {
            at,
            code,
            oom,
            error,
            ours,
        } = ended;
        self.tell(at, ServiceState::Exited { code, oom });
        if ours {
            return FailureKind::Engine {
                detail: error.unwrap_or_default(),
            };
        }
        FailureKind::Exited {
            code,
            oom,
            stage,
            memory_bytes: self.limits().or(self.shared.engine.config().limits).memory_bytes,
            error,
        }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            memory_bytes: self.spec.mem_limit_bytes,
            ..Limits::default()
        }
    }

    /// Tells when its health turns bad, and good again.
    async fn watch_health(&self, body: &Body, launch: &Launch, began: Instant) -> Infallible {
        let engine = &self.shared.engine;
        loop {
            body.health(engine, HealthState::Unhealthy).await;
            let output = body.last_health(engine).await.unwrap_or_default();
            self.tell(now(), ServiceState::Unhealthy { output });
            body.health(engine, HealthState::Healthy).await;
            self.tell_ready(launch, began);
        }
    }

    fn tell_ready(&self, launch: &Launch, began: Instant) {
        let ready = ServiceState::Ready {
            after_ms: millis(began.elapsed()),
            probe: launch.probe.name(),
        };
        self.tell(now(), ready);
    }

    async fn fail(&self, kind: FailureKind) {
        let never_ran = !matches!(kind, FailureKind::Exited { .. } | FailureKind::NotReady { .. });
        if never_ran {
            self.tell(now(), ServiceState::Exited { code: None, oom: false });
        }
        let last_lines = excerpt::last_lines(self.log(), self.shared.spec.mask.clone()).await;
        self.shared.board.fail(StackFailure {
            service: self.spec.name.clone(),
            kind,
            last_lines,
        });
    }

    async fn remove(&self, Prepared { body, launch }: &Prepared) {
        if self.shared.board.is_up(&self.spec.name) {
            self.tell(now(), ServiceState::Stopped);
        }
        let removed = body
            .remove(&self.shared.engine, launch.stop_signal, self.shared.spec.grace)
            .await;
        if let Err(error) = removed {
            tracing::warn!(service = self.spec.name, %error, "a service cannot be removed yet");
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
