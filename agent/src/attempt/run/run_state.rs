//! Which steps run, by how the job stands; pure. A step that failed, timed out or lost a service leaves the job
//! *broken*: from there only steps that ask for `failure` run.

use job_specs::model::{StepSpec, WhenStatus};

/// Containers of steps that are started ahead, the one that runs included.
pub const WINDOW: usize = 3;

/// How a job stands between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Everything that counts went well.
    Passing,
    /// Something that counts did not.
    Failing,
}

/// Whether a step runs when the job stands like that.
pub fn runs(when: WhenStatus, run_state: RunState) -> bool {
    match run_state {
        RunState::Passing => when.success,
        RunState::Failing => when.failure,
    }
}

/// The next steps that will run if the job goes on to stand like that, from `from` on: those worth starting ahead.
pub fn ahead(steps: &[StepSpec], from: usize, run_state: RunState) -> impl Iterator<Item = usize> {
    let rest = steps.iter().enumerate().skip(from);
    let will_run = rest.filter(move |(_, step)| step.skip.is_none() && runs(step.when, run_state));
    will_run.map(|(index, _)| index).take(WINDOW)
}

#[cfg(test)]
mod tests {
    use job_specs::model::StepAction;

    use super::*;

    fn step(success: bool, failure: bool) -> StepSpec {
        StepSpec {
            name: "s".into(),
            action: StepAction::Entrypoint(vec!["true".into()]),
            image: "busybox".into(),
            when: WhenStatus { success, failure },
            ..StepSpec::default()
        }
    }

    #[test]
    fn only_steps_that_are_likely_to_run_are_started_ahead() {
        let (usual, on_failure, always) = (step(true, false), step(false, true), step(true, true));
        let steps = [usual.clone(), on_failure, usual.clone(), always, usual];
        let next = |from, run_state| ahead(&steps, from, run_state).collect::<Vec<_>>();
        assert_eq!(next(0, RunState::Passing), [0, 2, 3]);
        assert_eq!(next(3, RunState::Passing), [3, 4]);
        assert_eq!(next(1, RunState::Failing), [1, 3]);
        assert_eq!(next(5, RunState::Passing), [0; 0]);
    }
}
