//! The verbs on containers. Ending and removing are idempotent: what is gone or on its way out is fine.

use std::net::IpAddr;
use std::time::Duration;

use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, KillContainerOptions, RemoveContainerOptions,
};

use super::connect::Engine;
use super::convert::{self, Maker};
use super::error::EngineError;
use super::events::{self, Entry, Exit, Seen};
use super::labels::{self, Labels};
use super::plan::{ContainerId, ContainerPlan, Limits, processors};

/// How long somebody else's removal of the same container may take, and how often we look.
const REMOVAL_CHECKS: u32 = 50;
const REMOVAL_CHECK: Duration = Duration::from_millis(100);

/// How long after a container's end the engine may still say that memory was the reason.
const OOM_COMES_LATE: Duration = Duration::from_millis(500);

impl Engine {
    /// Makes it; it does not run yet. Its events are followed from here on.
    pub async fn create(&self, plan: &ContainerPlan) -> Result<ContainerId, EngineError> {
        let maker = Maker {
            agent: &self.inner.config.agent,
            limits: self.inner.config.limits,
        };
        let plan = ContainerPlan {
            limits: within_this_machine(self.allowed(plan.limits)),
            ..plan.clone()
        };
        let body = convert::container_body(&plan, maker);
        let options = plan
            .platform
            .clone()
            .map(|platform| CreateContainerOptions { name: None, platform });
        let created = self.docker().create_container(options, body).await;
        let created = created.map_err(|error| EngineError::of_container("create a container", error))?;
        self.inner.watched.follow(&created.id);
        Ok(ContainerId(created.id))
    }

    /// Starts it.
    pub async fn start(&self, id: &ContainerId) -> Result<(), EngineError> {
        let started = self.docker().start_container(&id.0, None).await;
        started.map_err(|error| EngineError::of_container("start a container", error))
    }

    /// Its last end is forgotten, because it is about to be started again.
    pub fn renew(&self, id: &ContainerId) {
        self.inner.watched.renew(&id.0);
    }

    /// The id of the image that it was made of.
    pub async fn image_of(&self, id: &ContainerId) -> Result<String, EngineError> {
        let container = self.look_at(id).await?;
        Ok(container.image.unwrap_or_default())
    }

    /// Its first process, as the engine counts; `None`: it does not run.
    pub async fn first_process(&self, id: &ContainerId) -> Result<Option<i64>, EngineError> {
        let container = self.look_at(id).await?;
        let pid = container.state.and_then(|state| state.pid);
        Ok(pid.filter(|pid| *pid > 0))
    }

    pub(super) async fn look_at(&self, id: &ContainerId) -> Result<ContainerInspectResponse, EngineError> {
        let found = self
            .docker()
            .inspect_container(&id.0, None::<InspectContainerOptions>)
            .await;
        found.map_err(|error| EngineError::of("inspect a container", error))
    }

    /// Ends it at once (SIGKILL). One that does not run, or is gone, is fine.
    pub async fn kill(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.signal(id, "SIGKILL").await
    }

    /// Sends PID 1 a signal by its name. One that does not run, or is gone, is fine.
    pub async fn signal(&self, id: &ContainerId, signal: &str) -> Result<(), EngineError> {
        let options = KillContainerOptions { signal: signal.into() };
        let sent = self.docker().kill_container(&id.0, Some(options)).await;
        match sent.map_err(|error| EngineError::of("signal a container", error)) {
            Err(EngineError::NoSuchObject { .. } | EngineError::Conflict { .. }) => Ok(()),
            other => other,
        }
    }

    /// Removes it with its anonymous volumes, whatever its state, and returns when it is gone; one that is gone
    /// already is fine. Removing one that has exited costs 5 ms, a running one 90 ms.
    pub async fn remove_forced(&self, id: &ContainerId) -> Result<(), EngineError> {
        let removed = remove(self.docker(), &id.0).await;
        if removed.is_ok() {
            self.inner.watched.forget(&id.0);
        }
        removed
    }

    /// Waits for its end; answers at once when it has ended already or is gone. Whether memory was the reason may
    /// become known a moment later: see [`Engine::explain_exit`].
    pub async fn wait_exit(&self, id: &ContainerId) -> Result<Exit, EngineError> {
        self.wait_seen(id, |seen| seen.exit).await
    }

