//! The JSON of builds and jobs ([`protocol::api`]) from what the store gives, which several calls share.

use std::collections::BTreeMap;

use job_specs::model::AxisValue;
use protocol::api::{Attempt, Build, Job, MadeBuild};

use crate::store::{attempts, builds, jobs, stacks};

/// From the store; `url` is the coordinator's.
pub(super) fn build(build: builds::Build, url: &str) -> Build {
    let facts = build.facts;
    Build {
        url: format!("{url}{}", web::routes::build(build.number)),
        number: build.number,
        repository: build.repository,
        event: facts.event,
        branch: facts.branch,
        tag: facts.tag,
        reference: facts.reference,
        commit: facts.sha,
        title: facts.title.unwrap_or_default(),
        author: facts.author.unwrap_or_default(),
        base: facts.base,
        pull_request: facts.pull_request,
        trusted: build.trust.is_trusted(),
        inputs: facts.inputs,
        concurrency: build.concurrency,
        waits_for_group: build.waits_for_group,
        approval: build.approval.as_ref().map(|approved| approved.state),
        approved_by: build.approval.and_then(|approved| approved.by),
        status: build.status,
        message: build.message,
        counts: (build.counts.into_iter())
            .map(|(status, count)| (status.to_owned(), count))
            .collect(),
        rerun_of: build.rerun_of,
        created_at: build.created_at,
        started_at: build.started_at,
        finished_at: build.finished_at,
    }
}

/// From the store.
pub(super) fn job(job: jobs::Job, attempts: Vec<attempts::Attempt>, stack: Option<stacks::Stack>) -> Job {
    let (reason, reason_code) = job.reason.map(|reason| (reason.sentence, reason.code)).unzip();
    Job {
        id: job.id.0,
        build: job.build,
        name: job.name,
        title: job.title,
        matrix: cell(job.matrix),
        needs: job.needs.into_iter().map(|need| need.job).collect(),
        status: job.status,
        reason,
        reason_code,
        allow_failure: job.allow_failure,
        cancelling: job.cancelling,
        stack: stack.map(super::stacks::stack),
        attempts: attempts.into_iter().map(attempt).collect(),
        agent: job.agent,
        created_at: job.created_at,
        queued_at: job.queued_at,
        started_at: job.started_at,
        finished_at: job.finished_at,
    }
}

/// From the store.
pub(super) fn attempt(attempt: attempts::Attempt) -> Attempt {
    let (reason, reason_code) = attempt.reason.map(|reason| (reason.sentence, reason.code)).unzip();
    Attempt {
        id: attempt.id.0,
        job: attempt.job.0,
        build: attempt.build,
        number: attempt.number,
        agent: attempt.agent_name,
        state: attempt.state,
        verdict: attempt.verdict,
        reason,
        reason_code,
        assigned_at: attempt.assigned_at,
        started_at: attempt.started_at,
        finished_at: attempt.finished_at,
    }
}

/// Of that number; `url` is the coordinator's.
pub(super) fn made_build(number: i64, url: &str) -> MadeBuild {
    MadeBuild {
        number,
        url: format!("{url}{}", web::routes::build(number)),
    }
}

/// A cell as a JSON object.
pub(crate) fn cell(matrix: Vec<AxisValue>) -> BTreeMap<String, String> {
    matrix.into_iter().map(|value| (value.axis, value.value)).collect()
}
