//! One step, from *go* to its end: by itself, by its limit, or because something ended the job.

use std::time::Duration;

use job_specs::model::StepAction;
use job_specs::units::duration;
use protocol::attempt::{AttemptResult, EventKind, Micros, StepOutcome, StepStatus};
use protocol::ids::StreamId;

use super::outputs;
use crate::attempt::interrupt::{Interrupt, Interrupts, rest_of};
use crate::attempt::job::Job;
use crate::attempt::plan;
use crate::attempt::prepare::prestart::HeldStep;
use crate::attempt::report::activity;
use crate::attempt::report::reasons::{self, StepEnd};
use crate::disk;
use crate::gate::{ExitStatus, GateError, GatePhase};
use crate::stack::Stack;

/// A step that is to stop has this long to do it by itself.
const GRACE: Duration = Duration::from_secs(2);
/// A step that was killed is gone after this, or the engine is asked to see to it.
const KILL_TAKES: Duration = Duration::from_secs(5);
/// What a step is sent first when it is to stop.
const SIGTERM: i32 = 15;

/// How a step went on with the job.
pub enum StepRun {
    /// It came to its end, good or bad, at that time. It is for the caller to note it.
    Ended(StepEnd, Micros),
    /// The job was interrupted; the step is stopped, and its end is in the journal.
    Interrupted(Interrupt),
}

/// Lets a held step run to its end. Notes its start in the journal; its log is open from here on.
pub async fn run(job: &Job, index: usize, held: &HeldStep, interrupts: &Interrupts, stack: Option<&Stack>) -> StepRun {
    let step = job.step(index);
    let stream = StreamId::step(index);
    job.streams.open(&stream);
    let end = tokio::select! {
        ended = until_end(job, index, held) => ended,
        interrupt = interrupts.next(stack) => End::Interrupted(interrupt),
        () = disk::until_full(job.folder.path()) => End::DiskFull,
    };
    let run = match end {
        End::Exited(status) => {
            let end = reasons::of_exit(step, &status, job.memory_limit());
            StepRun::Ended(end, status.ended_us)
        }
        End::Lost(error) => StepRun::Ended(lost(job, index, held, &error).await, crate::clock::now()),
        End::TimedOut(limit) => {
            job.job_log
                .write_line(format!("step `{}` is stopped after {}", step.name, duration(limit)));
            let running = running_command(job, index, held).await;
            let status = stop(job, held).await;
            match &status {
                Some(status) if was_in_time(status, limit) => {
                    let end = reasons::of_exit(step, status, job.memory_limit());
                    StepRun::Ended(end, status.ended_us)
                }
                _ => {
                    let (word, failure) = reasons::step_timeout(step, limit, running.as_deref());
                    let end = StepEnd {
                        outcome: stopped(status, word, &failure),
                        failure: Some(failure),
                    };
                    StepRun::Ended(end, crate::clock::now())
                }
            }
        }
        End::DiskFull => {
            let failure = reasons::broken(format!(
                "step `{}` was stopped: {}",
                step.name,
                disk::full_at(job.folder.path())
            ));
            let outcome = stopped(stop(job, held).await, StepStatus::Failed, &failure);
            let failure = Some(failure);
            StepRun::Ended(StepEnd { outcome, failure }, crate::clock::now())
        }
        End::Interrupted(mut interrupt) => {
            if let Interrupt::JobTimeout { running, .. } = &mut interrupt {
                *running = running_command(job, index, held).await;
            }
            let status = stop(job, held).await;
            let mut outcome = stopped(
                status,
                status_for(&interrupt),
                &interrupt.result(&activity::in_step(step)),
            );
            outcome.tries = job.journal.tries(index);
            job.finish_step(index, crate::clock::now(), outcome);
            StepRun::Interrupted(interrupt)
        }
    };
    outputs::take(job, index);
    run
}

/// Its command ended before its limit; what was stopped was only the wait for its output.
fn was_in_time(status: &ExitStatus, limit: Duration) -> bool {
    let took = u64::try_from(status.ended_us - status.started_us).unwrap_or(0);
    took < u64::try_from(limit.as_micros()).unwrap_or(u64::MAX)
}

