//! What a job's test reports said: test cases, whatever tool wrote them. An agent reads the reports when the steps are
//! over and tells them in parts before the end of the attempt.

use serde::{Deserialize, Serialize};

/// Cases that one call may report.
pub const MAX_CASES_PER_CALL: usize = 5_000;
/// Cases of one job that are kept; what is more is said and left out.
pub const MAX_CASES: usize = 100_000;
/// Bytes of a message that are kept.
pub const MAX_MESSAGE: usize = 4 * 1024;
/// Bytes of a suite, a name or a file that are kept.
pub const MAX_NAME: usize = 512;
/// Problems of one attempt that are listed one by one.
pub const MAX_PROBLEMS: usize = 50;

/// One test as a report has it. The same suite and name may come more than once: each is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCase {
    /// What it is part of: a class, a package, a test binary, a file.
    pub suite: String,
    /// Its name in the suite.
    pub name: String,
    /// How it ended.
    pub status: TestStatus,
    /// How long it took, microseconds; 0 when the report does not say.
    pub duration_us: u64,
    /// Why it failed or was skipped; at most [`MAX_MESSAGE`] bytes, without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The source file, when the report names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestStatus {
    /// It failed, or broke.
    Failed,
    /// It failed, was run again by its own tool, and passed.
    Flaky,
    /// It passed.
    Passed,
    /// It did not run, or its failure was expected.
    Skipped,
}

impl TestStatus {
    /// All of them, in the order in which people want to see them.
    pub const ALL: [TestStatus; 4] = [
        TestStatus::Failed,
        TestStatus::Flaky,
        TestStatus::Passed,
        TestStatus::Skipped,
    ];

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            TestStatus::Failed => "failed",
            TestStatus::Flaky => "flaky",
            TestStatus::Passed => "passed",
            TestStatus::Skipped => "skipped",
        }
    }

    /// The status of a word.
    pub fn from_name(name: &str) -> Option<TestStatus> {
        TestStatus::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// All reports of one attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestReport {
    /// In the order of the reports.
    pub cases: Vec<TestCase>,
    /// What could not be read, each in one sentence: "report target/junit.xml:12:5 is not XML: …".
    #[serde(default)]
    pub problems: Vec<String>,
}

impl TestReport {
    /// How many ended so.
    pub fn count(&self, status: TestStatus) -> usize {
        self.cases.iter().filter(|case| case.status == status).count()
    }
}

/// The body of `PUT …/tests`: a part of a [`TestReport`]. Reporting a part twice changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestUpload {
    /// From 0.
    pub chunk: u32,
    /// Nothing comes after it.
    pub last: bool,
    /// At most [`MAX_CASES_PER_CALL`].
    pub cases: Vec<TestCase>,
    /// With the last part: what could not be read.
    #[serde(default)]
    pub problems: Vec<String>,
}
