//! One lease, from its arrival to the coordinator's last word about it: the attempt runs, its events are told, its logs
//! are shipped, its end is told when all of that is there, and its folder goes.

use std::sync::Arc;
use std::time::Duration;

use protocol::attempt::AttemptEvent;
use protocol::ids::AttemptId;
use protocol::lease::{Finish, Lease, LeaseRef};
use protocol::reports::TestReport;
use protocol::work::{AttemptWork, StackWork, Work};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::records;
use super::report::Report;
use super::shells::Masks;
use super::test_reports;
use super::upload::LogUploads;
use crate::attempt::folder::AttemptFolder;
use crate::attempt::report::reasons;
use crate::attempt::retained::{self, Decision, RetainedStack};
use crate::attempt::{self, AttemptContext, AttemptInput, Code, Outlet, Over};
use crate::blobs::{Blobs, Remote};
use crate::coordinator::Backoff;
use crate::coordinator::{CallError, Coordinator};
use crate::logs::tail::Watcher;

/// An agent that is stopped at once tries this long to tell what it can.
const LAST_WORDS: Duration = Duration::from_secs(4);

/// What all work of an agent shares.
#[derive(Clone)]
pub struct AgentContext {
    /// Where leases come from.
    pub coordinator: Coordinator,
    /// What attempts need.
    pub context: AttemptContext,
    /// Follows their logs.
    pub watcher: Watcher,
    /// What hides the secrets of what is in hand.
    pub masks: Masks,
    /// Hears how work goes.
    pub news: mpsc::UnboundedSender<WorkNews>,
}

/// How a piece of work goes.
#[derive(Debug)]
pub struct WorkNews {
    /// Which.
    pub attempt: AttemptId,
    /// How.
    pub stage: WorkStage,
}

/// The stages of a piece of work after its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkStage {
    /// It needs no slot any more; its end is still to be told.
    Over,
    /// The coordinator knows its end, or does not want it.
    Told,
    /// Nothing is left of it here.
    Gone,
}

/// The hands on a piece of work.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    /// Somebody cancelled the job.
    pub cancel: CancellationToken,
    /// It is not ours any more.
    pub lost: CancellationToken,
}

/// How the telling of an attempt ended.
enum Telling {
    /// All is there but these events.
    Told(Vec<AttemptEvent>),
    /// The coordinator has the end; what is left is that stack, if it is one.
    Finished(Option<RetainedStack>),
    /// The coordinator does not want it.
    Unwanted(CallError),
    /// The agent is stopped, and the coordinator does not answer: the next start goes on from the folder.
    GivenUp,
}

/// Does the work of a lease, to the end.
pub async fn run(agent: AgentContext, epoch: i64, work: AttemptWork, signals: Signals) {
    let attempt = work.attempt.clone();
    let folder = AttemptFolder::of(&agent.context.attempts, &attempt);
    let (telling, mut over) = run_and_tell(&agent, &folder, epoch, work, &signals).await;
    let told = |stage| agent.tell(&attempt, stage);
    told(WorkStage::Told);
    if let Some(retain) = over.retain.take() {
        match &telling {
            Telling::Finished(Some(stack)) => retain.decide(Decision::Retain(stack.clone())),
            Telling::Finished(None) | Telling::Told(_) | Telling::Unwanted(_) => retain.decide(Decision::Remove),
            // It is told again, and decided, at the next start.
            Telling::GivenUp => drop(retain),
        }
    }
    if let Err(broken) = over.removal.await {
        tracing::error!(attempt.id = %attempt, %broken, "the removal of an attempt's containers broke; the sweep goes on");
    }
    match telling {
        Telling::GivenUp => {}
        _ if folder.stack().is_some() => tracing::info!(attempt.id = %attempt, "a stack stays for the next start"),
        Telling::Told(_) | Telling::Finished(_) => remove(&folder).await,
        Telling::Unwanted(why) => {
            match why {
                CallError::Stale(why) => tracing::info!(attempt.id = %attempt, why, "stopped working on an attempt"),
                other => tracing::warn!(attempt.id = %attempt, %other, "an attempt is given up"),
            }
            remove(&folder).await;
        }
    }
    agent.masks.remove(&attempt);
    told(WorkStage::Gone);
}

/// Removes what the agent left before its restart of an attempt that is not ours any more.
pub async fn abandon(agent: AgentContext, attempt: AttemptId) {
    attempt::abandon(&agent.context, &attempt).await;
    let folder = AttemptFolder::of(&agent.context.attempts, &attempt);
    if folder.stack().is_none() {
        remove(&folder).await;
    }
    agent.tell(&attempt, WorkStage::Gone);
}

impl AgentContext {
    fn tell(&self, attempt: &AttemptId, stage: WorkStage) {
        let news = WorkNews {
            attempt: attempt.clone(),
            stage,
        };
        if self.news.send(news).is_err() {
            tracing::debug!(attempt.id = %attempt, "the agent is gone before its work");
        }
    }
}

async fn run_and_tell(
    agent: &AgentContext,
    folder: &AttemptFolder,
    epoch: i64,
    work: AttemptWork,
    signals: &Signals,
) -> (Telling, Over) {
    let held = LeaseRef {
        attempt: work.attempt.clone(),
        epoch,
        resume: false,
    };
    let repository = work.repository.clone();
    let (telling, over) = match records::write(folder, epoch, &work) {
        Ok(()) => run_told(agent, &held, input(agent, &held, work), signals).await,
        Err(error) => {
            let over = Over {
                result: reasons::broken(format!("the agent cannot write to its data folder: {error}")),
                outputs: Default::default(),
                retain: None,
                removal: agent.context.tasks.spawn(async {}),
            };
            (Telling::Told(Vec::new()), over)
        }
    };
    match telling {
        Telling::Told(untold) => {
            let told = match folder.tests() {
                Some(report) => tell_tests(agent, &held, report, signals).await,
                None => None,
            };
            match told {
                Some(ended) => (ended, over),
                None => (finish(agent, &held, (untold, &repository), &over).await, over),
            }
        }
        other => (other, over),
    }
}

