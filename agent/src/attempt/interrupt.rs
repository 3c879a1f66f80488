//! What ends an attempt from outside its steps: a cancel, the job's limits in time and on the disk, a service's death.

use std::sync::Arc;
use std::time::Duration;

use protocol::attempt::{AttemptResult, Micros};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::disk_use::DiskWatch;
use super::job::Job;
use super::report::reasons;
use crate::stack::{Stack, StackFailure};

/// What happened.
#[derive(Debug, Clone)]
pub enum Interrupt {
    /// Somebody stopped it.
    Cancelled,
    /// The agent is stopped.
    AgentStopped,
    /// The job's time is over.
    JobTimeout {
        /// The limit.
        limit: Duration,
        /// The command that ran then, if a step did.
        running: Option<String>,
    },
    /// It takes more of the disk than it may; what is said of it.
    DiskLimit(String),
    /// A service that the job needs is gone.
    Service(Box<StackFailure>),
}

impl Interrupt {
    /// What it makes of the job; `when` is one of those of [`super::activity`].
    pub fn result(&self, when: &str) -> AttemptResult {
        match self {
            Interrupt::Cancelled => reasons::cancelled(when),
            Interrupt::AgentStopped => reasons::broken(format!("the agent was stopped{when}")),
            Interrupt::JobTimeout { limit, running } => reasons::job_timeout(when, *limit, running.as_deref()),
            Interrupt::DiskLimit(how) => reasons::disk_limit(when, how),
            Interrupt::Service(failure) => reasons::of_service(failure),
        }
    }
}

/// Waits for what can end the attempt.
pub struct Interrupts {
    cancel: CancellationToken,
    shutdown: CancellationToken,
    limit: Duration,
    deadline: Instant,
    disk: DiskWatch,
}

impl Interrupts {
    /// For that job, which began at `started`.
    pub fn new(job: &Arc<Job>, cancel: CancellationToken, started: Micros) -> Interrupts {
        let limit = Duration::from_secs(job.input.spec.timeout_secs);
        Interrupts {
            cancel,
            shutdown: job.context.shutdown.clone(),
            limit,
            deadline: Instant::now() + rest_of(limit, started),
            disk: DiskWatch::start(job),
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
            () = self.shutdown.cancelled() => Interrupt::AgentStopped,
            () = tokio::time::sleep_until(self.deadline) => Interrupt::JobTimeout {
                limit: self.limit,
                running: None,
            },
            how = self.disk.over() => Interrupt::DiskLimit(how),
            failure = death => Interrupt::Service(Box::new(failure)),
        }
    }
}

/// What is left of `limit` for something that began at `started` by this machine's clock.
pub fn rest_of(limit: Duration, started: Micros) -> Duration {
    let spent = u64::try_from(crate::clock::now() - started).unwrap_or(0);
    limit.saturating_sub(Duration::from_micros(spent))
}
