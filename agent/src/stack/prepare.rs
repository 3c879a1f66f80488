//! A service's container: made anew, or taken over from before a restart of the agent.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use job_specs::model::{Restart, VolumeSource};
use tokio::task::JoinHandle;

use super::body::{self, Body, ServiceExit};
use super::container::{self, ContainerContext};
use super::failure::FailureKind;
use super::image::ContainerInputs;
use super::launch::Launch;
use super::service::{Prepared, Service};
use super::{files, workspace};
use crate::engine::plan::Bind;
use crate::engine::{ContainerId, ContainerPlan, EngineError};
use crate::gate::{self, GateClient};
use crate::sandbox::open_folder;

/// A gate answers a few milliseconds after its container's start; this long only on a machine in trouble.
const CONNECT: Duration = Duration::from_secs(30);

impl Service {
    /// Makes its container, ahead of what it depends on. Under the gate it is started as well: its process waits.
    pub(super) async fn prepare(&self, inputs: &ContainerInputs) -> Result<Prepared, FailureKind> {
        let launch = Launch::of(&self.spec, &inputs.image, self.role)?;
        let workspace = inputs.workspace.clone();
        if let Some(earlier) = &self.shared.earlier
            && let Some(body) = self.take_over(earlier).await
        {
            return Ok(Prepared {
                body,
                launch,
                workspace,
                log_from: 0,
            });
        }
        let engine = &self.shared.engine;
        let folder = self.folder();
        open_folder(&folder).map_err(EngineError::io("make a service's folder"))?;
        let id = engine.create(&self.plan(inputs, &launch).await?).await?;
        match self.begin(&id).await {
            Ok(body) => Ok(Prepared {
                body,
                launch,
                workspace,
                log_from: 0,
            }),
            Err(error) => {
                if let Err(error) = engine.remove_forced(&id).await {
                    tracing::warn!(%error, "a service that did not start cannot be removed yet");
                }
                Err(error.into())
            }
        }
    }

    /// What there is of a container that was just made.
    async fn begin(&self, id: &ContainerId) -> Result<Body, EngineError> {
        if !self.spec.gate {
            return self.attached(id.clone()).await;
        }
        self.shared.engine.start(id).await?;
        Ok(Body::Gated {
            id: id.clone(),
            gate: GateClient::connect(&self.folder(), CONNECT).await?,
        })
    }

    /// Its container as the agent left it before its restart; `None` when there is nothing of it.
    async fn take_over(&self, earlier: &BTreeMap<String, ContainerId>) -> Option<Body> {
        let folder = self.folder();
        let Some(id) = earlier.get(&self.spec.name).cloned() else {
            let status = gate::read_status(&folder);
            let ended = status.map(ServiceExit::of_gate);
            return ended.map(Body::Gone);
        };
        if !self.spec.gate {
            return self.attached(id).await.ok();
        }
        match GateClient::connect(&folder, CONNECT).await {
            Ok(gate) => Some(Body::Gated { id, gate }),
            Err(error) => {
                tracing::warn!(service = self.spec.name, %error, "a service from before a restart is made again");
                let _ = self.shared.engine.remove_forced(&id).await; // else the stack's end removes it
                None
            }
        }
    }

    /// Attached before its start, so that no output is lost.
    async fn attached(&self, id: ContainerId) -> Result<Body, EngineError> {
        let output = tokio::sync::Mutex::new(self.attach(&id).await?);
        Ok(Body::Plain { id, output })
    }

    async fn attach(&self, id: &ContainerId) -> Result<JoinHandle<()>, EngineError> {
        let engine = &self.shared.engine;
        let (output, log, limit) = (engine.attach(id).await?, self.log(), engine.log_limit());
        Ok(tokio::spawn(
            async move { body::write_output(output, &log, limit).await },
        ))
    }

