//! What ended a job, and its last words: one reading for the build's page and for the failure report.

use protocol::attempt::{AttemptEvent, EventKind, ReasonCode, ServiceState, StepStatus};
use protocol::ids::{AttemptId, StreamId};

use super::error::ApiError;
use crate::app::App;
use crate::logs::{Line, LogError, LogKey, Meta};
use crate::store::jobs::{self, Job};

/// The step or service that ended a job.
pub(super) struct Culprit {
    /// The step's name.
    pub(super) step: Option<String>,
    /// The service's name.
    pub(super) service: Option<String>,
    pub(super) exit_code: Option<i32>,
    /// The log that says most about it.
    pub(super) stream: StreamId,
}

impl Culprit {
    pub(super) fn nobody() -> Culprit {
        Culprit {
            step: None,
            service: None,
            exit_code: None,
            stream: StreamId::job(),
        }
    }

    /// What the reason names, else the last step that failed. Older agents name no service: of a service's failure they
    /// reported, only the job's own log is shown.
    pub(super) async fn find(app: &App, job: &Job, events: &[AttemptEvent]) -> Result<Culprit, ApiError> {
        let Some(reason) = &job.reason else {
            return Ok(Culprit::nobody());
        };
        if let Some(service) = &reason.service {
            return Ok(Culprit::service(service, events));
        }
        let is_about_service = matches!(reason.code, ReasonCode::ServiceExited | ReasonCode::ServiceNotReady);
        let step = reason.step.or_else(|| last_failed_step(events));
        let Some(step) = step.filter(|_| !is_about_service) else {
            return Ok(Culprit::nobody());
        };
        let spec = jobs::show(&app.store, &job.id).await?.spec;
        let exit_code = events.iter().rev().find_map(|event| match &event.kind {
            EventKind::StepFinished { step: ended, outcome } if *ended == step => outcome.exit_code,
            _ => None,
        });
        Ok(Culprit {
            step: spec.steps.get(step).map(|step| step.name.clone()),
            service: None,
            exit_code,
            stream: StreamId::step(step),
        })
    }

    fn service(name: &str, events: &[AttemptEvent]) -> Culprit {
        let exit_code = events.iter().rev().find_map(|event| match &event.kind {
            EventKind::Service { service, state } if service == name => match state {
                ServiceState::Exited { code, .. } => Some(*code),
                ServiceState::Running | ServiceState::Starting | ServiceState::Unhealthy { .. } => Some(None),
                ServiceState::Pulling | ServiceState::Ready { .. } | ServiceState::Stopped => None,
            },
            _ => None,
        });
        Culprit {
            step: None,
            service: Some(name.to_owned()),
            exit_code: exit_code.flatten(),
            stream: StreamId::service(name),
        }
    }
}

fn last_failed_step(events: &[AttemptEvent]) -> Option<usize> {
    events.iter().rev().find_map(|event| match &event.kind {
        EventKind::StepFinished { step, outcome } => {
            matches!(outcome.status, StepStatus::Failed | StepStatus::TimedOut).then_some(*step)
        }
        _ => None,
    })
}

/// What is known about a log, and its last lines. `None`: there is none, or none any more.
pub(super) async fn log_end(
    app: &App,
    attempt: &AttemptId,
    (stream, most): (&StreamId, usize),
) -> Result<Option<(Meta, Vec<Line>)>, ApiError> {
    let key = LogKey {
        attempt: attempt.clone(),
        stream: stream.clone(),
    };
    let meta = match app.logs.meta(&key).await {
        Err(LogError::NotFound | LogError::Removed) => return Ok(None),
        other => other?,
    };
    let from = meta.lines.saturating_sub(most as u64);
    let lines = app.logs.lines(&key, from, most).await?;
    Ok(Some((meta, lines)))
}
