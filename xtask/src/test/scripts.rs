//! The tests of the pages' ES modules: `web/tests/run.sh` runs them in Node and in Chromium and speaks TAP. They need
//! a Node of this decade; where the system's is older they are left out, aloud.

use super::tally::Tally;
use crate::setup::npm;
use crate::{process, say};
use anyhow::Context;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

const RUN: &str = "web/tests/run.sh";
/// The oldest major version of Node that has what the tests use.
const NODE: u32 = 20;

/// Scripts' tests that run beside others.
pub struct Running {
    child: Child,
    lines: JoinHandle<(Vec<String>, Counts)>,
}

/// Begins them. `None`: they are left out.
///
/// # Errors
/// When the shell cannot be started, or what checks accessibility cannot be had.
pub fn begin() -> anyhow::Result<Option<Running>> {
    if node_version().is_none_or(|version| version < NODE) {
        say::line(format_args!(
            "the pages' scripts are left out: they need Node {NODE} or newer"
        ));
        return Ok(None);
    }
    let mut tests = Command::new("sh");
    tests
        .arg(RUN)
        .current_dir(process::workspace())
        .env("AXE", npm::file(&npm::AXE)?)
        .env("CARGO_TERM_QUIET", "true");
    let mut child = tests
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("start the scripts' tests")?;
    let output = child.stdout.take().context("read what the tests print")?;
    let lines = std::thread::spawn(move || {
        let mut counts = Counts::default();
        let lines = BufReader::new(output).lines().map_while(Result::ok);
        (lines.filter(|line| counts.read(line)).collect(), counts)
    });
    Ok(Some(Running { child, lines }))
}

impl Running {
    /// Waits for them, shows what they said, and counts.
    ///
    /// # Errors
    /// When they cannot be waited for.
    pub fn finish(mut self, tally: &mut Tally) -> anyhow::Result<()> {
        say::heading(format_args!("the pages' scripts: {RUN}"));
        let success = self.child.wait().context("wait for the scripts' tests")?.success();
        let (lines, counts) = self
            .lines
            .join()
            .map_err(|_| anyhow::anyhow!("read what the tests print"))?;
        lines.iter().for_each(|line| println!("{line}"));
        counts.add_to(tally, success);
        Ok(())
    }
}

fn node_version() -> Option<u32> {
    let version = process::output(Command::new("node").arg("--version")).ok()?;
    version.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

/// What TAP has said so far.
#[derive(Default)]
struct Counts {
    passed: u64,
    failed: Vec<String>,
    /// Inside the details of a test.
    details: bool,
    /// The details are of a test that failed.
    is_failure: bool,
}

impl Counts {
    /// Reads one line; true when people should see it: results, and the details of failures.
    fn read(&mut self, line: &str) -> bool {
        let text = line.trim();
        if self.details {
            self.details = text != "...";
            return self.is_failure;
        }
        if text == "---" {
            self.details = true;
            return self.is_failure;
        }
        // Only results at the left margin count: an indented one is a part of a test.
        if let Some(name) = line.strip_prefix("not ok ") {
            self.failed.push(name.to_owned());
            self.is_failure = true;
            return true;
        }
        if line.starts_with("ok ") {
            self.passed += 1;
            self.is_failure = false;
            return true;
        }
        false
    }

    fn add_to(self, tally: &mut Tally, success: bool) {
        tally.passed += self.passed;
        if !success && self.failed.is_empty() {
            tally.record(RUN, false);
        }
        for name in &self.failed {
            tally.record(name, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "TAP version 13\n# Subtest: log: no gap\nok 1 - log: no gap\n  ---\n  duration_ms: 3\n  ...\n\
                          # Subtest: ansi: colours\nnot ok 2 - ansi: colours\n  ---\n  error: 'red'\n  ...\n1..2\n# pass 1\n";

    #[test]
    fn results_are_counted_and_only_failures_are_reported_in_full() {
        let mut counts = Counts::default();
        let shown: Vec<&str> = OUTPUT.lines().filter(|line| counts.read(line)).collect();
        let expected = [
            "ok 1 - log: no gap",
            "not ok 2 - ansi: colours",
            "  ---",
            "  error: 'red'",
            "  ...",
        ];
        assert_eq!(shown, expected);
        let mut tally = Tally::default();
        counts.add_to(&mut tally, false);
        assert_eq!((tally.passed, tally.failed), (1, 1));
        assert_eq!(tally.broken, ["2 - ansi: colours"]);
    }

    #[test]
    fn a_script_that_dies_without_a_result_is_a_failure() {
        let mut tally = Tally::default();
        Counts::default().add_to(&mut tally, false);
        assert_eq!(tally.failed, 1);
    }
}
