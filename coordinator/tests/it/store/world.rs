//! What every story begins with: an empty store, and the few words that the stories are told in.

use std::panic::AssertUnwindSafe;

use coordinator::store::attempts;
use coordinator::store::builds::{self, BuildDetail, NewJob};
use coordinator::store::queue::{self, AgentLease, Claim, Claimed, Expired};
use coordinator::store::testing;
use coordinator::store::{Actor, Store, StoreConfig, StoreError};
use futures_util::FutureExt;
use job_specs::model::{AxisValue, JobSpec};
use job_specs::status::{JobStatus, rollup};
use protocol::attempt::{AttemptEvent, AttemptResult, EventKind, ReasonCode, Verdict};
use protocol::ids::{AgentId, RepositoryId};
use protocol::lease::LeaseRef;
use sqlx::Connection;

use crate::postgres;

/// Who does what no story is about.
pub const CONSOLE: &Actor = &Actor::Console;

/// Somebody called ann.
pub fn ann() -> Actor {
    testing::person("ann")
}

/// An empty store with one repository.
pub struct World {
    pub store: Store,
    pub config: StoreConfig,
    pub repository: RepositoryId,
    folder: tempfile::TempDir,
}

pub async fn on_sqlite<F: Future<Output = ()>>(story: impl FnOnce(World) -> F) {
    let folder = folder_in_memory().unwrap_or_else(|| tempfile::tempdir().unwrap());
    let url = format!("sqlite:{}", folder.path().join("drover.db").display());
    story(World::open(url, folder).await).await;
}

/// No story is about what the disk keeps when the machine stops. The largest databases have 40 MB; containers often have
/// no more than 64.
fn folder_in_memory() -> Option<tempfile::TempDir> {
    let room = rustix::fs::statvfs("/dev/shm").ok()?;
    let has_room = room.f_bavail * room.f_frsize >= 1_000_000_000;
    has_room.then(|| tempfile::tempdir_in("/dev/shm").ok())?
}

pub async fn on_postgres<F: Future<Output = ()>>(story: impl FnOnce(World) -> F) {
    let server = tokio::task::spawn_blocking(postgres::server).await.unwrap();
    let name = format!("drover_{}", uuid::Uuid::now_v7().simple());
    let statement = |verb: &str, end: &str| sqlx::AssertSqlSafe(format!("{verb} database {name} {end}"));
    let mut admin = sqlx::PgConnection::connect(&postgres::with_database("postgres"))
        .await
        .expect(server);
    sqlx::query(statement("create", "")).execute(&mut admin).await.unwrap();
    let reported =
        async { story(World::open(postgres::with_database(&name), tempfile::tempdir().unwrap()).await).await };
    let reported = AssertUnwindSafe(reported).catch_unwind().await;
    sqlx::query(statement("drop", "with (force)"))
        .execute(&mut admin)
        .await
        .unwrap();
    if let Err(panic) = reported {
        std::panic::resume_unwind(panic);
    }
}

impl World {
    async fn open(url: String, folder: tempfile::TempDir) -> World {
        let config = StoreConfig {
            url,
            key_file: folder.path().join("key"),
        };
        let store = Store::open(config.clone()).await.unwrap();
        let repository = testing::repository(&store, "hello").await.unwrap();
        World {
            store,
            config,
            repository,
            folder,
        }
    }

    /// A file beside the store.
    pub fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub async fn agent(&self, name: &str) -> AgentId {
        testing::agent(&self.store, name, 100).await.unwrap()
    }

    /// A build of these jobs.
    pub async fn build(&self, specs: Vec<JobSpec>) -> i64 {
        self.build_of(specs.into_iter().map(NewJob::new).collect()).await
    }

    pub async fn build_of(&self, jobs: Vec<NewJob>) -> i64 {
        builds::create(&self.store, testing::build(&self.repository, jobs))
            .await
            .unwrap()
    }

    pub async fn claim(&self, agent: &AgentId, free_slots: u32) -> Vec<Claimed> {
        let claim = Claim {
            agent: agent.clone(),
            free_slots,
            labels: Default::default(),
            memory: None,
        };
        queue::claim(&self.store, &claim).await.unwrap()
    }

