//! The pool: does in the background what the policy wants, so that taking a warm sandbox waits for nothing. Whatever is
//! made is made in a task of its own: a job that is cancelled while it waits leaves no half-made thing behind.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::build::{self, Sandbox};
use super::pool_policy::{Action, Back, PoolPolicy};
use super::record::{self, Past, Record};
use super::request::{PoolConfig, Reuse, SandboxRequest};
use crate::engine::{ContainerId, Engine, EngineError, NetworkId, OwnedKind, labels};

/// A job waits this long for a sandbox of its repository that is on its way back, then takes any.
const OWN_COMES_BACK: Duration = Duration::from_millis(500);

/// The sandboxes of one agent. Clones share everything.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    expires: Option<i64>,
    state: Mutex<State>,
    /// Changes with every sandbox that is made, and with every failure to make one.
    news: watch::Sender<News>,
    own_tasks: TaskTracker,
    tasks: TaskTracker,
    stop: CancellationToken,
}

struct State {
    pool_policy: PoolPolicy<Sandbox>,
    to_adopt: HashMap<String, Sandbox>,
}

#[derive(Debug, Clone, Default)]
struct News {
    failures: u64,
    why: String,
}

impl Pool {
    /// Finds the sandboxes that an earlier run of this agent left, and begins to fill up. Returns before they are
    /// warm.
    pub async fn start(
        engine: &Engine,
        config: PoolConfig,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Pool, EngineError> {
        let state = State {
            pool_policy: PoolPolicy::new(config.slots, config.spare),
            to_adopt: HashMap::new(),
        };
        let pool = Pool {
            inner: Arc::new(Inner {
                engine: engine.clone(),
                expires: config.expires,
                state: Mutex::new(state),
                news: watch::Sender::default(),
                own_tasks: TaskTracker::new(),
                tasks,
                stop,
            }),
        };
        pool.find_left_ones(&config.holders).await?;
        pool.work();
        Ok(pool)
    }

    /// A sandbox for that job, its anchor running: at once when one is warm.
    pub async fn take(&self, request: &SandboxRequest) -> Result<Sandbox, EngineError> {
        let sandbox = self.take_early(request).await?;
        match sandbox.stands().await {
            Ok(()) => Ok(sandbox),
            Err(error) => {
                self.put_back(sandbox, Reuse::Never);
                Err(error)
            }
        }
    }

    /// As [`Pool::take`], but when none is warm, as soon as a network is there: services can be started at once, steps
    /// after [`Sandbox::stands`].
    pub async fn take_early(&self, request: &SandboxRequest) -> Result<Sandbox, EngineError> {
        let repository = request.trusted.then_some(request.repository.as_str());
        loop {
            let taken = self.state().pool_policy.take(repository);
            let mut sandbox = match taken {
                Some(sandbox) => sandbox,
                None => self.wait_for(repository).await?,
            };
            if !sandbox.is_alive() {
                tracing::warn!(sandbox = sandbox.id, "an anchor died");
                self.state().pool_policy.discarded();
                self.perform(Action::Remove(sandbox));
                continue;
            }
            self.work();
            sandbox.trusted_of = repository.map(String::from);
            let record = Record {
                holder: Some(request.holder.clone()),
                repository: request.repository.clone(),
                trusted: request.trusted,
            };
            if let Err(error) = record::write(&sandbox.folder, &record) {
                self.put_back(sandbox, Reuse::Never);
                return Err(error);
            }
            return Ok(sandbox);
        }
    }

    /// The sandbox that `holder` had before the agent was restarted, if it still stands.
    pub async fn adopt(&self, holder: &str) -> Option<Sandbox> {
        self.state().to_adopt.remove(holder)
    }

    /// Takes it back; what is to be cleaned is cleaned behind. Every container in it should be gone by now: one that
    /// is left is removed, and the sandbox is not used again as it is.
    pub fn put_back(&self, sandbox: Sandbox, reuse: Reuse) {
        self.put_back_when(sandbox, std::future::ready(reuse));
    }

    /// Takes it back before it is cleared: the next job of its repository waits for this one instead of using up a
    /// fresh one. `cleared` ends when every container in it is gone.
    pub fn put_back_when(&self, sandbox: Sandbox, cleared: impl Future<Output = Reuse> + Send + 'static) {
        let pool = self.clone();
        let repository = sandbox.trusted_of.clone();
        self.state().pool_policy.comes_back(repository.clone());
        self.spawn(async move {
            let reuse = cleared.await;
            let back = pool.judge(&sandbox, reuse).await;
            let action = pool.state().pool_policy.is_back(sandbox, repository.as_deref(), back);
            pool.news(None);
            if let Some(action) = action {
                pool.perform(action);
            }
            pool.work();
        });
    }

    /// Removes every sandbox that is not in somebody's hands, and each that is put back later; nothing new is made.
    /// Returns when all that was under way is done.
    pub async fn stop(&self) {
        let not_adopted: Vec<Sandbox> = {
            let mut state = self.state();
            state.pool_policy.close();
            state.to_adopt.drain().map(|(_, sandbox)| sandbox).collect()
        };
        for sandbox in not_adopted {
            self.put_back(sandbox, Reuse::Never);
        }
        self.work();
        self.inner.own_tasks.close();
        self.inner.own_tasks.wait().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().expect("no panic while held")
    }

    /// Waits until one is made that nobody else took.
    async fn wait_for(&self, repository: Option<&str>) -> Result<Sandbox, EngineError> {
        let waiting = Waiting::begin(self);
        let mut news = self.inner.news.subscribe();
        let failures = news.borrow_and_update().failures;
        let patience = tokio::time::sleep(OWN_COMES_BACK);
        tokio::pin!(patience);
        loop {
            self.work();
            let taken = match patience.is_elapsed() {
                false => self.state().pool_policy.take(repository),
                true => self.state().pool_policy.take_any(repository),
            };
            if let Some(sandbox) = taken {
                drop(waiting);
                return Ok(sandbox);
            }
            tokio::select! {
                changed = news.changed() => changed.map_err(|_| EngineError::Stopping)?,
                () = &mut patience, if !patience.is_elapsed() => {}
                () = self.inner.stop.cancelled() => return Err(EngineError::Stopping),
            }
            let now = news.borrow_and_update();
            if now.failures > failures {
                return Err(EngineError::other("make a sandbox", &now.why));
            }
        }
    }

    async fn judge(&self, sandbox: &Sandbox, reuse: Reuse) -> Back {
        let left = match build::clear(&self.inner.engine, sandbox).await {
            Ok(0) => false,
            Ok(count) => {
                tracing::warn!(sandbox = sandbox.id, count, "containers were left in a sandbox");
                true
            }
            Err(error) => {
                tracing::warn!(sandbox = sandbox.id, %error, "a sandbox cannot be cleared");
                true
            }
        };
        let Some(repository) = sandbox.trusted_of.clone() else {
            return Back::Spent;
        };
        if left || reuse == Reuse::Never || sandbox.is_tainted() || !sandbox.is_alive() {
            return Back::Spent;
        }
        let record = Record {
            holder: None,
            repository: repository.clone(),
            trusted: true,
        };
        match record::write(&sandbox.folder, &record) {
            Ok(()) => Back::Owned(repository),
            Err(error) => {
                tracing::warn!(sandbox = sandbox.id, %error, "a sandbox cannot be kept");
                Back::Spent
            }
        }
    }

    /// Does what the policy wants; once the agent stops, only what a closed pool wants.
    fn work(&self) {
        loop {
            let action = {
                let pool_policy = &mut self.state().pool_policy;
                if self.inner.stop.is_cancelled() && !pool_policy.is_closed() {
                    return;
                }
                pool_policy.next_action()
            };
            let Some(action) = action else { return };
            self.perform(action);
        }
    }

    fn perform(&self, action: Action<Sandbox>) {
        let pool = self.clone();
        self.spawn(async move {
            let engine = &pool.inner.engine;
            let made = match action {
                Action::Make => build::make(engine, pool.inner.expires).await,
                Action::Renew(sandbox) => build::renew(engine, sandbox).await,
                Action::Remove(sandbox) => {
                    if let Err(error) = build::remove(engine, sandbox).await {
                        tracing::warn!(%error, "a sandbox cannot be removed yet");
                    }
                    return;
                }
            };
            pool.note_made(made);
        });
    }

    fn note_made(&self, made: Result<Sandbox, EngineError>) {
        match made {
            Ok(sandbox) => {
                self.state().pool_policy.made(Some(sandbox));
                self.news(None);
                self.work();
            }
            Err(error) => {
                tracing::warn!(%error, "a sandbox cannot be made");
                self.state().pool_policy.made(None);
                self.news(Some(error.to_string())); // no `work`: the next job tries again
            }
        }
    }

    fn news(&self, failure: Option<String>) {
        self.inner.news.send_modify(|news| {
            if let Some(why) = failure {
                news.failures += 1;
                news.why = why;
            }
        });
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.inner.tasks.spawn(self.inner.own_tasks.track_future(work));
    }

    /// Sandboxes of an earlier run: those of `holders` wait to be adopted, clean ones go into the pool, others are made
    /// anew. What has lost its network or its anchor is left to the sweep.
    async fn find_left_ones(&self, holders: &BTreeSet<String>) -> Result<(), EngineError> {
        let engine = &self.inner.engine;
        if std::fs::read_dir(build::folder_of_all(engine)).map_or(true, |mut folders| folders.next().is_none()) {
            return Ok(());
        }
        let mut networks = BTreeMap::new();
        let mut anchors = BTreeMap::new();
        for owned in engine.list_owned().await? {
            let Some(sandbox) = owned.labels.get(labels::SANDBOX).cloned() else {
                continue;
            };
            let role = owned.labels.get(labels::ROLE).map(String::as_str);
            if owned.kind == OwnedKind::Network {
                networks.insert(sandbox, NetworkId(owned.id));
            } else if role == Some(labels::ROLE_ANCHOR) {
                anchors.insert(sandbox, ContainerId(owned.id));
            }
        }
        for (id, anchor) in anchors {
            let Some(network) = networks.remove(&id) else { continue };
            if let Some(sandbox) = build::find(engine, &id, network, anchor).await {
                self.sort_in(sandbox, holders);
            }
        }
        self.drop_folders();
        Ok(())
    }

    fn sort_in(&self, mut sandbox: Sandbox, holders: &BTreeSet<String>) {
        let past = record::read(&sandbox.folder);
        if past == Past::Fresh {
            self.state().pool_policy.add_idle(sandbox, None);
            return;
        }
        self.state().pool_policy.add_in_use();
        let Past::Used(record) = past else {
            return self.put_back(sandbox, Reuse::Never);
        };
        sandbox.trusted_of = record.trusted.then_some(record.repository);
        match record.holder {
            None => self.put_back(sandbox, Reuse::Allowed),
            Some(holder) if holders.contains(&holder) => {
                self.state().to_adopt.insert(holder, sandbox);
            }
            Some(_) => self.put_back(sandbox, Reuse::Never),
        }
    }

    /// Removes the folders of sandboxes that are no more; nothing is being made yet.
    fn drop_folders(&self) {
        let engine = &self.inner.engine;
        let folders = std::fs::read_dir(build::folder_of_all(engine))
            .into_iter()
            .flatten()
            .flatten();
        for folder in folders {
            let id = folder.file_name().to_string_lossy().into_owned();
            if !engine.is_kept(&crate::engine::Owner::Sandbox(id)) {
                let _ = std::fs::remove_dir_all(folder.path()); // a later start tries again
            }
        }
    }
}

/// Counts a job as waiting while it exists.
struct Waiting<'a>(&'a Pool);

impl<'a> Waiting<'a> {
    fn begin(pool: &'a Pool) -> Waiting<'a> {
        pool.state().pool_policy.wait();
        Waiting(pool)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().pool_policy.wait_over();
    }
}