/// What an interrupt makes of the step in which it comes.
pub fn status_for(interrupt: &Interrupt) -> StepStatus {
    match interrupt {
        Interrupt::Cancelled | Interrupt::AgentStopped => StepStatus::Cancelled,
        Interrupt::JobTimeout { .. } => StepStatus::TimedOut,
        Interrupt::DiskLimit(_) | Interrupt::Service(_) => StepStatus::Failed,
    }
}

/// The command that the step is at: what its script has started last, or else a script of one line, or its entrypoint.
async fn running_command(job: &Job, index: usize, held: &HeldStep) -> Option<String> {
    if let Some(command) = held.gate.running().await {
        return Some(command);
    }
    match &job.step(index).action {
        StepAction::Run { script, .. } => {
            let mut lines = script.lines().map(str::trim).filter(|line| !line.is_empty());
            let line = lines.next()?;
            lines.next().is_none().then(|| line.to_owned())
        }
        StepAction::Entrypoint(argv) => Some(argv.join(" ")),
        StepAction::Image(_) => None,
    }
}

enum End {
    Exited(ExitStatus),
    TimedOut(Duration),
    Lost(GateError),
    /// Its output, and perhaps what it writes itself, waits for room.
    DiskFull,
    Interrupted(Interrupt),
}

async fn until_end(job: &Job, index: usize, held: &HeldStep) -> End {
    let ended = async {
        let idle = held.gate.state().borrow().phase == GatePhase::Idle;
        if idle {
            held.gate
                .go(plan::go(&job.input, index, job.context.engine.log_limit()))
                .await?;
        }
        let started = held.gate.started().await?;
        job.journal.record(started, EventKind::StepStarted { step: index });
        let Some(limit) = job.step(index).timeout_secs.map(Duration::from_secs) else {
            return held.gate.exited().await.map(End::Exited);
        };
        match tokio::time::timeout(rest_of(limit, started), held.gate.exited()).await {
            Ok(exited) => exited.map(End::Exited),
            Err(_) => Ok(End::TimedOut(limit)),
        }
    };
    ended.await.unwrap_or_else(End::Lost)
}

/// Asks the step to stop, then makes it. Its status, if it left one.
async fn stop(job: &Job, held: &HeldStep) -> Option<ExitStatus> {
    if held.gate.signal(SIGTERM).await.is_ok()
        && let Ok(exited) = tokio::time::timeout(GRACE, held.gate.exited()).await
    {
        return exited.ok();
    }
    if held.gate.kill().await.is_ok()
        && let Ok(exited) = tokio::time::timeout(KILL_TAKES, held.gate.exited()).await
    {
        return exited.ok();
    }
    if let Some(container) = &held.container
        && let Err(error) = job.context.engine.kill(container).await
    {
        tracing::warn!(%error, "cannot kill a step; its removal will");
    }
    None
}

/// The outcome of a step that was stopped, with the figures that it left.
fn stopped(status: Option<ExitStatus>, word: StepStatus, result: &AttemptResult) -> StepOutcome {
    let reason = result.reason.as_ref().map(|reason| reason.sentence.clone());
    let mut outcome = reasons::without_run(word, reason);
    if let Some(status) = status {
        outcome.exit_code = status.exit_code;
        outcome.signal = status.signal;
        outcome.duration_us = u64::try_from(status.ended_us - status.started_us).unwrap_or(0);
        outcome.peak_memory_bytes = status.peak_memory_bytes;
        outcome.cpu_us = status.cpu_us;
    }
    outcome
}

/// The gate is gone without a status: somebody or something ended its container. For want of memory that is the
/// user's, else ours.
async fn lost(job: &Job, index: usize, held: &HeldStep, error: &GateError) -> StepEnd {
    let step = job.step(index);
    let exit = match &held.container {
        Some(container) => job.context.engine.wait_exit(container).await.ok(),
        None => None,
    };
    match exit {
        Some(exit) if exit.oom => {
            let status = ExitStatus {
                exit_code: exit.code,
                oom: true,
                ..ExitStatus::default()
            };
            reasons::of_exit(step, &status, job.memory_limit())
        }
        _ => broken(&step.name, &error.to_string()),
    }
}

/// A step that we lost.
pub fn broken(name: &str, why: &str) -> StepEnd {
    let failure = reasons::broken(format!("step `{name}` was lost: {why}"));
    let outcome = stopped(None, StepStatus::Failed, &failure);
    StepEnd {
        outcome,
        failure: Some(failure),
    }
}
