//! One step until it passes or no try is left: each try in a fresh container of the same workspace, one after the other
//! in one log. Which try it is stands in the journal, so a restarted agent goes on with the same one.

use std::io::{self, Write};

use job_specs::model::{Retry, RetryOn};
use protocol::attempt::{EventKind, Micros, StepStatus, Verdict};
use protocol::ids::StreamId;
use protocol::record::{Record, Source};

use super::step::{self, StepRun};
use super::{Next, Run, image_step, run_state};
use crate::attempt::images::built;
use crate::attempt::interrupt::Interrupt;
use crate::attempt::job::Job;
use crate::attempt::prepare::Prepared;
use crate::attempt::report::activity;
use crate::attempt::report::reasons::{self, StepEnd};
use crate::gate;

impl Run<'_> {
    /// Tries the step; its end is in the journal when this returns.
    pub(super) async fn tries(&mut self, prepared: &mut Prepared, index: usize) -> Next {
        let (job, spec) = (self.job, &self.job.input.spec);
        loop {
            let number = job.journal.tries(index);
            prepared
                .prestarted
                .start(run_state::ahead(&spec.steps, index, self.run_state()));
            let services = prepared.services.as_ref().filter(|_| !self.service_lost);
            let stack = services.map(|services| &services.stack);
            if built::builds(&spec.steps[index]) {
                self.announce(index, number);
                let run = image_step::run(job, index, prepared.network(job), self.interrupts, stack).await;
                match self.after_try(prepared, index, number, run).await {
                    Some(next) => return next,
                    None => continue,
                }
            }
            let held = tokio::select! {
                held = prepared.prestarted.take(index) => held,
                interrupt = self.interrupts.next(stack) => return self.interrupted_before_try(interrupt, index, number),
            };
            let run = match held {
                Err(error) => StepRun::Ended(self.not_held(index, error), crate::clock::now()),
                Ok(held) => {
                    self.announce(index, number);
                    let run = step::run(job, index, &held, self.interrupts, stack).await;
                    self.keep_used(prepared, held.container);
                    run
                }
            };
            if let Some(next) = self.after_try(prepared, index, number, run).await {
                return next;
            }
        }
    }

    fn announce(&self, index: usize, number: u32) {
        let steps = &self.job.input.spec.steps;
        if number == 1 {
            let (nth, count, name) = (index + 1, steps.len(), &steps[index].name);
            self.job.job_log.write_line(format!("step {nth} of {count}: {name}"));
        }
    }

    /// What a try makes of the job. `None`: there is another one.
    async fn after_try(&mut self, prepared: &mut Prepared, index: usize, number: u32, run: StepRun) -> Option<Next> {
        let job = self.job;
        let (mut end, at) = match run {
            StepRun::Ended(end, at) => (end, at),
            StepRun::Interrupted(interrupt) => {
                job.streams.close(&StreamId::step(index));
                return Some(self.interrupted(interrupt, &activity::in_step(job.step(index))));
            }
        };
        if is_tried_again(&job.step(index).retry, number, &end) {
            self.retry(prepared, index, number + 1, &end, at).await;
            return None;
        }
        end.outcome.tries = number;
        job.finish_step(index, at, end.outcome.clone());
        job.streams.close(&StreamId::step(index));
        Some(self.finish(index, end))
    }

    /// Something ends the job, or a service's death this step's turn, before a try of it runs.
    fn interrupted_before_try(&mut self, interrupt: Interrupt, index: usize, number: u32) -> Next {
        let status = if number > 1 {
            step::status_for(&interrupt)
        } else {
            StepStatus::Skipped
        };
        let mut outcome = reasons::without_run(status, None);
        outcome.tries = number;
        self.job.finish_step(index, crate::clock::now(), outcome);
        self.job.streams.close(&StreamId::step(index));
        let when = activity::before_step(self.job.step(index), &self.job.pulls.under_way());
        self.interrupted(interrupt, &when)
    }

    /// Reports that there is another try, and clears the place for it.
    async fn retry(&self, prepared: &mut Prepared, index: usize, number: u32, end: &StepEnd, at: Micros) {
        let job = self.job;
        let reason = end.outcome.reason.clone().unwrap_or_default();
        let all = job.step(index).retry.max.saturating_add(1);
        let line = format!("try {number} of {all}: {reason}");
        job.job_log.write_line(&line);
        if let Err(error) = mark_retry(job, index, &line) {
            tracing::debug!(%error, "a try cannot be marked in its step's log");
        }
        job.journal.record(
            at,
            EventKind::StepRetried {
                step: index,
                number,
                reason,
            },
        );
        prepared.remove_used(job).await;
    }
}

