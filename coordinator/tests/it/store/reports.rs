//! What tests said: kept once, compared with the run before, found again among many.

use coordinator::store::queue::AgentLease;
use coordinator::store::reports::{self, Filter, Found};
use coordinator::store::{StoreError, builds, testing};
use protocol::api::TestChange;
use protocol::attempt::Verdict;
use protocol::ids::AgentId;
use protocol::reports::{TestCase, TestStatus, TestUpload};

use super::world::{World, cells, hold, job};

const ALL: Filter = Filter {
    status: None,
    job: None,
    limit: 1_000,
    offset: 0,
};

fn case(name: &str, status: TestStatus) -> TestCase {
    TestCase {
        suite: "suite".into(),
        name: name.into(),
        status,
        duration_us: 1_000,
        message: (status == TestStatus::Failed).then(|| format!("{name} said no")),
        file: None,
    }
}

fn part(chunk: u32, cases: Vec<TestCase>) -> TestUpload {
    TestUpload {
        chunk,
        last: true,
        cases,
        problems: Vec::new(),
    }
}

/// `a` passes, `-b` fails, `~c` is flaky.
fn cases(text: &str) -> Vec<TestCase> {
    let one = |word: &str| match (word.strip_prefix('-'), word.strip_prefix('~')) {
        (Some(name), _) => case(name, TestStatus::Failed),
        (_, Some(name)) => case(name, TestStatus::Flaky),
        _ => case(word, TestStatus::Passed),
    };
    text.split_whitespace().map(one).collect()
}

impl World {
    /// A build at a commit whose jobs report these tests, each in turn.
    async fn tested(&self, agent: &AgentId, commit: &str, reported: &[&str]) -> i64 {
        let specs = if reported.len() == 1 {
            vec![job("test")]
        } else {
            cells("test", reported.len())
        };
        let mut new = testing::build(&self.repository, specs.into_iter().map(builds::NewJob::new).collect());
        new.facts.sha = commit.into();
        let build = builds::create(&self.store, new).await.unwrap();
        for tests in reported {
            let claimed = self.claim_one(agent).await;
            let hold = hold(agent, &claimed);
            reports::keep(&self.store, &hold, part(0, cases(tests))).await.unwrap();
            self.finish(&hold, Verdict::Passed).await.unwrap();
        }
        build
    }

    async fn tests(&self, build: i64, filter: &Filter) -> Vec<Found> {
        let runs = reports::of_build(&self.store, build).await.unwrap();
        reports::results(&self.store, &runs, filter).await.unwrap()
    }

    /// `b failed new flaky`
    async fn said(&self, build: i64) -> Vec<String> {
        let tests = self.tests(build, &ALL).await;
        let said = tests.iter().map(|test| {
            let change = match test.change {
                Some(TestChange::New) => " new",
                Some(TestChange::Fixed) => " fixed",
                None => "",
            };
            let flaky = if test.known_flaky { " flaky" } else { "" };
            format!("{} {}{change}{flaky}", test.name, test.status.name())
        });
        said.collect()
    }
}

async fn attempt(world: &World) -> (i64, AgentLease) {
    let agent = world.agent("a").await;
    let build = world.build(vec![job("test")]).await;
    (build, hold(&agent, &world.claim_one(&agent).await))
}

