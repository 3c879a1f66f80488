//! The running stack: a task for each service, and the owner's handle on all of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use job_specs::model::{VolumeMount, VolumeSource};
use tokio::sync::{mpsc, watch};
use tokio_util::task::TaskTracker;

use super::failure::StackFailure;
use super::launch::Role;
use super::service::{Service, Shared};
use super::spec::{StackEvent, StackSpec};
use super::states::ServiceStates;
use super::{scale, workspace};
use crate::engine::labels;
use crate::engine::{ContainerId, Engine, Owner};
use crate::sandbox::Sandbox;

/// A stack that runs. Stop it with [`Stack::stop`]; a stack that is only dropped goes on until the agent stops, and is
/// swept then.
pub struct Stack {
    shared: Arc<Shared>,
    services: TaskTracker,
}

impl Stack {
    /// Starts everything; returns at once. Failures are told by [`Stack::ready`] and [`Stack::death`].
    pub fn start(
        engine: &Engine,
        sandbox: &Sandbox,
        spec: StackSpec,
        observer: mpsc::UnboundedSender<StackEvent>,
    ) -> Stack {
        Stack::run(shared(engine, sandbox, spec, observer))
    }

    /// Goes on with the stack of that id after a restart of the agent: services that run are watched again, the
    /// others are started.
    pub async fn resume(
        engine: &Engine,
        sandbox: &Sandbox,
        spec: StackSpec,
        observer: mpsc::UnboundedSender<StackEvent>,
    ) -> Stack {
        let mut shared = shared(engine, sandbox, spec, observer);
        let found = containers(&shared).await;
        shared.earlier = Some(
            found
                .into_iter()
                .filter_map(|(id, service)| Some((service?, id)))
                .collect(),
        );
        Stack::run(shared)
    }

    /// Waits until every service is ready, or one has failed.
    pub async fn ready(&self) -> Result<(), StackFailure> {
        let states = &self.shared.states;
        tokio::select! {
            biased;
            failure = states.first_failure() => Err(failure),
            () = states.all_ready() => Ok(()),
        }
    }

    /// Waits for the first failure that counts, before or after [`Stack::ready`]; for ever when there is none.
    pub async fn death(&self) -> StackFailure {
        self.shared.states.first_failure().await
    }

    /// Ends and removes every service, in parallel. To be called when the result is known.
    pub async fn stop(self) {
        self.shared.remove.store(true, Ordering::Release);
        self.shared.quit.cancel();
        self.services.close();
        self.services.wait().await;
        self.remove_containers().await;
        self.remove_rest().await;
    }

    async fn remove_containers(&self) {
        if self.shared.engine.is_stopping() || self.shared.earlier.is_some() {
            // some services may have quit before they knew that they are to be removed, or were never taken over
            let left = containers(&self.shared).await;
            let removals = left.iter().map(|(id, _)| self.shared.engine.remove_forced(id));
            for removed in futures_util::future::join_all(removals).await {
                if let Err(error) = removed {
                    tracing::warn!(%error, "a service cannot be removed yet");
                }
            }
        }
    }

    /// What its containers shared and were made of.
    async fn remove_rest(&self) {
        let Shared { engine, spec, .. } = &*self.shared;
        let all = &spec.services;
        let is_named = |volume: &VolumeMount| matches!(volume.source, VolumeSource::Named(_));
        if all.iter().any(|service| service.volumes.iter().any(is_named))
            && let Err(error) = engine.remove_volumes_of(&spec.id).await
        {
            tracing::warn!(stack = spec.id, %error, "the volumes of a stack cannot be removed yet");
        }
        if all.iter().any(|service| service.build.is_some())
            && let Err(error) = engine.remove_images_of(labels::STACK, &spec.id).await
        {
            tracing::warn!(stack = spec.id, %error, "the images of a stack cannot be removed yet");
        }
        if all.iter().any(|service| !service.files.is_empty()) {
            engine.remove_private(&spec.id);
        }
    }

    fn run(shared: Shared) -> Stack {
        let stack = Stack {
            shared: Arc::new(shared),
            services: TaskTracker::new(),
        };
        let all = &stack.shared.spec.services;
        for spec in all {
            let service = Service {
                shared: stack.shared.clone(),
                role: Role::of(spec, all),
                spec: spec.clone(),
            };
            stack.shared.engine.spawn(stack.services.track_future(service.run()));
        }
        stack
    }
}

fn shared(
    engine: &Engine,
    sandbox: &Sandbox,
    mut spec: StackSpec,
    observer: mpsc::UnboundedSender<StackEvent>,
) -> Shared {
    spec.services = scale::expand(spec.services);
    let mounting = spec
        .services
        .iter()
        .filter(|service| workspace::mounts(service).next().is_some());
    let mut own = sandbox.labels(spec.labels.clone());
    own.insert(labels::STACK.into(), spec.id.clone());
    Shared {
        engine: engine.clone(),
        network: sandbox.network().clone(),
        anchor: sandbox.anchor_handle().clone(),
        labels: own,
        states: ServiceStates::new(&spec.services),
        mounting: watch::Sender::new(mounting.count()),
        observer,
        quit: engine.stopping(),
        remove: AtomicBool::new(false),
        earlier: None,
        _kept: engine.keep(Owner::Stack(spec.id.clone())),
        spec,
    }
}

/// The containers of the stack, each with its service's name.
async fn containers(shared: &Shared) -> Vec<(ContainerId, Option<String>)> {
    match shared.engine.containers_with(labels::STACK, &shared.spec.id).await {
        Ok(found) => {
            let service = |labels: BTreeMap<String, String>| labels.get(labels::SERVICE).cloned();
            found.into_iter().map(|(id, labels)| (id, service(labels))).collect()
        }
        Err(error) => {
            tracing::warn!(stack = shared.spec.id, %error, "the containers of a stack cannot be listed");
            Vec::new()
        }
    }
}
