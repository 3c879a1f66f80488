//! What the steps of a job stand on: a sandbox, the code, the services. Everything is begun at once; the first step
//! waits for all of it, its container does not.

mod checkout;
pub mod prestart;
mod restore;
mod sandbox;
pub mod services;
pub mod trust;

use std::sync::Arc;

use futures_util::future::join_all;
use protocol::attempt::AttemptResult;
use tokio::sync::oneshot;

use crate::attempt::containers::{remove_ended, remove_owned};
use crate::attempt::images::built;
use crate::attempt::interrupt::Interrupts;
use crate::attempt::job::Job;
use crate::engine::{ContainerId, Kept, Network, Owner};
use crate::sandbox::{Reuse, Sandbox};
use crate::stack::StackFailure;
use checkout::Checkout;
use prestart::Prestarted;
use sandbox::placement;
use services::Services;

/// What the steps of a job stand on.
pub struct Prepared {
    /// The steps whose containers are started ahead.
    pub prestarted: Prestarted,
    /// The services, if there are any.
    pub services: Option<Services>,
    /// Containers of steps that are over.
    pub used: Vec<ContainerId>,
    sandbox: Sandbox,
    code: Checkout,
    _kept: Kept,
}

/// Why the first step cannot begin.
pub enum NotReady {
    /// There is no code.
    Code(AttemptResult),
    /// A service failed.
    Service(Box<StackFailure>),
}

impl Prepared {
    /// Takes a sandbox and begins with everything else. Not to be dropped half-way: what was taken must be given back.
    /// Errors: the result of the attempt.
    pub async fn start(job: &Arc<Job>, interrupts: &Interrupts) -> Result<Prepared, AttemptResult> {
        let kept = job.context.engine.keep(Owner::Attempt(job.input.attempt.0.clone()));
        let code = Checkout::begin(job);
        match placement(job, interrupts).await {
            Ok((sandbox, placement)) => Ok(Prepared {
                services: Services::start(job, &sandbox, code.workspace(job)).await,
                prestarted: Prestarted::new(job.clone(), Arc::new(placement)),
                used: Vec::new(),
                sandbox,
                code,
                _kept: kept,
            }),
            Err(result) => {
                code.end().await;
                Err(result)
            }
        }
    }

    /// What the commands of a build are connected to.
    pub fn network(&self, job: &Job) -> Network {
        if job.input.spec.network_none {
            return Network::None;
        }
        Network::on(self.sandbox.network())
    }

    /// Waits until the code is there.
    pub async fn code(&self) -> Result<(), AttemptResult> {
        self.code.done().await
    }

    /// Waits until the code is there and every service is ready.
    pub async fn ready(&self, job: &Job) -> Result<(), NotReady> {
        let code = async { self.code().await.map_err(NotReady::Code) };
        let services = async {
            let Some(services) = &self.services else {
                return Ok(());
            };
            job.phase("services", true);
            let ready = services.stack.ready().await;
            services.flush().await;
            job.phase("services", false);
            ready.map_err(|failure| NotReady::Service(Box::new(failure)))
        };
        tokio::try_join!(code, services).map(|_| ())
    }

    /// Removes the containers of steps that are over.
    pub async fn remove_used(&mut self, job: &Job) {
        remove_ended(&job.context.engine, std::mem::take(&mut self.used)).await;
    }

    /// Gives the sandbox back, and ends and removes everything in it. Goes on behind the result.
    pub async fn remove(self, job: Arc<Job>) {
        let context = &job.context;
        let (cleared, is_cleared) = oneshot::channel();
        let reuse = async { is_cleared.await.unwrap_or(Reuse::Never) };
        context.pool.put_back_when(self.sandbox, reuse);
        let services = async {
            if let Some(services) = self.services {
                services.stack.stop().await;
            }
        };
        let steps = async {
            let mut containers = self.used;
            containers.extend(release(self.prestarted).await);
            remove_ended(&context.engine, containers).await
        };
        let ((), (), whole) = tokio::join!(self.code.end(), services, steps);
        if job.resumed {
            remove_owned(&context.engine, &job.input.attempt).await;
        }
        built::remove(&context.engine, &job.input).await;
        let reuse = if whole && job.input.trusted {
            Reuse::Allowed
        } else {
            Reuse::Never
        };
        if cleared.send(reuse).is_err() {
            tracing::debug!("the pool is gone before its sandbox is back");
        }
    }
}

/// Ends the steps that were started ahead and never had their turn; their containers.
async fn release(prestarted: Prestarted) -> Vec<ContainerId> {
    let mut containers = Vec::new();
    for held in join_all(prestarted.into_rest()).await {
        if let Ok(Ok(held)) = held {
            if let Err(error) = held.gate.quit().await {
                tracing::debug!(%error, "a held step has gone by itself");
            }
            containers.extend(held.container);
        }
    }
    containers
}
