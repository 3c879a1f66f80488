//! Jobs on this machine, now, without a coordinator: what `drover run` is. The same attempts on the same engine, in
//! the order of their `needs`; what is left in the engine is removed by a reaper process behind the result.

mod jobs;
mod lines;
mod reaper;
mod tree;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use job_specs::Facts;
use job_specs::file::JobFile;
use job_specs::model::{Env, JobSpec, Need};
use job_specs::status::JobStatus;
use protocol::attempt::{AttemptEvent, Micros, Reason};
use protocol::ids::{AttemptId, StreamId};
use protocol::reports::TestReport;
use protocol::work::SecretValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempt::AttemptContext;
use crate::attempt::retained::Retained;
use crate::checkout::Mirrors;
use crate::clock::now_secs;
use crate::engine::{Engine, EngineConfig, Limits, Policy};
use crate::files::make_private;
use crate::sandbox::{Pool, PoolConfig};
use reaper::Reaper;

pub use tree::WorkingTree;

/// What to run here.
#[derive(Debug, Clone)]
pub struct LocalRun {
    /// The working tree; each job gets its own copy of it.
    pub tree: PathBuf,
    /// How people call it; images that jobs fetch with a login are theirs alone, by this name.
    pub repository: String,
    /// The cells to run.
    pub jobs: Vec<JobSpec>,
    /// Needs that count as met, because nobody asked for what they are on.
    pub met: Vec<Need>,
    /// Where they come from: what is needed to expand deferred jobs once their needs have ended.
    pub source: Option<(JobFile, Facts)>,
    /// What stays after a job, for people to look at.
    pub hold: Option<Hold>,
    /// `DROVER_*` variables for every step.
    pub env: Env,
    /// Values for the secrets that steps name.
    pub secrets: BTreeMap<String, SecretValue>,
    /// Jobs at once; at least 1.
    pub slots: usize,
    /// A folder for the gate and, while it runs, the attempts: `~/.cache/drover`.
    pub data: PathBuf,
    /// How to start the reaper: program and arguments that end in [`reap_main`].
    pub reaper: Vec<String>,
}

/// What of a run stays when its jobs are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// For so long, or until the run is cancelled.
    pub secs: u64,
    /// After every job; else only after those that failed.
    pub always: bool,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct LocalEnd {
    /// Its jobs: those of [`LocalRun::jobs`], deferred ones in their final form, new cells behind them.
    pub jobs: Vec<JobSpec>,
    /// How each ended.
    pub outcomes: Vec<LocalOutcome>,
}

/// What happens in a local run, in order for each job.
#[derive(Debug)]
pub enum LocalEvent {
    /// Something happened in a job (an index into [`LocalRun::jobs`]).
    Attempt {
        /// Which.
        job: usize,
        /// What.
        event: AttemptEvent,
    },
    /// Whole lines of a log.
    Lines {
        /// Which job.
        job: usize,
        /// Which log.
        stream: StreamId,
        /// Records as [`protocol::record::records`] reads them.
        records: Vec<u8>,
    },
    /// What its test reports said, before it is over.
    Tests {
        /// Which job.
        job: usize,
        /// The tests.
        report: TestReport,
    },
    /// A deferred job has its final form, or one of its cells is new: then the index is the next free one.
    Expanded {
        /// Which.
        job: usize,
        /// What it is now.
        spec: Box<JobSpec>,
    },
    /// A job is over, and its services and a container of its image stay.
    Retained {
        /// Which.
        job: usize,
        /// Until then, if nobody ends it before.
        until: Micros,
    },
    /// An attempt of a job is over, and its `retry` wants another.
    Retried {
        /// Which.
        job: usize,
        /// How often it has been tried.
        attempts: u32,
    },
    /// A job is over; all of its lines came before.
    Finished {
        /// Which.
        job: usize,
        /// How.
        outcome: LocalOutcome,
    },
}

/// How a job of a local run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalOutcome {
    /// The word.
    pub status: JobStatus,
    /// Why, unless it passed.
    pub reason: Option<Reason>,
}

/// Runs the jobs. When it returns, all events are sent and the results
/// are known; containers are removed by the reaper, so the caller may exit at once. Errors: the engine cannot be
/// reached, or the folders cannot be made.
pub async fn run(
    run: LocalRun,
    events: mpsc::UnboundedSender<LocalEvent>,
    cancel: CancellationToken,
) -> anyhow::Result<LocalEnd> {
    let id = AttemptId::generate();
    let agent = format!("local-{id}");
    let folder = run.data.join("runs").join(id.as_str());
    let attempts = folder.join("attempts");
    make_private(&attempts).with_context(|| format!("make {}", attempts.display()))?;
    let _reaper = Reaper::start(&run.reaper, &agent, &folder)?;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let policy = Policy::own_machine();
    let config = EngineConfig {
        agent,
        data: folder.clone(),
        socket: None,
        limits: Limits {
            log_bytes: Some(0), // a laptop's disk is its owner's, so there is no limit of the disk either
            ..Limits::for_slots(u32::try_from(run.slots).unwrap_or(1), policy.most)
        },
        policy,
    };
    let engine = Engine::connect(config, tasks.clone(), stop.clone()).await?;
    let pool_config = PoolConfig {
        expires: Some(expires(&run)),
        ..PoolConfig::default()
    };
    let pool = Pool::start(&engine, pool_config, tasks.clone(), stop.clone()).await?;
    let context = AttemptContext {
        engine,
        pool,
        mirrors: Mirrors::new(folder.join("mirrors")),
        attempts,
        tasks,
        shutdown: CancellationToken::new(),
        retained: run
            .hold
            .map_or_else(Retained::default, |hold| Retained::after(hold.always)),
    };
    let end = jobs::run(&run, &context, &events, &cancel).await;
    stop.cancel();
    Ok(end)
}

/// The reaper (`drover __reap`): reads what to remove from standard input, waits for its end (the run is over or was
/// killed), then removes everything of that run.
pub fn reap_main() -> ExitCode {
    reaper::main()
}

/// Unix seconds from when any agent of this machine may remove what this run made, should its reaper be killed too.
fn expires(run: &LocalRun) -> i64 {
    let held = 3600 + run.hold.map_or(0, |hold| hold.secs);
    let secs: u64 = run
        .jobs
        .iter()
        .map(|job| job.timeout_secs)
        .fold(held, u64::saturating_add);
    now_secs() + i64::try_from(secs).unwrap_or(i64::MAX / 2)
}

/// The listener may have gone; the jobs go on.
fn send(events: &mpsc::UnboundedSender<LocalEvent>, event: LocalEvent) {
    if events.send(event).is_err() {
        tracing::debug!("nobody listens to this run any more");
    }
}