/// Writes a line of ours into the step's log, between two gates.
fn mark_retry(job: &Job, index: usize, line: &str) -> io::Result<()> {
    let Some(mut log) = gate::open_log(&job.folder.step(index))? else {
        return Ok(());
    };
    let mut bytes = Vec::new();
    Record {
        source: Source::System,
        at: crate::clock::now(),
        continues: false,
        bytes: format!("{line}\n").as_bytes(),
    }
    .encode(&mut bytes);
    log.write_all(&bytes)
}

/// Whether a step whose try of that number ended so is tried again.
fn is_tried_again(retry: &Retry, number: u32, end: &StepEnd) -> bool {
    let Some(failure) = &end.failure else {
        return false;
    };
    let is_meant = |on: &RetryOn| match on {
        RetryOn::Any => true,
        RetryOn::Exit(code) => end.outcome.exit_code == Some(*code) && end.outcome.status == StepStatus::Failed,
        RetryOn::Timeout => end.outcome.status == StepStatus::TimedOut,
        RetryOn::Infrastructure => failure.verdict == Verdict::Errored,
        // Reports are read when the steps are over.
        RetryOn::Test => false,
    };
    number <= retry.max && (retry.on.is_empty() || retry.on.iter().any(is_meant))
}

#[cfg(test)]
mod tests {
    use protocol::attempt::{AttemptResult, ReasonCode};

    use super::*;

    fn ended(status: StepStatus, exit_code: Option<i32>, verdict: Verdict) -> StepEnd {
        let mut outcome = reasons::without_run(status, None);
        outcome.exit_code = exit_code;
        let failure = (verdict != Verdict::Passed).then(|| AttemptResult::because(verdict, ReasonCode::StepFailed, ""));
        StepEnd { outcome, failure }
    }

    #[test]
    fn a_step_is_tried_again_after_what_it_names() {
        use RetryOn::{Any, Exit, Infrastructure, Timeout};
        let passed = ended(StepStatus::Passed, Some(0), Verdict::Passed);
        let exited = ended(StepStatus::Failed, Some(75), Verdict::Failed);
        let late = ended(StepStatus::TimedOut, Some(75), Verdict::TimedOut);
        let broken = ended(StepStatus::Failed, None, Verdict::Errored);
        let meant = |on: &[RetryOn]| {
            let retry = Retry {
                max: 2,
                on: on.to_vec(),
            };
            [&passed, &exited, &late, &broken].map(|end| is_tried_again(&retry, 1, end))
        };
        assert_eq!(meant(&[]), [false, true, true, true]);
        assert_eq!(meant(&[Any]), [false, true, true, true]);
        assert_eq!(meant(&[Exit(75)]), [false, true, false, false]);
        assert_eq!(meant(&[Exit(1), Timeout]), [false, false, true, false]);
        assert_eq!(meant(&[Infrastructure]), [false, false, false, true]);
        let retry = Retry { max: 2, on: Vec::new() };
        assert!(is_tried_again(&retry, 2, &exited) && !is_tried_again(&retry, 3, &exited));
        assert!(!is_tried_again(&Retry::default(), 1, &exited));
    }
}
