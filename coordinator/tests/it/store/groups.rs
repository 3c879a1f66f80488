//! Concurrency groups: one build of each runs at a time.

use coordinator::store::builds::{self, Filter, NewBuild, NewJob};
use coordinator::store::queue::Claimed;
use coordinator::store::{jobs, queue, testing};
use job_specs::triggers::{Concurrency, ConcurrencyMode};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use protocol::attempt::Verdict;
use protocol::ids::AgentId;
use tokio::task::JoinSet;

use super::world::{World, ann, hold, job, needing};

impl World {
    async fn grouped(&self, mode: ConcurrencyMode) -> i64 {
        builds::create(&self.store, self.deploy(mode)).await.unwrap()
    }

    fn deploy(&self, mode: ConcurrencyMode) -> NewBuild {
        let jobs = [job("build"), needing("deploy", &["build"])].map(NewJob::new);
        NewBuild {
            concurrency: Some(Concurrency {
                group: "deploy".into(),
                mode,
            }),
            ..testing::build(&self.repository, jobs.into())
        }
    }
}

pub async fn a_queue_lets_one_build_run(world: World) {
    let agent = world.agent("a").await;
    let first = world.grouped(ConcurrencyMode::Queue).await;
    let second = world.grouped(ConcurrencyMode::Queue).await;
    let third = world.grouped(ConcurrencyMode::Queue).await;
    let other = world.build(vec![job("free")]).await;
    let why = jobs::why(&world.store, &world.show(second).await.jobs[0].id)
        .await
        .unwrap();
    assert_eq!(why, "blocked by #1, which is of concurrency group `deploy`, too");
    let (mut order, mut running) = (Vec::new(), Vec::new());
    while let Some(claimed) = world.claim(&agent, 1).await.pop() {
        running.push(claimed.build);
        order.push(format!("#{} {}", claimed.build, claimed.spec.name));
        world.finish(&hold(&agent, &claimed), Verdict::Passed).await.unwrap();
    }
    assert_eq!(
        order.join(", "),
        "#1 build, #1 deploy, #2 build, #2 deploy, #3 build, #3 deploy, #4 free"
    );
    for build in [first, second, third, other] {
        assert!(world.show(build).await.build.status.is_final());
    }
    // Who waits may be cancelled, and who runs may be too: the next one goes.
    let first = world.grouped(ConcurrencyMode::Queue).await;
    let second = world.grouped(ConcurrencyMode::Queue).await;
    let third = world.grouped(ConcurrencyMode::Queue).await;
    builds::cancel(&world.store, &ann(), second).await.unwrap();
    assert!(world.show(third).await.build.waits_for_group);
    builds::cancel(&world.store, &ann(), first).await.unwrap();
    assert!(!world.show(third).await.build.waits_for_group);
    assert_eq!(world.claim_one(&agent).await.build, third);
}

pub async fn only_the_newest_waits(world: World) {
    let agent = world.agent("a").await;
    let first = world.grouped(ConcurrencyMode::Latest).await;
    let running = world.claim_one(&agent).await;
    let second = world.grouped(ConcurrencyMode::Latest).await;
    let third = world.grouped(ConcurrencyMode::Latest).await;
    assert_eq!(world.state(second).await, "cancelled: build=cancelled deploy=cancelled");
    let reason = world.show(second).await.jobs.remove(0).reason.unwrap();
    assert_eq!(reason.sentence, "superseded by #3");
    assert!(world.claim(&agent, 5).await.is_empty());
    world.finish(&hold(&agent, &running), Verdict::Failed).await.unwrap();
    assert_eq!(world.state(first).await, "failed: build=failed deploy=skipped");
    assert_eq!(world.claim_one(&agent).await.build, third);
}

pub async fn a_new_build_stops_the_older(world: World) {
    let agent = world.agent("a").await;
    let first = world.grouped(ConcurrencyMode::Cancel).await;
    let running = world.claim_one(&agent).await;
    let second = world.grouped(ConcurrencyMode::Cancel).await;
    assert_eq!(world.state(first).await, "running: build=assigned deploy=cancelled");
    let reported = queue::renew(&world.store, &agent, &[super::world::held(&running)])
        .await
        .unwrap();
    assert_eq!(reported.cancel, vec![running.attempt.clone()]);
    // Two never run at once: the new one waits until the agent has stopped the old.
    assert!(world.claim(&agent, 5).await.is_empty());
    world.finish(&hold(&agent, &running), Verdict::Cancelled).await.unwrap();
    assert_eq!(world.claim_one(&agent).await.build, second);
}

