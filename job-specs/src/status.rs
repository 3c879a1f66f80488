//! The life of a job: one enum, one `match`. Nobody else decides a status, so a job can never be in a state that
//! this file does not allow. The status of a build is derived from its jobs ([`rollup`]).

use serde::{Deserialize, Serialize};

use crate::result::{ReasonCode, Verdict};

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

/// Where an attempt of a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// An agent holds it.
    Active,
    /// Its agent ended it.
    Finished,
    /// It was taken from its agent.
    Lost,
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

    /// The job has not ended, and no agent has it.
    pub fn is_pending(self) -> bool {
        matches!(self, JobStatus::Waiting | JobStatus::Queued)
    }

    /// An agent has the job.
    pub fn is_active(self) -> bool {
        matches!(self, JobStatus::Assigned | JobStatus::Running)
    }

    /// The job ran and did not pass: the user's job, an error of ours, or its timeout.
    pub fn is_failure(self) -> bool {
        matches!(self, JobStatus::Failed | JobStatus::Errored | JobStatus::TimedOut)
    }

    /// [`is_failure`](Self::is_failure), of a job that may not fail.
    pub fn counts_as_failed(self, allow_failure: bool) -> bool {
        self.is_failure() && !allow_failure
    }

    /// The job has ended without passing, for whatever reason.
    pub fn did_not_pass(self) -> bool {
        self.is_final() && self != JobStatus::Passed
    }

    /// The job was skipped because nobody wanted it, not because something failed. `reason` is why it ended so.
    pub fn was_not_wanted(self, reason: Option<ReasonCode>) -> bool {
        self == JobStatus::Skipped && reason == Some(ReasonCode::ConditionNotMet)
    }

    /// The jobs that need this one may run: it passed, may fail and did, or was not wanted.
    pub fn meets_needs(self, reason: Option<ReasonCode>, allow_failure: bool) -> bool {
        self == JobStatus::Passed || self.was_not_wanted(reason) || (self.is_failure() && allow_failure)
    }

    /// How an attempt stands, in the words of a job.
    pub fn of_attempt(state: AttemptState, verdict: Option<Verdict>, has_begun: bool) -> JobStatus {
        match (state, verdict) {
            (_, Some(Verdict::Passed)) => JobStatus::Passed,
            (_, Some(Verdict::Failed)) => JobStatus::Failed,
            (_, Some(Verdict::Errored)) => JobStatus::Errored,
            (_, Some(Verdict::Cancelled)) => JobStatus::Cancelled,
            (_, Some(Verdict::TimedOut)) => JobStatus::TimedOut,
            (AttemptState::Lost | AttemptState::Finished, None) => JobStatus::Errored,
            (AttemptState::Active, None) if has_begun => JobStatus::Running,
            (AttemptState::Active, None) => JobStatus::Assigned,
        }
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
        .map(|(status, allow_failure)| match status.is_failure() && allow_failure {
            true => JobStatus::Passed,
            false => status,
        })
        .collect();
    let has = |status: JobStatus| seen.contains(&status);
    let any = |is: fn(JobStatus) -> bool| seen.iter().any(|status| is(*status));
    let (is_active, is_pending) = (any(JobStatus::is_active), any(JobStatus::is_pending));
    let has_begun = any(JobStatus::is_final);
    use JobStatus as S;
    if seen.is_empty() {
        S::Failed
    } else if is_active || (is_pending && has_begun) {
        S::Running
    } else if is_pending {
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
    fn every_status_is_pending_active_or_final() {
        for status in JobStatus::ALL {
            let kinds = [status.is_pending(), status.is_active(), status.is_final()];
            assert_eq!(kinds.into_iter().filter(|is| *is).count(), 1, "{status}");
            assert!(
                status.is_final() || !(status.is_failure() || status.did_not_pass()),
                "{status}"
            );
        }
    }

    #[test]
    fn who_needs_a_job_goes_on_after_it() {
        use JobStatus as S;
        let meeting = |reason, allow_failure| -> Vec<JobStatus> {
            let all = S::ALL.into_iter();
            all.filter(|status| status.meets_needs(reason, allow_failure)).collect()
        };
        assert_eq!(meeting(None, false), [S::Passed]);
        assert_eq!(meeting(Some(ReasonCode::NeedsFailed), false), [S::Passed]);
        assert_eq!(
            meeting(Some(ReasonCode::ConditionNotMet), false),
            [S::Passed, S::Skipped]
        );
        assert_eq!(meeting(None, true), [S::Passed, S::Failed, S::Errored, S::TimedOut]);
    }

    #[test]
    fn an_attempt_stands_like_its_job() {
        use AttemptState as A;
        let of = JobStatus::of_attempt;
        assert_eq!(of(A::Active, None, false), JobStatus::Assigned);
        assert_eq!(of(A::Active, None, true), JobStatus::Running);
        assert_eq!(of(A::Lost, None, true), JobStatus::Errored);
        assert_eq!(of(A::Finished, Some(Verdict::TimedOut), true), JobStatus::TimedOut);
    }

    #[test]
    fn names_are_a_bijection() {
        for status in JobStatus::ALL {
            assert_eq!(JobStatus::from_name(status.name()), Some(status));
        }
    }
}
