//! A model of the queue for one build: no store, no leases, no time; only what may become of a job.

use coordinator::store::queue::RETRIES;
use job_specs::status::JobStatus as S;
use proptest::prelude::*;
use protocol::attempt::Verdict;

/// One job of a file: its cells, and what it needs of the jobs before it (a bit for each).
#[derive(Debug, Clone)]
pub struct Definition {
    pub cells: usize,
    pub needs: u8,
    pub max_parallel: Option<u32>,
    pub fail_fast: bool,
    pub allow_failure: bool,
    pub after: After,
}

/// How the needs must have ended.
#[derive(Debug, Clone, Copy)]
pub enum After {
    Success,
    Failure,
    Always,
}

/// What somebody does; numbers choose among what there is.
#[derive(Debug, Clone)]
pub enum Act {
    Claim(u32),
    Start(usize),
    Finish(usize, Verdict),
    CallLate(usize),
    LoseAll,
    CancelJob(usize),
    CancelBuild,
}

pub fn definition() -> impl Strategy<Value = Definition> {
    let max_parallel = prop::option::of(1..3u32);
    (
        1..4usize,
        any::<u8>(),
        max_parallel,
        any::<bool>(),
        prop::bool::weighted(0.2),
        prop::sample::select(vec![After::Success, After::Success, After::Failure, After::Always]),
    )
        .prop_map(
            |(cells, needs, max_parallel, fail_fast, allow_failure, after)| Definition {
                cells,
                needs,
                max_parallel,
                fail_fast,
                allow_failure,
                after,
            },
        )
}

pub fn act() -> impl Strategy<Value = Act> {
    let verdict = prop::sample::select(vec![
        Verdict::Passed,
        Verdict::Passed,
        Verdict::Passed,
        Verdict::Failed,
        Verdict::Errored,
        Verdict::Cancelled,
        Verdict::TimedOut,
    ]);
    prop_oneof![
        6 => (1..4u32).prop_map(Act::Claim),
        3 => any::<usize>().prop_map(Act::Start),
        6 => (any::<usize>(), verdict).prop_map(|(which, verdict)| Act::Finish(which, verdict)),
        2 => any::<usize>().prop_map(Act::CallLate),
        1 => Just(Act::LoseAll),
        1 => any::<usize>().prop_map(Act::CancelJob),
        1 => Just(Act::CancelBuild),
    ]
}

/// One job as the model sees it.
#[derive(Debug)]
pub struct Job {
    pub name: usize,
    pub status: S,
    pub attempts: u32,
    pub cancelling: bool,
    /// Skipped because what it is for did not happen.
    pub unneeded: bool,
}

/// The whole queue: one build.
#[derive(Debug)]
pub struct Model {
    pub definitions: Vec<Definition>,
    pub jobs: Vec<Job>,
}

impl Model {
    pub fn new(definitions: &[Definition]) -> Model {
        let mut jobs = Vec::new();
        for (name, definition) in definitions.iter().enumerate() {
            let status = match (needs(definition, name).next(), definition.after) {
                (Some(_), _) => S::Waiting,
                (None, After::Failure) => S::Skipped,
                (None, After::Success | After::Always) => S::Queued,
            };
            jobs.extend((0..definition.cells).map(|_| Job {
                name,
                status,
                attempts: 0,
                cancelling: false,
                unneeded: status == S::Skipped,
            }));
        }
        let over = (0..jobs.len()).filter(|job| jobs[*job].unneeded).collect();
        let mut model = Model {
            definitions: definitions.to_vec(),
            jobs,
        };
        model.draw(over);
        model
    }

    pub fn is_active(&self, job: usize) -> bool {
        matches!(self.jobs[job].status, S::Assigned | S::Running)
    }

    pub fn all_of(&self, name: usize) -> Vec<usize> {
        (0..self.jobs.len())
            .filter(|job| self.jobs[*job].name == name)
            .collect()
    }

