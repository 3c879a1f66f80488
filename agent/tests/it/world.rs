//! What a test stands on: an engine with an agent's label and a data folder of its own. [`World::close`] ends every
//! test: it fails when anything with the label is left. A test that fails before leaves nothing either.

use std::path::{Path, PathBuf};
use std::time::Duration;

use agent::engine::{Engine, EngineConfig, Limits, LocalAccess, Policy, reap};
use agent::sandbox::{Pool, PoolConfig, SandboxRequest};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A test that waits for longer than this waits for ever.
const HANGS: Duration = Duration::from_secs(120);

pub struct World {
    pub engine: Engine,
    pub agent: String,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
    data: Option<TempDir>,
}

impl World {
    pub async fn new() -> World {
        let agent = format!("test-{}", uuid::Uuid::now_v7().simple());
        World::again(agent, tempfile::tempdir().unwrap()).await
    }

    /// One that reaches the engine by another socket.
    pub async fn over(socket: PathBuf) -> World {
        let agent = format!("test-{}", uuid::Uuid::now_v7().simple());
        World::start(agent, tempfile::tempdir().unwrap(), Some(socket)).await
    }

    /// The same agent, started again over the same data folder.
    pub async fn again(agent: String, data: TempDir) -> World {
        World::start(agent, data, None).await
    }

    async fn start(agent: String, data: TempDir, socket: Option<PathBuf>) -> World {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let config = EngineConfig {
            agent: agent.clone(),
            data: data.path().to_owned(),
            socket,
            limits: Limits::for_slots(1, Limits::most_of_this_machine()),
            policy: Policy {
                local: LocalAccess::Only(vec!["127.0.0.1".parse().unwrap()]), // where tests have their registries
                ..Policy::default()
            },
        };
        let engine = Engine::connect(config, tasks.clone(), stop.clone()).await.unwrap();
        World {
            engine,
            agent,
            tasks,
            stop,
            data: Some(data),
        }
    }

    /// As if the agent were killed: its tasks stop where they are, what it made in the engine stays.
    pub async fn crash(mut self) -> (String, TempDir) {
        self.end_tasks().await;
        (self.agent.clone(), self.data.take().unwrap())
    }

    pub async fn pool(&self, slots: usize, spare: usize) -> Pool {
        let config = PoolConfig {
            slots,
            spare,
            ..PoolConfig::default()
        };
        Pool::start(&self.engine, config, self.tasks.clone(), self.stop.clone())
            .await
            .unwrap()
    }

    pub fn data(&self) -> &Path {
        self.data.as_ref().unwrap().path()
    }

    pub async fn close(mut self) {
        let left = self.engine.list_owned().await.unwrap();
        self.end_tasks().await;
        assert!(left.is_empty(), "left in the engine: {left:#?}");
        self.data.take();
    }

    async fn end_tasks(&self) {
        self.stop.cancel();
        self.tasks.close();
        soon(self.tasks.wait()).await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.data.is_none() {
            return; // closed, or crashed on purpose
        }
        self.stop.cancel();
        let agent = self.agent.clone();
        let reaper = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(reap(None, &agent)).unwrap();
        });
        let _ = reaper.join();
    }
}

/// Fails a test that would wait for ever.
pub async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANGS, work).await.expect("the test hangs")
}

pub fn want(holder: &str, repository: &str) -> SandboxRequest {
    SandboxRequest {
        holder: holder.into(),
        repository: repository.into(),
        trusted: true,
    }
}

pub fn text(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