/// Builds are made and end in a crowd: never do two of the group run at once, and all end.
pub async fn a_crowd_shares_a_group(world: World) {
    let agent = world.agent("a").await;
    let mut makers = JoinSet::new();
    for _ in 0..12 {
        let (store, new) = (world.store.clone(), world.deploy(ConcurrencyMode::Queue));
        makers.spawn(async move { builds::create(&store, new).await.unwrap() });
    }
    let mut done = 0;
    loop {
        let claimed = world.claim(&agent, 5).await;
        let mut at_once: Vec<i64> = claimed.iter().map(|claimed| claimed.build).collect();
        at_once.dedup();
        assert!(at_once.len() <= 1, "{at_once:?}");
        for one in &claimed {
            world.finish(&hold(&agent, one), Verdict::Passed).await.unwrap();
            done += 1;
        }
        if claimed.is_empty() && makers.join_next().await.is_none() {
            break;
        }
    }
    assert_eq!(done, 24);
}

/// What somebody does; numbers choose among what there is.
#[derive(Debug, Clone)]
enum Act {
    Make(ConcurrencyMode),
    Claim,
    Finish(usize, Verdict),
    Cancel(usize),
}

fn act() -> impl Strategy<Value = Act> {
    use ConcurrencyMode::{Cancel, Latest, Queue};
    let verdicts = vec![Verdict::Passed, Verdict::Failed, Verdict::Cancelled, Verdict::Errored];
    prop_oneof![
        4 => prop::sample::select(vec![Queue, Queue, Latest, Cancel]).prop_map(Act::Make),
        4 => Just(Act::Claim),
        4 => (any::<usize>(), prop::sample::select(verdicts)).prop_map(|(which, verdict)| Act::Finish(which, verdict)),
        1 => any::<usize>().prop_map(Act::Cancel),
    ]
}

/// A group in use: what is held now, and what must be true after everything.
struct Group<'a> {
    world: &'a World,
    agent: AgentId,
    held: Vec<Claimed>,
    made: Vec<i64>,
}

impl Group<'_> {
    async fn act(&mut self, act: &Act) {
        match act {
            Act::Make(mode) => self.made.push(self.world.grouped(*mode).await),
            Act::Claim => self.held.extend(self.world.claim(&self.agent, 2).await),
            Act::Finish(which, verdict) => {
                if let Some(at) = which.checked_rem(self.held.len()) {
                    let claimed = self.held.remove(at);
                    self.world.finish(&hold(&self.agent, &claimed), *verdict).await.unwrap();
                }
            }
            Act::Cancel(which) => {
                if let Some(at) = which.checked_rem(self.made.len()) {
                    builds::cancel(&self.world.store, &ann(), self.made[at]).await.unwrap();
                }
            }
        }
    }

    /// One build that is not over runs, and only its jobs are worked on.
    async fn check(&self) {
        let builds = builds::list(&self.world.store, &Filter::default()).await.unwrap();
        let open: Vec<_> = builds.iter().filter(|build| !build.status.is_final()).collect();
        let running: Vec<i64> = open
            .iter()
            .filter(|build| !build.waits_for_group)
            .map(|build| build.number)
            .collect();
        assert_eq!(running.len(), usize::from(!open.is_empty()), "{open:?}");
        assert!(self.held.iter().all(|claimed| running.contains(&claimed.build)));
    }

    async fn open(&self) -> Vec<i64> {
        let builds = builds::list(&self.world.store, &Filter::default()).await.unwrap();
        let open = builds.iter().filter(|build| !build.status.is_final());
        open.map(|build| build.number).collect()
    }

    /// Nothing is left behind, whatever came before.
    async fn end(mut self) {
        while !self.open().await.is_empty() {
            self.act(&Act::Claim).await;
            assert!(!self.held.is_empty(), "nobody can go on: {:?}", self.open().await);
            self.act(&Act::Finish(0, Verdict::Passed)).await;
            self.check().await;
        }
    }
}

pub async fn whatever_happens_one_build_of_a_group_runs(world: World) {
    let config = ProptestConfig {
        cases: 25,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let runtime = tokio::runtime::Handle::current();
    let agent = world.agent("a").await;
    let play = |acts: Vec<Act>| {
        runtime.block_on(async {
            let mut group = Group {
                world: &world,
                agent: agent.clone(),
                held: Vec::new(),
                made: vec![world.grouped(ConcurrencyMode::Queue).await],
            };
            for act in &acts {
                group.act(act).await;
                group.check().await;
            }
            group.end().await;
        });
        Ok(())
    };
    let acts = prop::collection::vec(act(), 1..30);
    let outcome = tokio::task::block_in_place(|| TestRunner::new(config).run(&acts, play));
    if let Err(failed) = outcome {
        panic!("{failed}");
    }
}