pub async fn a_part_is_kept_once(world: World) {
    let (build, hold) = attempt(&world).await;
    let keep = async |hold: &AgentLease, part: TestUpload| reports::keep(&world.store, hold, part).await;
    let first = TestUpload {
        last: false,
        ..part(0, cases("a -b a"))
    };
    keep(&hold, first.clone()).await.unwrap();
    keep(&hold, first).await.unwrap();
    assert!(matches!(
        keep(&hold, part(2, Vec::new())).await,
        Err(StoreError::Refused(_))
    ));
    let last = TestUpload {
        problems: vec!["report x is cut off".into()],
        ..part(1, vec![case("c\0'", TestStatus::Skipped)])
    };
    keep(&hold, last).await.unwrap();
    let runs = reports::of_build(&world.store, build).await.unwrap();
    assert_eq!(
        (runs[0].failed, runs[0].passed, runs[0].skipped),
        (1, 2, 1),
        "the same name twice is two tests"
    );
    assert_eq!(
        (runs[0].complete, runs[0].problems.as_slice()),
        (true, &["report x is cut off".to_owned()][..])
    );
    assert_eq!(
        world.said(build).await,
        ["b failed", "a passed", "a passed", "c' skipped"]
    );
    let some = Filter {
        limit: 2,
        offset: 2,
        ..ALL
    };
    let page: Vec<String> = world
        .tests(build, &some)
        .await
        .into_iter()
        .map(|test| test.name)
        .collect();
    assert_eq!(page, ["a", "c'"]);
    let stale = AgentLease {
        epoch: 99,
        ..hold.clone()
    };
    assert!(matches!(
        keep(&stale, part(2, Vec::new())).await,
        Err(StoreError::StaleLease)
    ));
    world.finish(&hold, Verdict::Failed).await.unwrap();
    assert!(matches!(
        keep(&hold, part(2, Vec::new())).await,
        Err(StoreError::StaleLease)
    ));
    let many = part(0, vec![case("x", TestStatus::Passed); 5_001]);
    assert!(matches!(keep(&hold, many).await, Err(StoreError::Refused(_))));
}

// key: reports
pub async fn new_fixed_and_flaky_are_found(world: World) {
    let agent = world.agent("a").await;
    let first = world.tested(&agent, "c1", &["a b -c"]).await;
    assert_eq!(
        world.said(first).await,
        ["c failed", "a passed", "b passed"],
        "nothing to compare with"
    );
    let second = world.tested(&agent, "c2", &["a -b c -d"]).await;
    assert_eq!(
        world.said(second).await,
        ["b failed new", "d failed new", "a passed", "c passed fixed"]
    );
    let again = world.tested(&agent, "c2", &["a b c -d"]).await;
    assert_eq!(
        world.said(again).await,
        ["d failed", "a passed", "b passed fixed flaky", "c passed"],
        "`b` passed and failed at one commit"
    );
    let third = world.tested(&agent, "c3", &["a -b ~c"]).await;
    assert_eq!(
        world.said(third).await,
        ["b failed new flaky", "c flaky flaky", "a passed"]
    );
    let flaky = reports::flaky(&world.store, &world.repository, 10).await.unwrap();
    let mut names: Vec<(&str, i64, i64)> = flaky.iter().map(|f| (f.name.as_str(), f.times, f.build)).collect();
    names.sort_unstable();
    assert_eq!(names, [("b", 1, again), ("c", 1, third)]);
    // One cell that fails where another passes is no flaky test.
    let cells = world.tested(&agent, "c4", &["x", "-x"]).await;
    assert_eq!(world.said(cells).await, ["x failed", "x passed"]);
    assert_eq!(
        reports::flaky(&world.store, &world.repository, 10).await.unwrap().len(),
        2
    );
    let runs = reports::of_build(&world.store, second).await.unwrap();
    let fixed = reports::fixed(&world.store, &runs, 10).await.unwrap();
    assert_eq!(fixed.iter().map(|test| test.name.as_str()).collect::<Vec<_>>(), ["c"]);
    let history = reports::history(&world.store, &world.repository, ("suite", "b"), 3)
        .await
        .unwrap();
    let past: Vec<(i64, &str)> = history.iter().map(|past| (past.build, past.status.name())).collect();
    assert_eq!(past, [(third, "failed"), (again, "passed"), (second, "failed")]);
    // A branch without a run of its own is compared with the main line.
    let mut topic = testing::build(&world.repository, vec![builds::NewJob::new(job("test"))]);
    topic.facts.branch = Some("topic".into());
    let topic = builds::create(&world.store, topic).await.unwrap();
    let hold = hold(&agent, &world.claim_one(&agent).await);
    reports::keep(&world.store, &hold, part(0, cases("-a -b")))
        .await
        .unwrap();
    assert_eq!(world.said(topic).await, ["a failed new", "b failed flaky"]);
}

