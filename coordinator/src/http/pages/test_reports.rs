//! The tests of a build or of an attempt as pages show them: failed first, each once with the jobs where it failed.

use protocol::api::TestChange;
use protocol::reports::TestStatus;
use web::views::{FlakyRow, SlowRow, TestGrid, TestGridRow, TestRow, TestSection, TestState};

use crate::app::App;
use crate::store::StoreError;
use crate::store::attempts::Attempt;
use crate::store::reports::{self, Filter, Found, Run};
use crate::store::repositories::Repository;

/// Failures that are looked at for one page.
const FAILURES: i64 = 400;
/// Tests of one kind that a page shows.
const ROWS: usize = 40;
/// Tests of a grid.
const GRID_ROWS: usize = 25;
/// Tests in the lists of a repository.
const LISTED: i64 = 10;

/// The tests of a build.
pub(super) async fn of_build(app: &App, build: i64) -> Result<Option<TestSection>, StoreError> {
    let runs = reports::of_build(&app.store, build).await?;
    let section = section(app, &runs, build).await?;
    let Some((mut section, failed)) = section else {
        return Ok(None);
    };
    let mut jobs: Vec<&str> = failed.iter().map(|test| job_name(&runs, test)).collect();
    jobs.dedup();
    for job in jobs {
        let mut of_job: Vec<Found> = failed
            .iter()
            .filter(|test| job_name(&runs, test) == job)
            .cloned()
            .collect();
        of_job.dedup_by(|one, other| one.name == other.name && one.suite == other.suite);
        of_job.truncate(GRID_ROWS);
        let grid = reports::grid(&app.store, &runs, job, &of_job).await?;
        if grid.cells.len() > 1 && !section.grids.iter().any(|known| known.job == job) {
            section.grids.push(grid_view(job, grid));
        }
    }
    Ok(Some(section))
}

/// The tests of an attempt.
pub(super) async fn of_attempt(app: &App, attempt: &Attempt) -> Result<Option<TestSection>, StoreError> {
    let runs: Vec<Run> = reports::of_attempt(&app.store, &attempt.id)
        .await?
        .into_iter()
        .collect();
    let section = section(app, &runs, attempt.build).await?;
    Ok(section.map(|(mut section, _)| {
        // The page is the job's own.
        section.rows.iter_mut().for_each(|row| row.jobs.clear());
        section
    }))
}

fn job_name<'a>(runs: &'a [Run], test: &Found) -> &'a str {
    let run = runs.iter().find(|run| run.attempt == test.attempt);
    run.map_or("", |run| run.job_name.as_str())
}

/// The section, and the failures that were looked at.
async fn section(app: &App, runs: &[Run], build: i64) -> Result<Option<(TestSection, Vec<Found>)>, StoreError> {
    if runs.is_empty() {
        return Ok(None);
    }
    let some = |status, limit| Filter {
        status: Some(status),
        limit,
        ..Filter::default()
    };
    let failed = reports::results(&app.store, runs, &some(TestStatus::Failed, FAILURES)).await?;
    let flaky = reports::results(&app.store, runs, &some(TestStatus::Flaky, ROWS as i64)).await?;
    let fixed = reports::fixed(&app.store, runs, ROWS as i64).await?;
    let sum = |status| runs.iter().map(|run| run.count(status)).sum::<i64>().unsigned_abs();
    let mut rows = gathered(&failed);
    rows.sort_by_key(|row| !row.is_new);
    rows.truncate(ROWS);
    let shown: usize = rows.iter().map(|row| row.jobs.len()).sum();
    rows.extend(gathered(&flaky));
    rows.extend(gathered(&fixed));
    let section = TestSection {
        failed: sum(TestStatus::Failed),
        flaky: sum(TestStatus::Flaky),
        passed: sum(TestStatus::Passed),
        skipped: sum(TestStatus::Skipped),
        duration_us: runs.iter().map(|run| run.duration_us).sum::<i64>().unsigned_abs(),
        problems: runs.iter().flat_map(|run| problems(runs, run)).collect(),
        more: sum(TestStatus::Failed).saturating_sub(shown as u64),
        rows,
        grids: Vec::new(),
        command: format!("drover tests {build} --failed"),
    };
    Ok(Some((section, failed)))
}

/// The problems of a run, with its job when there are several.
fn problems(runs: &[Run], run: &Run) -> Vec<String> {
    let job = if runs.len() > 1 {
        format!("{}: ", run.cell)
    } else {
        String::new()
    };
    run.problems.iter().map(|problem| format!("{job}{problem}")).collect()
}

/// Each test once, with its jobs.
fn gathered(found: &[Found]) -> Vec<TestRow> {
    let mut rows: Vec<TestRow> = Vec::new();
    for test in found {
        let job = (test.job.0.clone(), test.cell.clone());
        let known = rows
            .iter_mut()
            .find(|row| row.name == test.name && row.suite == test.suite);
        match known {
            Some(row) => {
                row.jobs.push(job);
                row.is_new |= test.change == Some(TestChange::New);
                row.is_flaky |= test.known_flaky;
            }
            None => rows.push(TestRow {
                key: format!("{}-{}", test.status.name(), test.key()),
                suite: test.suite.clone(),
                name: test.name.clone(),
                state: state(test.status),
                is_new: test.change == Some(TestChange::New),
                is_fixed: test.change == Some(TestChange::Fixed),
                is_flaky: test.known_flaky,
                duration_us: test.duration_us.unsigned_abs(),
                message: test.message.clone(),
                jobs: vec![job],
            }),
        }
    }
    rows
}

fn grid_view(job: &str, grid: reports::Grid) -> TestGrid {
    let value = |title: &str| {
        let cell = title.strip_prefix(job).unwrap_or(title).trim();
        cell.trim_start_matches('(').trim_end_matches(')').to_owned()
    };
    let rows = grid.rows.into_iter().map(|(suite, name, statuses)| TestGridRow {
        suite,
        name,
        states: statuses.into_iter().map(|status| status.map(state)).collect(),
    });
    TestGrid {
        job: job.to_owned(),
        cells: grid
            .cells
            .iter()
            .map(|(title, id)| (id.0.clone(), value(title)))
            .collect(),
        rows: rows.collect(),
    }
}

fn state(status: TestStatus) -> TestState {
    match status {
        TestStatus::Failed => TestState::Failed,
        TestStatus::Flaky => TestState::Flaky,
        TestStatus::Passed => TestState::Passed,
        TestStatus::Skipped => TestState::Skipped,
    }
}

/// The flaky and the slowest tests of a repository.
pub(super) async fn of_repository(
    app: &App,
    repository: &Repository,
) -> Result<(Vec<FlakyRow>, Vec<SlowRow>), StoreError> {
    let flaky = reports::flaky(&app.store, &repository.id, LISTED).await?;
    let flaky = flaky.into_iter().map(|test| FlakyRow {
        suite: test.suite,
        name: test.name,
        times: test.times.unsigned_abs(),
        build: test.build,
        at: test.at,
    });
    let slowest = reports::slowest(&app.store, &repository.id, LISTED).await?;
    let slowest = slowest.into_iter().map(|test| SlowRow {
        suite: test.suite,
        name: test.name,
        mean_us: test.mean_us.unsigned_abs(),
    });
    Ok((flaky.collect(), slowest.collect()))
}
