//! Pushes to one reference and their deliveries, in every order in which they can meet: late, doubled, passed by others,
//! and with time between the look at the repository and the decision. Whatever comes, a build is stopped only for a later
//! push, and the newest push is built to its end.

use std::collections::BTreeMap;

use coordinator::store::builds::{self, Created, NewBuild, NewJob, Order};
use coordinator::store::order::{NOTHING, Observed, Push};
use coordinator::store::queue::{self, Claimed};
use coordinator::store::{pushes, testing};
use job_specs::status::JobStatus;
use job_specs::triggers::{Concurrency, ConcurrencyMode};
use protocol::attempt::Verdict;
use protocol::ids::AgentId;

use super::interleavings::{Event, orders};
use super::world::{World, held, hold, job};

/// What is pushed, oldest first.
#[derive(Debug)]
struct Scenario {
    name: &'static str,
    /// The commit before and from then on; a commit has all before it in `line` as ancestors.
    pushes: &'static [(&'static str, &'static str)],
    /// Lines of history.
    lines: &'static [&'static str],
    /// The deliveries say what was there before.
    says_before: bool,
    /// The order of any two pushes can always be told.
    is_known: bool,
}

const FORWARD: &[(&str, &str)] = &[(NOTHING, "A"), ("A", "B"), ("B", "C"), ("C", "D"), ("D", "E")];

const SCENARIOS: [Scenario; 6] = [
    Scenario {
        name: "forward",
        pushes: FORWARD,
        lines: &["ABCDE"],
        says_before: true,
        is_known: true,
    },
    Scenario {
        name: "forward, and nobody says what was before",
        pushes: FORWARD,
        lines: &["ABCDE"],
        says_before: false,
        is_known: true,
    },
    Scenario {
        name: "each replaces the one before",
        pushes: FORWARD,
        lines: &["A", "B", "C", "D", "E"],
        says_before: true,
        is_known: false,
    },
    Scenario {
        name: "each replaces the one before, and nobody says so",
        pushes: FORWARD,
        lines: &["A", "B", "C", "D", "E"],
        says_before: false,
        is_known: false,
    },
    Scenario {
        name: "back and forth",
        pushes: &[(NOTHING, "A"), ("A", "B"), ("B", "A"), ("A", "B"), ("B", "C")],
        lines: &["ABC"],
        says_before: true,
        is_known: false,
    },
    Scenario {
        name: "deleted and made again",
        pushes: &[(NOTHING, "A"), ("A", "B"), ("B", NOTHING), (NOTHING, "C"), ("C", "D")],
        lines: &["AB", "CD"],
        says_before: true,
        is_known: false,
    },
];

impl Scenario {
    fn is_ancestor(&self, first: &str, second: &str) -> bool {
        self.lines
            .iter()
            .any(|line| matches!((line.find(first), line.find(second)), (Some(first), Some(second)) if first < second))
    }

    fn after(&self, push: usize) -> &'static str {
        self.pushes[push].1
    }

    /// The pushes that say the same as this one: nobody can tell which of them a delivery is.
    fn alike(&self, push: usize) -> impl DoubleEndedIterator<Item = usize> {
        (0..self.pushes.len()).filter(move |other| self.pushes[*other] == self.pushes[push])
    }
}

/// What agents do after each decision.
#[derive(Debug, Clone, Copy)]
enum Work {
    Nothing,
    Begin,
    Finish,
}

/// One order of events, played in a group of its own.
struct Run<'a> {
    world: &'a World,
    agent: &'a AgentId,
    scenario: &'a Scenario,
    mode: ConcurrencyMode,
    work: Work,
    deliveries: &'a [usize],
    reference: String,
    pushed: usize,
    observed: BTreeMap<usize, Observed>,
    /// The build that each push has.
    builds: BTreeMap<usize, i64>,
    begun: Vec<i64>,
    held: Vec<Claimed>,
}