/// Runs the attempt, and tells of it meanwhile. What cannot be told any more is not gone on with.
async fn run_told(agent: &AgentContext, held: &LeaseRef, input: AttemptInput, signals: &Signals) -> (Telling, Over) {
    let (events, events_told) = mpsc::unbounded_channel();
    let (streams, streams_told) = mpsc::unbounded_channel();
    let ended = CancellationToken::new();
    let masker = Arc::new(input.masker());
    agent.masks.add(&held.attempt, masker.clone());
    let report = Report {
        coordinator: agent.coordinator.clone(),
        held: held.clone(),
        ended: ended.clone(),
    };
    let uploads = LogUploads {
        coordinator: agent.coordinator.clone(),
        held: held.clone(),
        masker: masker.clone(),
        watcher: agent.watcher.clone(),
        log_limit: agent.context.engine.log_limit(),
        ended: ended.clone(),
    };
    let stop = signals.cancel.child_token();
    let run = async {
        let over = attempt::run(&agent.context, input, Outlet { events, streams }, stop.clone()).await;
        agent.tell(&held.attempt, WorkStage::Over);
        ended.cancel();
        over
    };
    let tell = async {
        let all = async { tokio::try_join!(report.run(events_told), uploads.run(streams_told)) };
        let telling = tokio::select! {
            told = all => told.map_or_else(Telling::Unwanted, |(untold, ())| Telling::Told(untold)),
            telling = interruption(agent, signals) => telling,
        };
        if !matches!(telling, Telling::Told(_)) {
            stop.cancel();
        }
        telling
    };
    let (over, telling) = tokio::join!(run, tell);
    (telling, over)
}

/// Tells what the test reports said; gives what ended that early. A coordinator that does not take them still gets the
/// end.
async fn tell_tests(agent: &AgentContext, held: &LeaseRef, report: TestReport, signals: &Signals) -> Option<Telling> {
    let told = tokio::select! {
        told = test_reports::tell(&agent.coordinator, held, report) => told,
        telling = interruption(agent, signals) => return Some(telling),
    };
    match told {
        Ok(()) => None,
        Err(CallError::Refused { status, message }) => {
            tracing::warn!(attempt.id = %held.attempt, status, message, "the test reports are not taken");
            None
        }
        Err(other) => Some(Telling::Unwanted(other)),
    }
}

/// Tells the end until the coordinator has it or does not want it.
async fn finish(
    agent: &AgentContext,
    held: &LeaseRef,
    (events, repository): (Vec<AttemptEvent>, &str),
    over: &Over,
) -> Telling {
    let finish = Finish {
        epoch: held.epoch,
        events,
        result: over.result.clone(),
        outputs: over.outputs.clone(),
        retain_secs: over.retain.as_ref().map(|retain| retain.secs),
        held_until: None,
    };
    let mut backoff = Backoff::default();
    let tell = async {
        loop {
            match agent.coordinator.finish(&held.attempt, &finish).await {
                Ok(finished) => return Telling::Finished(finished.stack.and_then(|lease| retained(lease, repository))),
                Err(CallError::Away(why)) => {
                    tracing::debug!(attempt.id = %held.attempt, %why, "a result waits for the coordinator");
                    sleep(backoff.next_wait()).await;
                }
                Err(other) => return Telling::Unwanted(other),
            }
        }
    };
    // That the lease is lost does not end this: a poll that was on its way when the coordinator took the end says so, too.
    // Of a lease that is lost indeed the answer to this call tells.
    tokio::select! {
        telling = tell => telling,
        () = last_words(agent) => Telling::GivenUp,
    }
}

/// The stack that the coordinator makes of what an attempt left.
fn retained(lease: Lease, repository: &str) -> Option<RetainedStack> {
    match lease.work {
        Work::Stack(StackWork { stack, .. }) => {
            Some(RetainedStack::new(stack, lease.epoch, retained::AT_MOST, repository))
        }
        Work::Attempt(_) => None,
    }
}

/// What ends the telling before it is done.
async fn interruption(agent: &AgentContext, signals: &Signals) -> Telling {
    tokio::select! {
        () = signals.lost.cancelled() => Telling::Unwanted(CallError::Stale("the lease is lost".into())),
        () = last_words(agent) => Telling::GivenUp,
    }
}

/// Completes when an agent that is stopped has tried for long enough.
async fn last_words(agent: &AgentContext) {
    agent.context.shutdown.cancelled().await;
    sleep(LAST_WORDS).await;
}

/// What is to be run, as the lease says.
pub fn input(agent: &AgentContext, held: &LeaseRef, work: AttemptWork) -> AttemptInput {
    AttemptInput {
        attempt: work.attempt,
        number: work.number,
        repository: work.repository,
        code: Code::Git(work.source),
        spec: work.spec,
        env: work.env,
        secrets: work.secrets,
        trusted: work.trusted,
        blobs: Blobs::Coordinator(Remote::new(agent.coordinator.clone(), held.clone())),
    }
}

async fn remove(folder: &AttemptFolder) {
    let gone = folder.clone();
    let removed = tokio::task::spawn_blocking(move || gone.remove()).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!(folder = %folder.path().display(), %error, "cannot remove an attempt's folder");
    }
}
