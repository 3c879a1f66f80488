//! The steps of a job, one after the other, by the state that the job is in; which of them run, and what each makes of the
//! rest.

mod image_step;
mod outputs;
pub mod run_state;
mod step;
mod tries;

use std::sync::Arc;

use job_specs::units::micros;
use protocol::attempt::{AttemptResult, StepOutcome, StepStatus, Verdict};
use protocol::ids::StreamId;

use crate::attempt::images::built;
use crate::attempt::interrupt::{Interrupt, Interrupts};
use crate::attempt::job::Job;
use crate::attempt::prepare::prestart::HoldError;
use crate::attempt::prepare::services::log_death;
use crate::attempt::prepare::{NotReady, Prepared};
use crate::attempt::report::reasons::{self, StepEnd};
use crate::engine::ContainerId;
use run_state::RunState;

/// Containers of steps that are over are kept until the result is known, but no more than these.
const USED_KEPT: usize = 8;

/// Runs the steps once what they need is ready; the job's result so far.
pub async fn steps(job: &Arc<Job>, interrupts: &Interrupts, prepared: &mut Prepared) -> AttemptResult {
    let run = Run {
        job,
        interrupts,
        failure: None,
        service_lost: false,
    };
    run.all(prepared).await
}

/// The steps of a job, one after the other.
struct Run<'a> {
    job: &'a Arc<Job>,
    interrupts: &'a Interrupts,
    /// The first failure that counts.
    failure: Option<AttemptResult>,
    /// A service failed, so no other service's end matters any more.
    service_lost: bool,
}

/// What a step makes of the rest of the job.
enum Next {
    /// Go on.
    On,
    /// It is over, with that result.
    Over(AttemptResult),
}

