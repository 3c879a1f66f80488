//! The queue against a model of it that fits on a page: whatever is done in whatever order, both agree on where every
//! job stands, and no lease is ever held by two.

use coordinator::store::builds::{self, NewJob};
use coordinator::store::queue::{self, Claimed, Hold, RETRIES};
use coordinator::store::{StoreError, attempts};
use job_specs::model::JobSpec;
use job_specs::status::JobStatus as S;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use protocol::attempt::Verdict;
use protocol::ids::{AgentId, JobId};

use super::world::{World, cells, hold};

/// One job of a file: its cells, and what it needs of the jobs before it (a bit for each).
#[derive(Debug, Clone)]
struct Definition {
    cells: usize,
    needs: u8,
    max_parallel: Option<u32>,
    fail_fast: bool,
    allow_failure: bool,
}

/// What somebody does; numbers choose among what there is.
#[derive(Debug, Clone)]
enum Act {
    Claim(u32),
    Start(usize),
    Finish(usize, Verdict),
    CallLate(usize),
    LoseAll,
    CancelJob(usize),
    CancelBuild,
}

fn definition() -> impl Strategy<Value = Definition> {
    let max_parallel = prop::option::of(1..3u32);
    (
        1..4usize,
        any::<u8>(),
        max_parallel,
        any::<bool>(),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(cells, needs, max_parallel, fail_fast, allow_failure)| Definition {
            cells,
            needs,
            max_parallel,
            fail_fast,
            allow_failure,
        })
}

