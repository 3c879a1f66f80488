//! What went wrong in a build, in one answer for people and for coding agents: as JSON, and as Markdown.

use std::collections::BTreeMap;
use std::fmt;

use job_specs::diagnostics::Diagnostic;
use job_specs::status::JobStatus;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Build, TestChange, TestResult};
use crate::attempt::ReasonCode;

/// What went wrong in a build.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BuildReport {
    /// What lists show.
    #[serde(flatten)]
    pub build: Build,
    /// How many jobs it has.
    pub jobs: usize,
    /// What is wrong with its job file.
    #[schema(value_type = Vec<Object>)]
    pub diagnostics: Vec<Diagnostic>,
    /// What the failing cells of each job have in common, a sentence each.
    pub in_common: Vec<String>,
    /// Every job that failed, those that fail the build first.
    pub failures: Vec<JobFailure>,
    /// Tests that failed; the first 50.
    pub tests: Vec<TestResult>,
    /// How many tests failed in all.
    pub failed_tests: i64,
}

/// A job that failed. Of the first ten, logs are read, too.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobFailure {
    /// The job's id.
    pub job: String,
    /// `test (postgres=15)`
    pub title: String,
    /// Its cell.
    pub matrix: BTreeMap<String, String>,
    /// How it ended.
    #[schema(value_type = String)]
    pub status: JobStatus,
    /// Why, in one sentence.
    pub reason: Option<String>,
    /// The same for programs.
    #[schema(value_type = Option<String>)]
    pub reason_code: Option<ReasonCode>,
    /// Its failure does not fail the build.
    pub allow_failure: bool,
    /// The step that ended it.
    pub step: Option<String>,
    /// The service that ended it.
    pub service: Option<String>,
    /// The exit code of that step or service.
    pub exit_code: Option<i32>,
    /// Services that died while it ran, a sentence each.
    pub services: Vec<String>,
    /// The first lines of that log that look like errors; at most 5.
    pub errors: Vec<ErrorLine>,
    /// The log's last lines, without colours; at most 20.
    pub lines: Vec<String>,
}

/// A line of a log that looks like an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorLine {
    /// Its number in the log, from 1.
    pub line: u64,
    /// It, without colours.
    pub text: String,
    /// The source file that it, or a line close behind it, names.
    pub file: Option<String>,
    /// The line in that file.
    pub file_line: Option<u32>,
}

/// As Markdown. What a job printed stands in code, so that none of it is read as markup.
impl fmt::Display for BuildReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let build = &self.build;
        let branch = build
            .branch
            .as_deref()
            .map_or(String::new(), |branch| format!(" on {}", code(branch)));
        writeln!(
            f,
            "# Build {} of {}: {}\n",
            build.number, build.repository, build.status
        )?;
        let commit: String = build.commit.chars().take(10).collect();
        writeln!(
            f,
            "{}{branch} at {}: {}",
            build.event,
            code(&commit),
            code(&build.title)
        )?;
        let failed = self.failures.len();
        writeln!(f, "{failed} of {} jobs failed. {}", self.jobs, build.url)?;
        if let Some(message) = &build.message {
            writeln!(f, "\n{}", code(message))?;
        }
        for diagnostic in &self.diagnostics {
            let at = diagnostic
                .span
                .map_or(String::new(), |span| format!(":{}:{}", span.line, span.column));
            let place = code(&format!("{}{at}", diagnostic.file));
            write!(f, "\n- {place}: {} {}", diagnostic.code, code(&diagnostic.message))?;
            writeln!(
                f,
                "{}",
                diagnostic
                    .help
                    .as_deref()
                    .map_or(String::new(), |help| format!(": {}", code(help)))
            )?;
        }
        if !self.in_common.is_empty() {
            writeln!(f, "\n## What failing cells share\n")?;
        }
        self.in_common
            .iter()
            .try_for_each(|sentence| writeln!(f, "- {sentence}"))?;
        self.failures
            .iter()
            .try_for_each(|failure| failure.markdown(f, self.build.number))?;
        self.markdown_of_tests(f)
    }
}

impl BuildReport {
    fn markdown_of_tests(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tests.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n## Failing tests: {}\n", self.failed_tests)?;
        for test in &self.tests {
            write!(
                f,
                "- {} {} in {}",
                code(&test.suite),
                code(&test.name),
                code(&test.cell)
            )?;
            if let Some(file) = &test.file {
                write!(f, ", {}", code(file))?;
            }
            if test.change == Some(TestChange::New) {
                write!(f, ", new")?;
            }
            if test.known_flaky {
                write!(f, ", known to be flaky")?;
            }
            let message = test.message.as_deref().unwrap_or_default();
            let first = message.lines().find(|line| !line.trim().is_empty());
            writeln!(
                f,
                "{}",
                first.map_or(String::new(), |line| format!(": {}", code(line.trim())))
            )?;
        }
        let more = self.failed_tests - i64::try_from(self.tests.len()).unwrap_or(i64::MAX);
        if more > 0 {
            writeln!(f, "- and {more} more: `drover tests {} --failed`", self.build.number)?;
        }
        Ok(())
    }
}

impl JobFailure {
    fn markdown(&self, f: &mut fmt::Formatter<'_>, build: i64) -> fmt::Result {
        let forgiven = if self.allow_failure { ", which may fail" } else { "" };
        writeln!(f, "\n## {}: {}{forgiven}\n", code(&self.title), self.status)?;
        if let Some(reason) = &self.reason {
            writeln!(f, "{}", code(reason))?;
        }
        if !self.services.is_empty() {
            writeln!(f)?;
        }
        self.services
            .iter()
            .try_for_each(|sentence| writeln!(f, "- {sentence}"))?;
        if !self.errors.is_empty() {
            writeln!(f, "\nFirst errors:\n")?;
        }
        for error in &self.errors {
            let place = match (&error.file, error.file_line) {
                (Some(file), Some(line)) => format!("{}: ", code(&format!("{file}:{line}"))),
                _ => String::new(),
            };
            writeln!(
                f,
                "- {place}{} (line {} of the log)",
                code(error.text.trim()),
                error.line
            )?;
        }
        if self.lines.is_empty() {
            return Ok(());
        }
        let (what, option) = match (&self.step, &self.service) {
            (Some(step), _) => (format!("step {}", code(step)), format!(" --step '{step}'")),
            (None, Some(service)) => (format!("service {}", code(service)), format!(" --service {service}")),
            (None, None) => ("the job".to_owned(), String::new()),
        };
        let command = code(&format!("drover logs {build} --job '{}'{option}", self.title));
        writeln!(f, "\nThe last lines of {what} ({command} prints all):\n")?;
        let fence = "`".repeat(longest_run(&self.lines.join("\n")).max(2) + 1);
        writeln!(f, "{fence}text")?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        writeln!(f, "{fence}")
    }
}

/// As code within a line, whatever backticks it has.
fn code(text: &str) -> String {
    let fence = "`".repeat(longest_run(text) + 1);
    let flat = text.replace(['\n', '\r'], " ");
    match flat.contains('`') {
        true => format!("{fence} {flat} {fence}"),
        false => format!("{fence}{flat}{fence}"),
    }
}

/// The most backticks in a row.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_code_whatever_it_has() {
        assert_eq!(code("a\nb"), "`a b`");
        assert_eq!(code("step `test` failed"), "`` step `test` failed ``");
        assert_eq!(code("```"), "```` ``` ````");
        assert_eq!(longest_run(""), 0);
    }
}
