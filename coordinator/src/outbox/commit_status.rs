//! A build as a commit status: where it stands, and in a few words why.

use job_specs::status::JobStatus;
use job_specs::units;
use protocol::api::Approval;

use crate::forges::CommitStatus;
use crate::store::builds::BuildDetail;
use crate::store::jobs::Job;

/// The status of the build.
pub(super) fn of(build: &BuildDetail, (sha, context): (&str, &str), url: String) -> CommitStatus {
    CommitStatus {
        sha: sha.to_owned(),
        context: context.to_owned(),
        status: build.build.status,
        description: description(build),
        url,
    }
}

fn description(detail: &BuildDetail) -> String {
    let (build, all) = (&detail.build, units::count(detail.jobs.len(), "job"));
    let took = build.started_at.zip(build.finished_at);
    let took = took.map_or(String::new(), |(from, to)| format!(" in {}", units::micros(to - from)));
    match build.status {
        _ if detail.jobs.is_empty() => no_jobs(detail),
        JobStatus::Queued if waits_for_approval(detail) => "waits until somebody has looked at the commit".to_owned(),
        JobStatus::Waiting | JobStatus::Queued => format!("waiting to run, {all}"),
        JobStatus::Assigned | JobStatus::Running => format!("running, {all}"),
        JobStatus::Passed => format!("{all} passed{took}"),
        JobStatus::Skipped => format!("{all} skipped"),
        JobStatus::Cancelled => format!("cancelled{}", because(detail, JobStatus::Cancelled)),
        JobStatus::Failed | JobStatus::TimedOut | JobStatus::Errored => {
            let is_bad = |job: &&Job| job.status.is_failure() && !job.allow_failure;
            let bad: Vec<&str> = detail
                .jobs
                .iter()
                .filter(is_bad)
                .map(|job| job.title.as_str())
                .collect();
            format!("{} of {all} failed{took}: {}", bad.len(), bad.join(", "))
        }
    }
}

fn waits_for_approval(detail: &BuildDetail) -> bool {
    let approval = detail.build.approval.as_ref();
    approval.is_some_and(|approved| approved.state == Approval::Needed)
}

/// Why a job of that status is what it is.
fn because(detail: &BuildDetail, status: JobStatus) -> String {
    let mut of_status = detail.jobs.iter().filter(|job| job.status == status);
    let reason = of_status.find_map(|job| job.reason.as_ref());
    reason.map_or(String::new(), |reason| format!(": {}", reason.sentence))
}

fn no_jobs(detail: &BuildDetail) -> String {
    let first = detail.diagnostics.first();
    let diagnosed = first.map(|found| {
        let line = found.span.map_or(String::new(), |span| format!(":{}", span.line));
        format!("{}{line}: {}", found.file, found.message)
    });
    let said = diagnosed.or_else(|| detail.build.message.clone());
    said.unwrap_or_else(|| "no jobs".to_owned())
}
