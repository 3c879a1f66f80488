//! How a state looks: a shape, a word and a colour, always the three together, so that nobody needs the colour.

use job_specs::status::JobStatus;

use crate::views::{DeliveryState, ServicePhase, StepState, TestState};

/// Shape, word and colour of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Symbol in `templates/icons.html`, and `icon-{…}.svg` among the assets.
    pub icon: &'static str,
    /// The word.
    pub word: &'static str,
    /// Class of the style sheet that gives the colour: `ok`, `run`, `fail`, `warn`, `idle`.
    pub tone: &'static str,
}

const fn look(icon: &'static str, word: &'static str, tone: &'static str) -> Look {
    Look { icon, word, tone }
}

/// A job or a build.
pub fn job(status: JobStatus) -> Look {
    match status {
        JobStatus::Waiting => look("waiting", "waiting", "idle"),
        JobStatus::Queued => look("queued", "queued", "idle"),
        JobStatus::Assigned => look("running", "starting", "run"),
        JobStatus::Running => look("running", "running", "run"),
        JobStatus::Passed => look("passed", "passed", "ok"),
        JobStatus::Failed => look("failed", "failed", "fail"),
        JobStatus::Errored => look("errored", "error", "fail"),
        JobStatus::Cancelled => look("cancelled", "cancelled", "idle"),
        JobStatus::TimedOut => look("timed-out", "timed out", "fail"),
        JobStatus::Skipped => look("skipped", "skipped", "idle"),
    }
}

/// A step.
pub fn step(state: StepState) -> Look {
    match state {
        StepState::Waiting => look("waiting", "waiting", "idle"),
        StepState::Running => look("running", "running", "run"),
        StepState::Passed => look("passed", "passed", "ok"),
        StepState::Failed => look("failed", "failed", "fail"),
        StepState::TimedOut => look("timed-out", "timed out", "fail"),
        StepState::Cancelled => look("cancelled", "cancelled", "idle"),
        StepState::Skipped => look("skipped", "skipped", "idle"),
    }
}

/// A service.
pub fn service(phase: Option<ServicePhase>) -> Look {
    match phase {
        None => look("waiting", "waiting", "idle"),
        Some(ServicePhase::Pulling) => look("running", "pulling", "run"),
        Some(ServicePhase::Starting) => look("running", "starting", "run"),
        Some(ServicePhase::Running) => look("running", "not ready yet", "run"),
        Some(ServicePhase::Ready) => look("healthy", "ready", "ok"),
        Some(ServicePhase::Unhealthy) => look("unhealthy", "unhealthy", "fail"),
        Some(ServicePhase::Completed) => look("passed", "completed", "ok"),
        Some(ServicePhase::Exited) => look("unhealthy", "exited", "fail"),
        Some(ServicePhase::Stopped) => look("stopped", "stopped", "idle"),
    }
}

/// A test.
pub fn test(state: TestState) -> Look {
    match state {
        TestState::Failed => look("failed", "failed", "fail"),
        TestState::Flaky => look("warning", "flaky", "warn"),
        TestState::Passed => look("passed", "passed", "ok"),
        TestState::Skipped => look("skipped", "skipped", "idle"),
    }
}

/// A delivery.
pub fn delivery(state: DeliveryState) -> Look {
    match state {
        DeliveryState::Pending => look("queued", "stored", "idle"),
        DeliveryState::Retrying => look("warning", "trying again", "warn"),
        DeliveryState::Done => look("passed", "build made", "ok"),
        DeliveryState::Ignored => look("skipped", "nothing to do", "idle"),
        DeliveryState::Failed => look("failed", "given up", "fail"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_with_another_meaning_have_another_shape_or_word() {
        let looks: std::collections::BTreeSet<_> = JobStatus::ALL
            .map(job)
            .into_iter()
            .map(|look| (look.icon, look.word))
            .collect();
        assert_eq!(looks.len(), JobStatus::ALL.len());
    }

    #[test]
    fn every_shape_is_drawn() {
        let sprite = include_str!("../templates/icons.html");
        let states = JobStatus::ALL.map(job);
        let others = [
            service(None),
            service(Some(ServicePhase::Ready)),
            service(Some(ServicePhase::Exited)),
            service(Some(ServicePhase::Stopped)),
            delivery(DeliveryState::Retrying),
        ];
        for look in states.iter().chain(&others) {
            assert!(sprite.contains(&format!("id=\"i-{}\"", look.icon)), "{}", look.icon);
        }
    }
}
