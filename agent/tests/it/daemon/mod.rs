//! The agent as a service against a coordinator that is made for it.

mod crash;
mod kept;
mod work;

use std::path::PathBuf;

use agent::attempt::retained::RetainLimits;
use agent::daemon::{self, AgentConfig, Stop};
use agent::engine::{self, Policy};
use job_specs::model::JobSpec;
use protocol::ids::AttemptId;
use protocol::work::AttemptWork;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::checkout::Repository;
use crate::coordinator::{Coordinator, TOKEN};

/// A coordinator, a repository, and a data folder for one agent after the other.
pub struct Site {
    pub coordinator: Coordinator,
    folder: TempDir,
    repository: Repository,
}

/// An agent on a runtime of its own, so that it can be killed with all its tasks.
pub struct Agent {
    runtime: Runtime,
    ended: JoinHandle<anyhow::Result<()>>,
    stop: Stop,
}

impl Site {
    pub async fn new() -> Site {
        let folder = tempfile::tempdir().unwrap();
        Site {
            coordinator: Coordinator::new().await,
            repository: Repository::new(folder.path()),
            folder,
        }
    }

    pub fn config(&self) -> AgentConfig {
        AgentConfig {
            coordinator_url: self.coordinator.url.clone(),
            token: TOKEN.into(),
            data: self.data(),
            slots: 1,
            labels: Default::default(),
            name: "tester".into(),
            once: false,
            log_limit: None,
            policy: Policy::default(),
            retain: RetainLimits::default(),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts an agent on the data folder.
    pub fn agent(&self, config: AgentConfig) -> Agent {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let stop = Stop::default();
        let ended = runtime.spawn(daemon::run(config, stop.clone()));
        Agent { runtime, ended, stop }
    }

    /// Queues a job.
    pub fn queue(&self, spec: JobSpec) -> AttemptId {
        let lease = self.lease(spec);
        self.coordinator.queue_attempt(lease)
    }

    fn lease(&self, spec: JobSpec) -> AttemptWork {
        AttemptWork {
            attempt: AttemptId::generate(),
            number: 1,
            build: 1,
            repository: "demo".into(),
            source: self.repository.source(),
            spec,
            env: Default::default(),
            secrets: Default::default(),
            trusted: true,
        }
    }

    /// Nothing of this agent is left in the engine, and no attempt in its folder.
    pub async fn assert_clean(&self) {
        let label = std::fs::read_to_string(self.data().join("agent-label")).unwrap();
        let swept = engine::reap(None, &label).await.unwrap();
        assert_eq!(
            (swept.containers, swept.networks, swept.volumes, swept.left),
            (0, 0, 0, 0),
            "left in the engine"
        );
        let attempts: Vec<_> = std::fs::read_dir(self.data().join("attempts")).unwrap().collect();
        assert!(attempts.is_empty(), "{attempts:?}");
    }
}

impl Agent {
    /// Lets it finish what it has, and waits for its end.
    pub async fn drain(self) {
        self.stop.drain.cancel();
        self.end().await.unwrap();
    }

    async fn end(self) -> anyhow::Result<()> {
        let ended = self.ended.await.unwrap();
        self.runtime.shutdown_background();
        ended
    }

    /// Ends it in the middle of whatever it does, without a word.
    async fn kill(self) {
        let end = move || self.runtime.shutdown_timeout(std::time::Duration::from_secs(5));
        tokio::task::spawn_blocking(end).await.unwrap();
    }
}

/// Waits for a file.
pub async fn until_there(file: &std::path::Path) {
    let watcher = agent::logs::tail::Watcher::new();
    let mut tail = watcher.follow(file, 0).unwrap();
    tail.next(&mut Vec::new()).await.unwrap();
}

/// Waits until a folder is gone.
pub async fn until_gone(folder: &std::path::Path) {
    while folder.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
