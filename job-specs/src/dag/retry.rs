//! Whether a job that did not pass is attempted again. What we broke is, up to the job's retries; what the user's job
//! did is, when `retry` of the job says so. A job that is not `idempotent` never is.

use crate::model::{JobSpec, Retry, RetryOn};
use crate::result::{AttemptResult, Reason, ReasonCode, Verdict};
use crate::status::JobEvent;

/// Further attempts of every job after what we broke.
pub const RETRIES: u32 = 2;

/// The attempts that a job has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    /// All of them.
    pub all: i64,
    /// Of those, the ones that failed by the user's job and were followed by another.
    pub failures: i64,
    /// Further attempts after what we broke: [`of_infrastructure`].
    pub retries: i64,
}

impl Attempts {
    /// Whether another attempt is left after one that we broke or lost.
    fn may_break_again(self) -> bool {
        self.all - self.failures <= self.retries
    }
}

/// Further attempts of a job after what we broke.
pub fn of_infrastructure(spec: &JobSpec) -> u32 {
    let ours = |on: &RetryOn| matches!(on, RetryOn::Infrastructure | RetryOn::Any);
    let covers = spec.retry.on.is_empty() || spec.retry.on.iter().any(ours);
    match (spec.idempotent, covers) {
        (false, _) => 0,
        (true, true) => spec.retry.max.max(RETRIES),
        (true, false) => RETRIES,
    }
}

/// What the end of an attempt does to its job, unless [`is_due`] says that its own `retry` wants another.
/// `cancelling`: somebody wants it to stop.
pub fn event(verdict: Verdict, attempts: Attempts, cancelling: bool) -> JobEvent {
    match verdict {
        Verdict::Passed => JobEvent::Pass,
        Verdict::Cancelled => JobEvent::Cancel,
        Verdict::Errored if cancelling => JobEvent::Cancel,
        Verdict::Errored if attempts.may_break_again() => JobEvent::Retry,
        Verdict::Errored => JobEvent::Error,
        Verdict::Failed => JobEvent::Fail,
        Verdict::TimedOut => JobEvent::TimeOut,
    }
}

/// What it does to a job that whoever ran its attempt is gone.
pub fn lost(attempts: Attempts, cancelling: bool) -> JobEvent {
    match cancelling {
        true => JobEvent::Cancel,
        false if attempts.may_break_again() => JobEvent::LeaseLost,
        false => JobEvent::Error,
    }
}

/// Why a job stands where that event leads; `reported` is the reason of its attempt, `cancelling` why it was to stop.
pub fn reason(event: JobEvent, cancelling: Option<&str>, reported: Option<Reason>) -> Option<Reason> {
    match (event, cancelling) {
        (JobEvent::Retry | JobEvent::LeaseLost, _) => None,
        (JobEvent::Cancel, Some(why)) => {
            let during = reported.and_then(|reason| reason.during);
            let at = during.as_ref().map(|during| format!(", {during}")).unwrap_or_default();
            Some(Reason {
                during,
                ..Reason::new(ReasonCode::Cancelled, format!("{why}{at}"))
            })
        }
        _ => reported,
    }
}

/// Whether the job's own `retry` wants another attempt after one of the user's that ended like this.
pub fn is_due(spec: &JobSpec, result: &AttemptResult, attempts: Attempts) -> bool {
    let is_theirs = matches!(result.verdict, Verdict::Failed | Verdict::TimedOut);
    is_theirs && spec.idempotent && covers(&spec.retry, result) && attempts.failures < i64::from(spec.retry.max)
}

/// Whether `retry.on` names what happened. A list that is empty means what we broke.
fn covers(retry: &Retry, result: &AttemptResult) -> bool {
    let reason = result.reason.as_ref();
    retry.on.iter().any(|on| match on {
        RetryOn::Infrastructure => false,
        RetryOn::Exit(code) => reason.is_some_and(|reason| reason.exit_code == Some(*code)),
        RetryOn::Test => {
            let by_reports = result.failed_tests.is_some_and(|failed| failed > 0);
            by_reports || reason.is_some_and(|reason| reason.code == ReasonCode::TestsFailed)
        }
        RetryOn::Timeout => result.verdict == Verdict::TimedOut,
        RetryOn::Any => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exited(code: i32) -> AttemptResult {
        let mut result = AttemptResult::because(Verdict::Failed, ReasonCode::StepFailed, "no");
        if let Some(reason) = &mut result.reason {
            reason.exit_code = Some(code);
        }
        result
    }

    #[test]
    fn classes_name_what_happened() {
        let on = |on: RetryOn| Retry { max: 1, on: vec![on] };
        let late = AttemptResult::because(Verdict::TimedOut, ReasonCode::Timeout, "late");
        let tests = AttemptResult::because(Verdict::Failed, ReasonCode::TestsFailed, "2 tests failed");
        assert!(covers(&on(RetryOn::Exit(75)), &exited(75)) && !covers(&on(RetryOn::Exit(75)), &exited(1)));
        assert!(covers(&on(RetryOn::Timeout), &late) && !covers(&on(RetryOn::Timeout), &exited(75)));
        assert!(covers(&on(RetryOn::Test), &tests) && !covers(&on(RetryOn::Test), &exited(1)));
        let reported = |failed| AttemptResult {
            failed_tests: Some(failed),
            ..exited(101)
        };
        assert!(covers(&on(RetryOn::Test), &reported(2)) && !covers(&on(RetryOn::Test), &reported(0)));
        assert!(covers(&on(RetryOn::Any), &late) && !covers(&on(RetryOn::Infrastructure), &exited(1)));
        assert!(!covers(&Retry { max: 3, on: vec![] }, &exited(1)));
    }

    #[test]
    fn what_we_broke_is_tried_again_unless_that_does_harm() {
        let spec = |max, on: &[RetryOn], idempotent| JobSpec {
            retry: Retry { max, on: on.to_vec() },
            idempotent,
            ..JobSpec::default()
        };
        assert_eq!(of_infrastructure(&spec(0, &[], true)), RETRIES);
        assert_eq!(of_infrastructure(&spec(5, &[RetryOn::Infrastructure], true)), 5);
        assert_eq!(of_infrastructure(&spec(5, &[RetryOn::Timeout], true)), RETRIES);
        assert_eq!(of_infrastructure(&spec(5, &[], false)), 0);
    }
}
