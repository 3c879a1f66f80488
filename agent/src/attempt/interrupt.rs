//! What ends an attempt from outside its steps: a cancel, the job's limit in time, a service's death.

use std::time::Duration;

use job_specs::model::StepSpec;
use protocol::attempt::{AttemptResult, Micros};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{journal, words};
use crate::stack::{Stack, StackFailure};

/// What happened.
#[derive(Debug, Clone)]
pub enum Interrupt {
    /// Somebody stopped it.
    Cancelled,
    /// The job's time is over.
    JobTimeout(Duration),
    /// A service that the job needs is gone.
    Service(Box<StackFailure>),
}

impl Interrupt {
    /// What it makes of the job, when it comes in that step (`None`: before the first).
    pub fn result(&self, step: Option<&StepSpec>) -> AttemptResult {
        match self {
            Interrupt::Cancelled => words::cancelled(step),
            Interrupt::JobTimeout(limit) => words::job_timeout(step, *limit),
            Interrupt::Service(failure) => words::of_service(failure),
        }
    }
}

/// Waits for what can end the attempt.
pub struct Interrupts {
    cancel: CancellationToken,
    limit: Duration,
    deadline: Instant,
}

impl Interrupts {
    /// For an attempt that began at `started` and may take `limit`.
    pub fn new(cancel: CancellationToken, started: Micros, limit: Duration) -> Interrupts {
        Interrupts {
            cancel,
            limit,
            deadline: Instant::now() + rest_of(limit, started),
        }
    }

    /// The next one. Without a `stack` no service can interrupt.
    pub async fn next(&self, stack: Option<&Stack>) -> Interrupt {
        let death = async {
            match stack {
                Some(stack) => stack.death().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Interrupt::Cancelled,
            () = tokio::time::sleep_until(self.deadline) => Interrupt::JobTimeout(self.limit),
            failure = death => Interrupt::Service(Box::new(failure)),
        }
    }
}

/// What is left of `limit` for something that began at `started` by this machine's clock.
pub fn rest_of(limit: Duration, started: Micros) -> Duration {
    let spent = u64::try_from(journal::now() - started).unwrap_or(0);
    limit.saturating_sub(Duration::from_micros(spent))
}
