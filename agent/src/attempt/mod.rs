//! One attempt, from its input to its result: sandbox, checkout, images and services overlap, steps run one after
//! the other in containers that were started ahead. It knows no coordinator, so that `drover run` and the daemon
//! share it.
//!
//! # Layout
//! What all parts share: `context` what an attempt is given · `job` the attempt while it runs · [`folder`] what outlives
//! the agent · `plan` a step's container and command · `cache_paths`, `images` where caches are and which images are meant ·
//! `containers` what it has in the engine · `interrupt`, `disk_use` what ends it from outside · [`retained`] which attempts
//! stay after their failure.
//!
//! The phases, in the order of `phases`; each imports those before it and never one behind it: `prepare` what steps run on:
//! sandbox, code, services, containers started ahead · `run` the steps · `keep` artifacts, caches, test reports, what stays
//! after a failure. All of them write to [`report`]: events, logs, and the sentences that say how it went.

mod cache_paths;
pub(crate) mod containers;
mod context;
mod disk_use;
pub mod folder;
mod images;
mod interrupt;
mod job;
mod keep;
mod phases;
pub(crate) mod plan;
mod prepare;
pub mod report;
pub mod retained;
mod run;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, OnceLock};

use job_specs::dag::outputs::JobOutputs;
use protocol::attempt::AttemptResult;
use protocol::ids::{AttemptId, StreamId};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use context::{AttemptContext, AttemptInput, Code};
use folder::{AttemptFolder, RecordedEnd};
use images::{Images, Pulls, built};
use job::Job;
use report::activity::Activity;
use report::job_log::JobLog;
use report::journal::Journal;
use report::reasons;
use report::streams::Streams;
pub use report::{Outlet, StreamNews, follow_all};
use retained::{Decision, Retain, RetainEnd};

/// An attempt that is over.
pub struct AttemptEnd {
    /// How it ended.
    pub result: AttemptResult,
    /// What its steps wrote to `$DROVER_OUTPUT`.
    pub outputs: JobOutputs,
    /// Its containers and services are to be retained, which somebody has to decide.
    pub retain: Option<Retain>,
    /// The removal of its containers, which goes on behind the result and, when they are retained, behind that. The folder
    /// is needed until then; and longer, when it says then that it is still a stack.
    pub removal: JoinHandle<()>,
}

/// Runs the attempt to its result. Call it again with the same input after a restart: it goes on where it was.
/// Events come with their place, logs are complete when it returns, and removal goes on behind the result.
pub async fn run(
    context: &AttemptContext,
    input: AttemptInput,
    outlet: Outlet,
    cancel: CancellationToken,
) -> AttemptEnd {
    let folder = AttemptFolder::of(&context.attempts, &input.attempt);
    if let Some(ended) = folder.ended() {
        return replay(context, &input.attempt, &folder, ended, outlet);
    }
    match open(context, input, folder, outlet).await {
        Ok(job) => phases::run(job, cancel).await,
        Err(error) => AttemptEnd {
            result: reasons::broken(format!(
                "the agent cannot keep the attempt's folder: {}",
                crate::disk::describe(&error, &context.attempts)
            )),
            outputs: JobOutputs::new(),
            retain: None,
            removal: context.tasks.spawn(async {}),
        },
    }
}

/// Ends what the agent left before its restart of this attempt in the engine, without a result: it is over, or not ours
/// any more. What is a stack stays for its time.
pub async fn abandon(context: &AttemptContext, attempt: &AttemptId) {
    end_left(context, attempt, None).await;
}

/// The same, once it is decided what becomes of it, if somebody has to.
async fn end_left(context: &AttemptContext, attempt: &AttemptId, decision: Option<oneshot::Receiver<Decision>>) {
    let kept = context.engine.keep(crate::engine::Owner::Attempt(attempt.0.clone()));
    let folder = AttemptFolder::of(&context.attempts, attempt);
    let end = match (folder.stack(), decision) {
        (Some(stack), _) => context.retained.keep(attempt, &folder, stack).await,
        (None, Some(decision)) => context.retained.wait(attempt, &folder, decision).await,
        (None, None) => RetainEnd::Over,
    };
    match end {
        RetainEnd::Over => containers::remove_left(context, attempt).await,
        RetainEnd::HandedOver => {
            let sandbox = context.pool.adopt(attempt.as_str()).await;
            context.retained.leave_behind((kept, sandbox));
        }
    }
}

async fn open(
    context: &AttemptContext,
    input: AttemptInput,
    folder: AttemptFolder,
    outlet: Outlet,
) -> io::Result<Arc<Job>> {
    folder.create()?;
    cache_paths::make_folders(&folder, &input.spec)?;
    let masker = Arc::new(input.masker());
    let journal = Journal::open(&folder.events(), masker.clone(), outlet.events)?;
    let job_log = JobLog::open(&folder.log(&StreamId::job()))?;
    let pulls = Pulls::new(journal.clone(), job_log.clone());
    let steps = input
        .spec
        .steps
        .iter()
        .filter(|step| step.skip.is_none() && !built::builds(step));
    let wanted: BTreeSet<String> = steps.map(|step| step.image.clone()).collect();
    let built = built::left_by_restart(&input.spec, &folder, &journal);
    let wanted = built::without_own(&input.spec, wanted);
    Ok(Arc::new(Job {
        context: context.clone(),
        network: OnceLock::new(),
        resumed: journal.started_at().is_some(),
        images: Images::send_for(context, &input, wanted, &pulls),
        built,
        input,
        masker,
        journal,
        job_log,
        pulls,
        streams: Streams::new(folder.clone(), outlet.streams),
        activity: Activity::default(),
        folder,
    }))
}

/// The attempt ended before a restart of the agent: tells it again and removes what is left.
fn replay(
    context: &AttemptContext,
    attempt: &AttemptId,
    folder: &AttemptFolder,
    ended: RecordedEnd,
    outlet: Outlet,
) -> AttemptEnd {
    if let Err(error) = Journal::open(&folder.events(), Arc::default(), outlet.events) {
        tracing::warn!(%error, attempt.id = %attempt, "the journal of an ended attempt cannot be read");
    }
    for (stream, len) in ended.logs {
        let file = folder.log(&stream);
        let news = [
            StreamNews::Opened {
                stream: stream.clone(),
                file,
            },
            StreamNews::Closed { stream, len },
        ];
        for news in news {
            if outlet.streams.send(news).is_err() {
                tracing::debug!(attempt.id = %attempt, "nobody reads the logs of this attempt any more");
            }
        }
    }
    let (retain, decision) = ended.retain_secs.map(Retain::ask).unzip();
    let (owner, attempt) = (context.clone(), attempt.clone());
    let removal = context
        .tasks
        .spawn(async move { end_left(&owner, &attempt, decision).await });
    AttemptEnd {
        result: ended.result,
        outputs: ended.outputs,
        retain,
        removal,
    }
}
