//! Jobs on this machine, now, without a coordinator: what `drover run` is. The same attempts on the same engine, in
//! the order of their `needs`; what is left in the engine is removed by a reaper process behind the result.

mod lines;
mod plan;
mod reaper;
mod tree;

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use job_specs::model::{Env, JobSpec};
use protocol::attempt::{AttemptEvent, AttemptResult};
use protocol::ids::{AttemptId, StreamId};
use protocol::lease::SecretValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempt::hold::Holds;
use crate::attempt::journal::now;
use crate::attempt::{self, AttemptContext, AttemptInput, Code, Outlet};
use crate::checkout::Mirrors;
use crate::engine::{Engine, EngineConfig, Limits};
use crate::logs::tail::Watcher;
use crate::sandbox::{Pool, PoolConfig};
use lines::Lines;
use plan::{Next, Plan};
use reaper::Reaper;

pub use tree::WorkingTree;

/// What to run here.
#[derive(Debug, Clone)]
pub struct LocalRun {
    /// The working tree; each job gets its own copy of it.
    pub tree: PathBuf,
    /// How people call it.
    pub repository: String,
    /// The cells to run. A need that is not among them counts as met.
    pub jobs: Vec<JobSpec>,
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
pub enum LocalOutcome {
    /// It ran.
    Ran(AttemptResult),
    /// It did not run.
    Skipped {
        /// Why, for people.
        reason: String,
    },
}

/// Runs the jobs; the outcomes are in the order of `run.jobs`. When it returns, all events are sent and the results
/// are known; containers are removed by the reaper, so the caller may exit at once. Errors: the engine cannot be
/// reached, or the folders cannot be made.
pub async fn run(
    run: LocalRun,
    events: mpsc::UnboundedSender<LocalEvent>,
    cancel: CancellationToken,
) -> anyhow::Result<Vec<LocalOutcome>> {
    let id = AttemptId::generate();
    let agent = format!("local-{id}");
    let folder = run.data.join("runs").join(id.as_str());
    let attempts = folder.join("attempts");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&attempts)
        .with_context(|| format!("make {}", attempts.display()))?;
    let _reaper = Reaper::start(&run.reaper, &agent, &folder)?;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let config = EngineConfig {
        agent,
        data: folder.clone(),
        socket: None,
        limits: Limits::default(),
    };
    let engine = Engine::connect(config, tasks.clone(), stop.clone()).await?;
    let pool_config = PoolConfig {
        expires: Some(expires(&run.jobs)),
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
        holds: Holds::default(),
    };
    let outcomes = jobs(&run, &context, &events, &cancel).await;
    stop.cancel();
    Ok(outcomes)
}

/// The reaper (`drover __reap`): reads what to remove from standard input, waits for its end (the run is over or was
/// killed), then removes everything of that run.
pub fn reap_main() -> ExitCode {
    reaper::main()
}

/// Unix seconds from when any agent of this machine may remove what this run made, should its reaper be killed too.
fn expires(jobs: &[JobSpec]) -> i64 {
    let secs: u64 = jobs.iter().map(|job| job.timeout_secs).fold(3600, u64::saturating_add);
    now() / 1_000_000 + i64::try_from(secs).unwrap_or(i64::MAX / 2)
}

/// Begins each job when the plan says so, and waits for all.
async fn jobs(
    run: &LocalRun,
    context: &AttemptContext,
    events: &mpsc::UnboundedSender<LocalEvent>,
    cancel: &CancellationToken,
) -> Vec<LocalOutcome> {
    let watcher = Watcher::new();
    let mut plan = Plan::new(&run.jobs, run.slots);
    let mut under_way = FuturesUnordered::new();
    let cancels: Vec<CancellationToken> = run.jobs.iter().map(|_| cancel.child_token()).collect();
    loop {
        match plan.next() {
            Next::Begin(job) => {
                let one = One {
                    run,
                    context,
                    watcher: &watcher,
                    events,
                    job,
                };
                let cancel = cancels[job].clone();
                under_way.push(async move { (job, one.go(cancel).await) });
            }
            Next::Skip(job, reason) => {
                let outcome = LocalOutcome::Skipped { reason };
                tell(events, LocalEvent::Finished { job, outcome });
            }
            Next::Wait => {
                if let Some((job, outcome)) = under_way.next().await {
                    for other in plan.end(job, outcome) {
                        cancels[other].cancel();
                    }
                }
            }
            Next::Done => return plan.outcomes(),
        }
    }
}

/// One job of the run.
struct One<'a> {
    run: &'a LocalRun,
    context: &'a AttemptContext,
    watcher: &'a Watcher,
    events: &'a mpsc::UnboundedSender<LocalEvent>,
    job: usize,
}

impl One<'_> {
    async fn go(self, cancel: CancellationToken) -> LocalOutcome {
        let outcome = if cancel.is_cancelled() {
            LocalOutcome::Skipped {
                reason: "cancelled".into(),
            }
        } else {
            LocalOutcome::Ran(self.attempt(cancel).await)
        };
        let finished = LocalEvent::Finished {
            job: self.job,
            outcome: outcome.clone(),
        };
        tell(self.events, finished);
        outcome
    }

    /// Runs it, and tells of it meanwhile. What is left of it is removed behind the next job, or by the reaper.
    async fn attempt(&self, cancel: CancellationToken) -> AttemptResult {
        let input = self.input();
        let (events, told) = mpsc::unbounded_channel();
        let (streams, news) = mpsc::unbounded_channel();
        let ended = CancellationToken::new();
        let lines = Lines {
            job: self.job,
            masker: Arc::new(input.masker()),
            watcher: self.watcher.clone(),
            events: self.events.clone(),
            ended: ended.clone(),
        };
        let run = async {
            let over = attempt::run(self.context, input, Outlet { events, streams }, cancel).await;
            ended.cancel();
            over.result
        };
        let (result, (), ()) = tokio::join!(run, lines.run(news), self.forward(told, &ended));
        result
    }

    fn input(&self) -> AttemptInput {
        AttemptInput {
            attempt: AttemptId::generate(),
            number: 1,
            repository: self.run.repository.clone(),
            code: Code::Tree(self.run.tree.clone()),
            spec: self.run.jobs[self.job].clone(),
            env: self.run.env.clone(),
            secrets: self.run.secrets.clone(),
            trusted: true,
        }
    }

    /// Hands over the events of the attempt until it is over.
    async fn forward(&self, mut told: mpsc::UnboundedReceiver<AttemptEvent>, ended: &CancellationToken) {
        loop {
            tokio::select! {
                biased;
                event = told.recv() => match event {
                    Some(event) => tell(self.events, LocalEvent::Attempt { job: self.job, event }),
                    None => return,
                },
                () = ended.cancelled(), if !told.is_closed() => told.close(),
            }
        }
    }
}

/// The listener may have gone; the jobs go on.
fn tell(events: &mpsc::UnboundedSender<LocalEvent>, event: LocalEvent) {
    if events.send(event).is_err() {
        tracing::debug!("nobody listens to this run any more");
    }
}