    /// Whether an agent could have one of the queued jobs now.
    pub fn can_claim(&self) -> bool {
        (0..self.definitions.len()).any(|name| {
            let cells = self.all_of(name);
            let active = cells.iter().filter(|job| self.is_active(**job)).count();
            let queued = cells.iter().any(|job| self.jobs[*job].status == S::Queued);
            queued
                && self.definitions[name]
                    .max_parallel
                    .is_none_or(|most| active < most as usize)
        })
    }

    pub fn claim(&mut self, job: usize) {
        assert_eq!(self.jobs[job].status, S::Queued);
        self.jobs[job].status = S::Assigned;
        self.jobs[job].attempts += 1;
        let name = self.jobs[job].name;
        let active = self.all_of(name).into_iter().filter(|job| self.is_active(*job)).count();
        assert!(
            self.definitions[name]
                .max_parallel
                .is_none_or(|most| active <= most as usize)
        );
    }

    pub fn finish(&mut self, job: usize, verdict: Verdict) {
        let has_more = self.jobs[job].attempts <= RETRIES;
        let status = match verdict {
            Verdict::Passed => S::Passed,
            Verdict::Failed => S::Failed,
            Verdict::TimedOut => S::TimedOut,
            Verdict::Cancelled => S::Cancelled,
            Verdict::Errored if self.jobs[job].cancelling => S::Cancelled,
            Verdict::Errored if has_more => S::Queued,
            Verdict::Errored => S::Errored,
        };
        self.become_(job, status);
    }

    pub fn cancel(&mut self, job: usize) -> bool {
        match self.jobs[job].status {
            S::Waiting | S::Queued => {
                self.jobs[job].status = S::Cancelled;
                return true;
            }
            S::Assigned | S::Running => self.jobs[job].cancelling = true,
            _ => {}
        }
        false
    }

    pub fn become_(&mut self, job: usize, status: S) {
        self.jobs[job].status = status;
        if status.is_final() {
            self.draw(vec![job]);
        }
    }

    pub fn draw(&mut self, mut ended: Vec<usize>) {
        while let Some(job) = ended.pop() {
            let (name, status) = (self.jobs[job].name, self.jobs[job].status);
            let definition = &self.definitions[name];
            let failed = matches!(status, S::Failed | S::Errored | S::TimedOut) && !definition.allow_failure;
            if failed && definition.fail_fast {
                let others = self.all_of(name);
                ended.extend(others.into_iter().filter(|other| self.cancel(*other)));
            }
            for other in 0..self.jobs.len() {
                let other_name = self.jobs[other].name;
                let is_needed = needs(&self.definitions[other_name], other_name).any(|need| need == name);
                if self.jobs[other].status == S::Waiting && is_needed {
                    ended.extend(self.settle(other).then_some(other));
                }
            }
        }
    }

    /// Decides about a job that waits; says whether it is over by that.
    fn settle(&mut self, job: usize) -> bool {
        let name = self.jobs[job].name;
        let definition = &self.definitions[name];
        let needed: Vec<usize> = needs(definition, name).flat_map(|need| self.all_of(need)).collect();
        let let_down = needed.iter().any(|need| self.lets_down(*need));
        let is_open = needed.iter().any(|need| !self.jobs[*need].status.is_final());
        let job = &mut self.jobs[job];
        match (definition.after, let_down) {
            (After::Success, true) => job.status = S::Skipped,
            _ if is_open => {}
            (After::Success | After::Always, _) | (After::Failure, true) => job.status = S::Queued,
            (After::Failure, false) => (job.status, job.unneeded) = (S::Skipped, true),
        }
        job.status.is_final()
    }

    fn lets_down(&self, job: usize) -> bool {
        let (job, definition) = (&self.jobs[job], &self.definitions[self.jobs[job].name]);
        match job.status {
            S::Failed | S::Errored | S::TimedOut => !definition.allow_failure,
            S::Skipped => !job.unneeded,
            status => status == S::Cancelled,
        }
    }
}

/// The jobs that the job at place `name` needs: only some of those before it, so that there is no circle.
pub fn needs(definition: &Definition, name: usize) -> impl Iterator<Item = usize> + Clone {
    let bits = definition.needs & (definition.needs >> 4);
    (0..name).filter(move |need| bits & (1 << need) != 0)
}