    /// The same end, with its reason: the engine says and records *out of memory* on its own time, usually before the
    /// end, under load after it. Only an end by SIGKILL is waited for.
    pub async fn explain_exit(&self, id: &ContainerId, exit: Exit) -> Exit {
        if !exit.may_be_oom() {
            return exit;
        }
        let seen_event = self.wait_seen(id, |seen| seen.oom.then_some(()));
        if let Ok(Ok(())) = tokio::time::timeout(OOM_COMES_LATE, seen_event).await {
            return Exit { oom: true, ..exit };
        }
        let container = self.look_at(id).await;
        let oom = container.is_ok_and(|container| container.state.is_some_and(|s| s.oom_killed == Some(true)));
        Exit { oom, ..exit }
    }

    /// Waits until `pick` finds what it looks for in what was seen of the container. Also ends when the container is
    /// gone, with an end that nobody saw, or an error.
    pub(crate) async fn wait_seen<T>(
        &self,
        id: &ContainerId,
        pick: impl Fn(&Seen) -> Option<T>,
    ) -> Result<T, EngineError> {
        let mut receiver = match self.inner.watched.follow(&id.0) {
            Entry::Known(receiver) => receiver,
            Entry::New(receiver) => {
                events::inspect(self.docker(), &self.inner.watched, &id.0).await?;
                receiver
            }
        };
        loop {
            if let Some(found) = pick(&receiver.borrow_and_update()) {
                return Ok(found);
            }
            if receiver.changed().await.is_err() {
                return Err(EngineError::gone(
                    "wait for a container",
                    format!("{} was removed", id.0),
                ));
            }
        }
    }

    /// Its address on its network, once it runs.
    pub async fn address(&self, id: &ContainerId) -> Result<IpAddr, EngineError> {
        let container = self.look_at(id).await?;
        let networks = container
            .network_settings
            .and_then(|settings| settings.networks)
            .unwrap_or_default();
        let address = networks
            .into_values()
            .find_map(|endpoint| endpoint.ip_address?.parse().ok());
        address.ok_or_else(|| EngineError::gone("look up a container's address", format!("{} has none", id.0)))
    }

    /// Containers of this agent, running or not, that carry this label.
    pub(crate) async fn containers_with(
        &self,
        label: &str,
        value: &str,
    ) -> Result<Vec<(ContainerId, Labels)>, EngineError> {
        let found = super::sweep::containers(self.docker(), self.own_with(label, value)).await?;
        let containers = found.into_iter().map(|owned| (ContainerId(owned.id), owned.labels));
        Ok(containers.collect())
    }

    /// The filters for what is this agent's and carries this label.
    pub(super) fn own_with(&self, label: &str, value: &str) -> Vec<String> {
        let own = labels::filter(labels::AGENT, &self.inner.config.agent);
        vec![own, labels::filter(label, value)]
    }

    /// What is asked for, or else usual, and allowed.
    pub(super) fn allowed(&self, asked: Limits) -> Limits {
        let config = &self.inner.config;
        asked.or(config.limits).at_most(config.policy.most)
    }
}

/// Removes a container; when somebody else is at it, waits until it is gone.
pub(crate) async fn remove(docker: &bollard::Docker, id: &str) -> Result<(), EngineError> {
    let options = || RemoveContainerOptions {
        v: true,
        force: true,
        link: false,
    };
    for _ in 0..REMOVAL_CHECKS {
        let removed = docker.remove_container(id, Some(options())).await;
        match removed.map_err(|error| EngineError::of("remove a container", error)) {
            Ok(()) => return Ok(()),
            Err(error) if error.is_gone() => return Ok(()),
            Err(EngineError::Conflict { .. }) => tokio::time::sleep(REMOVAL_CHECK).await,
            Err(other) => return Err(other),
        }
    }
    Err(EngineError::Conflict {
        what: "remove a container",
        detail: format!("{id} is still being removed"),
    })
}

/// The engine refuses more processors than there are; a job that asks for more gets them all.
fn within_this_machine(limits: Limits) -> Limits {
    let processors = processors();
    Limits {
        cpu_millis: limits.cpu_millis.map(|millis| millis.min(processors * 1000)),
        ..limits
    }
}
