//! One lease, from its arrival to the coordinator's last word about it: the attempt runs, its events are reported, its logs
//! are shipped, its end is reported when all of that is there, and its folder goes.

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
use super::report::EventReporter;
use super::shells::Masks;
use super::test_reports;
use super::upload::LogUploads;
use crate::attempt::folder::AttemptFolder;
use crate::attempt::report::reasons;
use crate::attempt::retained::{self, Decision, RetainedStack};
use crate::attempt::{self, AttemptContext, AttemptEnd, AttemptInput, Code, Outlet};
use crate::blobs::{Blobs, Remote};
use crate::coordinator::Backoff;
use crate::coordinator::{CallError, Coordinator};
use crate::logs::tail::Watcher;

/// An agent that is stopped at once tries this long to report what it can.
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
    /// It needs no slot any more; its end is still to be reported.
    Over,
    /// The coordinator knows its end, or does not want it.
    Reported,
    /// Nothing is left of it here.
    Gone,
}

/// What ends a piece of work from outside.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    /// Somebody cancelled the job.
    pub cancel: CancellationToken,
    /// It is not ours any more.
    pub lost: CancellationToken,
}

/// How the reporting of an attempt ended.
enum Reporting {
    /// The coordinator has everything but these events.
    Sent(Vec<AttemptEvent>),
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
    let (reporting, mut end) = run_and_report(&agent, &folder, epoch, work, &signals).await;
    let note = |stage| agent.note(&attempt, stage);
    note(WorkStage::Reported);
    if let Some(retain) = end.retain.take() {
        match &reporting {
            Reporting::Finished(Some(stack)) => retain.decide(Decision::Retain(stack.clone())),
            Reporting::Finished(None) | Reporting::Sent(_) | Reporting::Unwanted(_) => retain.decide(Decision::Remove),
            // It is reported again, and decided, at the next start.
            Reporting::GivenUp => drop(retain),
        }
    }
    if let Err(broken) = end.removal.await {
        tracing::error!(attempt.id = %attempt, %broken, "the removal of an attempt's containers broke; the sweep goes on");
    }
    match reporting {
        Reporting::GivenUp => {}
        _ if folder.stack().is_some() => tracing::info!(attempt.id = %attempt, "a stack stays for the next start"),
        Reporting::Sent(_) | Reporting::Finished(_) => remove(&folder).await,
        Reporting::Unwanted(why) => {
            match why {
                CallError::Stale(why) => tracing::info!(attempt.id = %attempt, why, "stopped working on an attempt"),
                other => tracing::warn!(attempt.id = %attempt, %other, "an attempt is given up"),
            }
            remove(&folder).await;
        }
    }
    agent.masks.remove(&attempt);
    note(WorkStage::Gone);
}

/// Removes what the agent left before its restart of an attempt that is not ours any more.
pub async fn abandon(agent: AgentContext, attempt: AttemptId) {
    attempt::abandon(&agent.context, &attempt).await;
    let folder = AttemptFolder::of(&agent.context.attempts, &attempt);
    if folder.stack().is_none() {
        remove(&folder).await;
    }
    agent.note(&attempt, WorkStage::Gone);
}

impl AgentContext {
    fn note(&self, attempt: &AttemptId, stage: WorkStage) {
        let news = WorkNews {
            attempt: attempt.clone(),
            stage,
        };
        if self.news.send(news).is_err() {
            tracing::debug!(attempt.id = %attempt, "the agent is gone before its work");
        }
    }
}

async fn run_and_report(
    agent: &AgentContext,
    folder: &AttemptFolder,
    epoch: i64,
    work: AttemptWork,
    signals: &Signals,
) -> (Reporting, AttemptEnd) {
    let held = LeaseRef {
        attempt: work.attempt.clone(),
        epoch,
        resume: false,
    };
    let repository = work.repository.clone();
    let (reporting, end) = match records::write(folder, epoch, &work) {
        Ok(()) => run_reporting(agent, &held, input(agent, &held, work), signals).await,
        Err(error) => {
            let end = AttemptEnd {
                result: reasons::broken(format!("the agent cannot write to its data folder: {error}")),
                outputs: Default::default(),
                retain: None,
                removal: agent.context.tasks.spawn(async {}),
            };
            (Reporting::Sent(Vec::new()), end)
        }
    };
    match reporting {
        Reporting::Sent(unsent) => {
            let ended = match folder.tests() {
                Some(report) => upload_tests(agent, &held, report, signals).await,
                None => None,
            };
            match ended {
                Some(ended) => (ended, end),
                None => (finish(agent, &held, (unsent, &repository), &end).await, end),
            }
        }
        other => (other, end),
    }
}

