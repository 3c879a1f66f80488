//! One step, from *go* to its end: by itself, by its limit, or because something ended the job.

use std::time::Duration;

use protocol::attempt::{AttemptResult, EventKind, StepOutcome, StepStatus};
use protocol::ids::StreamId;

use super::held::HeldStep;
use super::interrupt::{Interrupt, Interrupts, rest_of};
use super::job::Job;
use super::words::{self, StepEnd};
use super::{journal, plan};
use crate::gate::{ExitStatus, GateError, GatePhase};
use crate::stack::Stack;

/// A step that is to stop has this long to do it by itself.
const GRACE: Duration = Duration::from_secs(2);
/// A step that was killed is gone after this, or the engine is asked to see to it.
const KILL_TAKES: Duration = Duration::from_secs(5);
/// What a step is sent first when it is to stop.
const SIGTERM: i32 = 15;

/// How a step went on with the job.
pub enum StepOver {
    /// It came to its end, good or bad.
    Ended(StepEnd),
    /// The job was interrupted; the step is stopped.
    Interrupted(Interrupt),
}

/// Lets a held step run to its end. Notes its start and its end in the journal.
pub async fn run(job: &Job, index: usize, held: &HeldStep, interrupts: &Interrupts, stack: Option<&Stack>) -> StepOver {
    let step = job.step(index);
    let stream = StreamId::step(index);
    job.streams.open(&stream);
    let over = tokio::select! {
        ended = until_end(job, index, held) => ended,
        interrupt = interrupts.next(stack) => End::Interrupted(interrupt),
    };
    let over = match over {
        End::Exited(status) => {
            let end = words::of_exit(step, &status, job.memory_limit());
            job.finish_step(index, status.ended_us, end.outcome.clone());
            StepOver::Ended(end)
        }
        End::Lost(error) => StepOver::Ended(lost(job, index, held, &error).await),
        End::TimedOut(limit) => {
            job.voice
                .say(format!("step `{}` is stopped after {}", step.name, words::span(limit)));
            let status = stop(job, held).await;
            let (word, failure) = words::step_timeout(step, limit);
            let outcome = stopped(status, word, &failure);
            job.finish_step(index, journal::now(), outcome.clone());
            StepOver::Ended(StepEnd {
                outcome,
                failure: Some(failure),
            })
        }
        End::Interrupted(interrupt) => {
            let status = stop(job, held).await;
            let word = match &interrupt {
                Interrupt::Cancelled | Interrupt::AgentStopped => StepStatus::Cancelled,
                Interrupt::JobTimeout(_) => StepStatus::TimedOut,
                Interrupt::Service(_) => StepStatus::Failed,
            };
            let outcome = stopped(status, word, &interrupt.result(Some(step)));
            job.finish_step(index, journal::now(), outcome);
            StepOver::Interrupted(interrupt)
        }
    };
    job.streams.close(&stream);
    over
}

enum End {
    Exited(ExitStatus),
    TimedOut(Duration),
    Lost(GateError),
    Interrupted(Interrupt),
}

async fn until_end(job: &Job, index: usize, held: &HeldStep) -> End {
    let ended = async {
        let idle = held.gate.state().borrow().phase == GatePhase::Idle;
        if idle {
            held.gate.go(plan::go(&job.input, index)).await?;
        }
        let started = held.gate.started().await?;
        job.journal.tell(started, EventKind::StepStarted { step: index });
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
    let mut outcome = words::without_run(word, reason);
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
    let end = match exit {
        Some(exit) if exit.oom => {
            let status = ExitStatus {
                exit_code: exit.code,
                oom: true,
                ..ExitStatus::default()
            };
            words::of_exit(step, &status, job.memory_limit())
        }
        _ => broken(&step.name, &error.to_string()),
    };
    job.finish_step(index, journal::now(), end.outcome.clone());
    end
}

/// A step that we lost.
pub fn broken(name: &str, why: &str) -> StepEnd {
    let failure = words::broken(format!("step `{name}` was lost: {why}"));
    let outcome = stopped(None, StepStatus::Failed, &failure);
    StepEnd {
        outcome,
        failure: Some(failure),
    }
}
