//! Rows that several pages share: builds and jobs.

use job_specs::status::JobStatus;
use protocol::api::{DeliveryStatus, ForgeConnection, OutboxEntry, OutboxKind, OutboxStatus};
use web::views::{BuildSummary, Connection, DeliveryRow, DeliveryState, JobLink, JobRow, OutboxRow};

use crate::app::App;
use crate::store::builds::Build;
use crate::store::deliveries::Delivery;
use crate::store::jobs::Job;
use crate::store::{StoreError, jobs};

/// Reasons of waiting jobs that one page asks for; more are not worth their queries.
const REASONS: usize = 25;

/// A build as a row. The store counts its jobs, so the marks are in the order of a job's life.
pub(super) fn build(build: Build) -> BuildSummary {
    let marks = JobStatus::ALL.into_iter().flat_map(|status| {
        let count = build.counts.get(status.name()).copied().unwrap_or(0);
        std::iter::repeat_n(status, count as usize)
    });
    BuildSummary {
        jobs: marks.collect(),
        number: build.number,
        repository: build.repository,
        status: build.status,
        event: build.facts.event,
        branch: build.facts.branch,
        tag: build.facts.tag,
        commit: build.facts.sha,
        title: build.facts.title.unwrap_or_default(),
        author: build.facts.author.unwrap_or_default(),
        created_at: build.created_at,
        started_at: build.started_at,
        finished_at: build.finished_at,
    }
}

/// The jobs of a build as rows, waiting ones with their reason.
pub(super) async fn jobs(app: &App, found: Vec<Job>) -> Result<Vec<JobRow>, StoreError> {
    let mut rows = Vec::with_capacity(found.len());
    let mut asked = 0;
    for job in found {
        let why = if job.status.is_pending() && asked < REASONS {
            asked += 1;
            Some(jobs::why(&app.store, &job.id).await?)
        } else {
            None
        };
        rows.push(row(job, why));
    }
    Ok(rows)
}

fn row(job: Job, why: Option<String>) -> JobRow {
    JobRow {
        id: job.id.0,
        name: job.name,
        cell: job.matrix,
        status: job.status,
        reason: job.reason.map(|reason| reason.sentence).or(why),
        needs: job.needs.into_iter().map(|need| need.job).collect(),
        allow_failure: job.allow_failure,
        attempts: u32::try_from(job.attempts).unwrap_or(0),
        agent: job.agent,
        queued_at: job.queued_at,
        started_at: job.started_at,
        finished_at: job.finished_at,
    }
}

/// A job elsewhere.
pub(super) fn link(id: &str, title: String, (build, repository): (i64, String)) -> JobLink {
    JobLink {
        id: id.to_owned(),
        title,
        build,
        repository,
    }
}

/// How a repository is reached at its forge, and what that does not know.
pub(super) fn connection(connection: ForgeConnection) -> Connection {
    let row = |entry: OutboxEntry| OutboxRow {
        what: match entry.kind {
            OutboxKind::Webhook => "webhook".to_owned(),
            OutboxKind::CommitStatus => entry.subject,
        },
        build: entry.build,
        state: match entry.status {
            OutboxStatus::Failed => DeliveryState::Failed,
            _ if entry.message.is_some() => DeliveryState::Retrying,
            _ => DeliveryState::Pending,
        },
        sentence: entry.message,
        changed_at: entry.changed_at,
    };
    let open = connection.outbox.into_iter();
    Connection {
        open: open
            .filter(|entry| entry.status != OutboxStatus::Sent)
            .map(row)
            .collect(),
        api: connection.api,
        project: connection.project,
        held_until: connection.held_until,
    }
}

/// A delivery as a row.
pub(super) fn delivery(delivery: Delivery) -> DeliveryRow {
    let state = match (delivery.status, delivery.build) {
        (DeliveryStatus::Pending, _) if delivery.message.is_some() => DeliveryState::Retrying,
        (DeliveryStatus::Pending, _) => DeliveryState::Pending,
        (DeliveryStatus::Done, Some(_)) => DeliveryState::Done,
        (DeliveryStatus::Done, None) => DeliveryState::Ignored,
        (DeliveryStatus::Failed, _) => DeliveryState::Failed,
    };
    DeliveryRow {
        id: delivery.id.0,
        event: delivery.event,
        reference: delivery.reference,
        received_at: delivery.received_at,
        state,
        sentence: delivery.message,
        build: delivery.build,
    }
}
