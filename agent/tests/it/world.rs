//! What a test stands on: an engine with an agent's label and a data folder of its own. [`World::close`] ends every
//! test: it fails when anything with the label is left.

use std::path::PathBuf;

use agent::engine::{Engine, EngineConfig, Limits};
use agent::sandbox::{Pool, PoolConfig, Want};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub struct World {
    pub engine: Engine,
    pub agent: String,
    pub data: TempDir,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
}

impl World {
    pub async fn new() -> World {
        let agent = format!("test-{}", uuid::Uuid::now_v7().simple());
        World::again(agent, tempfile::tempdir().unwrap()).await
    }

    /// The same agent, started again over the same data folder.
    pub async fn again(agent: String, data: TempDir) -> World {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let config = EngineConfig {
            agent: agent.clone(),
            data: data.path().to_owned(),
            socket: None,
            limits: Limits::default(),
        };
        let engine = Engine::connect(config, tasks.clone(), stop.clone()).await.unwrap();
        World {
            engine,
            agent,
            data,
            tasks,
            stop,
        }
    }

    /// As if the agent were killed: its tasks stop where they are, what it made in the engine stays.
    pub async fn crash(self) -> (String, TempDir) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        (self.agent, self.data)
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

    pub fn folder(&self, name: &str) -> PathBuf {
        self.data.path().join(name)
    }

    pub async fn close(self) {
        let left = self.engine.list_owned().await.unwrap();
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        agent::engine::reap(None, &self.agent).await.unwrap();
        assert!(left.is_empty(), "left in the engine: {left:#?}");
    }
}

pub fn want(holder: &str, repository: &str) -> Want {
    Want {
        holder: holder.into(),
        repository: repository.into(),
        trusted: true,
    }
}

pub fn text(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
