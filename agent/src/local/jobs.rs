//! The jobs of a local run, from the first to the last, and what stays of them.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use job_specs::model::JobSpec;
use job_specs::{Outputs, expand_job};
use protocol::attempt::AttemptEvent;
use protocol::ids::AttemptId;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::lines::Lines;
use super::plan::{Next, Plan};
use super::{LocalEnd, LocalEvent, LocalOutcome, LocalRun, tell};
use crate::attempt::folder::AttemptFolder;
use crate::attempt::{self, AttemptContext, AttemptInput, Code, Outlet, Over};
use crate::blobs::{Blobs, Folder};
use crate::logs::tail::Watcher;

/// Begins each job when the plan says so, waits for all, and then for what is held.
pub async fn run(
    run: &LocalRun,
    context: &AttemptContext,
    events: &mpsc::UnboundedSender<LocalEvent>,
    cancel: &CancellationToken,
) -> LocalEnd {
    let watcher = Watcher::new();
    let mut plan = Plan::new(run.jobs.clone(), run.slots);
    let mut under_way = FuturesUnordered::new();
    let mut cancels: Vec<CancellationToken> = Vec::new();
    let mut outputs = Outputs::new();
    let mut held = Vec::new();
    loop {
        cancels.resize_with(plan.jobs().len(), || cancel.child_token());
        match plan.next() {
            Next::Begin(job) => {
                let one = One {
                    run,
                    context,
                    watcher: &watcher,
                    events,
                    job,
                    spec: plan.jobs()[job].clone(),
                };
                let cancel = cancels[job].clone();
                under_way.push(async move { (job, one.go(cancel).await) });
            }
            Next::Expand(job) => {
                for (job, spec) in plan.expand(job, expand(run, &plan.jobs()[job], &outputs)) {
                    let spec = Box::new(spec);
                    tell(events, LocalEvent::Expanded { job, spec });
                }
            }
            Next::Skip(job, reason) => {
                let outcome = LocalOutcome::Skipped { reason };
                tell(events, LocalEvent::Finished { job, outcome });
            }
            Next::Wait => {
                if let Some((job, ended)) = under_way.next().await {
                    let told = outputs.entry(plan.jobs()[job].name.clone()).or_default();
                    told.extend(ended.outputs);
                    held.extend(ended.held);
                    for other in plan.end(job, ended.outcome) {
                        cancels[other].cancel();
                    }
                }
            }
            Next::Done => break,
        }
    }
    hold(context, held, cancel).await;
    plan.over()
}

/// Waits until nothing is held any more, or the run is cancelled.
async fn hold(context: &AttemptContext, held: Vec<JoinHandle<()>>, cancel: &CancellationToken) {
    let all = async {
        for removal in held {
            // A removal that failed has said so; the reaper removes what is left.
            let _ = removal.await;
        }
    };
    tokio::select! {
        () = all => {}
        () = cancel.cancelled() => context.holds.release_all(),
    }
}

/// The cells of a deferred job, or why it has none.
fn expand(run: &LocalRun, job: &JobSpec, outputs: &Outputs) -> Result<Vec<JobSpec>, String> {
    let Some((file, facts)) = &run.source else {
        return Err("its job file is not known".to_owned());
    };
    expand_job(file, facts, &job.name, outputs).map_err(|wrong| {
        let sentences: Vec<&str> = wrong.iter().map(|found| found.message.as_str()).collect();
        sentences.join("; ")
    })
}

/// One job of the run.
struct One<'a> {
    run: &'a LocalRun,
    context: &'a AttemptContext,
    watcher: &'a Watcher,
    events: &'a mpsc::UnboundedSender<LocalEvent>,
    job: usize,
    spec: JobSpec,
}

/// What a job leaves.
struct Ended {
    outcome: LocalOutcome,
    outputs: attempt::outputs::Outputs,
    /// The removal of what is held; it ends with the hold.
    held: Option<JoinHandle<()>>,
}

impl One<'_> {
    async fn go(self, cancel: CancellationToken) -> Ended {
        let ended = if cancel.is_cancelled() {
            let reason = "cancelled".into();
            Ended {
                outcome: LocalOutcome::Skipped { reason },
                outputs: attempt::outputs::Outputs::new(),
                held: None,
            }
        } else {
            let over = self.attempt(cancel).await;
            if let Some(until) = over.held_until {
                tell(self.events, LocalEvent::Held { job: self.job, until });
            }
            Ended {
                outcome: LocalOutcome::Ran(over.result),
                outputs: over.outputs,
                held: over.held_until.map(|_| over.removal),
            }
        };
        let finished = LocalEvent::Finished {
            job: self.job,
            outcome: ended.outcome.clone(),
        };
        tell(self.events, finished);
        ended
    }

    /// Runs it, and tells of it meanwhile. What is left of it is removed behind the next job, or by the reaper.
    async fn attempt(&self, cancel: CancellationToken) -> Over {
        let input = self.input();
        let folder = AttemptFolder::of(&self.context.attempts, &input.attempt);
        let (events, told) = mpsc::unbounded_channel();
        let (streams, news) = mpsc::unbounded_channel();
        let ended = CancellationToken::new();
        let lines = Lines {
            job: self.job,
            masker: Arc::new(input.masker()),
            watcher: self.watcher.clone(),
            log_limit: self.context.engine.log_limit(),
            events: self.events.clone(),
            ended: ended.clone(),
        };
        let run = async {
            let over = attempt::run(self.context, input, Outlet { events, streams }, cancel).await;
            ended.cancel();
            over
        };
        let (over, (), ()) = tokio::join!(run, lines.run(news), self.forward(told, &ended));
        if let Some(report) = folder.tests() {
            tell(self.events, LocalEvent::Tests { job: self.job, report });
        }
        over
    }

    fn input(&self) -> AttemptInput {
        let mut spec = self.spec.clone();
        // On a laptop only `--hold` holds: nobody asked this terminal to wait because a file says so.
        spec.hold_on_failure_secs = self.run.hold.map(|hold| hold.secs);
        AttemptInput {
            attempt: AttemptId::generate(),
            number: 1,
            repository: self.run.repository.clone(),
            code: Code::Tree(self.run.tree.clone()),
            blobs: Blobs::Folder(self.folder(&spec)),
            spec,
            env: self.run.env.clone(),
            secrets: self.run.secrets.clone(),
            trusted: true,
        }
    }

    /// Where its caches and artifacts are.
    fn folder(&self, spec: &JobSpec) -> Folder {
        // The run's own folder is around that of its attempts.
        let of_run = self.context.attempts.parent().unwrap_or(&self.context.attempts);
        Folder::new(&self.run.data, of_run, &self.run.repository, spec.into())
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