// key: reports
pub async fn a_grid_over_the_cells(world: World) {
    let agent = world.agent("a").await;
    world.tested(&agent, "c1", &["a b", "a b", "a b"]).await;
    let build = world.tested(&agent, "c2", &["a b", "-a b", "-a -b c"]).await;
    let runs = reports::of_build(&world.store, build).await.unwrap();
    let failed = Filter {
        status: Some(TestStatus::Failed),
        ..ALL
    };
    let failing = world.tests(build, &failed).await;
    assert_eq!(failing.len(), 3);
    let grid = reports::grid(&world.store, &runs, "test", &failing).await.unwrap();
    let titles: Vec<&str> = grid.cells.iter().map(|(title, _)| title.as_str()).collect();
    assert_eq!(titles, ["test (n=0)", "test (n=1)", "test (n=2)"]);
    use TestStatus::{Failed as F, Passed as P};
    let rows: Vec<(&str, Vec<Option<TestStatus>>)> = grid
        .rows
        .iter()
        .map(|(_, name, row)| (name.as_str(), row.clone()))
        .collect();
    assert_eq!(
        rows,
        [
            ("a", vec![Some(P), Some(F), Some(F)]),
            ("b", vec![Some(P), Some(P), Some(F)])
        ]
    );
    let of_cell = Filter {
        job: Some("test (n=2)".into()),
        ..ALL
    };
    assert_eq!(world.tests(build, &of_cell).await.len(), 3);
}

pub async fn fifty_thousand_tests_of_one_attempt(world: World) {
    let (build, hold) = attempt(&world).await;
    let status = |n: u32| {
        if n % 10_000 == 9_999 {
            TestStatus::Failed
        } else {
            TestStatus::Passed
        }
    };
    let case = |n: u32| TestCase {
        duration_us: u64::from(n),
        ..case(&format!("test {n}"), status(n))
    };
    for chunk in 0..10 {
        let from = chunk * 5_000;
        let upload = TestUpload {
            last: chunk == 9,
            ..part(chunk, (from..from + 5_000).map(case).collect())
        };
        reports::keep(&world.store, &hold, upload).await.unwrap();
    }
    let failed: Vec<String> = world
        .tests(build, &Filter { limit: 6, ..ALL })
        .await
        .into_iter()
        .map(|t| t.name)
        .collect();
    assert_eq!(
        failed,
        [
            "test 9999",
            "test 19999",
            "test 29999",
            "test 39999",
            "test 49999",
            "test 0"
        ]
    );
    let slowest = reports::slowest(&world.store, &world.repository, 2).await.unwrap();
    assert_eq!(slowest.iter().map(|t| t.mean_us).collect::<Vec<_>>(), [49_999, 49_998]);
    assert_eq!(
        reports::timings(&world.store, &world.repository, 100_000)
            .await
            .unwrap()
            .len(),
        50_000
    );
}

pub async fn old_reports_go(world: World) {
    let agent = world.agent("a").await;
    let build = world.tested(&agent, "c1", &["a -b ~c"]).await;
    assert_eq!(reports::prune(&world.store, 0).await.unwrap(), 0);
    assert_eq!(reports::prune(&world.store, i64::MAX).await.unwrap(), 1);
    assert!(reports::of_build(&world.store, build).await.unwrap().is_empty());
    assert!(
        reports::timings(&world.store, &world.repository, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        reports::flaky(&world.store, &world.repository, 10)
            .await
            .unwrap()
            .is_empty()
    );
}
