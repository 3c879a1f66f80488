//! The Test Anything Protocol, versions 12 to 14: test lines, SKIP and TODO, YAML blocks, subtests, bail out. A test
//! with subtests is a suite; only what has none is a case, unless it failed where none of its subtests did.

use protocol::reports::{TestCase, TestStatus};

use super::lines::micros;
use super::text::gather;
use super::{Budget, MAX_CASE_BYTES, Parsed, Problem, case};

/// Subtests in each other; deeper ones count as the deepest.
const MAX_DEPTH: usize = 32;

/// Reads one file; `file` is the suite of tests that are in no subtest.
pub fn parse(file: &str, bytes: &[u8]) -> Parsed {
    let text = String::from_utf8_lossy(bytes);
    let mut report = Report {
        levels: vec![Level::default()],
        ..Report::default()
    };
    for line in text.lines() {
        report.line(line);
    }
    report.end(file)
}

/// The tests of one level of subtests that are not part of a test line yet.
#[derive(Debug, Default)]
struct Level {
    cases: Vec<Open>,
    planned: Option<usize>,
    lines: usize,
    /// By `1..0 # SKIP why`.
    skipped: Option<String>,
}

/// A case, and the subtests it is in, innermost first.
#[derive(Debug)]
struct Open {
    case: TestCase,
    path: Vec<String>,
    /// A later line may add to its message.
    failed: bool,
}

#[derive(Default)]
struct Report {
    levels: Vec<Level>,
    /// Columns of the open YAML block's begin.
    yaml: Option<usize>,
    is_tap: bool,
    bail_out: Option<String>,
    problem: Option<Problem>,
    budget: Budget,
}

impl Report {
    fn line(&mut self, line: &str) {
        let text = line.trim_start();
        let column = line.len() - text.len();
        let text = text.trim_end();
        if let Some(begin) = self.yaml {
            if text == "..." && column <= begin {
                self.yaml = None;
            } else {
                self.yaml_line(line.get(begin.min(column)..).unwrap_or(text));
            }
            return;
        }
        if self.bail_out.is_some() || text.is_empty() {
            return;
        }
        let depth = (column / 4).min(MAX_DEPTH);
        if text == "---" {
            self.yaml = Some(column);
        } else if let Some(why) = text.strip_prefix("Bail out!") {
            self.is_tap = true;
            self.bail_out = Some(why.trim().to_owned());
        } else if let Some(test) = test_line(text) {
            self.is_tap = true;
            self.test(depth, test);
        } else if let Some(plan) = text.strip_prefix("1..") {
            self.plan(depth, plan);
        } else if let Some(comment) = text.strip_prefix('#') {
            self.comment(depth, comment.trim());
        }
    }

    /// The level of that depth; deeper ones are closed where they are not part of anything.
    fn level(&mut self, depth: usize) -> &mut Level {
        while self.levels.len() <= depth {
            self.levels.push(Level::default());
        }
        &mut self.levels[depth]
    }

    fn plan(&mut self, depth: usize, plan: &str) {
        let (count, why) = plan.split_once('#').unwrap_or((plan, ""));
        let Ok(count) = count.trim().parse() else { return };
        self.is_tap = true;
        let level = self.level(depth);
        level.planned = Some(count);
        if count == 0 {
            level.skipped = Some(directive(why, "skip").unwrap_or_default());
        }
    }

    fn test(&mut self, depth: usize, line: TestCase) {
        let below: Vec<Level> = self.levels.drain((depth + 1).min(self.levels.len())..).collect();
        let skipped = below.iter().find_map(|level| level.skipped.clone());
        let mut inner: Vec<Open> = below.into_iter().flat_map(|level| level.cases).collect();
        let explained = inner.iter().any(|open| open.case.status == TestStatus::Failed);
        let is_leaf = inner.is_empty();
        self.budget.bytes = self
            .budget
            .bytes
            .saturating_add(inner.len().saturating_mul(line.name.len()));
        if self.budget.bytes > MAX_CASE_BYTES {
            self.budget.left_out += std::mem::take(&mut inner).len();
        }
        for open in &mut inner {
            open.path.push(line.name.clone());
            open.failed = false;
        }
        let counts = is_leaf || line.status == TestStatus::Failed && !explained;
        let kept = counts && self.budget.takes(line.name.len());
        let level = self.level(depth);
        level.lines += 1;
        level.cases.extend(inner);
        if kept {
            let mut open = Open {
                failed: line.status == TestStatus::Failed,
                path: Vec::new(),
                case: line,
            };
            if is_leaf && let Some(why) = skipped {
                open.case.status = TestStatus::Skipped;
                open.case.message.get_or_insert(why);
            }
            level.cases.push(open);
        }
    }

