//! The jobs of a local run, from the first to the last, and what stays of them. Which job runs when, and which never does,
//! is decided where the coordinator decides it: [`job_specs::dag`].

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use job_specs::dag::{Build, Expanded, Job, News, expand};
use job_specs::model::{JobSpec, Need};
use protocol::attempt::AttemptEvent;
use protocol::ids::{AttemptId, StackId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::lines::Lines;
use super::{LocalEnd, LocalEvent, LocalOutcome, LocalRun, send};
use crate::attempt::folder::AttemptFolder;
use crate::attempt::retained::{Decision, RetainedStack};
use crate::attempt::{self, AttemptContext, AttemptEnd, AttemptInput, Code, Outlet};
use crate::blobs::{Blobs, Folder};
use crate::logs::tail::Watcher;

/// Runs each job when its turn comes, waits for all, and then for what is retained.
pub async fn run(
    run: &LocalRun,
    context: &AttemptContext,
    events: &mpsc::UnboundedSender<LocalEvent>,
    cancel: &CancellationToken,
) -> LocalEnd {
    let watcher = Watcher::new();
    let jobs = run.jobs.iter().map(|spec| (spec.clone(), waits_for(spec, &run.met)));
    let mut build = Build::new(jobs);
    let mut running = FuturesUnordered::new();
    let mut stops: Vec<CancellationToken> = Vec::new();
    let mut retained = Vec::new();
    loop {
        stops.resize_with(build.jobs().len(), CancellationToken::new);
        while let Some(news) = build.news() {
            if let News::Stop(job) = news {
                stops[job].cancel();
            }
            announce(&build, news, events);
        }
        if let Some(job) = build.due() {
            let expanded = expanded(run, &build, job);
            build.expand(job, expanded);
            continue;
        }
        if running.len() < run.slots.max(1)
            && let Some(job) = build.ready()
        {
            build.assign(job);
            build.start(job);
            let Job { spec, attempts, .. } = &build.jobs()[job];
            let one = One {
                run,
                context,
                watcher: &watcher,
                events,
                job,
                number: u32::try_from(attempts.all).unwrap_or(u32::MAX),
                spec: spec.clone(),
            };
            let stop = stops[job].clone();
            running.push(async move { (job, one.go(stop).await) });
            continue;
        }
        if running.is_empty() {
            break;
        }
        tokio::select! {
            Some((job, ended)) = running.next() => {
                build.finish(job, ended.result, ended.outputs);
                if let Some(retain) = ended.retain {
                    if build.jobs()[job].status.is_final() {
                        let time = Duration::from_secs(retain.secs);
                        let stack = RetainedStack::new(StackId::generate(), 0, time, &run.repository);
                        send(events, LocalEvent::Retained { job, until: stack.last });
                        retain.decide(Decision::Retain(stack));
                        retained.push(ended.removal);
                    } else {
                        retain.decide(Decision::Remove);
                    }
                }
            }
            () = cancel.cancelled(), if !is_stopping(&build) => build.cancel_all("cancelled"),
        }
    }
    wait_for(context, retained, cancel).await;
    end(build)
}

/// The needs of a job that are not met from the start.
fn waits_for(spec: &JobSpec, met: &[Need]) -> Vec<Need> {
    let needs = spec.needs.iter().filter(|need| !met.contains(need));
    needs.cloned().collect()
}

/// Every job that has not ended was told to stop.
fn is_stopping(build: &Build) -> bool {
    let mut jobs = build.jobs().iter();
    jobs.all(|job| job.status.is_final() || job.cancelling.is_some())
}

fn announce(build: &Build, news: News, events: &mpsc::UnboundedSender<LocalEvent>) {
    let event = match news {
        News::Ended(job) => LocalEvent::Finished {
            job,
            outcome: outcome(&build.jobs()[job]),
        },
        News::Retried(job) => LocalEvent::Retried {
            job,
            attempts: u32::try_from(build.jobs()[job].attempts.all).unwrap_or(u32::MAX),
        },
        News::Expanded(job) => LocalEvent::Expanded {
            job,
            spec: Box::new(build.jobs()[job].spec.clone()),
        },
        News::Stop(_) => return,
    };
    send(events, event);
}

fn outcome(job: &Job) -> LocalOutcome {
    LocalOutcome {
        status: job.status,
        reason: job.reason.clone(),
    }
}

fn end(build: Build) -> LocalEnd {
    LocalEnd {
        jobs: build.jobs().iter().map(|job| job.spec.clone()).collect(),
        outcomes: build.jobs().iter().map(outcome).collect(),
    }
}

/// Waits until nothing is retained any more, or the run is cancelled.
async fn wait_for(context: &AttemptContext, retained: Vec<JoinHandle<()>>, cancel: &CancellationToken) {
    let all = async {
        for removal in retained {
            // A removal that failed has said so; the reaper removes what is left.
            let _ = removal.await;
        }
    };
    tokio::select! {
        () = all => {}
        () = cancel.cancelled() => context.retained.release_all(),
    }
}

/// What a deferred job is, now that what it needs has ended.
fn expanded(run: &LocalRun, build: &Build, job: usize) -> Expanded {
    let Some((file, facts)) = &run.source else {
        return Expanded::refused("its job file is not known");
    };
    expand(file, facts, &build.jobs()[job].spec.name, &build.seen_by(job))
}

/// One job of the run.
struct One<'a> {
    run: &'a LocalRun,
    context: &'a AttemptContext,
    watcher: &'a Watcher,
    events: &'a mpsc::UnboundedSender<LocalEvent>,
    job: usize,
    /// Of the attempt, from 1.
    number: u32,
    spec: JobSpec,
}

impl One<'_> {
    /// Runs it, and tells of it meanwhile. What is left of it is removed behind the next job, or by the reaper.
    async fn go(self, stop: CancellationToken) -> AttemptEnd {
        let input = self.input();
        let folder = AttemptFolder::of(&self.context.attempts, &input.attempt);
        let (events, recorded) = mpsc::unbounded_channel();
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
            let over = attempt::run(self.context, input, Outlet { events, streams }, stop).await;
            ended.cancel();
            over
        };
        let (over, (), ()) = tokio::join!(run, lines.run(news), self.forward(recorded, &ended));
        if let Some(report) = folder.tests() {
            send(self.events, LocalEvent::Tests { job: self.job, report });
        }
        over
    }

    fn input(&self) -> AttemptInput {
        let mut spec = self.spec.clone();
        // On a laptop only `--hold` holds: nobody asked this terminal to wait because a file says so.
        spec.hold_on_failure_secs = self.run.hold.map(|hold| hold.secs);
        AttemptInput {
            attempt: AttemptId::generate(),
            number: self.number,
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
        Folder::new(&self.run.data, of_run, &self.run.repository, spec)
    }

    /// Hands over the events of the attempt until it is over.
    async fn forward(&self, mut recorded: mpsc::UnboundedReceiver<AttemptEvent>, ended: &CancellationToken) {
        loop {
            tokio::select! {
                biased;
                event = recorded.recv() => match event {
                    Some(event) => send(self.events, LocalEvent::Attempt { job: self.job, event }),
                    None => return,
                },
                () = ended.cancelled(), if !recorded.is_closed() => recorded.close(),
            }
        }
    }
}
