//! The queue against the build in memory that `drover run` follows: whatever is done in whatever order, both agree on
//! where every job stands and why, and no lease is ever held by two.

use coordinator::store::builds::{self, NewJob};
use coordinator::store::queue::{self, AgentLease, Claimed};
use coordinator::store::{StoreError, attempts, deferred};
use job_specs::dag::{Build, Expanded, cancelled_by};
use job_specs::status::JobStatus as S;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use protocol::attempt::Verdict;
use protocol::ids::{AgentId, JobId};

use super::small_queue::{Act, Definition, act, definition};
use super::world::{World, ann, hold, result};

/// A case: the store and the build in memory side by side.
struct Case<'a> {
    world: &'a World,
    agent: AgentId,
    number: i64,
    definitions: &'a [Definition],
    build: Build,
    /// Leases as the agent got them; the last of a job is the one that may be active.
    leases: Vec<(usize, Claimed)>,
}

impl Case<'_> {
    async fn begin<'a>(world: &'a World, definitions: &'a [Definition]) -> Case<'a> {
        let jobs = || {
            let jobs = definitions.iter().enumerate();
            jobs.flat_map(|(name, definition)| definition.jobs(name))
        };
        Case {
            world,
            agent: world.agent("model").await,
            number: world.build_of(jobs().map(NewJob::new).collect()).await,
            definitions,
            build: Build::new(jobs().map(|spec| {
                let needs = spec.needs.clone();
                (spec, needs)
            })),
            leases: vec![],
        }
    }

    /// Its id in the store.
    async fn id(&self, job: usize) -> JobId {
        let title = self.build.jobs()[job].spec.title();
        let mut jobs = self.world.show(self.number).await.jobs.into_iter();
        jobs.find(|job| job.title == title).expect("a job of this build").id
    }

    fn is_active(&self, job: usize) -> bool {
        matches!(self.build.jobs()[job].status, S::Assigned | S::Running)
    }

    /// The chosen one of the leases that are held now.
    fn held(&self, which: usize) -> Option<(usize, AgentLease)> {
        let is_last = |at: usize, job: usize| self.leases[at + 1..].iter().all(|(other, _)| *other != job);
        let held = self.leases.iter().enumerate();
        let held: Vec<_> = held
            .filter(|(at, (job, _))| is_last(*at, *job) && self.is_active(*job))
            .collect();
        let (_, (job, claimed)) = held.get(which.checked_rem(held.len())?)?;
        Some((*job, hold(&self.agent, claimed)))
    }

    async fn act(&mut self, act: &Act) {
        let store = &self.world.store;
        match act {
            Act::Claim(slots) => self.claim(*slots).await,
            Act::Start(which) => {
                if let Some((job, hold)) = self.held(*which) {
                    self.world.start(&hold).await.unwrap();
                    if self.build.jobs()[job].status == S::Assigned {
                        self.build.start(job);
                    }
                }
            }
            Act::Finish(which, verdict) => {
                if let Some((job, hold)) = self.held(*which) {
                    self.world.finish(&hold, *verdict).await.unwrap();
                    self.build.finish(job, result(*verdict), Default::default());
                }
            }
            Act::CallLate(which) => self.call_late(*which).await,
            Act::LoseAll => self.lose_all().await,
            Act::CancelJob(which) => {
                let job = which % self.build.jobs().len();
                queue::cancel(store, &ann(), &self.id(job).await).await.unwrap();
                self.build.cancel(job, &cancelled_by("ann"));
            }
            Act::CancelBuild => {
                builds::cancel(store, &ann(), self.number).await.unwrap();
                self.build.cancel_all(&cancelled_by("ann"));
            }
            Act::Expand(cells) => self.expand(*cells).await,
        }
    }

    async fn claim(&mut self, slots: u32) {
        let claimed = self.world.claim(&self.agent, slots).await;
        for one in &claimed {
            let job = self.by_title(&one.spec.title());
            let cells = self.build.jobs().iter().enumerate();
            let active = cells.filter(|(other, cell)| cell.spec.name == one.spec.name && self.is_active(*other));
            let most = one.spec.max_parallel.map_or(usize::MAX, |most| most as usize);
            assert!(active.count() < most, "`max_parallel` holds whatever decides it");
            self.build.assign(job);
            assert_eq!(i64::from(one.number), self.build.jobs()[job].attempts.all);
            assert!(
                self.leases.iter().all(|(_, before)| before.attempt != one.attempt),
                "never the same id"
            );
            self.leases.push((job, one.clone()));
        }
        assert!(
            claimed.len() == slots as usize || self.build.ready().is_none(),
            "nothing that can run is left waiting"
        );
    }

    async fn expand(&mut self, cells: Option<usize>) {
        let due = deferred::due(&self.world.store).await.unwrap();
        let due: Vec<_> = due.into_iter().filter(|due| due.build == self.number).collect();
        let mut ours = self
            .build
            .jobs()
            .iter()
            .filter(|job| job.is_due && job.status == S::Waiting);
        assert_eq!(due.len(), ours.by_ref().count());
        let (Some(due), Some(job)) = (due.first(), self.build.due()) else {
            return;
        };
        let name: usize = due.name[1..].parse().unwrap();
        let expanded = || match cells {
            Some(cells) => Expanded::Cells(self.definitions[name].known(name, cells)),
            None => Expanded::refused("no such output"),
        };
        deferred::expand(&self.world.store, &due.job, expanded()).await.unwrap();
        let expanded = expanded();
        self.build.expand(job, expanded);
    }

    /// A lease that is over: whatever its holder says, nothing changes.
    async fn call_late(&mut self, which: usize) {
        let Some(at) = which.checked_rem(self.leases.len()) else {
            return;
        };
        let (job, claimed) = &self.leases[at];
        let is_last = self.leases[at + 1..].iter().all(|(other, _)| other != job);
        if is_last && self.is_active(*job) {
            return;
        }
        let late = hold(&self.agent, claimed);
        assert!(matches!(
            attempts::check(&self.world.store, &late).await,
            Err(StoreError::StaleLease)
        ));
        let reported = self.world.finish(&late, Verdict::Failed).await;
        assert!(matches!(reported, Ok(()) | Err(StoreError::StaleLease)));
    }

    async fn lose_all(&mut self) {
        for lost in self.world.let_leases_lapse().await {
            let mut leases = self.leases.iter();
            let (job, _) = leases
                .find(|(_, lease)| lease.attempt == lost.attempt)
                .expect("a lease");
            self.build.lose(*job, "lost");
        }
        let mut jobs = 0..self.build.jobs().len();
        assert!(!jobs.any(|job| self.is_active(job)), "all were lost");
    }

    async fn compare(&self) {
        let shown = self.world.show(self.number).await;
        for job in &shown.jobs {
            let spec = &self.build.jobs()[self.by_title(&job.title)];
            assert_eq!(job.status, spec.status, "{}", job.title);
            let code = |reason: &Option<_>| reason.as_ref().map(|reason: &protocol::attempt::Reason| reason.code);
            assert_eq!(code(&job.reason), code(&spec.reason), "{}", job.title);
            if matches!(job.status, S::Skipped | S::Cancelled) {
                assert_eq!(job.reason, spec.reason, "{}", job.title);
            }
        }
        assert_eq!(shown.jobs.len(), self.build.jobs().len());
        let is_over = self.build.is_over();
        assert_eq!(
            (shown.build.finished_at.is_some(), shown.build.status.is_final()),
            (is_over, is_over)
        );
    }

    fn by_title(&self, title: &str) -> usize {
        let mut jobs = self.build.jobs().iter();
        jobs.position(|job| job.spec.title() == title)
            .expect("a job of this build")
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
    let play = |(definitions, acts): (Vec<Definition>, Vec<Act>)| {
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
    let outcome = tokio::task::block_in_place(|| TestRunner::new(config).run(&case, play));
    if let Err(failed) = outcome {
        panic!("{failed}");
    }
}

/// Nothing of the case before is left, however it ended.
async fn clear(world: &World) {
    for build in builds::list(&world.store, &builds::Filter::default()).await.unwrap() {
        builds::cancel(&world.store, &ann(), build.number).await.unwrap();
    }
    world.let_leases_lapse().await;
    assert!(attempts::active(&world.store).await.unwrap().is_empty());
}