impl Run<'_> {
    async fn play(&mut self, events: &[Event]) {
        for event in events {
            match *event {
                Event::Push => self.pushed += 1,
                Event::Look(delivery) => {
                    let observed = self.look(self.deliveries[delivery]).await;
                    self.observed.insert(delivery, observed);
                }
                Event::Decide(delivery) => {
                    self.decide(delivery).await;
                    match self.work {
                        Work::Nothing => {}
                        Work::Begin => drop(self.begin().await),
                        Work::Finish => {
                            self.begin().await;
                            self.finish().await;
                        }
                    }
                }
            }
        }
        while self.begin().await || !self.held.is_empty() {
            self.finish().await;
        }
        self.check().await;
    }

    /// What the coordinator is told by the repository, and when it asks for more.
    async fn look(&self, push: usize) -> Observed {
        let commit = self.scenario.after(push);
        let stream = pushes::of(&self.world.store, &self.world.repository, &self.reference).await;
        let stream = stream.unwrap();
        let tip = Some(self.scenario.after(self.pushed - 1)).filter(|tip| *tip != NOTHING);
        let mut others = stream.commits();
        others.retain(|other| other != commit && tip != Some(commit));
        let ancestors = others.iter().filter(|other| self.scenario.is_ancestor(other, commit));
        let descendants = others.iter().filter(|other| self.scenario.is_ancestor(commit, other));
        Observed {
            seen: stream.newest(),
            tip: tip.map(str::to_owned),
            ancestors: ancestors.cloned().collect(),
            descendants: descendants.cloned().collect(),
        }
    }

    async fn decide(&mut self, delivery: usize) {
        let push = self.deliveries[delivery];
        let (before, after) = self.scenario.pushes[push];
        let moved = Push {
            stream: self.reference.clone(),
            before: self.scenario.says_before.then(|| before.to_owned()),
            after: after.to_owned(),
            ..Push::default()
        };
        let (store, repository) = (&self.world.store, &self.world.repository);
        let mut observed = self.observed.remove(&delivery).unwrap();
        if after == NOTHING {
            return pushes::note(store, repository, moved, observed).await.unwrap();
        }
        let number = loop {
            let new = self.build(Some((moved.clone(), observed)));
            match builds::create_in_order(store, None, new).await.unwrap() {
                Created::New(number) | Created::Known(number) => break number,
                Created::Moved => observed = self.look(push).await,
            }
        };
        if let Some(first) = self.builds.insert(push, number) {
            assert_eq!(first, number, "a push has one build: {self}");
        }
    }

    fn build(&self, push: Option<(Push, Observed)>) -> NewBuild {
        let jobs = vec![NewJob::new(job("test"))];
        let mut new = NewBuild {
            concurrency: Some(Concurrency {
                group: self.reference.clone(),
                mode: self.mode,
            }),
            order: Order { at: None, push },
            ..testing::build(&self.world.repository, jobs)
        };
        new.facts.reference = self.reference.clone();
        new
    }

    async fn begin(&mut self) -> bool {
        let claimed = self.world.claim(self.agent, 5).await;
        assert!(
            claimed.len() + self.held.len() <= 1,
            "two of a group never run at once: {self}"
        );
        for one in &claimed {
            let push_of = |build: i64| self.builds.iter().find(|(_, of)| **of == build).map(|(push, _)| *push);
            let push = push_of(one.build);
            let waiting = self.builds.values().filter(|build| !self.begun.contains(build));
            let first = waiting.filter_map(|build| push_of(*build)).min();
            if self.mode == ConcurrencyMode::Queue && self.scenario.is_known {
                assert_eq!(push, first, "those that wait begin in the order of pushes: {self}");
            }
            self.begun.push(one.build);
        }
        let any = !claimed.is_empty();
        self.held.extend(claimed);
        any
    }

    async fn finish(&mut self) {
        let all: Vec<_> = self.held.iter().map(held).collect();
        let reported = queue::renew(&self.world.store, self.agent, &all).await.unwrap();
        for claimed in std::mem::take(&mut self.held) {
            let verdict = match reported.cancel.contains(&claimed.attempt) {
                true => Verdict::Cancelled,
                false => Verdict::Passed,
            };
            self.world.finish(&hold(self.agent, &claimed), verdict).await.unwrap();
        }
    }

    async fn check(&self) {
        let mut statuses = BTreeMap::new();
        for (push, build) in &self.builds {
            let shown = self.world.show(*build).await;
            let (status, reason) = (shown.build.status, shown.jobs[0].reason.clone());
            statuses.insert(*push, status);
            match status {
                JobStatus::Passed => continue,
                JobStatus::Cancelled => assert_ne!(self.mode, ConcurrencyMode::Queue, "{self}"),
                other => panic!("#{build} is {other}: {self}"),
            }
            let sentence = reason.map(|reason| reason.sentence).unwrap_or_default();
            // One that an agent stopped says what the agent says.
            if let Some(by) = sentence.strip_prefix("superseded by #") {
                let by: i64 = by.parse().unwrap();
                let later = self.builds.iter().find(|(_, of)| **of == by);
                let later = later.and_then(|(later, _)| self.scenario.alike(*later).last());
                let first = self.scenario.alike(*push).next();
                assert!(later > first, "push {push} gave way to {later:?}: {self}");
            }
        }
        let built = |push: &usize| self.scenario.after(*push) != NOTHING;
        let mut pushed: Vec<usize> = self.deliveries.iter().copied().filter(built).collect();
        pushed.sort_unstable();
        pushed.dedup();
        let newest = pushed.last().copied();
        assert_eq!(
            newest.and_then(|newest| statuses.get(&newest)),
            newest.map(|_| &JobStatus::Passed),
            "the newest push is built to its end: {self}"
        );
        let mut distinct: Vec<_> = pushed.iter().map(|push| self.scenario.pushes[*push]).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let mut numbers: Vec<i64> = self.builds.values().copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert!(
            (distinct.len()..=pushed.len()).contains(&numbers.len()),
            "each push has a build: {numbers:?}, {self}"
        );
    }
}