/// Runs the attempt, and reports it meanwhile. One that cannot be reported any more is stopped.
async fn run_reporting(
    agent: &AgentContext,
    held: &LeaseRef,
    input: AttemptInput,
    signals: &Signals,
) -> (Reporting, AttemptEnd) {
    let (events, reported_events) = mpsc::unbounded_channel();
    let (streams, reported_streams) = mpsc::unbounded_channel();
    let ended = CancellationToken::new();
    let masker = Arc::new(input.masker());
    agent.masks.add(&held.attempt, masker.clone());
    let reporter = EventReporter {
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
        let end = attempt::run(&agent.context, input, Outlet { events, streams }, stop.clone()).await;
        agent.note(&held.attempt, WorkStage::Over);
        ended.cancel();
        end
    };
    let report = async {
        let all = async { tokio::try_join!(reporter.run(reported_events), uploads.run(reported_streams)) };
        let reporting = tokio::select! {
            sent = all => sent.map_or_else(Reporting::Unwanted, |(unsent, ())| Reporting::Sent(unsent)),
            reporting = interruption(agent, signals) => reporting,
        };
        if !matches!(reporting, Reporting::Sent(_)) {
            stop.cancel();
        }
        reporting
    };
    let (end, reporting) = tokio::join!(run, report);
    (reporting, end)
}

/// Uploads the test reports; gives what ended that early. A coordinator that does not take them still gets the
/// end.
async fn upload_tests(
    agent: &AgentContext,
    held: &LeaseRef,
    report: TestReport,
    signals: &Signals,
) -> Option<Reporting> {
    let uploaded = tokio::select! {
        uploaded = test_reports::upload(&agent.coordinator, held, report) => uploaded,
        reporting = interruption(agent, signals) => return Some(reporting),
    };
    match uploaded {
        Ok(()) => None,
        Err(CallError::Refused { status, message }) => {
            tracing::warn!(attempt.id = %held.attempt, status, message, "the test reports are not taken");
            None
        }
        Err(other) => Some(Reporting::Unwanted(other)),
    }
}

/// Reports the end until the coordinator has it or does not want it.
async fn finish(
    agent: &AgentContext,
    held: &LeaseRef,
    (events, repository): (Vec<AttemptEvent>, &str),
    end: &AttemptEnd,
) -> Reporting {
    let finish = Finish {
        epoch: held.epoch,
        events,
        result: end.result.clone(),
        outputs: end.outputs.clone(),
        retain_secs: end.retain.as_ref().map(|retain| retain.secs),
        held_until: None,
    };
    let mut backoff = Backoff::default();
    let report = async {
        loop {
            match agent.coordinator.finish(&held.attempt, &finish).await {
                Ok(finished) => {
                    return Reporting::Finished(finished.stack.and_then(|lease| retained(lease, repository)));
                }
                Err(CallError::Away(why)) => {
                    tracing::debug!(attempt.id = %held.attempt, %why, "a result waits for the coordinator");
                    sleep(backoff.next_wait()).await;
                }
                Err(other) => return Reporting::Unwanted(other),
            }
        }
    };
    // That the lease is lost does not end this: a poll that was on its way when the coordinator took the end says so, too.
    // Of a lease that is lost indeed the answer to this call tells.
    tokio::select! {
        reporting = report => reporting,
        () = last_words(agent) => Reporting::GivenUp,
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

/// What ends the reporting before it is done.
async fn interruption(agent: &AgentContext, signals: &Signals) -> Reporting {
    tokio::select! {
        () = signals.lost.cancelled() => Reporting::Unwanted(CallError::Stale("the lease is lost".into())),
        () = last_words(agent) => Reporting::GivenUp,
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
