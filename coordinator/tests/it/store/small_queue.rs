//! Small builds and what happens to them, at random.

use job_specs::model::{JobSpec, Need, Retry, RetryOn, WhenStatus};
use proptest::prelude::*;
use protocol::attempt::Verdict;

use super::world::{self, cells};

/// One job of a file: its cells, and what it needs of the jobs before it (a bit for each).
#[derive(Debug, Clone)]
pub struct Definition {
    pub cells: usize,
    pub needs: u8,
    pub max_parallel: Option<u32>,
    pub fail_fast: bool,
    pub allow_failure: bool,
    pub after: After,
    pub retry: Retry,
    /// Its cells are known when its needs have ended.
    pub is_deferred: bool,
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
    /// The next deferred job is expanded into so many cells; none: it cannot be.
    Expand(Option<usize>),
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
        prop::sample::select(vec![
            (0, None),
            (0, None),
            (1, Some(RetryOn::Any)),
            (2, Some(RetryOn::Timeout)),
        ]),
        prop::bool::weighted(0.3),
    )
        .prop_map(
            |(cells, needs, max_parallel, fail_fast, allow_failure, after, (max, on), is_deferred)| Definition {
                cells,
                needs,
                max_parallel,
                fail_fast,
                allow_failure,
                after,
                retry: Retry {
                    max,
                    on: on.into_iter().collect(),
                },
                is_deferred,
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
        3 => prop::option::weighted(0.8, 0..4usize).prop_map(Act::Expand),
    ]
}

impl Definition {
    /// Its jobs, as the file's expansion gives them; `name` is its place among the definitions.
    pub fn jobs(&self, name: usize) -> Vec<JobSpec> {
        let job = |cell| JobSpec {
            needs: needs(self, name)
                .map(|need| Need::from(format!("j{need}").as_str()))
                .collect(),
            max_parallel: self.max_parallel,
            fail_fast: self.fail_fast,
            allow_failure: self.allow_failure,
            retry: self.retry.clone(),
            when: WhenStatus {
                success: !matches!(self.after, After::Failure),
                failure: !matches!(self.after, After::Success),
            },
            ..cell
        };
        let name = format!("j{name}");
        if self.is_deferred {
            let cell = world::job(&name);
            return vec![JobSpec {
                deferred: true,
                ..job(cell)
            }];
        }
        cells(&name, self.cells).into_iter().map(job).collect()
    }

    /// The same once it is known, with so many cells.
    pub fn known(&self, name: usize, cells: usize) -> Vec<JobSpec> {
        let known = Definition {
            cells,
            is_deferred: false,
            ..self.clone()
        };
        known.jobs(name)
    }
}

/// The jobs that the job at place `name` needs: only some of those before it, so that there is no circle.
pub fn needs(definition: &Definition, name: usize) -> impl Iterator<Item = usize> + Clone {
    let bits = definition.needs & (definition.needs >> 4);
    (0..name).filter(move |need| bits & (1 << need) != 0)
}
