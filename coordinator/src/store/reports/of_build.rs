//! The tests of one build: the newest attempt of each of its jobs counts. What is new, fixed or flaky is found when
//! somebody looks, against the run before in the same cell.

use std::collections::{BTreeMap, HashMap, HashSet};

use protocol::api::TestChange;
use protocol::ids::{AttemptId, JobId, RepositoryId};
use protocol::reports::TestStatus;

use super::FLAKY_FOR_US;
use crate::db::{DbError, Row, Value, args};
use crate::store::{Micros, Store, StoreError, from_word};

/// The reports of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its place in time; grows.
    pub run: i64,
    /// Of which attempt.
    pub attempt: AttemptId,
    /// Of which job.
    pub job: JobId,
    /// The job's title.
    pub cell: String,
    /// The job's name.
    pub job_name: String,
    /// Of which build.
    pub build: i64,
    repository: RepositoryId,
    branch: Option<String>,
    /// All parts are here.
    pub complete: bool,
    /// Tests by [`TestStatus`].
    pub failed: i64,
    /// Tests that failed and then passed.
    pub flaky: i64,
    /// Tests that passed.
    pub passed: i64,
    /// Tests that did not run.
    pub skipped: i64,
    /// All their times together.
    pub duration_us: i64,
    /// What could not be read.
    pub problems: Vec<String>,
    /// When it came.
    pub at: Micros,
}

impl Run {
    fn of(row: &Row) -> Result<Run, DbError> {
        Ok(Run {
            run: row.get("run")?,
            attempt: AttemptId(row.get("attempt")?),
            job: JobId(row.get("job")?),
            cell: row.get("cell")?,
            job_name: row.get("job_name")?,
            build: row.get("build")?,
            repository: RepositoryId(row.get("repository")?),
            branch: row.get("branch")?,
            complete: row.flag("complete")?,
            failed: row.get("failed")?,
            flaky: row.get("flaky")?,
            passed: row.get("passed")?,
            skipped: row.get("skipped")?,
            duration_us: row.get("duration_us")?,
            problems: row.json("problems")?,
            at: row.get("at")?,
        })
    }

    /// How many of its tests ended so.
    pub fn count(&self, status: TestStatus) -> i64 {
        match status {
            TestStatus::Failed => self.failed,
            TestStatus::Flaky => self.flaky,
            TestStatus::Passed => self.passed,
            TestStatus::Skipped => self.skipped,
        }
    }
}

/// One test of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The run's attempt.
    pub attempt: AttemptId,
    /// The run's job.
    pub job: JobId,
    /// The job's title.
    pub cell: String,
    /// Of its suite.
    pub suite: String,
    /// Its name.
    pub name: String,
    /// How it ended.
    pub status: TestStatus,
    /// How long it took.
    pub duration_us: i64,
    /// Why it failed or was skipped.
    pub message: Option<String>,
    /// The source file.
    pub file: Option<String>,
    /// Against the run before.
    pub change: Option<TestChange>,
    /// It passed and failed at one commit within 14 days, in this cell.
    pub known_flaky: bool,
    test: i64,
}

impl Found {
    /// The same for the same test of a repository, in words that fit an address.
    pub fn key(&self) -> String {
        format!("{:016x}", self.test)
    }
}

/// Which tests of a build.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// With this status only.
    pub status: Option<TestStatus>,
    /// Of this job (by name or title) only.
    pub job: Option<String>,
    /// At most so many.
    pub limit: i64,
    /// Without the first so many.
    pub offset: i64,
}

macro_rules! select_runs {
    ($rest:literal) => {
        concat!(
            "select u.run, u.attempt, u.job, u.cell, j.name as job_name, u.build, u.repository, u.branch, u.complete,
             u.failed, u.flaky, u.passed, u.skipped, u.duration_us, u.problems, u.at
             from test_runs u join jobs j on j.id = u.job ",
            $rest
        )
    };
}

/// The reports of a build, in the order of its jobs.
///
/// # Errors
/// The database.
pub async fn of_build(store: &Store, build: i64) -> Result<Vec<Run>, StoreError> {
    let sql = select_runs!("where u.build = $1 and j.attempt = u.attempt order by j.position");
    let rows = store.db.all(sql, args![build]).await?;
    Ok(rows.iter().map(Run::of).collect::<Result<_, _>>()?)
}

