//! Test reports: files that a job's steps left in the workspace, read into test cases when the steps are over. The
//! parsers are pure functions of bytes and take nothing on trust: a report is what somebody's tests wrote.
//!
//! # Layout
//! [`read`] all reports of a job · `find` globs to files, never through a link · [`junit`], [`tap`], [`cargo`], [`go`]
//! the formats · `text` names and messages within bounds.

pub mod cargo;
mod find;
pub mod go;
pub mod junit;
mod lines;
pub mod tap;
mod text;

use std::path::Path;

use job_specs::model::{ReportFormat, ReportSpec};
use job_specs::units::size;
use protocol::reports::{MAX_CASES, MAX_PROBLEMS, TestCase, TestReport, TestStatus};

use crate::logs::mask::Masker;
use find::FileContent;

/// Bytes of one report that are read.
pub const MAX_FILE: u64 = 30 * 1024 * 1024;
/// Bytes of all reports of a job that are read.
pub const MAX_BYTES: u64 = 200 * 1024 * 1024;

/// Bytes of the cases of one report: the name of a suite is repeated in each of its cases, so a small file could fill the
/// memory.
pub const MAX_CASE_BYTES: usize = 64 * 1024 * 1024;

/// What a parser makes of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// What could be read; also what stood before the place of a problem. The first [`MAX_CASES`].
    pub cases: Vec<TestCase>,
    /// Cases beyond that number, or beyond [`MAX_CASE_BYTES`].
    pub left_out: usize,
    /// Why that is not all.
    pub problem: Option<Problem>,
}

/// How much may still be kept of one file.
#[derive(Debug, Default)]
struct Budget {
    cases: usize,
    bytes: usize,
    left_out: usize,
}

impl Budget {
    /// Whether a case of so many bytes of text is kept; else it is counted. Once one is left out, so are all that follow.
    fn takes(&mut self, text: usize) -> bool {
        let bytes = self.bytes.saturating_add(text).saturating_add(size_of::<TestCase>());
        if self.left_out > 0 || self.cases == MAX_CASES || bytes > MAX_CASE_BYTES {
            self.left_out += 1;
            return false;
        }
        self.cases += 1;
        self.bytes = bytes;
        true
    }
}

/// The cases of one file, as far as its budget goes.
#[derive(Debug, Default)]
struct Cases {
    kept: Vec<TestCase>,
    budget: Budget,
}

/// A case that is known by its names alone, so far.
fn case(suite: impl Into<String>, name: impl Into<String>, status: TestStatus) -> TestCase {
    TestCase {
        suite: suite.into(),
        name: name.into(),
        status,
        duration_us: 0,
        message: None,
        file: None,
    }
}

impl Cases {
    fn push(&mut self, case: TestCase) {
        let message = case.message.as_ref().map_or(0, String::len);
        let file = case.file.as_ref().map_or(0, String::len);
        if self.budget.takes(case.suite.len() + case.name.len() + message + file) {
            self.kept.push(case);
        }
    }

    /// Whatever comes is only counted.
    fn is_full(&self) -> bool {
        self.budget.left_out > 0
    }

    fn parsed(self, problem: Option<Problem>) -> Parsed {
        Parsed {
            cases: self.kept,
            left_out: self.budget.left_out,
            problem,
        }
    }
}

/// Why a report cannot be read, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, from 1, when there is one place.
    pub at: Option<(usize, usize)>,
    /// What follows the file's name: "is not XML: …".
    pub what: String,
}

impl Problem {
    fn new(what: impl Into<String>) -> Problem {
        Problem {
            at: None,
            what: what.into(),
        }
    }

