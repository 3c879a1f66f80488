//! What tests said: on the page of a build, of an attempt, and of a repository.

use serde::Serialize;

use super::Micros;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TestState {
    /// It failed.
    Failed,
    /// It failed and then passed.
    Flaky,
    /// It passed.
    Passed,
    /// It did not run.
    Skipped,
}

/// The tests of a build or of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TestSection {
    /// How many failed.
    pub failed: u64,
    /// How many failed and then passed.
    pub flaky: u64,
    /// How many passed.
    pub passed: u64,
    /// How many did not run.
    pub skipped: u64,
    /// All their times together.
    pub duration_us: u64,
    /// Reports that could not be read, or not to their end, each in one sentence.
    pub problems: Vec<String>,
    /// Those that failed, then the flaky ones, then those that are fixed; a handful.
    pub rows: Vec<TestRow>,
    /// Failed ones that are not among the rows.
    pub more: u64,
    /// Where the failing ones fail; one for each job with a matrix.
    pub grids: Vec<TestGrid>,
    /// How to see the rest, as a command: `drover tests 42`.
    pub command: String,
}

/// One test, in all jobs of the build where it ended so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestRow {
    /// Unique on the page, and the same when the page is rendered again.
    pub key: String,
    /// What it is part of.
    pub suite: String,
    /// Its name.
    pub name: String,
    /// How it ended.
    pub state: TestState,
    /// It did not fail in the run before.
    pub is_new: bool,
    /// It failed in the run before.
    pub is_fixed: bool,
    /// It passed and failed at one commit within 14 days.
    pub is_flaky: bool,
    /// How long it took where it is told first.
    pub duration_us: u64,
    /// Why it failed.
    pub message: Option<String>,
    /// Ids and titles of the jobs.
    pub jobs: Vec<(String, String)>,
}

/// Failing tests over the cells of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestGrid {
    /// The job's name.
    pub job: String,
    /// Ids and values of the cells.
    pub cells: Vec<(String, String)>,
    /// Tests.
    pub rows: Vec<TestGridRow>,
}

/// One test in each cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestGridRow {
    /// What it is part of.
    pub suite: String,
    /// Its name.
    pub name: String,
    /// As wide as the cells; `None`: the cell's reports do not name it.
    pub states: Vec<Option<TestState>>,
}

/// A flaky test of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlakyRow {
    /// What it is part of.
    pub suite: String,
    /// Its name.
    pub name: String,
    /// How often, within 14 days.
    pub times: u64,
    /// Where it was seen last.
    pub build: i64,
    /// When.
    pub at: Micros,
}

/// A slow test of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlowRow {
    /// What it is part of.
    pub suite: String,
    /// Its name.
    pub name: String,
    /// How long it takes.
    pub mean_us: u64,
}

impl TestGrid {
    /// The id of the job in that column.
    pub fn job_at(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", |(id, _)| id.as_str())
    }
}