/// The reports of an attempt.
///
/// # Errors
/// The database.
pub async fn of_attempt(store: &Store, attempt: &AttemptId) -> Result<Option<Run>, StoreError> {
    let row = store
        .db
        .first(select_runs!("where u.attempt = $1"), args![attempt])
        .await?;
    Ok(row.as_ref().map(Run::of).transpose()?)
}

/// Tests of these runs: failed first, then flaky, passed, skipped; in the order of jobs and reports.
///
/// # Errors
/// The database.
pub async fn results(store: &Store, runs: &[Run], filter: &Filter) -> Result<Vec<Found>, StoreError> {
    let (mut found, mut skip) = (Vec::new(), filter.offset.max(0));
    let statuses = TestStatus::ALL
        .into_iter()
        .filter(|status| filter.status.is_none_or(|wanted| wanted == *status));
    let fits = |run: &&Run| {
        filter
            .job
            .as_ref()
            .is_none_or(|job| run.job_name == *job || run.cell == *job)
    };
    for status in statuses {
        for run in runs.iter().filter(fits) {
            let room = filter.limit - found.len() as i64;
            let count = run.count(status);
            if room <= 0 || count <= skip {
                skip = (skip - count).max(0);
                continue;
            }
            found.extend(some(store, run, status, (room, skip)).await?);
            skip = 0;
        }
    }
    mark(store, runs, &mut found).await?;
    Ok(found)
}

/// Tests of these runs that failed in the run before and pass now.
///
/// # Errors
/// The database.
pub async fn fixed(store: &Store, runs: &[Run], limit: i64) -> Result<Vec<Found>, StoreError> {
    let mut found = Vec::new();
    for run in runs {
        let room = limit - found.len() as i64;
        let Some(before) = before(store, run).await?.filter(|_| room > 0) else {
            continue;
        };
        let sql = "select r.test, r.status, r.duration_us, cast(null as text) as message, t.suite, t.name, t.file
                   from test_results b join test_results r on r.test = b.test and r.run = $1 and r.status = 'passed'
                   join tests t on t.id = r.test where b.run = $2 and b.status = 'failed'
                   order by r.place limit $3";
        let rows = store.db.all(sql, args![run.run, before, room]).await?;
        let of_run: Vec<Found> = rows.iter().map(|row| from_row(run, row)).collect::<Result<_, _>>()?;
        found.extend(of_run);
    }
    mark(store, runs, &mut found).await?;
    found.retain(|test| test.change == Some(TestChange::Fixed));
    Ok(found)
}

async fn some(
    store: &Store,
    run: &Run,
    status: TestStatus,
    (limit, offset): (i64, i64),
) -> Result<Vec<Found>, StoreError> {
    let sql = "select r.test, r.status, r.duration_us, r.message, t.suite, t.name, t.file
               from test_results r join tests t on t.id = r.test where r.run = $1 and r.status = $2
               order by r.place limit $3 offset $4";
    let rows = store.db.all(sql, args![run.run, status.name(), limit, offset]).await?;
    Ok(rows.iter().map(|row| from_row(run, row)).collect::<Result<_, _>>()?)
}

fn from_row(run: &Run, row: &Row) -> Result<Found, DbError> {
    let status: TestStatus = from_word("status", &row.get::<String>("status")?)?;
    Ok(Found {
        attempt: run.attempt.clone(),
        job: run.job.clone(),
        cell: run.cell.clone(),
        suite: row.get("suite")?,
        name: row.get("name")?,
        status,
        duration_us: row.get("duration_us")?,
        message: row.get("message")?,
        file: row.get("file")?,
        change: None,
        known_flaky: status == TestStatus::Flaky,
        test: row.get("test")?,
    })
}

