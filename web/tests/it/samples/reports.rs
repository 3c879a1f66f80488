//! What tests said.

use web::views::*;

pub fn test(name: &str, state: TestState, jobs: &[(&str, &str)]) -> TestRow {
    TestRow {
        key: name.replace("::", "-"),
        suite: "store::it".into(),
        name: name.into(),
        state,
        is_new: false,
        is_fixed: false,
        is_flaky: state == TestState::Flaky,
        duration_us: 1_240_000,
        message: (state == TestState::Failed).then(|| {
            "assertion `left == right` failed: the pool gives the connection back\n  left: 3\n right: 4\n   at store/tests/it/pool.rs:88:5".into()
        }),
        jobs: jobs.iter().map(|(id, title)| ((*id).into(), (*title).into())).collect(),
    }
}

pub fn tests() -> TestSection {
    let on_17 = [
        ("t20", "test (postgres=17, redis=6)"),
        ("t21", "test (postgres=17, redis=7)"),
        ("t22", "test (postgres=17, redis=8)"),
    ];
    let states = |failing: usize| {
        (0..8)
            .map(|cell| match cell {
                3 if failing == 6 => None,
                cell if cell >= failing => Some(TestState::Failed),
                _ => Some(TestState::Passed),
            })
            .collect()
    };
    let row = |name: &str, failing| TestGridRow {
        suite: "store::it".into(),
        name: name.into(),
        states: states(failing),
    };
    let cells = ["13, 6", "13, 7", "15, 6", "15, 7", "15, 8", "17, 6", "17, 7", "17, 8"];
    TestSection {
        failed: 4,
        flaky: 1,
        passed: 1_204,
        skipped: 12,
        duration_us: 71_500_000,
        problems: vec!["report target/junit.xml:12:5 is not XML: ill-formed document".into()],
        rows: vec![
            TestRow {
                is_new: true,
                ..test("pool::reconnects", TestState::Failed, &on_17)
            },
            TestRow {
                is_flaky: true,
                message: None,
                ..test("uploads::two_at_once", TestState::Failed, &on_17[..1])
            },
            test("leases::take", TestState::Flaky, &on_17[1..2]),
            TestRow {
                is_fixed: true,
                ..test("queue::priority", TestState::Passed, &on_17[..1])
            },
        ],
        more: 1,
        grids: vec![TestGrid {
            job: "test".into(),
            cells: cells
                .iter()
                .map(|cell| (format!("t{}", cell.replace(", ", "")), (*cell).into()))
                .collect(),
            rows: vec![row("pool::reconnects", 5), row("uploads::two_at_once", 6)],
        }],
        command: "drover tests 42 --failed".into(),
    }
}
