//! In which order the jobs of a local run begin, pure: the DAG of `needs`, slots, `max_parallel` and `fail_fast`.

use job_specs::model::JobSpec;
use protocol::attempt::Verdict;

use super::LocalOutcome;

/// Where each job of the run stands.
#[derive(Debug)]
pub struct Plan<'a> {
    jobs: &'a [JobSpec],
    slots: usize,
    states: Vec<State>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Ended(LocalOutcome),
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Begin that job.
    Begin(usize),
    /// It will not run, for that reason.
    Skip(usize, String),
    /// Wait for a job to end.
    Wait,
    /// All have ended.
    Done,
}

impl<'a> Plan<'a> {
    /// None has begun.
    pub fn new(jobs: &'a [JobSpec], slots: usize) -> Plan<'a> {
        Plan {
            jobs,
            slots: slots.max(1),
            states: vec![State::Waiting; jobs.len()],
        }
    }

    /// What is to be done next; does the bookkeeping for it.
    pub fn next(&mut self) -> Next {
        for job in 0..self.jobs.len() {
            match (&self.states[job], self.obstacle(job)) {
                (State::Waiting, Some(Obstacle::Never(why))) => {
                    self.end(job, LocalOutcome::Skipped { reason: why.clone() });
                    return Next::Skip(job, why);
                }
                (State::Waiting, None) if self.running(|_| true) < self.slots => {
                    self.states[job] = State::Running;
                    return Next::Begin(job);
                }
                _ => {}
            }
        }
        if self.running(|_| true) > 0 {
            Next::Wait
        } else {
            Next::Done
        }
    }

    /// That job ended; the jobs that are to be cancelled because of it.
    pub fn end(&mut self, job: usize, outcome: LocalOutcome) -> Vec<usize> {
        let failed = is_failure(&self.jobs[job], &outcome);
        self.states[job] = State::Ended(outcome);
        let spec = &self.jobs[job];
        if !(failed && spec.fail_fast) {
            return Vec::new();
        }
        let others = (0..self.jobs.len()).filter(|&other| self.jobs[other].name == spec.name);
        others.filter(|&other| self.states[other] == State::Running).collect()
    }

    /// How each ended, once all have.
    pub fn outcomes(self) -> Vec<LocalOutcome> {
        let outcome = |state| match state {
            State::Ended(outcome) => outcome,
            State::Waiting | State::Running => LocalOutcome::Skipped {
                reason: "the run ended before it".into(),
            },
        };
        self.states.into_iter().map(outcome).collect()
    }

    /// What keeps a job from beginning, besides slots.
    fn obstacle(&self, job: usize) -> Option<Obstacle> {
        let spec = &self.jobs[job];
        for need in &spec.needs {
            for (other, state) in self
                .jobs
                .iter()
                .zip(&self.states)
                .filter(|(other, _)| other.name == need.job && need.counts(&other.matrix))
            {
                match state {
                    State::Ended(outcome) if passed(other, outcome) => {}
                    State::Ended(_) => {
                        return Some(Obstacle::Never(format!(
                            "it needs {}, which did not pass",
                            other.title()
                        )));
                    }
                    State::Waiting | State::Running => return Some(Obstacle::NotYet),
                }
            }
        }
        let mut cells = self
            .jobs
            .iter()
            .zip(&self.states)
            .filter(|(other, _)| other.name == spec.name);
        let failed = cells.find(|(other, state)| matches!(state, State::Ended(outcome) if is_failure(other, outcome)));
        if let Some((failed, _)) = failed.filter(|_| spec.fail_fast) {
            return Some(Obstacle::Never(format!(
                "{} failed, and the job says `fail_fast`",
                failed.title()
            )));
        }
        let most = spec.max_parallel.map_or(usize::MAX, |most| most.max(1) as usize);
        let at_once = self.running(|other| other.name == spec.name);
        (at_once >= most).then_some(Obstacle::NotYet)
    }

    fn running(&self, wanted: impl Fn(&JobSpec) -> bool) -> usize {
        let all = self.jobs.iter().zip(&self.states);
        all.filter(|(job, state)| **state == State::Running && wanted(job))
            .count()
    }
}

enum Obstacle {
    NotYet,
    Never(String),
}

/// Whether the jobs that need it may begin.
fn passed(job: &JobSpec, outcome: &LocalOutcome) -> bool {
    match outcome {
        LocalOutcome::Ran(result) => match result.verdict {
            Verdict::Passed => true,
            Verdict::Failed | Verdict::TimedOut | Verdict::Errored => job.allow_failure,
            Verdict::Cancelled => false,
        },
        LocalOutcome::Skipped { .. } => false,
    }
}

fn is_failure(job: &JobSpec, outcome: &LocalOutcome) -> bool {
    matches!(outcome, LocalOutcome::Ran(result) if result.verdict != Verdict::Cancelled) && !passed(job, outcome)
}

#[cfg(test)]
mod tests {
    use job_specs::model::AxisValue;
    use protocol::attempt::{AttemptResult, ReasonCode};