impl std::fmt::Display for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ({:?}, {:?}), deliveries {:?}, builds {:?}, begun {:?}",
            self.scenario.name, self.mode, self.work, self.deliveries, self.builds, self.begun
        )
    }
}

/// On PostgreSQL every so many orders are played: the texts are the same, and each call takes ten times as long as on
/// SQLite, which plays all. Prime, so that every scenario is met.
const SAMPLE: usize = 7;

/// Plays orders in each mode; scenarios and agents change from one order to the next, so that each order meets them all
/// in time.
async fn play(world: &World, deliveries: &[usize], orders: Vec<Vec<Event>>, scenarios: &[usize]) -> usize {
    use ConcurrencyMode::{Cancel, Latest, Queue};
    let (agent, mut played) = (world.agent("a").await, 0);
    let step = match world.config.url.starts_with("sqlite:") {
        true => 1,
        false => SAMPLE,
    };
    for (at, events) in orders.iter().enumerate().step_by(step) {
        for mode in [Queue, Latest, Cancel] {
            let mut run = Run {
                world,
                agent: &agent,
                scenario: &SCENARIOS[scenarios[at % scenarios.len()]],
                mode,
                work: [Work::Nothing, Work::Begin, Work::Finish][(at / scenarios.len() + played) % 3],
                deliveries,
                reference: format!("refs/heads/{deliveries:?}-{scenarios:?}-{played}"),
                pushed: 0,
                observed: BTreeMap::new(),
                builds: BTreeMap::new(),
                begun: Vec::new(),
                held: Vec::new(),
            };
            let reported = std::panic::AssertUnwindSafe(run.play(events));
            if let Err(panic) = futures_util::FutureExt::catch_unwind(reported).await {
                eprintln!("the order was {events:?}");
                std::panic::resume_unwind(panic);
            }
            played += 1;
        }
    }
    played
}

const ALL: [usize; 6] = [0, 1, 2, 3, 4, 5];

pub async fn up_to_four_deliveries_meet_in_every_order(world: World) {
    for deliveries in [&[0, 1][..], &[0, 1, 2], &[0, 1, 1], &[0, 1, 2, 3], &[0, 1, 2, 1]] {
        for scenario in ALL {
            play(&world, deliveries, orders(deliveries, false), &[scenario]).await;
        }
    }
}

pub async fn five_deliveries_meet_in_every_order(world: World) {
    let deliveries = [0, 1, 2, 3, 4];
    let all = orders(&deliveries, false);
    assert_eq!(all.len(), 945);
    play(&world, &deliveries, all, &ALL).await;
}

pub async fn five_deliveries_two_of_them_the_same_meet_in_every_order(world: World) {
    let doubled = [0, 1, 2, 3, 2];
    play(&world, &doubled, orders(&doubled, false), &ALL).await;
}

pub async fn others_come_between_look_and_decision(world: World) {
    for scenario in ALL {
        let deliveries = [0, 1, 2];
        play(&world, &deliveries, orders(&deliveries, true), &[scenario]).await;
    }
}
