//! What the steps of a job stand on: a sandbox, the code, the services. Everything is begun at once; the first step
//! waits for all of it, its container does not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, join_all};
use protocol::attempt::AttemptResult;
use protocol::ids::AttemptId;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::interrupt::Interrupts;
use super::job::{Found, Job, Place};
use super::plan::{STEP_LABEL, TRY_LABEL};
use super::prestart::Prestarted;
use super::services::Services;
use super::{AttemptContext, Code, own, reasons, restore};
use crate::checkout::{self, CheckoutError};
use crate::engine::labels::{self, Labels};
use crate::engine::{ContainerId, Engine, Kept, Network, Owned, OwnedKind, Owner};
use crate::sandbox::{Reuse, Sandbox, SandboxRequest};
use crate::stack::{StackFailure, Workspace};

/// A container whose gate is over is gone after this, or is ended by force.
const ENDS_BY_ITSELF: Duration = Duration::from_secs(2);

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

/// The checkout under way; ends with its owner.
struct Checkout {
    done: Shared<BoxFuture<'static, Result<(), AttemptResult>>>,
    stop: CancellationToken,
}

/// Why the first step cannot begin.
pub enum NotReady {
    /// There is no code.
    Code(AttemptResult),
    /// A service failed.
    Service(Box<StackFailure>),
}

impl Checkout {
    /// Where it is, once it is complete.
    fn workspace(&self, job: &Job) -> Workspace {
        let (done, folder) = (self.done.clone(), job.folder.workspace());
        async move { done.await.is_ok().then_some(folder) }.boxed().shared()
    }

    /// Gives it up; afterwards nothing more is written.
    async fn end(self) {
        self.stop.cancel();
        if self.done.await.is_err() {
            tracing::debug!("a checkout was given up");
        }
    }
}

