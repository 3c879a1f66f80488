//! Uploads the test reports of an attempt, in parts, before its end is reported: whoever sees the end sees them.

use protocol::lease::LeaseRef;
use protocol::reports::{TestCase, TestReport, TestUpload};
use tokio::time::sleep;

use crate::coordinator::Backoff;
use crate::coordinator::{CallError, Coordinator};

/// Cases in one part; each is one transaction at the coordinator.
const CASES: usize = 1_000;
/// Bytes of JSON in one part, about; the coordinator takes bodies of 1 MiB.
const BYTES: usize = 700 * 1024;

/// Uploads the whole report until the coordinator has it. Errors: it does not want it.
pub async fn upload(coordinator: &Coordinator, held: &LeaseRef, report: TestReport) -> Result<(), CallError> {
    for part in parts(report) {
        let mut backoff = Backoff::default();
        loop {
            match coordinator.tests(held, &part).await {
                Ok(()) => break,
                Err(CallError::Away(why)) => {
                    tracing::debug!(attempt.id = %held.attempt, %why, "test reports wait for the coordinator");
                    sleep(backoff.next_wait()).await;
                }
                Err(other) => return Err(other),
            }
        }
    }
    Ok(())
}

/// The parts of a report; at least one, the last is marked.
fn parts(report: TestReport) -> Vec<TestUpload> {
    let mut parts: Vec<TestUpload> = Vec::new();
    let (mut cases, mut bytes) = (Vec::new(), 0);
    let mut close = |cases: Vec<TestCase>| {
        let chunk = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        parts.push(TestUpload {
            chunk,
            last: false,
            cases,
            problems: Vec::new(),
        });
    };
    for case in report.cases {
        let size = size(&case);
        if cases.len() == CASES || bytes + size > BYTES && !cases.is_empty() {
            close(std::mem::take(&mut cases));
            bytes = 0;
        }
        bytes += size;
        cases.push(case);
    }
    close(cases);
    if let Some(last) = parts.last_mut() {
        last.last = true;
        last.problems = report.problems;
    }
    parts
}

/// Bytes of JSON, about: quotes and line ends are written as two.
fn size(case: &TestCase) -> usize {
    let message = case.message.as_ref().map_or(0, String::len);
    100 + (case.suite.len() + case.name.len() + case.file.as_ref().map_or(0, String::len) + message) * 11 / 10
}

#[cfg(test)]
mod tests {
    use protocol::reports::TestStatus;

    use super::*;

    #[test]
    fn parts_are_small_and_hold_everything_in_order() {
        let case = |index: usize, message: usize| TestCase {
            suite: "s".into(),
            name: index.to_string(),
            status: TestStatus::Passed,
            duration_us: 1,
            message: (message > 0).then(|| "x".repeat(message)),
            file: None,
        };
        let mut cases: Vec<TestCase> = (0..2_500).map(|index| case(index, 0)).collect();
        cases.extend((2_500..3_000).map(|index| case(index, 4_000)));
        let report = TestReport {
            cases: cases.clone(),
            problems: vec!["p".into()],
        };
        let made = parts(report);
        let lens: Vec<usize> = made.iter().map(|part| part.cases.len()).collect();
        assert!(
            made.iter()
                .all(|part| serde_json::to_vec(part).unwrap().len() < 1 << 20),
            "{lens:?}"
        );
        assert_eq!(
            made.iter().filter(|part| part.last && part.problems == ["p"]).count(),
            1
        );
        let again: Vec<TestCase> = made.into_iter().flat_map(|part| part.cases).collect();
        assert_eq!(again, cases);
        assert_eq!(parts(TestReport::default()).len(), 1, "no test is worth telling too");
    }
}