    use super::*;

    fn job(name: &str, needs: &[&str]) -> JobSpec {
        JobSpec {
            name: name.into(),
            needs: needs.iter().map(|&need| need.into()).collect(),
            image: "busybox".into(),
            env: Default::default(),
            services: Vec::new(),
            steps: Vec::new(),
            timeout_secs: 60,
            ..JobSpec::default()
        }
    }

    fn cells(name: &str, count: usize) -> Vec<JobSpec> {
        let cell = |value: usize| JobSpec {
            matrix: vec![AxisValue {
                axis: "n".into(),
                value: value.to_string(),
            }],
            ..job(name, &[])
        };
        (0..count).map(cell).collect()
    }

    fn went_well() -> LocalOutcome {
        LocalOutcome::Ran(AttemptResult::passed())
    }

    fn failed() -> LocalOutcome {
        LocalOutcome::Ran(AttemptResult::because(Verdict::Failed, ReasonCode::StepFailed, "no"))
    }

    #[test]
    fn a_job_begins_when_all_cells_it_needs_have_passed() {
        let mut jobs = cells("build", 2);
        jobs.push(job("test", &["build"]));
        jobs.push(job("deploy", &["test", "elsewhere"]));
        let mut plan = Plan::new(&jobs, 4);
        assert_eq!(
            [plan.next(), plan.next(), plan.next()],
            [Next::Begin(0), Next::Begin(1), Next::Wait]
        );
        plan.end(0, went_well());
        assert_eq!(plan.next(), Next::Wait);
        plan.end(1, went_well());
        assert_eq!([plan.next(), plan.next()], [Next::Begin(2), Next::Wait]);
        plan.end(2, failed());
        assert_eq!(plan.next(), Next::Skip(3, "it needs test, which did not pass".into()));
        assert_eq!(plan.next(), Next::Done);
        assert_eq!(plan.outcomes()[2], failed());
    }

    #[test]
    fn slots_and_max_parallel_hold_cells_back() {
        let mut jobs = cells("a", 3);
        jobs.iter_mut().for_each(|job| job.max_parallel = Some(1));
        jobs.push(job("b", &[]));
        let mut plan = Plan::new(&jobs, 2);
        assert_eq!(
            [plan.next(), plan.next(), plan.next()],
            [Next::Begin(0), Next::Begin(3), Next::Wait]
        );
        plan.end(0, went_well());
        assert_eq!([plan.next(), plan.next()], [Next::Begin(1), Next::Wait]);
    }

    #[test]
    fn fail_fast_ends_the_other_cells() {
        let mut jobs = cells("a", 3);
        jobs.iter_mut().for_each(|job| job.fail_fast = true);
        let mut plan = Plan::new(&jobs, 2);
        assert_eq!([plan.next(), plan.next()], [Next::Begin(0), Next::Begin(1)]);
        assert_eq!(plan.end(0, failed()), [1]);
        assert_eq!(
            plan.next(),
            Next::Skip(2, "a (n=0) failed, and the job says `fail_fast`".into())
        );
        assert_eq!(plan.next(), Next::Wait);
        // A cell that may fail ends nothing.
        let mut lenient = cells("b", 2);
        lenient
            .iter_mut()
            .for_each(|job| (job.fail_fast, job.allow_failure) = (true, true));
        let mut plan = Plan::new(&lenient, 1);
        assert_eq!(plan.next(), Next::Begin(0));
        assert_eq!(plan.end(0, failed()), [0; 0]);
        assert_eq!(plan.next(), Next::Begin(1));
    }
}
