//! What a service's container is made of: the code, if it needs some, and its image, fetched or built.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use job_specs::model::{BuildSpec, PullPolicy, ServiceSpec};
use protocol::attempt::ServiceState;
use protocol::record::Source;

use super::container;
use super::failure::FailureKind;
use super::service::Service;
use crate::build::Build;
use crate::build::built::Builder;
use crate::clock::now;
use crate::engine::{EngineError, Fetch, ImageInfo, ImageRequest, Network};
use crate::logs::writer::LogWriter;
use crate::sandbox::open_folder;

/// What a service's container is made of.
pub(super) struct ContainerInputs {
    pub(super) image: Arc<ImageInfo>,
    /// `None`: it needs none.
    pub(super) workspace: Option<PathBuf>,
}

impl Service {
    /// Waits for all of it. Safe to drop: a build is given up, a pull goes on.
    pub(super) async fn inputs(&self) -> Result<ContainerInputs, FailureKind> {
        let workspace = self.workspace().await?;
        let image = match (&self.spec.build, &workspace) {
            (Some(build), Some(workspace)) => {
                let built = self.built(build, workspace).await;
                built.inspect_err(|_| self.report_not_built())?
            }
            _ => match self.image_of_another().await? {
                Some(image) => image,
                None => self.fetched().await?,
            },
        };
        Ok(ContainerInputs { image, workspace })
    }

    async fn workspace(&self) -> Result<Option<PathBuf>, FailureKind> {
        if !self.spec.needs_workspace() {
            return Ok(None);
        }
        let Some(workspace) = self.shared.spec.workspace.clone() else {
            return Err(FailureKind::CannotStart {
                detail: "it needs the code, and there is none here".into(),
            });
        };
        match workspace.await {
            Some(workspace) => Ok(Some(workspace)),
            None => std::future::pending().await, // the owner says why, and ends the stack
        }
    }

    async fn fetched(&self) -> Result<Arc<ImageInfo>, FailureKind> {
        let spec = &self.spec;
        let request = ImageRequest {
            reference: spec.image.clone(),
            platform: spec.platform.clone(),
            fetch: match spec.pull_policy {
                PullPolicy::Missing | PullPolicy::Build => Fetch::Missing,
                PullPolicy::Always => Fetch::Always,
                PullPolicy::Never => Fetch::Never,
            },
        };
        let mut pulling = false;
        let login = self.shared.spec.logins.of(&spec.image);
        let who = &self.shared.spec.who;
        let image = self.shared.engine.image_for(who, &request, login, |progress| {
            if !std::mem::replace(&mut pulling, true) {
                self.report(now(), ServiceState::Pulling);
            }
            if let Some(on_pull) = &self.shared.spec.on_pull {
                on_pull(&spec.name, progress);
            }
        });
        let image = image.await?;
        if pulling {
            self.report(now(), ServiceState::Starting);
        }
        Ok(image)
    }

    /// The image that another service of the stack is built into, when this one names it.
    async fn image_of_another(&self) -> Result<Option<Arc<ImageInfo>>, FailureKind> {
        let spec = &self.shared.spec;
        let builder = Builder::service(&self.spec.image);
        let builds = |other: &ServiceSpec| {
            other.build.is_some() && !other.image.is_empty() && Builder::service(&other.image) == builder
        };
        if !spec.services.iter().any(builds) {
            return Ok(None);
        }
        match spec.built.get(builder).await {
            Some(id) => Ok(Some(self.shared.engine.image(&id).await?)),
            None => Ok(None),
        }
    }

    /// Built anew each time; what is still right of an earlier build is used again by the engine.
    async fn built(&self, build: &BuildSpec, workspace: &Path) -> Result<Arc<ImageInfo>, FailureKind> {
        let engine = &self.shared.engine;
        if let Some(container) = self.earlier_container() {
            let image = engine.image(&engine.image_of(container).await?).await?;
            self.report_built(&image.id);
            return Ok(image);
        }
        let log = self.open_log()?;
        self.report(now(), ServiceState::Pulling);
        let build = Build {
            spec: build,
            workspace,
            owner: self.shared.labels.clone(),
            network: Network::on(&self.shared.network),
            logins: self.shared.spec.logins.clone(),
            who: self.shared.spec.who.clone(),
            own: BTreeMap::new(),
            limits: container::limits(&self.spec),
        };
        let id = build.run(engine, |output| {
            if let Err(error) = log.append(Source::System, output.as_bytes()) {
                tracing::warn!(service = self.spec.name, %error, "a build's log cannot be written");
            }
        });
        let id = id.await?;
        self.report_built(&id);
        self.report(now(), ServiceState::Starting);
        Ok(engine.image(&id).await?)
    }

    /// In the engine it gets no name: all jobs look images up there.
    fn report_built(&self, id: &str) {
        if !self.spec.image.is_empty() {
            self.shared.spec.built.set(Builder::service(&self.spec.image), id);
        }
    }

    /// Nobody needs to wait for its image.
    fn report_not_built(&self) {
        if !self.spec.image.is_empty() {
            self.shared.spec.built.over(Builder::service(&self.spec.image));
        }
    }

    /// The log, before its gate writes to it as whatever user the container has.
    pub(super) fn open_log(&self) -> Result<LogWriter, EngineError> {
        let open = || {
            open_folder(&self.folder())?;
            let log = LogWriter::open(&self.log())?;
            std::fs::set_permissions(self.log(), std::fs::Permissions::from_mode(0o666))?;
            Ok(log)
        };
        open().map_err(EngineError::io("open a service's log"))
    }
}