impl Run<'_> {
    async fn all(mut self, prepared: &mut Prepared) -> AttemptResult {
        let steps = &self.job.input.spec.steps;
        let first = (0..steps.len()).find(|&step| self.job.journal.step_outcome(step).is_none());
        prepared
            .prestarted
            .start(run_state::ahead(steps, first.unwrap_or(steps.len()), RunState::Passing));
        let ready = self.ready(prepared).await;
        built::services_over(&self.job.input.spec, &self.job.built);
        if let Next::Over(result) = ready {
            self.skip_rest(0);
            return result;
        }
        self.job.phase("steps", true);
        let result = self.steps(prepared).await;
        self.job.phase("steps", false);
        result
    }

    /// Waits for what the first step needs. Steps for a failure run without services, never without code.
    async fn ready(&mut self, prepared: &Prepared) -> Next {
        let ready = tokio::select! {
            ready = prepared.ready(self.job) => ready,
            interrupt = self.interrupts.next(None) => return self.interrupted(interrupt, &self.job.before_steps()),
        };
        match ready {
            Ok(()) => return Next::On,
            Err(NotReady::Code(result)) => return Next::Over(result),
            Err(NotReady::Service(failure)) => self.interrupted(Interrupt::Service(failure), ""),
        };
        let steps = &self.job.input.spec.steps;
        if !steps.iter().any(|step| step.when.failure) {
            return Next::On;
        }
        tokio::select! {
            code = prepared.code() => code.map_or_else(Next::Over, |()| Next::On),
            interrupt = self.interrupts.next(None) => self.interrupted(interrupt, &self.job.before_steps()),
        }
    }

    async fn steps(&mut self, prepared: &mut Prepared) -> AttemptResult {
        for index in 0..self.job.input.spec.steps.len() {
            if let Next::Over(result) = self.step(prepared, index).await {
                self.skip_rest(index + 1);
                return result;
            }
        }
        self.failure.take().unwrap_or_else(AttemptResult::passed)
    }

    async fn step(&mut self, prepared: &mut Prepared, index: usize) -> Next {
        let (job, spec) = (self.job, &self.job.input.spec);
        if let Some(outcome) = job.journal.step_outcome(index) {
            return self.restore(index, &outcome);
        }
        if let Some(why) = &spec.steps[index].skip {
            let (nth, name) = (index + 1, &spec.steps[index].name);
            job.job_log
                .write_line(format!("step {nth} of {}: {name}: skipped, {why}", spec.steps.len()));
            let outcome = reasons::without_run(StepStatus::Skipped, Some(why.clone()));
            job.finish_step(index, crate::clock::now(), outcome);
            return Next::On;
        }
        if !run_state::runs(spec.steps[index].when, self.run_state()) {
            self.skip(index);
            return Next::On;
        }
        if let Some(missing_image) = self.missing_image(index) {
            self.failure = Some(missing_image);
            self.skip(index);
            return Next::On;
        }
        self.tries(prepared, index).await
    }

    fn run_state(&self) -> RunState {
        match self.failure {
            None => RunState::Passing,
            Some(_) => RunState::Failing,
        }
    }

    /// A step that is still to come needs an image that does not exist: there is no use in going on.
    fn missing_image(&self, from: usize) -> Option<AttemptResult> {
        if self.failure.is_some() {
            return None;
        }
        let steps = &self.job.input.spec.steps[from..];
        let that_count = steps
            .iter()
            .filter(|step| step.when.success && !step.allow_failure && step.skip.is_none());
        that_count.into_iter().find_map(|step| {
            let error = self.job.images.failed(&step.image)?;
            Some(reasons::of_engine(step, &error))
        })
    }

    /// What a step that is over makes of the job.
    fn finish(&mut self, index: usize, end: StepEnd) -> Next {
        let step = self.job.step(index);
        let took = micros(end.outcome.duration_us);
        let Some(mut failure) = end.failure else {
            let at = match end.outcome.tries {
                0 | 1 => String::new(),
                number => format!(" at try {number}"),
            };
            self.job
                .job_log
                .write_line(format!("step {} passed{at} in {took}", index + 1));
            return Next::On;
        };
        if let Some(reason) = &mut failure.reason {
            reason.step = Some(index);
            let allowed = if step.allow_failure { " (it may fail)" } else { "" };
            self.job.job_log.write_line(format!("{}{allowed}", reason.sentence));
        }
        match failure.verdict {
            Verdict::Errored => Next::Over(failure),
            _ if step.allow_failure => Next::On,
            _ => {
                self.failure.get_or_insert(failure);
                Next::On
            }
        }
    }

    /// A step that the agent saw to its end before its restart.
    fn restore(&mut self, index: usize, outcome: &StepOutcome) -> Next {
        if outcome.status != StepStatus::Skipped {
            let stream = StreamId::step(index);
            self.job.streams.open(&stream);
            self.job.streams.close(&stream);
        }
        match reasons::of_outcome(outcome) {
            Some(mut failure) if !self.job.step(index).allow_failure => {
                if let Some(reason) = &mut failure.reason {
                    reason.step = Some(index);
                }
                self.failure.get_or_insert(failure);
            }
            _ => {}
        }
        Next::On
    }

    fn not_held(&self, index: usize, error: HoldError) -> StepEnd {
        let step = self.job.step(index);
        match error {
            HoldError::Lost => step::broken(&step.name, "the agent was restarted, and its container is gone"),
            HoldError::Engine(error) => reasons::never_ran(reasons::of_engine(step, &error)),
        }
    }

    fn interrupted(&mut self, interrupt: Interrupt, when: &str) -> Next {
        let result = interrupt.result(when);
        match interrupt {
            Interrupt::Cancelled | Interrupt::AgentStopped | Interrupt::JobTimeout { .. } | Interrupt::DiskLimit(_) => {
                Next::Over(result)
            }
            Interrupt::Service(failure) => {
                log_death(self.job, &failure);
                self.service_lost = true;
                self.failure.get_or_insert(result);
                Next::On
            }
        }
    }

    fn skip(&self, index: usize) {
        let outcome = reasons::without_run(StepStatus::Skipped, None);
        self.job.finish_step(index, crate::clock::now(), outcome);
    }

    fn skip_rest(&self, from: usize) {
        (from..self.job.input.spec.steps.len()).for_each(|index| self.skip(index));
    }

    /// The container of a step that is over; those of long jobs are removed before the end.
    fn keep_used(&self, prepared: &mut Prepared, container: Option<ContainerId>) {
        prepared.used.extend(container);
        if prepared.used.len() > USED_KEPT {
            let (engine, oldest) = (self.job.context.engine.clone(), prepared.used.remove(0));
            self.job.context.tasks.spawn(async move {
                if let Err(error) = engine.remove_forced(&oldest).await {
                    tracing::warn!(%error, "cannot remove the container of a step; the sweep will");
                }
            });
        }
    }
}
