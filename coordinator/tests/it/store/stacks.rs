//! Stacks that outlive the attempt that left them: on their agent or unreachable, never anywhere else.

use std::time::Duration;

use coordinator::store::queue::{self, Ending};
use coordinator::store::stacks::{self, RETAINED_AT_MOST_US, Retain};
use coordinator::store::{Micros, StoreError, testing};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use protocol::attempt::Verdict;
use protocol::ids::{AgentId, JobId, StackId};
use protocol::lease::Lease;
use protocol::work::{StackReport, StackState, Work};

use super::world::{CONSOLE, World, hold, job, result};

const SECOND: i64 = 1_000_000;
const LEASE: i64 = queue::LEASE_US;

impl World {
    /// A job of that agent fails, and what it leaves is to stay.
    pub(super) async fn retained(&self, agent: &AgentId, secs: u64) -> (JobId, StackReport) {
        self.build(vec![job("test")]).await;
        let claimed = self.claim_one(agent).await;
        let ending = || Ending {
            events: Vec::new(),
            result: result(Verdict::Failed),
            outputs: Default::default(),
            retain: Some(Retain {
                time: Duration::from_secs(secs),
                called: None,
            }),
        };
        let hold = hold(agent, &claimed);
        let first = queue::finish_with(&self.store, &hold, ending()).await.unwrap().unwrap();
        let again = queue::finish_with(&self.store, &hold, ending()).await.unwrap().unwrap();
        assert_eq!(
            report(&first),
            report(&again),
            "an agent that did not hear of it asks again"
        );
        (claimed.job, report(&first))
    }

    async fn report(&self, agent: &AgentId, reports: &[StackReport]) -> Vec<StackId> {
        stacks::report(&self.store, agent, reports).await.unwrap()
    }

