//! In which order the jobs of a local run begin, pure: the DAG of `needs` with what each wants to follow on, slots,
//! `max_parallel` and `fail_fast`, and jobs that get their final form when their needs have ended.

use job_specs::model::{JobSpec, Need};
use protocol::attempt::{AttemptResult, ReasonCode, Verdict};

use super::{LocalEnd, LocalOutcome};

/// Where each job of the run stands.
#[derive(Debug)]
pub struct Plan {
    jobs: Vec<JobSpec>,
    slots: usize,
    states: Vec<State>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Ended(LocalOutcome),
    /// Its own conditions do not hold: nobody misses it, so a need of it is met.
    Unwanted(String),
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Begin that job.
    Begin(usize),
    /// Its needs have ended: tell by [`Plan::expand`] what it is.
    Expand(usize),
    /// It will not run, for that reason.
    Skip(usize, String),
    /// Wait for a job to end.
    Wait,
    /// All have ended.
    Done,
}

enum Obstacle {
    NotYet,
    /// A job that it needs did not pass, or another cell failed.
    Never(String),
    /// What it is for did not happen.
    Unwanted(String),
}

impl Plan {
    /// None has begun.
    pub fn new(jobs: Vec<JobSpec>, slots: usize) -> Plan {
        Plan {
            states: vec![State::Waiting; jobs.len()],
            jobs,
            slots: slots.max(1),
        }
    }

    /// The jobs, as far as they are known.
    pub fn jobs(&self) -> &[JobSpec] {
        &self.jobs
    }

    /// What is to be done next; does the bookkeeping for it.
    pub fn next(&mut self) -> Next {
        for job in 0..self.jobs.len() {
            if self.states[job] != State::Waiting {
                continue;
            }
            match self.obstacle(job) {
                Some(Obstacle::Never(why)) => {
                    self.states[job] = State::Ended(LocalOutcome::Skipped { reason: why.clone() });
                    return Next::Skip(job, why);
                }
                Some(Obstacle::Unwanted(why)) => {
                    self.states[job] = State::Unwanted(why.clone());
                    return Next::Skip(job, why);
                }
                None if self.jobs[job].deferred => return Next::Expand(job),
                None if self.running(|_| true) < self.slots => {
                    self.states[job] = State::Running;
                    return Next::Begin(job);
                }
                Some(Obstacle::NotYet) | None => {}
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

    /// What a deferred job, and with it every deferred cell of its name, is: the jobs that are new or changed. Without
    /// cells nobody wants it; when it cannot be expanded it has failed.
    pub fn expand(&mut self, job: usize, cells: Result<Vec<JobSpec>, String>) -> Vec<(usize, JobSpec)> {
        let name = self.jobs[job].name.clone();
        let open = |plan: &Plan, at: usize| {
            plan.jobs[at].name == name && plan.jobs[at].deferred && plan.states[at] == State::Waiting
        };
        let places: Vec<usize> = (0..self.jobs.len()).filter(|at| open(self, *at)).collect();
        let mut cells = match cells {
            Ok(cells) => cells,
            Err(why) => {
                for at in places {
                    let result = AttemptResult::because(Verdict::Failed, ReasonCode::StepFailed, why.clone());
                    self.jobs[at].deferred = false;
                    self.states[at] = State::Ended(LocalOutcome::Ran(result));
                }
                return Vec::new();
            }
        };
        let mut changed = Vec::new();
        for at in places {
            let same = cells.iter().position(|cell| cell.matrix == self.jobs[at].matrix);
            let next = same.or((self.jobs[at].matrix.is_empty() && !cells.is_empty()).then_some(0));
            self.jobs[at].deferred = false;
            match next {
                Some(next) => changed.push((at, cells.remove(next))),
                None => self.states[at] = State::Unwanted("its matrix has no such cell".to_owned()),
            }
        }
        for (at, cell) in &changed {
            self.jobs[*at] = cell.clone();
        }
        for cell in cells {
            changed.push((self.jobs.len(), cell.clone()));
            self.jobs.push(cell);
            self.states.push(State::Waiting);
        }
        changed
    }

    /// How each ended, once all have.
    pub fn over(self) -> LocalEnd {
        let outcome = |state| match state {
            State::Ended(outcome) => outcome,
            State::Unwanted(reason) => LocalOutcome::Skipped { reason },
            State::Waiting | State::Running => LocalOutcome::Skipped {
                reason: "the run ended before it".into(),
            },
        };
        LocalEnd {
            outcomes: self.states.into_iter().map(outcome).collect(),
            jobs: self.jobs,
        }
    }

    /// What keeps a job from beginning, besides slots.
    fn obstacle(&self, job: usize) -> Option<Obstacle> {
        let spec = &self.jobs[job];
        if let Some(why) = &spec.skip {
            return Some(Obstacle::Unwanted(why.clone()));
        }
        if let Some(obstacle) = self.needs(spec) {
            return Some(obstacle);
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

    /// How the jobs that it needs stand, against its `when.status`.
    fn needs(&self, spec: &JobSpec) -> Option<Obstacle> {
        let (mut is_open, mut let_down) = (false, None);
        for (other, state) in spec.needs.iter().flat_map(|need| self.needed(need)) {
            match state {
                State::Waiting | State::Running => is_open = true,
                State::Ended(outcome) if !passed(other, outcome) => {
                    let_down.get_or_insert_with(|| format!("it needs {}, which did not pass", other.title()));
                }
                State::Ended(_) | State::Unwanted(_) => {}
            }
        }
        match (let_down, spec.when.success, spec.when.failure) {
            (Some(why), _, false) => Some(Obstacle::Never(why)),
            _ if is_open => Some(Obstacle::NotYet),
            (None, false, _) if !spec.needs.is_empty() => {
                Some(Obstacle::Unwanted("nothing that it needs failed".to_owned()))
            }
            _ => None,
        }
    }

    /// The jobs that a need is about. A job that is still deferred has all cells.
    fn needed<'p>(&'p self, need: &'p Need) -> impl Iterator<Item = (&'p JobSpec, &'p State)> {
        let counts = |other: &JobSpec| other.name == need.job && (other.deferred || need.counts(&other.matrix));
        self.jobs
            .iter()
            .zip(&self.states)
            .filter(move |(other, _)| counts(other))
    }

    fn running(&self, wanted: impl Fn(&JobSpec) -> bool) -> usize {
        let all = self.jobs.iter().zip(&self.states);
        all.filter(|(job, state)| **state == State::Running && wanted(job))
            .count()
    }
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
mod tests;