impl Prepared {
    /// Takes a sandbox and begins with everything else. Not to be dropped half-way: what was taken must be given back.
    /// Errors: the result of the attempt.
    pub async fn start(job: &Arc<Job>, interrupts: &Interrupts) -> Result<Prepared, AttemptResult> {
        let kept = job.context.engine.keep(Owner::Attempt(job.input.attempt.0.clone()));
        let code = begin_checkout(job);
        match place(job, interrupts).await {
            Ok((sandbox, place)) => Ok(Prepared {
                services: Services::start(job, &sandbox, code.workspace(job)).await,
                prestarted: Prestarted::new(job.clone(), Arc::new(place)),
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
        Network::On {
            network: self.sandbox.network().clone(),
            alias: String::new(),
        }
    }

    /// Waits until the code is there.
    pub async fn code(&self) -> Result<(), AttemptResult> {
        self.code.done.clone().await
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
            containers.extend(let_go(self.prestarted).await);
            remove_ended(&context.engine, containers).await
        };
        let ((), (), whole) = tokio::join!(self.code.end(), services, steps);
        if job.resumed {
            remove_owned(&context.engine, &job.input.attempt).await;
        }
        own::remove(&context.engine, &job.input).await;
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
async fn let_go(prestarted: Prestarted) -> Vec<ContainerId> {
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

/// A sandbox, and where the containers of the steps go in it.
async fn place(job: &Job, interrupts: &Interrupts) -> Result<(Sandbox, Place), AttemptResult> {
    let objects = job.objects().await.map_err(|error| reasons::of_checkout(&error))?;
    job.phase("sandbox", true);
    let (sandbox, found) = sandbox(job, interrupts).await?;
    job.network.get_or_init(|| sandbox.network().clone());
    job.phase("sandbox", false);
    let place = Place {
        network: if job.input.spec.network_none {
            Network::None
        } else {
            sandbox.join()
        },
        anchor_handle: sandbox.anchor_handle().clone(),
        labels: sandbox.labels(Labels::new()),
        objects,
        found,
    };
    Ok((sandbox, place))
}

/// The sandbox and, after a restart, the steps' containers that stand in it.
async fn sandbox(job: &Job, interrupts: &Interrupts) -> Result<(Sandbox, BTreeMap<usize, Found>), AttemptResult> {
    let (pool, holder) = (&job.context.pool, job.input.attempt.as_str());
    if job.resumed {
        if let Some(sandbox) = pool.adopt(holder).await {
            return Ok((sandbox, found(job).await));
        }
        let steps = 0..job.input.spec.steps.len();
        if steps
            .into_iter()
            .any(|step| job.journal.step_started_at(step).is_some())
        {
            return Err(reasons::broken(
                "the agent was restarted, and the network of this job did not outlive it",
            ));
        }
        remove_owned(&job.context.engine, &job.input.attempt).await;
    }
    let request = SandboxRequest {
        holder: holder.to_owned(),
        repository: job.input.repository.clone(),
        trusted: job.input.trusted,
    };
    let sandbox = tokio::select! {
        taken = pool.take_early(&request) => taken.map_err(|error| reasons::broken(format!("sandbox: {error}")))?,
        interrupt = interrupts.next(None) => return Err(interrupt.result(&job.before_steps())),
    };
    Ok((sandbox, BTreeMap::new()))
}

/// The containers of steps that the agent left before its restart; of several tries the last one's.
async fn found(job: &Job) -> BTreeMap<usize, Found> {
    let owned = owned_by(&job.context.engine, &job.input.attempt).await;
    let steps = owned.into_iter().filter(|owned| owned.kind == OwnedKind::Container);
    let mut found = BTreeMap::<usize, Found>::new();
    for owned in steps {
        let Some(index) = owned.labels.get(STEP_LABEL).and_then(|text| text.parse().ok()) else {
            continue;
        };
        let number = owned
            .labels
            .get(TRY_LABEL)
            .and_then(|text| text.parse().ok())
            .unwrap_or(1);
        if found.get(&index).is_none_or(|other| other.number < number) {
            let container = ContainerId(owned.id);
            found.insert(index, Found { container, number });
        }
    }
    found
}

/// Begins to put the code into the workspace, and then what belongs beside it: caches and needed artifacts.
fn begin_checkout(job: &Arc<Job>) -> Checkout {
    let stop = CancellationToken::new();
    let (owner, stopped) = (job.clone(), stop.clone());
    let checkout = job
        .context
        .tasks
        .spawn(async move { check_out(&owner, &stopped).await });
    let code = async move {
        let done = checkout.await.map_err(CheckoutError::Broken);
        done.and_then(|done| done).map_err(|error| reasons::of_checkout(&error))
    };
    let (owner, stopped) = (job.clone(), stop.clone());
    // Spawned: it goes on whoever waits for it.
    let restored = job
        .context
        .tasks
        .spawn(async move { restore::all(&owner, &stopped, code).await });
    let done = async move { restored.await.unwrap_or_else(|error| Err(reasons::broken(error))) };
    Checkout {
        done: done.boxed().shared(),
        stop,
    }
}

async fn check_out(job: &Job, stop: &CancellationToken) -> Result<(), CheckoutError> {
    if job.folder.is_checked_out() {
        return Ok(());
    }
    job.phase("checkout", true);
    let workspace = job.folder.workspace();
    match &job.input.code {
        Code::Git(source) => {
            let job_log = job.job_log.clone();
            let say: checkout::Say = Arc::new(move |words| job_log.say(words));
            let build = checkout::Build {
                source,
                trusted: job.input.trusted,
                workspace: &workspace,
            };
            checkout::commit(&job.context.mirrors, build, say, stop).await?;
            let short = source.commit.get(..12).unwrap_or(&source.commit);
            job.job_log.say(format!("checked out {short} ({})", source.reference));
        }
        Code::Tree(tree) => checkout::tree(tree, &workspace).await?,
    }
    job.folder.set_checked_out().map_err(|source| CheckoutError::Io {
        action: "write",
        path: job.folder.path().display().to_string(),
        source,
    })?;
    job.phase("checkout", false);
    Ok(())
}

/// Removes what an attempt left in the engine, and gives up its sandbox.
pub async fn remove_left(context: &AttemptContext, attempt: &AttemptId) {
    remove_owned(&context.engine, attempt).await;
    if let Some(sandbox) = context.pool.adopt(attempt.as_str()).await {
        context.pool.put_back(sandbox, Reuse::Never);
    }
}

/// Removes every container of the attempt.
async fn remove_owned(engine: &Engine, attempt: &AttemptId) {
    let owned = owned_by(engine, attempt).await;
    let containers = owned.into_iter().filter(|owned| owned.kind == OwnedKind::Container);
    remove_all(engine, containers.map(|owned| ContainerId(owned.id)).collect()).await;
}

/// What carries the attempt's label.
pub(crate) async fn owned_by(engine: &Engine, attempt: &AttemptId) -> Vec<Owned> {
    match engine.list_owned().await {
        Ok(owned) => {
            let ours = |owned: &Owned| {
                owned
                    .labels
                    .get(labels::ATTEMPT)
                    .is_some_and(|id| id == attempt.as_str())
            };
            owned.into_iter().filter(ours).collect()
        }
        Err(error) => {
            tracing::warn!(%error, attempt.id = %attempt, "cannot list the containers of an attempt");
            Vec::new()
        }
    }
}

/// Removes containers whose first process is over or will be in a moment. To remove one that still ends costs the
/// engine 90 ms, afterwards 5 ms.
async fn remove_ended(engine: &Engine, containers: Vec<ContainerId>) -> bool {
    let ended = join_all(containers.iter().map(|container| engine.wait_exit(container)));
    if tokio::time::timeout(ENDS_BY_ITSELF, ended).await.is_err() {
        tracing::debug!("some containers are ended by force");
    }
    remove_all(engine, containers).await
}

/// Removes them all; false: some are left for the sweep.
async fn remove_all(engine: &Engine, containers: Vec<ContainerId>) -> bool {
    let removed = containers.iter().map(|container| async {
        match engine.remove_forced(container).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, container.id = container.as_str(), "cannot remove a container; the sweep will");
                false
            }
        }
    });
    join_all(removed).await.into_iter().all(|removed| removed)
}