    async fn stack_state(&self, stack: &StackReport) -> Option<StackState> {
        match stacks::show(&self.store, &stack.stack).await {
            Ok(found) => Some(found.state),
            Err(StoreError::NotFound(_)) => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn pass(&self, secs: i64) {
        testing::pass_time(&self.store, secs * SECOND);
    }

    async fn tick(&self) -> u64 {
        stacks::expire(&self.store, self.store.now()).await.unwrap()
    }
}

fn report(lease: &Lease) -> StackReport {
    let Work::Stack(work) = &lease.work else {
        panic!("not a stack: {lease:?}");
    };
    StackReport {
        stack: work.stack.clone(),
        epoch: lease.epoch,
    }
}

pub async fn a_stack_waits_for_its_agent_and_is_never_anywhere_else(world: World) {
    let (agent, other) = (world.agent("a").await, world.agent("b").await);
    let (job, stack) = world.retained(&agent, 600).await;
    assert_eq!(world.stack_state(&stack).await, Some(StackState::Running));
    assert_eq!(stacks::of_job(&world.store, &job).await.unwrap().unwrap().agent, agent);
    assert!(
        world.report(&agent, &[]).await.is_empty(),
        "a poll from before does not name it yet"
    );
    assert_eq!(world.stack_state(&stack).await, Some(StackState::Running));
    // The agent dies.
    world.pass(61);
    world.tick().await;
    assert_eq!(world.stack_state(&stack).await, Some(StackState::Unreachable));
    assert!(world.claim(&other, 1).await.is_empty(), "nobody else gets it");
    let stolen = world.report(&other, std::slice::from_ref(&stack)).await;
    assert_eq!(
        stolen,
        std::slice::from_ref(&stack.stack),
        "who names it without having it is to remove it"
    );
    // And comes back with it.
    assert!(world.report(&agent, std::slice::from_ref(&stack)).await.is_empty());
    assert_eq!(world.stack_state(&stack).await, Some(StackState::Running));
    // It comes back without: it is gone.
    world.pass(31);
    assert!(world.report(&agent, &[]).await.is_empty());
    assert_eq!(world.stack_state(&stack).await, None);
    assert_eq!(world.report(&agent, std::slice::from_ref(&stack)).await, [stack.stack]);
}

pub async fn use_renews_a_stack_and_time_ends_it(world: World) {
    let agent = world.agent("a").await;
    let (_, stack) = world.retained(&agent, 60).await;
    for _ in 0..5 {
        world.pass(20);
        assert!(world.report(&agent, std::slice::from_ref(&stack)).await.is_empty());
        let until = stacks::renew(&world.store, &stack.stack).await.unwrap();
        assert!(until - world.store.now() > 59 * SECOND);
        assert_eq!(world.tick().await, 0);
    }
    world.pass(25);
    world.report(&agent, std::slice::from_ref(&stack)).await;
    world.pass(25);
    world.report(&agent, std::slice::from_ref(&stack)).await;
    world.pass(15);
    assert_eq!(
        (world.tick().await, world.tick().await),
        (1, 0),
        "its time is over, once"
    );
    assert_eq!(world.stack_state(&stack).await, Some(StackState::Deleting));
    assert!(matches!(
        stacks::renew(&world.store, &stack.stack).await,
        Err(StoreError::NotFound(_))
    ));
    assert_eq!(
        stacks::released(&world.store, &agent).await.unwrap(),
        std::slice::from_ref(&stack.stack)
    );
    assert!(world.report(&agent, &[]).await.is_empty());
    assert_eq!(world.stack_state(&stack).await, None, "its agent has removed it");
}

pub async fn a_silent_agents_stack_can_be_deleted(world: World) {
    let agent = world.agent("a").await;
    let (_, stack) = world.retained(&agent, 600).await;
    world.pass(70);
    stacks::delete(&world.store, CONSOLE, &stack.stack).await.unwrap();
    assert_eq!(world.stack_state(&stack).await, Some(StackState::Deleting));
    let reported = world.report(&agent, std::slice::from_ref(&stack)).await;
    assert_eq!(
        reported,
        std::slice::from_ref(&stack.stack),
        "when it is back it hears of it"
    );
    // Another one's agent never comes back: it is forgotten with its time.
    let (_, lost) = world.retained(&agent, 600).await;
    stacks::delete(&world.store, CONSOLE, &lost.stack).await.unwrap();
    world.pass(601);
    world.tick().await;
    assert_eq!(stacks::list(&world.store).await.unwrap(), []);
    // And those of an agent that was removed at once.
    let (_, orphan) = world.retained(&agent, 600).await;
    coordinator::store::agents::remove(&world.store, CONSOLE, &agent)
        .await
        .unwrap();
    assert_eq!(world.stack_state(&orphan).await, None);
}

/// What can happen to stacks; numbers choose one that is there.
#[derive(Debug, Clone)]
enum Act {
    Make(bool, u64),
    Poll(bool),
    Pass(i64),
    Tick,
    Renew(usize),
    Delete(usize),
    /// The agent loses it: its machine was set up anew.
    Lose(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (any::<bool>(), 20..200_u64).prop_map(|(agent, secs)| Act::Make(agent, secs)),
        5 => any::<bool>().prop_map(Act::Poll),
        4 => (1..50_i64).prop_map(Act::Pass),
        3 => Just(Act::Tick),
        2 => (0..9_usize).prop_map(Act::Renew),
        1 => (0..9_usize).prop_map(Act::Delete),
        1 => (0..9_usize).prop_map(Act::Lose),
    ]
}

/// A stack as it should be.
#[derive(Debug)]
struct Model {
    report: StackReport,
    agent: usize,
    /// The agent has it.
    is_there: bool,
    /// The store knows it.
    is_known: bool,
    is_wanted: bool,
    lease_until: Micros,
    expires_at: Micros,
    last: Micros,
    renew: Micros,
}

impl Model {
    fn state(&self, now: Micros) -> Option<StackState> {
        match (self.is_known, self.is_wanted) {
            (false, _) => None,
            (true, false) => Some(StackState::Deleting),
            (true, true) if self.lease_until < now => Some(StackState::Unreachable),
            (true, true) => Some(StackState::Running),
        }
    }

    /// Its agent polls; whether it is told to remove it.
    fn poll(&mut self, now: Micros) -> bool {
        if self.is_known && self.is_wanted && self.is_there && self.lease_until <= now + LEASE / 2 {
            self.lease_until = now + LEASE;
        }
        if self.is_known && !self.is_there && (!self.is_wanted || self.lease_until < now) {
            self.is_known = false;
        }
        let reported = self.is_there && !(self.is_known && self.is_wanted);
        self.is_there &= !reported;
        reported
    }

    fn tick(&mut self, now: Micros) {
        if self.is_known && self.expires_at <= now {
            self.is_known = self.lease_until >= now;
            self.is_wanted = false;
        }
    }
}

struct Case<'a> {
    world: &'a World,
    agents: [AgentId; 2],
    stacks: Vec<Model>,
}

impl Case<'_> {
    async fn act(&mut self, act: &Act) {
        let (store, count) = (&self.world.store, self.stacks.len());
        match act {
            Act::Make(agent, secs) => {
                let agent = usize::from(*agent);
                let (_, report) = self.world.retained(&self.agents[agent], *secs).await;
                let now = stacks::show(store, &report.stack).await.unwrap().created_at;
                let renew = i64::try_from(*secs).unwrap() * SECOND;
                self.stacks.push(Model {
                    report,
                    agent,
                    is_there: true,
                    is_known: true,
                    is_wanted: true,
                    lease_until: now + 2 * LEASE,
                    expires_at: now + renew,
                    last: now + RETAINED_AT_MOST_US,
                    renew,
                });
            }
            Act::Poll(agent) => {
                let agent = usize::from(*agent);
                let own = || self.stacks.iter().filter(move |stack| stack.agent == agent);
                let named: Vec<StackReport> = own()
                    .filter(|stack| stack.is_there)
                    .map(|stack| stack.report.clone())
                    .collect();
                let mut reported = self.world.report(&self.agents[agent], &named).await;
                reported.extend(stacks::released(store, &self.agents[agent]).await.unwrap());
                reported.retain(|stack| named.iter().any(|report| report.stack == *stack));
                reported.sort();
                reported.dedup();
                let now = store.now();
                let own = self.stacks.iter_mut().filter(|stack| stack.agent == agent);
                let mut expected: Vec<StackId> = Vec::new();
                for stack in own {
                    if stack.poll(now) {
                        expected.push(stack.report.stack.clone());
                    }
                }
                expected.sort();
                assert_eq!(reported, expected);
            }
            Act::Pass(secs) => self.world.pass(*secs),
            Act::Tick => {
                let now = store.now();
                stacks::expire(store, now).await.unwrap();
                self.stacks.iter_mut().for_each(|stack| stack.tick(now));
            }
            Act::Renew(which) if count > 0 => {
                let stack = &mut self.stacks[which % count];
                let renewed = stacks::renew(store, &stack.report.stack).await;
                assert_eq!(renewed.is_ok(), stack.is_known && stack.is_wanted, "{renewed:?}");
                if let Ok(until) = renewed {
                    stack.expires_at = (store.now() + stack.renew).min(stack.last);
                    assert!((stack.expires_at - until).abs() < SECOND);
                }
            }
            Act::Delete(which) if count > 0 => {
                let stack = &mut self.stacks[which % count];
                let deleted = stacks::delete(store, CONSOLE, &stack.report.stack).await;
                assert_eq!(deleted.is_ok(), stack.is_known, "{deleted:?}");
                stack.is_wanted &= !stack.is_known;
            }
            Act::Lose(which) if count > 0 => self.stacks[which % count].is_there = false,
            Act::Renew(_) | Act::Delete(_) | Act::Lose(_) => {}
        }
        self.check().await;
    }

    async fn check(&self) {
        let now = self.world.store.now();
        for stack in &self.stacks {
            assert_eq!(
                self.world.stack_state(&stack.report).await,
                stack.state(now),
                "{stack:?}"
            );
        }
    }
}

pub async fn stacks_are_as_simple_as_their_model(world: World) {
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let agents = [world.agent("a").await, world.agent("b").await];
    let (world, handle) = (&world, tokio::runtime::Handle::current());
    tokio::task::block_in_place(|| {
        runner
            .run(&prop::collection::vec(act(), 1..40), |acts| {
                handle.block_on(async {
                    let mut case = Case {
                        world,
                        agents: agents.clone(),
                        stacks: Vec::new(),
                    };
                    for act in &acts {
                        case.act(act).await;
                    }
                    // Sooner or later nothing is left anywhere.
                    world.pass(300);
                    for last in [Act::Tick, Act::Poll(false), Act::Poll(true), Act::Tick] {
                        case.act(&last).await;
                    }
                    assert!(case.stacks.iter().all(|stack| !stack.is_there));
                });
                Ok(())
            })
            .unwrap();
    });
}