    /// Remarks after a failed test are its message.
    fn comment(&mut self, depth: usize, comment: &str) {
        // Once tests are left out, a remark is mostly about one of those.
        if comment.starts_with("Subtest") || self.budget.left_out > 0 {
            return;
        }
        let Some(open) = self.levels.get_mut(depth).and_then(|level| level.cases.last_mut()) else {
            return;
        };
        if open.failed {
            add(&mut open.case.message, comment);
        }
    }

    fn yaml_line(&mut self, line: &str) {
        let last = self.levels.iter_mut().rev().find_map(|level| level.cases.last_mut());
        let Some(open) = last.filter(|_| self.budget.left_out == 0) else {
            return;
        };
        if let Some(millis) = line.trim().strip_prefix("duration_ms:") {
            let millis: Option<f64> = millis.trim().parse().ok();
            open.case.duration_us = micros(millis.map(|millis| millis / 1e3));
        } else if open.failed {
            add(&mut open.case.message, line);
        }
    }

    fn end(mut self, file: &str) -> Parsed {
        if !self.is_tap {
            let what = "is not TAP: it has no test line and no plan";
            return Parsed {
                problem: Some(Problem::new(what)),
                ..Parsed::default()
            };
        }
        let top = &self.levels[0];
        if let (Some(planned), None) = (top.planned, &self.bail_out)
            && planned != top.lines
        {
            let what = format!("is cut off: it plans {planned} tests and has {}", top.lines);
            self.problem.get_or_insert(Problem::new(what));
        }
        let open = self.levels.into_iter().flat_map(|level| level.cases);
        let mut cases: Vec<TestCase> = open.map(|open| open.close(file)).collect();
        if let Some(why) = self.bail_out {
            cases.push(TestCase {
                message: Some(why),
                ..case(file, "Bail out!", TestStatus::Failed)
            });
        }
        Parsed {
            cases,
            left_out: self.budget.left_out,
            problem: self.problem,
        }
    }
}

impl Open {
    fn close(self, file: &str) -> TestCase {
        let mut case = self.case;
        let path: Vec<String> = self.path.into_iter().rev().collect();
        case.suite = if path.is_empty() {
            file.to_owned()
        } else {
            path.join(" > ")
        };
        case
    }
}

fn add(message: &mut Option<String>, line: &str) {
    let message = message.get_or_insert_default();
    if !message.is_empty() {
        gather(message, "\n");
    }
    gather(message, line);
}

/// A line that begins with `ok` or `not ok`, its suite yet unknown.
fn test_line(text: &str) -> Option<TestCase> {
    let (is_ok, rest) = match text.strip_prefix("not ok") {
        Some(rest) => (false, rest),
        None => (true, text.strip_prefix("ok")?),
    };
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return None;
    }
    let rest = rest.trim_start();
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, rest) = rest.split_at(digits);
    let (name, comment) = split_comment(rest.trim_start());
    let name = name
        .trim()
        .trim_start_matches("- ")
        .replace("\\#", "#")
        .replace("\\\\", "\\");
    // A block of subtests may open at the end of the line.
    let name = name.strip_suffix(" {").unwrap_or(&name).trim().to_owned();
    let (skip, todo) = (directive(comment, "skip"), directive(comment, "todo"));
    let status = match (is_ok, &skip, &todo) {
        (_, Some(_), _) | (false, None, Some(_)) => TestStatus::Skipped,
        (true, ..) => TestStatus::Passed,
        (false, None, None) => TestStatus::Failed,
    };
    let todo = todo.map(|why| format!("TODO {why}").trim_end().to_owned());
    let name = if name.is_empty() {
        format!("test {number}")
    } else {
        name
    };
    Some(TestCase {
        duration_us: time(comment),
        message: skip.or(todo).filter(|why| !why.is_empty()),
        ..case("", name, status)
    })
}

/// The description and what follows its first `#` that is not escaped.
fn split_comment(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let hash = (0..bytes.len()).find(|&at| {
        let escaped = bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
        bytes[at] == b'#' && !escaped && (at == 0 || bytes[at - 1].is_ascii_whitespace())
    });
    match hash {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    }
}

/// What follows `SKIP` or `TODO`, in any case.
fn directive(comment: &str, word: &str) -> Option<String> {
    let comment = comment.trim();
    let said = comment.get(..word.len())?;
    let after = &comment[word.len()..];
    // `SKIPPED` and `skip:` count too.
    let after = after.trim_start_matches(|c: char| c.is_alphanumeric() || c == ':');
    said.eq_ignore_ascii_case(word).then(|| after.trim().to_owned())
}

/// `time=12.5ms`
fn time(comment: &str) -> u64 {
    let millis = comment
        .split_whitespace()
        .find_map(|word| word.strip_prefix("time=")?.strip_suffix("ms")?.parse().ok());
    micros(millis.map(|millis: f64| millis / 1e3))
}