/// Says of each test whether it is new, fixed or flaky.
async fn mark(store: &Store, runs: &[Run], found: &mut [Found]) -> Result<(), StoreError> {
    let Some(first) = runs.first() else { return Ok(()) };
    let flaky = flaky_of(store, &first.repository).await?;
    for run in runs {
        let mut of_run: Vec<&mut Found> = found.iter_mut().filter(|test| test.attempt == run.attempt).collect();
        if of_run.is_empty() {
            continue;
        }
        let before = match before(store, run).await? {
            Some(before) => Some(failed_in(store, before).await?),
            None => None,
        };
        for test in &mut of_run {
            test.known_flaky |= flaky.contains(&(test.test, test.cell.clone()));
            let failed_before = before.as_ref().map(|failed| failed.contains(&test.test));
            test.change = match (test.status, failed_before) {
                (TestStatus::Failed, Some(false)) => Some(TestChange::New),
                (TestStatus::Passed | TestStatus::Flaky, Some(true)) => Some(TestChange::Fixed),
                _ => None,
            };
        }
    }
    Ok(())
}

async fn flaky_of(store: &Store, repository: &RepositoryId) -> Result<HashSet<(i64, String)>, StoreError> {
    let sql = "select distinct test, cell from flaky_tests where repository = $1 and at >= $2 limit 20000";
    let rows = store.db.all(sql, args![repository, store.now() - FLAKY_FOR_US]).await?;
    let pairs = rows.iter().map(|row| Ok((row.get("test")?, row.get("cell")?)));
    Ok(pairs.collect::<Result<_, DbError>>()?)
}

/// The newest complete run of the same cell in an earlier build of the same branch; without one, of the main line.
async fn before(store: &Store, run: &Run) -> Result<Option<i64>, StoreError> {
    let same = "select run from test_runs where repository = $1 and cell = $2 and branch = $3 and build < $4
                and complete = 1 order by build desc, run desc limit 1";
    let main = "select run from test_runs where repository = $1 and cell = $2
                and branch in ('main', 'master', 'trunk') and build < $3 and complete = 1
                order by build desc, run desc limit 1";
    let branch = run.branch.clone().unwrap_or_default();
    let mut row = store
        .db
        .first(same, args![&run.repository, &run.cell, branch, run.build])
        .await?;
    if row.is_none() {
        row = store
            .db
            .first(main, args![&run.repository, &run.cell, run.build])
            .await?;
    }
    Ok(row.map(|row| row.get("run")).transpose()?)
}

async fn failed_in(store: &Store, run: i64) -> Result<HashSet<i64>, StoreError> {
    let sql = "select distinct test from test_results where run = $1 and status = 'failed'";
    let rows = store.db.all(sql, args![run]).await?;
    Ok(rows.iter().map(|row| row.get("test")).collect::<Result<_, _>>()?)
}

/// Some tests in every cell of their build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grid {
    /// The cells, by title, in the order of the jobs; with the job's id.
    pub cells: Vec<(String, JobId)>,
    /// Suite, name, and the status in each cell; `None`: it is not in that report.
    pub rows: Vec<(String, String, Vec<Option<TestStatus>>)>,
}

/// How these tests (failing ones, of one build) ended in each cell of the jobs of that name.
///
/// # Errors
/// The database.
pub async fn grid(store: &Store, runs: &[Run], job: &str, tests: &[Found]) -> Result<Grid, StoreError> {
    let columns: Vec<&Run> = runs.iter().filter(|run| run.job_name == job).collect();
    let places: HashMap<i64, usize> = columns.iter().enumerate().map(|(at, run)| (run.run, at)).collect();
    let (Some(first), Some(last)) = (places.keys().min(), places.keys().max()) else {
        return Ok(Grid::default());
    };
    let wanted: BTreeMap<i64, &Found> = tests.iter().map(|test| (test.test, test)).collect();
    let mut grid = Grid {
        cells: columns.iter().map(|run| (run.cell.clone(), run.job.clone())).collect(),
        rows: Vec::new(),
    };
    for (test, found) in wanted {
        let sql = "select run, status from test_results where test = $1 and run >= $2 and run <= $3";
        let rows = store
            .db
            .all(sql, &[Value::from(test), Value::from(*first), Value::from(*last)])
            .await?;
        let mut statuses: Vec<Option<TestStatus>> = vec![None; columns.len()];
        for row in rows {
            let status = from_word("status", &row.get::<String>("status")?)?;
            if let Some(&place) = places.get(&row.get::<i64>("run")?) {
                // The worst of several: `Failed` comes first.
                statuses[place] = Some(statuses[place].map_or(status, |known: TestStatus| known.min(status)));
            }
        }
        grid.rows.push((found.suite.clone(), found.name.clone(), statuses));
    }
    grid.rows.sort();
    Ok(grid)
}
