//! The test reports of an attempt: read when the steps are over, said in the job's log, and kept in the attempt's folder
//! until somebody has been told.

use protocol::attempt::AttemptResult;
use protocol::reports::{TestReport, TestStatus};

use crate::attempt::job::Job;
use crate::reports::{read, summary};

/// Reads the reports, if the job has any, and notes in the result how many tests failed. A report that cannot be read
/// is said, and fails nothing.
pub async fn collect(job: &Job, result: &mut AttemptResult) {
    let specs = job.input.spec.reports.clone();
    if specs.is_empty() {
        return;
    }
    let (workspace, masker) = (job.folder.workspace(), job.input.masker());
    let work = tokio::task::spawn_blocking(move || read(&workspace, &specs, &masker));
    let report = work.await.unwrap_or_else(|broken| {
        tracing::error!(%broken, attempt.id = %job.input.attempt, "the reading of test reports broke");
        TestReport {
            cases: Vec::new(),
            problems: vec!["the agent broke while it read the reports; its log says more".to_owned()],
        }
    });
    for problem in &report.problems {
        job.job_log.write_line(problem);
    }
    job.job_log.write_line(summary(&report));
    result.failed_tests = u32::try_from(report.count(TestStatus::Failed)).ok();
    if let Err(error) = job.folder.set_tests(&report) {
        tracing::error!(%error, attempt.id = %job.input.attempt, "cannot keep the test reports of an attempt");
        job.job_log.write_line(format!("the test reports are lost: {error}"));
    }
}
