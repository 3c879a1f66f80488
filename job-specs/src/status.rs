//! The life of a job: one enum, one `match`. Nobody else decides a status, so a job can never be in a state that
//! this file does not allow. The build's own status is always derived ([`rollup`]), never stored apart.

use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Its `needs` have not all passed yet.
    Waiting,
    /// Ready to run; waits for an agent.
    Queued,
    /// An agent holds its lease and prepares it.
    Assigned,
    /// Its attempt has begun.
    Running,
    /// Every step that counts ended well.
    Passed,
    /// The user's job said no.
    Failed,
    /// We broke, and the retries are spent.
    Errored,
    /// Somebody stopped it.
    Cancelled,
    /// It ran longer than its `timeout`.
    TimedOut,
    /// It will not run: a job that it needs did not pass, or its conditions do not hold.
    Skipped,
}

/// What can happen to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobEvent {
    /// All of its `needs` have ended as it wants them to.
    NeedsMet,
    /// One of its `needs` ended without passing.
    NeedsFailed,
    /// Its conditions (`when`) do not hold, or its matrix has no cells.
    Skip,
    /// It can never run as it stands: no secrets for forks, no such output.
    Refuse,
    /// An agent took a lease.
    Assign,
    /// The agent began the attempt.
    Start,
    /// The attempt ended well.
    Pass,
    /// A step or a service said no.
    Fail,
    /// The attempt broke for a reason of ours; another attempt is allowed.
    Retry,
    /// The attempt broke for a reason of ours; no attempt is left.
    Error,
    /// The lease ran out; another attempt is allowed.
    LeaseLost,
    /// The attempt ran out of time.
    TimeOut,
    /// Somebody asked for it to stop.
    Cancel,
}

/// An event that does not fit a job's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {from:?} cannot take {event:?}")]
pub struct IllegalTransition {
    /// The status it was in.
    pub from: JobStatus,
    /// What was asked of it.
    pub event: JobEvent,
}

impl JobStatus {
    /// Every status, in the order of a job's life.
    pub const ALL: [JobStatus; 10] = [
        JobStatus::Waiting,
        JobStatus::Queued,
        JobStatus::Assigned,
        JobStatus::Running,
        JobStatus::Passed,
        JobStatus::Failed,
        JobStatus::Errored,
        JobStatus::Cancelled,
        JobStatus::TimedOut,
        JobStatus::Skipped,
    ];

    /// The whole life of a job; no other code decides a status.
    pub fn on(self, event: JobEvent) -> Result<JobStatus, IllegalTransition> {
        use {JobEvent as E, JobStatus as S};
        Ok(match (self, event) {
            (S::Waiting, E::NeedsMet) => S::Queued,
            (S::Waiting, E::NeedsFailed | E::Skip) => S::Skipped,
            (S::Waiting, E::Refuse) => S::Failed,
            (S::Queued, E::Assign) => S::Assigned,
            (S::Assigned, E::Start) => S::Running,
            (S::Assigned | S::Running, E::LeaseLost | E::Retry) => S::Queued,
            (S::Assigned | S::Running, E::Pass) => S::Passed,
            (S::Assigned | S::Running, E::Fail) => S::Failed,
            (S::Assigned | S::Running, E::Error) => S::Errored,
            (S::Assigned | S::Running, E::TimeOut) => S::TimedOut,
            (S::Waiting | S::Queued | S::Assigned | S::Running, E::Cancel) => S::Cancelled,
            (from, event) => return Err(IllegalTransition { from, event }),
        })
    }

    /// Whether nothing more can happen to the job.
    pub fn is_final(self) -> bool {
        match self {
            JobStatus::Waiting | JobStatus::Queued | JobStatus::Assigned | JobStatus::Running => false,
            JobStatus::Passed
            | JobStatus::Failed
            | JobStatus::Errored
            | JobStatus::Cancelled
            | JobStatus::TimedOut
            | JobStatus::Skipped => true,
        }
    }

    /// Whether it ran and did not pass, and that counts.
    pub fn counts_as_failed(self, allow_failure: bool) -> bool {
        matches!(self, JobStatus::Failed | JobStatus::Errored | JobStatus::TimedOut) && !allow_failure
    }

    /// The name that the store, the API and the command line use: `passed`, `timed_out`, …
    pub fn name(self) -> &'static str {
        match self {
            JobStatus::Waiting => "waiting",
            JobStatus::Queued => "queued",
            JobStatus::Assigned => "assigned",
            JobStatus::Running => "running",
            JobStatus::Passed => "passed",
            JobStatus::Failed => "failed",
            JobStatus::Errored => "errored",
            JobStatus::Cancelled => "cancelled",
            JobStatus::TimedOut => "timed_out",
            JobStatus::Skipped => "skipped",
        }
    }

    /// The status of that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<JobStatus> {
        JobStatus::ALL.into_iter().find(|status| status.name() == name)
    }
}

impl std::fmt::Display for JobStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The status of a build, from its jobs: `(status, allow_failure)` of each. A build without jobs is failed (its job
/// file was invalid or missing); jobs that are allowed to fail count as passed once they have ended.
pub fn rollup(jobs: impl IntoIterator<Item = (JobStatus, bool)>) -> JobStatus {
    let seen: Vec<JobStatus> = jobs
        .into_iter()
        .map(|(status, allow_failure)| match status {
            JobStatus::Failed | JobStatus::TimedOut | JobStatus::Errored if allow_failure => JobStatus::Passed,
            other => other,
        })
        .collect();
    let has = |status: JobStatus| seen.contains(&status);
    let begun = seen.iter().any(|status| status.is_final());
    use JobStatus as S;
    if seen.is_empty() {
        S::Failed
    } else if has(S::Running) || has(S::Assigned) || ((has(S::Queued) || has(S::Waiting)) && begun) {
        S::Running
    } else if has(S::Queued) || has(S::Waiting) {
        S::Queued
    } else {
        [S::Failed, S::TimedOut, S::Errored, S::Cancelled]
            .into_iter()
            .find(|status| has(*status))
            .unwrap_or(if seen.iter().all(|status| *status == S::Skipped) {
                S::Skipped
            } else {
                S::Passed
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_status_takes_no_event() {
        for from in JobStatus::ALL.into_iter().filter(|status| status.is_final()) {
            for event in [JobEvent::Start, JobEvent::Cancel, JobEvent::LeaseLost, JobEvent::Pass] {
                assert_eq!(from.on(event), Err(IllegalTransition { from, event }));
            }
        }
    }

    #[test]
    fn a_build_is_what_its_jobs_are() {
        use JobStatus as S;
        assert_eq!(rollup([]), S::Failed);
        assert_eq!(rollup([(S::Passed, false), (S::Failed, true)]), S::Passed);
        assert_eq!(rollup([(S::Passed, false), (S::Queued, false)]), S::Running);
        assert_eq!(rollup([(S::Queued, false), (S::Waiting, false)]), S::Queued);
        assert_eq!(rollup([(S::Failed, false), (S::Skipped, false)]), S::Failed);
        assert_eq!(rollup([(S::Cancelled, false), (S::Passed, false)]), S::Cancelled);
    }

    #[test]
    fn names_are_a_bijection() {
        for status in JobStatus::ALL {
            assert_eq!(JobStatus::from_name(status.name()), Some(status));
        }
    }
}
