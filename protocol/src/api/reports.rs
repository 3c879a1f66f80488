//! What tests of builds said.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Micros;
use crate::ids::{AttemptId, JobId};
use crate::reports::TestStatus;

/// The tests of a build.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BuildTests {
    /// The reports, one of each job that has some: its newest attempt's.
    pub reports: Vec<TestRun>,
    /// Tests: failed first, then flaky, passed, skipped.
    pub tests: Vec<TestResult>,
}

/// The reports of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestRun {
    /// Of which attempt.
    #[schema(value_type = String)]
    pub attempt: AttemptId,
    /// Of which job.
    #[schema(value_type = String)]
    pub job: JobId,
    /// The job's title.
    pub cell: String,
    /// The job's name.
    pub job_name: String,
    /// Of which build.
    pub build: i64,
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

/// One test of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestResult {
    /// The run's attempt.
    #[schema(value_type = String)]
    pub attempt: AttemptId,
    /// The run's job.
    #[schema(value_type = String)]
    pub job: JobId,
    /// The job's title.
    pub cell: String,
    /// Of its suite.
    pub suite: String,
    /// Its name.
    pub name: String,
    /// How it ended.
    #[schema(value_type = String)]
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
}

/// How a test stands against the run before in its cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestChange {
    /// It fails and did not fail before.
    New,
    /// It passes and failed before.
    Fixed,
}

/// One result of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PastTest {
    /// In which build.
    pub build: i64,
    /// Of which job.
    #[schema(value_type = String)]
    pub job: JobId,
    /// The job's title.
    pub cell: String,
    /// The build's branch.
    pub branch: Option<String>,
    /// The build's commit.
    pub commit: String,
    /// How it ended.
    #[schema(value_type = String)]
    pub status: TestStatus,
    /// How long it took.
    pub duration_us: i64,
    /// Why it failed or was skipped.
    pub message: Option<String>,
    /// When its report came.
    pub at: Micros,
}

/// A test that passed and failed at one commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlakyTest {
    /// Its suite.
    pub suite: String,
    /// Its name.
    pub name: String,
    /// At how many commits and in how many cells, within 14 days.
    pub times: i64,
    /// The newest build where it was seen.
    pub build: i64,
    /// When it was seen last.
    pub at: Micros,
}

/// How long a test takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestTiming {
    /// Its suite.
    pub suite: String,
    /// Its name.
    pub name: String,
    /// The source file.
    pub file: Option<String>,
    /// Of its newest runs, the newest counting most.
    pub mean_us: i64,
    /// When it was seen last.
    pub seen_at: Micros,
}
