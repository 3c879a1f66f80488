//! A service's container: made anew, or taken over from an earlier life of the agent.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::body::{self, Body, Ended};
use super::failure::FailureKind;
use super::launch::Launch;
use super::service::{Prepared, Service};
use crate::engine::labels;
use crate::engine::plan::{Access, Bind};
use crate::engine::{ContainerId, ContainerPlan, EngineError, ImageInfo, LogDriver, Network};
use crate::gate::{self, GateClient};
use crate::sandbox::open_folder;

/// A gate answers a few milliseconds after its container's start; this long only on a machine in trouble.
const CONNECT: Duration = Duration::from_secs(30);

impl Service {
    /// Makes its container, ahead of what it depends on. Under the gate it is started as well: its process waits.
    pub(super) async fn prepare(&self, image: &ImageInfo) -> Result<Prepared, FailureKind> {
        let launch = Launch::of(&self.spec, image, self.role)?;
        if let Some(earlier) = &self.shared.earlier
            && let Some(body) = self.take_over(earlier).await
        {
            return Ok(Prepared { body, launch });
        }
        let engine = &self.shared.engine;
        let folder = self.folder();
        open_folder(&folder).map_err(EngineError::io("make a service's folder"))?;
        let id = engine.create(&self.plan(image, &launch)).await?;
        let body = if self.spec.gate {
            let gate = async {
                engine.start(&id).await?;
                let gate = GateClient::connect(&folder, CONNECT).await;
                gate.map_err(|error| EngineError::Gate(error.to_string()))
            };
            match gate.await {
                Ok(gate) => Ok(Body::Gated { id, gate }),
                Err(error) => Err((id, error)),
            }
        } else {
            self.attach(id).await
        };
        match body {
            Ok(body) => Ok(Prepared { body, launch }),
            Err((id, error)) => {
                if let Err(error) = engine.remove_forced(&id).await {
                    tracing::warn!(%error, "a service that did not start cannot be removed yet");
                }
                Err(error.into())
            }
        }
    }

    /// Its container as an earlier life of the agent left it; `None` when there is nothing of it.
    async fn take_over(&self, earlier: &BTreeMap<String, ContainerId>) -> Option<Body> {
        let folder = self.folder();
        let Some(id) = earlier.get(&self.spec.name).cloned() else {
            let status = gate::read_status(&folder);
            let ended = status.map(Ended::of_gate);
            return ended.map(Body::Gone);
        };
        if !self.spec.gate {
            return self.attach(id).await.ok();
        }
        match GateClient::connect(&folder, CONNECT).await {
            Ok(gate) => Some(Body::Gated { id, gate }),
            Err(error) => {
                tracing::warn!(service = self.spec.name, %error, "a service of an earlier life is made again");
                let _ = self.shared.engine.remove_forced(&id).await; // else the stack's end removes it
                None
            }
        }
    }

    /// Attached before its start, so that no output is lost.
    async fn attach(&self, id: ContainerId) -> Result<Body, (ContainerId, EngineError)> {
        match self.shared.engine.attach(&id).await {
            Ok(output) => {
                let log = self.log();
                let writer = tokio::spawn(async move { body::write_output(output, &log).await });
                Ok(Body::Plain {
                    id,
                    output: tokio::sync::Mutex::new(writer),
                })
            }
            Err(error) => Err((id, error)),
        }
    }

    fn plan(&self, image: &ImageInfo, launch: &Launch) -> ContainerPlan {
        let mut own = self.shared.labels.clone();
        own.insert(labels::ROLE.into(), labels::ROLE_SERVICE.into());
        own.insert(labels::SERVICE.into(), self.spec.name.clone());
        let plan = ContainerPlan {
            user: self.spec.user.clone(),
            tmpfs: self.spec.tmpfs.clone(),
            network: Network::On {
                network: self.shared.network.clone(),
                alias: self.spec.name.clone(),
            },
            limits: self.limits(),
            labels: own,
            ..ContainerPlan::of(&image.id)
        };
        if !self.spec.gate {
            let (entrypoint, cmd) = launch.argv.split_at(1);
            return ContainerPlan {
                entrypoint: Some(entrypoint.to_vec()),
                cmd: Some(cmd.to_vec()),
                env: launch.env.clone(),
                engine_health: launch.engine_health(),
                logs: LogDriver::Bounded,
                ..plan
            };
        }
        let bind = |host: PathBuf, container: &str, access| Bind {
            host,
            container: container.into(),
            access,
        };
        ContainerPlan {
            entrypoint: Some(vec!["/.drover/gate".into(), "service".into()]),
            binds: vec![
                bind(
                    self.shared.engine.gate_file().to_owned(),
                    "/.drover/gate",
                    Access::ReadOnly,
                ),
                bind(self.folder(), gate::FOLDER, Access::ReadWrite),
            ],
            ..plan
        }
    }
}