    /// At that byte.
    fn at(bytes: &[u8], offset: usize, what: impl Into<String>) -> Problem {
        let before = &bytes[..offset.min(bytes.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Problem {
            at: Some((line, String::from_utf8_lossy(&before[line_start..]).chars().count() + 1)),
            what: what.into(),
        }
    }
}

/// Reads one file in that format. `file` stands for the suite where a format has none.
pub fn parse(format: ReportFormat, file: &str, bytes: &[u8]) -> Parsed {
    match format {
        ReportFormat::Junit => junit::parse(bytes),
        ReportFormat::Tap => tap::parse(file, bytes),
        ReportFormat::CargoJson => cargo::parse(file, bytes),
        ReportFormat::GoJson => go::parse(bytes),
    }
}

/// Reads the reports of a job. What is wrong with them is in the report's `problems`; nothing here fails a job.
pub fn read(workspace: &Path, specs: &[ReportSpec], masker: &Masker) -> TestReport {
    let mut reader = Reader {
        report: TestReport::default(),
        masker,
        bytes: 0,
        left_out: 0,
    };
    for spec in specs {
        let found = find::find(workspace, &spec.paths);
        found.warnings.into_iter().for_each(|warning| reader.trouble(warning));
        for file in found.files {
            reader.file(workspace, spec.format, &file);
        }
    }
    reader.end()
}

/// What has been read so far.
struct Reader<'a> {
    report: TestReport,
    masker: &'a Masker,
    bytes: u64,
    /// Problems that are only counted.
    left_out: usize,
}

impl Reader<'_> {
    fn trouble(&mut self, what: impl AsRef<str>) {
        if self.report.problems.len() < MAX_PROBLEMS {
            let said = text::name(&self.masker.mask(what.as_ref()), 1_024);
            self.report.problems.push(said);
        } else {
            self.left_out += 1;
        }
    }

    fn file(&mut self, workspace: &Path, format: ReportFormat, file: &str) {
        let bytes = match find::open(workspace, file) {
            Ok(FileContent::Bytes(bytes)) => bytes,
            Ok(FileContent::TooLarge(bytes)) => {
                return self.trouble(format!(
                    "report {file} is left out: it has {}, and {} are read of one",
                    size(bytes),
                    size(MAX_FILE)
                ));
            }
            Err(error) => return self.trouble(format!("report {file} cannot be read: {error}")),
        };
        self.bytes += bytes.len() as u64;
        if self.bytes > MAX_BYTES {
            return self.trouble(format!(
                "report {file} is left out: {} of reports are read of one job",
                size(MAX_BYTES)
            ));
        }
        let parsed = parse(format, file, &bytes);
        self.add(file, parsed.cases, parsed.left_out);
        if let Some(Problem { at, what }) = parsed.problem {
            let place = at.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
            self.trouble(format!("report {file}{place} {what}"));
        }
    }

    fn add(&mut self, file: &str, cases: Vec<TestCase>, left_out: usize) {
        let room = MAX_CASES - self.report.cases.len();
        let (count, kept) = (cases.len() + left_out, cases.len().min(room));
        if count > kept {
            let why = if kept == room {
                format!("{MAX_CASES} are kept of one job")
            } else {
                format!(
                    "{} of names and messages are kept of one report",
                    size(MAX_CASE_BYTES as u64)
                )
            };
            self.trouble(format!(
                "report {file} is cut off: of its {count} test cases {kept} are kept, because {why}"
            ));
        }
        let masker = self.masker;
        let kept = cases.into_iter().take(room).map(|case| text::bounded(case, masker));
        self.report.cases.extend(kept);
    }

    fn end(mut self) -> TestReport {
        if self.left_out > 0 {
            let more = self.left_out;
            self.report
                .problems
                .push(format!("and {more} more problems with reports"));
        }
        self.report
    }
}

/// One line about a report for the job's log: "reports: 120 tests, 2 failed, 1 flaky, 3 skipped".
pub fn summary(report: &TestReport) -> String {
    let mut line = format!("reports: {} tests", report.cases.len());
    for status in [TestStatus::Failed, TestStatus::Flaky, TestStatus::Skipped] {
        let count = report.count(status);
        if count > 0 {
            line.push_str(&format!(", {count} {}", status.name()));
        }
    }
    line
}

#[cfg(test)]
mod tests;