fn act() -> impl Strategy<Value = Act> {
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
struct Job {
    name: usize,
    status: S,
    attempts: u32,
    cancelling: bool,
}

/// The whole queue: one build.
#[derive(Debug)]
struct Model {
    definitions: Vec<Definition>,
    jobs: Vec<Job>,
}

impl Model {
    fn new(definitions: &[Definition]) -> Model {
        let mut jobs = Vec::new();
        for (name, definition) in definitions.iter().enumerate() {
            let status = if needs(definition, name).next().is_none() {
                S::Queued
            } else {
                S::Waiting
            };
            jobs.extend((0..definition.cells).map(|_| Job {
                name,
                status,
                attempts: 0,
                cancelling: false,
            }));
        }
        Model {
            definitions: definitions.to_vec(),
            jobs,
        }
    }

    fn is_active(&self, job: usize) -> bool {
        matches!(self.jobs[job].status, S::Assigned | S::Running)
    }

    fn all_of(&self, name: usize) -> Vec<usize> {
        (0..self.jobs.len())
            .filter(|job| self.jobs[*job].name == name)
            .collect()
    }

    /// Whether an agent could have one of the queued jobs now.
    fn can_claim(&self) -> bool {
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

    fn claim(&mut self, job: usize) {
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

    fn finish(&mut self, job: usize, verdict: Verdict) {
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

    fn cancel(&mut self, job: usize) -> bool {
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

    fn become_(&mut self, job: usize, status: S) {
        self.jobs[job].status = status;
        if status.is_final() {
            self.draw(vec![job]);
        }
    }

    fn draw(&mut self, mut ended: Vec<usize>) {
        while let Some(job) = ended.pop() {
            let (name, status) = (self.jobs[job].name, self.jobs[job].status);
            let definition = &self.definitions[name];
            let failed = matches!(status, S::Failed | S::Errored | S::TimedOut) && !definition.allow_failure;
            if failed && definition.fail_fast {
                let others = self.all_of(name);
                ended.extend(others.into_iter().filter(|other| self.cancel(*other)));
            }
            let let_down = failed || matches!(status, S::Cancelled | S::Skipped);
            for other in 0..self.jobs.len() {
                let other_name = self.jobs[other].name;
                let mut needed = needs(&self.definitions[other_name], other_name);
                if self.jobs[other].status != S::Waiting || !needed.clone().any(|need| need == name) {
                    continue;
                }
                let is_over = |need: usize| self.all_of(need).iter().all(|job| self.jobs[*job].status.is_final());
                if let_down {
                    self.jobs[other].status = S::Skipped;
                    ended.push(other);
                } else if needed.all(is_over) {
                    self.jobs[other].status = S::Queued;
                }
            }
        }
    }
}

/// The jobs that the job at place `name` needs: only some of those before it, so that there is no circle.
fn needs(definition: &Definition, name: usize) -> impl Iterator<Item = usize> + Clone {
    let bits = definition.needs & (definition.needs >> 4);
    (0..name).filter(move |need| bits & (1 << need) != 0)
}

/// A case: the store and the model side by side.
struct Case<'a> {
    world: &'a World,
    agent: AgentId,
    build: i64,
    ids: Vec<JobId>,
    model: Model,
    /// Leases as the agent got them; the last of a job is the one that may be active.
    leases: Vec<(usize, Claimed)>,
}

impl Case<'_> {
    async fn begin<'a>(world: &'a World, definitions: &[Definition]) -> Case<'a> {
        let mut jobs = Vec::new();
        for (name, definition) in definitions.iter().enumerate() {
            for cell in cells(&format!("j{name}"), definition.cells) {
                jobs.push(NewJob::new(JobSpec {
                    needs: needs(definition, name).map(|need| format!("j{need}")).collect(),
                    max_parallel: definition.max_parallel,
                    fail_fast: definition.fail_fast,
                    allow_failure: definition.allow_failure,
                    ..cell
                }));
            }
        }
        let build = world.build_of(jobs).await;
        let ids = world.show(build).await.jobs.into_iter().map(|job| job.id).collect();
        Case {
            world,
            agent: world.agent("model").await,
            build,
            ids,
            model: Model::new(definitions),
            leases: vec![],
        }
    }

    /// The chosen one of the leases that are held now.
    fn held(&self, which: usize) -> Option<(usize, Hold)> {
        let is_last = |at: usize, job: usize| self.leases[at + 1..].iter().all(|(other, _)| *other != job);
        let held: Vec<_> = self
            .leases
            .iter()
            .enumerate()
            .filter(|(at, (job, _))| is_last(*at, *job))
            .collect();
        let held: Vec<_> = held
            .into_iter()
            .filter(|(_, (job, _))| self.model.is_active(*job))
            .collect();
        let (_, (job, claimed)) = held.get(which.checked_rem(held.len())?)?;
        Some((*job, hold(&self.agent, claimed)))
    }

    async fn act(&mut self, act: &Act) {
        match act {
            Act::Claim(slots) => self.claim(*slots).await,
            Act::Start(which) => {
                if let Some((job, hold)) = self.held(*which) {
                    self.world.start(&hold).await.unwrap();
                    self.model.jobs[job].status = S::Running;
                }
            }
            Act::Finish(which, verdict) => {
                if let Some((job, hold)) = self.held(*which) {
                    self.world.finish(&hold, *verdict).await.unwrap();
                    self.model.finish(job, *verdict);
                }
            }
            Act::CallLate(which) => self.call_late(*which).await,
            Act::LoseAll => self.lose_all().await,
            Act::CancelJob(which) => {
                let job = which % self.ids.len();
                queue::cancel(&self.world.store, &self.ids[job]).await.unwrap();
                if self.model.cancel(job) {
                    self.model.draw(vec![job]);
                }
            }
            Act::CancelBuild => {
                builds::cancel(&self.world.store, self.build).await.unwrap();
                let ended = (0..self.ids.len()).filter(|job| self.model.cancel(*job)).collect();
                self.model.draw(ended);
            }
        }
    }

    async fn claim(&mut self, slots: u32) {
        let claimed = self.world.claim(&self.agent, slots).await;
        for one in &claimed {
            let job = self
                .ids
                .iter()
                .position(|id| *id == one.job)
                .expect("a job of this build");
            self.model.claim(job);
            assert_eq!(one.number, self.model.jobs[job].attempts);
            assert!(
                self.leases.iter().all(|(_, before)| before.attempt != one.attempt),
                "never the same id"
            );
            self.leases.push((job, one.clone()));
        }
        assert!(
            claimed.len() == slots as usize || !self.model.can_claim(),
            "nothing that can run is left waiting"
        );
    }

    /// A lease that is over: whatever its holder says, nothing changes.
    async fn call_late(&mut self, which: usize) {
        let Some(at) = which.checked_rem(self.leases.len()) else {
            return;
        };
        let (job, claimed) = &self.leases[at];
        let is_last = self.leases[at + 1..].iter().all(|(other, _)| other != job);
        if is_last && self.model.is_active(*job) {
            return;
        }
        let late = hold(&self.agent, claimed);
        assert!(matches!(
            attempts::check(&self.world.store, &late).await,
            Err(StoreError::StaleLease)
        ));
        let told = self.world.finish(&late, Verdict::Failed).await;
        assert!(matches!(told, Ok(()) | Err(StoreError::StaleLease)));
    }

    async fn lose_all(&mut self) {
        for lost in self.world.let_leases_lapse().await {
            let job = self
                .ids
                .iter()
                .position(|id| *id == lost.job)
                .expect("a job of this build");
            let Job {
                attempts, cancelling, ..
            } = self.model.jobs[job];
            let status = match cancelling {
                true => S::Cancelled,
                false if attempts <= RETRIES => S::Queued,
                false => S::Errored,
            };
            self.model.become_(job, status);
        }
        assert!(
            !(0..self.ids.len()).any(|job| self.model.is_active(job)),
            "all were lost"
        );
    }

    async fn compare(&self) {
        let shown = self.world.show(self.build).await;
        let statuses: Vec<S> = shown.jobs.iter().map(|job| job.status).collect();
        let expected: Vec<S> = self.model.jobs.iter().map(|job| job.status).collect();
        assert_eq!(statuses, expected);
        let is_over = expected.iter().all(|status| status.is_final());
        assert_eq!(
            (shown.build.finished_at.is_some(), shown.build.status.is_final()),
            (is_over, is_over)
        );
    }
}

pub async fn the_queue_is_as_simple_as_its_model(world: World) {
    let case = (
        prop::collection::vec(definition(), 1..5),
        prop::collection::vec(act(), 1..40),
    );
    let config = ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let runtime = tokio::runtime::Handle::current();
    let tell = |(definitions, acts): (Vec<Definition>, Vec<Act>)| {
        runtime.block_on(async {
            let mut case = Case::begin(&world, &definitions).await;
            for act in &acts {
                case.act(act).await;
                case.compare().await;
            }
            // Nothing of this case is left for the next one.
            case.act(&Act::CancelBuild).await;
            case.act(&Act::LoseAll).await;
            case.compare().await;
        });
        Ok(())
    };
    let outcome = tokio::task::block_in_place(|| TestRunner::new(config).run(&case, tell));
    if let Err(failed) = outcome {
        panic!("{failed}");
    }
}