    /// The plan of its container; what that needs besides is made first.
    async fn plan(&self, inputs: &ContainerInputs, launch: &Launch) -> Result<ContainerPlan, FailureKind> {
        let (engine, stack) = (&self.shared.engine, self.shared.spec.id.as_str());
        for volume in &self.spec.volumes {
            if let VolumeSource::Named(name) = &volume.source {
                let name = container::volume_name(stack, name);
                engine.create_volume(&name, &self.shared.labels).await?;
            }
        }
        let mut binds = self.files()?;
        if let Some(workspace) = &inputs.workspace {
            self.may_mount()?;
            self.make_missing(workspace)?;
            binds.extend(workspace::binds(&self.spec, workspace)?);
        }
        let context = ContainerContext {
            stack,
            network: &self.shared.network,
            labels: &self.shared.labels,
            gate: engine.gate_file(),
            folder: &self.folder(),
            binds,
        };
        Ok(container::plan(&self.spec, &inputs.image.id, launch, context))
    }

    fn files(&self) -> Result<Vec<Bind>, FailureKind> {
        if self.spec.files.is_empty() {
            return Ok(Vec::new());
        }
        let spec = &self.shared.spec;
        let folder = self.shared.engine.private_folder(&spec.id, &self.spec.name);
        let folder = folder.map_err(EngineError::io("make the folder of a service's files"))?;
        files::write(&folder, &self.spec.files, &spec.secrets)
    }

    /// Folders that it mounts and that are not in the repository; its log says which were made.
    fn make_missing(&self, workspace: &Path) -> Result<(), FailureKind> {
        let made = workspace::make_missing(&self.spec, workspace)?;
        if made.is_empty() {
            return Ok(());
        }
        let log = self.open_log()?;
        for relative in made {
            let said = log.write_line(&format!(
                "`{relative}` is not in the repository: an empty folder is mounted, as Compose does"
            ));
            said.map_err(EngineError::io("write a service's log"))?;
        }
        Ok(())
    }

    /// The engine finds what it mounts by its path. So nobody may be able to exchange it for a link at that moment:
    /// whoever writes to the workspace runs only when everybody's folders are mounted.
    fn may_mount(&self) -> Result<(), FailureKind> {
        if let Some(on) = self.shared.states.has_failed() {
            return Err(FailureKind::Dependency { on }); // steps for a failure may run from now on
        }
        let others = self
            .shared
            .spec
            .services
            .iter()
            .filter(|other| other.name != self.spec.name);
        let others_write = others.into_iter().any(workspace::writes);
        let late = !self.spec.gate && (others_write || self.spec.restart != Restart::No);
        if late && workspace::mounts_parts(&self.spec) {
            return Err(FailureKind::CannotStart {
                detail: "with `gate: off` it can mount a part of the workspace only when it is started once and no \
                         other service writes there; mount all of it (`.`), or leave `gate` on"
                    .into(),
            });
        }
        Ok(())
    }

    /// Its container from before a restart of the agent.
    pub(super) fn earlier_container(&self) -> Option<&ContainerId> {
        self.shared.earlier.as_ref()?.get(&self.spec.name)
    }

    /// Starts it again after its end; whatever is in its container stays.
    pub(super) async fn start_again(&self, prepared: &mut Prepared) -> Result<(), FailureKind> {
        let engine = &self.shared.engine;
        let Prepared {
            body,
            workspace,
            log_from,
            ..
        } = prepared;
        *log_from = std::fs::symlink_metadata(self.log()).map_or(0, |log| log.len());
        match body {
            Body::Gone(_) => {}
            Body::Plain { id, output } => {
                engine.renew(id);
                *output.get_mut() = self.attach(id).await?;
            }
            Body::Gated { id, gate } => {
                engine.wait_exit(id).await?; // its child is over: so is the gate in a moment
                gate::forget(&self.folder()).map_err(EngineError::io("tidy a gate's folder"))?;
                engine.renew(id);
                engine.start(id).await?;
                *gate = GateClient::connect(&self.folder(), CONNECT)
                    .await
                    .map_err(EngineError::from)?;
                if let Some(workspace) = workspace
                    && workspace::mounts_parts(&self.spec)
                {
                    let process = engine.first_process(id).await?;
                    workspace::is_mounted(&self.spec, workspace, process)?;
                }
            }
        }
        Ok(())
    }
}
