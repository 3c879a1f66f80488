//! The queue against a small model of it: whatever is done in whatever order, both agree on where every
//! job stands, and no lease is ever held by two.

use coordinator::store::builds::{self, NewJob};
use coordinator::store::queue::{self, Claimed, Hold, RETRIES};
use coordinator::store::{StoreError, attempts};
use job_specs::model::{JobSpec, WhenStatus};
use job_specs::status::JobStatus as S;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use protocol::attempt::Verdict;
use protocol::ids::{AgentId, JobId};

use super::small_queue::{Act, After, Definition, Job, Model, act, definition, needs};
use super::world::{World, cells, hold};

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
                    needs: needs(definition, name)
                        .map(|need| format!("j{need}").as_str().into())
                        .collect(),
                    max_parallel: definition.max_parallel,
                    fail_fast: definition.fail_fast,
                    allow_failure: definition.allow_failure,
                    when: WhenStatus {
                        success: !matches!(definition.after, After::Failure),
                        failure: !matches!(definition.after, After::Success),
                    },
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
                queue::cancel(&self.world.store, &self.ids[job], "ann").await.unwrap();
                if self.model.cancel(job) {
                    self.model.draw(vec![job]);
                }
            }
            Act::CancelBuild => {
                builds::cancel(&self.world.store, self.build, "ann").await.unwrap();
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
            clear(&world).await;
            let mut case = Case::begin(&world, &definitions).await;
            for act in &acts {
                case.act(act).await;
                case.compare().await;
            }
        });
        Ok(())
    };
    let outcome = tokio::task::block_in_place(|| TestRunner::new(config).run(&case, tell));
    if let Err(failed) = outcome {
        panic!("{failed}");
    }
}

/// Nothing of the case before is left, however it ended.
async fn clear(world: &World) {
    for build in builds::list(&world.store, &builds::Filter::default()).await.unwrap() {
        builds::cancel(&world.store, build.number, "ann").await.unwrap();
    }
    world.let_leases_lapse().await;
    assert!(attempts::active(&world.store).await.unwrap().is_empty());
}