    /// The next job, which there must be.
    pub async fn claim_one(&self, agent: &AgentId) -> Claimed {
        self.claim(agent, 1).await.pop().expect("a job to claim")
    }

    pub async fn finish(&self, hold: &AgentLease, verdict: Verdict) -> Result<(), StoreError> {
        queue::finish(&self.store, hold, &[], result(verdict)).await
    }

    /// Claims and ends jobs until there are none; `verdict` says how.
    pub async fn work_off(&self, agent: &AgentId, verdict: impl Fn(&Claimed) -> Verdict) -> Vec<String> {
        let mut done = Vec::new();
        while let Some(claimed) = self.claim(agent, 1).await.pop() {
            self.finish(&hold(agent, &claimed), verdict(&claimed)).await.unwrap();
            done.push(claimed.spec.title());
        }
        done
    }

    /// The build, whose stored status is always that of its jobs; one that has begun stays so while they wait again.
    pub async fn show(&self, build: i64) -> BuildDetail {
        let found = builds::show(&self.store, build).await.unwrap();
        let has_begun = found.jobs.iter().any(|job| job.attempts > 0);
        let expected = match rollup(found.jobs.iter().map(|job| (job.status, job.allow_failure))) {
            JobStatus::Queued if has_begun => JobStatus::Running,
            status => status,
        };
        assert_eq!(found.build.status, expected, "build {build}");
        found
    }

    /// `build running: test=passed deploy=waiting`
    pub async fn state(&self, build: i64) -> String {
        let detail = self.show(build).await;
        let jobs: Vec<String> = detail
            .jobs
            .iter()
            .map(|job| format!("{}={}", job.title, job.status))
            .collect();
        format!("{}: {}", detail.build.status, jobs.join(" "))
    }

    /// Twice the time of a lease passes, in which only the calls that `meanwhile` makes are heard. No clock, no sleep.
    pub async fn let_leases_lapse(&self) -> Vec<Expired> {
        let (start, mut expired) = (self.store.now(), Vec::new());
        for seconds in (0..=60).step_by(10) {
            expired.extend(queue::expire(&self.store, start + seconds * 1_000_000).await.unwrap());
        }
        expired
    }

    pub async fn start(&self, hold: &AgentLease) -> Result<(), StoreError> {
        attempts::events(&self.store, hold, &[event(0, EventKind::Started)]).await
    }
}

pub fn hold(agent: &AgentId, claimed: &Claimed) -> AgentLease {
    AgentLease {
        agent: agent.clone(),
        attempt: claimed.attempt.clone(),
        epoch: claimed.epoch,
    }
}

pub fn held(claimed: &Claimed) -> LeaseRef {
    LeaseRef {
        attempt: claimed.attempt.clone(),
        epoch: claimed.epoch,
        resume: false,
    }
}

pub fn event(seq: u64, kind: EventKind) -> AttemptEvent {
    AttemptEvent { seq, at: 1_000, kind }
}

pub fn result(verdict: Verdict) -> AttemptResult {
    match verdict {
        Verdict::Passed => AttemptResult::passed(),
        Verdict::Failed => AttemptResult::because(verdict, ReasonCode::StepFailed, "step `true` exited with 1"),
        Verdict::Errored => AttemptResult::because(verdict, ReasonCode::Infrastructure, "the engine went away"),
        Verdict::Cancelled => AttemptResult::because(verdict, ReasonCode::Cancelled, "cancelled"),
        Verdict::TimedOut => AttemptResult::because(verdict, ReasonCode::Timeout, "it ran longer than 60 s"),
    }
}

pub fn job(name: &str) -> JobSpec {
    testing::spec(name)
}

pub fn needing(name: &str, needs: &[&str]) -> JobSpec {
    JobSpec {
        needs: needs.iter().map(|&need| need.into()).collect(),
        ..job(name)
    }
}

/// `count` cells of one job: `test (n=0)`…
pub fn cells(name: &str, count: usize) -> Vec<JobSpec> {
    let cell = |n: usize| JobSpec {
        matrix: vec![AxisValue {
            axis: "n".into(),
            value: n.to_string(),
        }],
        ..job(name)
    };
    (0..count).map(cell).collect()
}
