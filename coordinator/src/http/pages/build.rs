//! `/builds/{number}`: one build, its jobs, its first failure, what is wrong with its job file.

use axum::extract::State;
use axum::response::Response;
use protocol::attempt::{AttemptEvent, EventKind, ReasonCode, ServiceState, StepStatus};
use protocol::ids::StreamId;
use web::views::{BuildActions, BuildPage, Diagnosis, Failure, SourceText};

use super::frame::Framed;
use super::{PageError, Part, rows, test_reports};
use crate::app::App;
use crate::builds::job_files;
use crate::http::access::Reader;
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::http::follow::wire;
use crate::logs::{LogError, LogKey};
use crate::store::builds::{self, Build, BuildDetail};
use crate::store::facts::Trust;
use crate::store::jobs::{self, Job};
use crate::store::{artifacts, attempts};

/// Lines of the first failure's log.
const FAILURE_LINES: usize = 20;

/// One build.
pub(super) async fn page(
    State(app): State<App>,
    Reader(user): Reader,
    framed: Framed,
    Path(number): Path<i64>,
    Query(part): Query<Part>,
) -> Result<Response, PageError> {
    let found = builds::show(&app.store, number).await?;
    let over = found.build.status.is_final();
    let actions = match user {
        None => BuildActions::default(),
        Some(_) => BuildActions {
            cancel: !over,
            rerun: over && !found.jobs.is_empty(),
            rerun_failed: over && found.jobs.iter().any(|job| job.status.did_not_pass()),
        },
    };
    let kept = artifacts::of_build(&app.store, number).await?;
    let view = BuildPage {
        failure: failure(&app, &found.jobs).await?,
        tests: test_reports::of_build(&app, number).await?,
        diagnosis: diagnosis(&app, &found).await,
        artifacts: kept.into_iter().map(super::artifact::row).collect(),
        sentence: found.build.message.clone(),
        notes: notes(&found.build),
        build: rows::build(found.build),
        jobs: rows::jobs(&app, found.jobs).await?,
        exclusions: Vec::new(),
        actions,
    };
    Ok(framed.render_part(part, &view, (web::pages::build, web::pages::build_live)))
}

/// What else there is to know about a build, a sentence each.
fn notes(build: &Build) -> Vec<String> {
    let (facts, mut notes) = (&build.facts, Vec::new());
    let limits = "it gets no secrets, shares no sandbox and writes no cache";
    let is_fork = build.trust == Trust::Fork;
    if let (Some(number), Some(base)) = (facts.pull_request, &facts.base) {
        let secrets = match is_fork {
            true => format!("; it comes from a fork: {limits}"),
            false => String::new(),
        };
        notes.push(format!("Pull request {number} into `{base}`{secrets}."));
    }
    if !build.trust.is_trusted() && (!is_fork || facts.pull_request.is_none()) {
        notes.push(format!("Its code is not trusted: {limits}."));
    }
    if let Some(first) = build.rerun_of {
        notes.push(format!("It runs build #{first} again."));
    }
    if !facts.inputs.is_empty() {
        let inputs: Vec<String> = facts
            .inputs
            .iter()
            .map(|(name, value)| format!("`{name}={value}`"))
            .collect();
        notes.push(format!("Inputs: {}.", inputs.join(", ")));
    }
    if let Some(concurrency) = &build.concurrency {
        let state = match build.waits_for_group {
            true => ": it waits for another build of the group",
            false => "",
        };
        notes.push(format!("Concurrency group `{}`{state}.", concurrency.group));
    }
    notes
}

async fn diagnosis(app: &App, found: &BuildDetail) -> Diagnosis {
    if found.diagnostics.is_empty() {
        return Diagnosis::default();
    }
    let files = job_files(app, &found.build).await.into_iter().map(|file| SourceText {
        name: file.name,
        text: file.text,
    });
    Diagnosis {
        files: files.collect(),
        diagnostics: found.diagnostics.clone(),
    }
}

/// The first job that failed, one that counts before one that may fail.
async fn failure(app: &App, jobs: &[Job]) -> Result<Option<Failure>, ApiError> {
    let failures: Vec<&Job> = jobs
        .iter()
        .filter(|job| job.status.counts_as_failed(job.allow_failure))
        .collect();
    let Some(first) = failures.first() else {
        return Ok(None);
    };
    let culprit = match &first.attempt {
        Some(attempt) => {
            let events = attempts::list_events(&app.store, attempt, 0).await?;
            Culprit::find(app, first, &events).await?
        }
        None => Culprit::nobody(),
    };
    let lines = last_lines(app, first, &culprit.stream).await?;
    let unknown = || "nobody said why".to_owned();
    Ok(Some(Failure {
        job: first.id.0.clone(),
        title: first.title.clone(),
        status: first.status,
        culprit: culprit.name,
        exit_code: culprit.exit_code,
        sentence: first
            .reason
            .as_ref()
            .map_or_else(unknown, |reason| reason.sentence.clone()),
        stream: culprit.stream.to_string(),
        lines,
        others: u32::try_from(failures.len() - 1).unwrap_or(u32::MAX),
    }))
}

/// The step or service that ended a job.
struct Culprit {
    name: Option<String>,
    exit_code: Option<i32>,
    stream: StreamId,
}

impl Culprit {
    fn nobody() -> Culprit {
        Culprit {
            name: None,
            exit_code: None,
            stream: StreamId::job(),
        }
    }

    /// What the reason names, else the last step that failed. Older agents name no service: of a service's failure they
    /// told, only the job's own log is shown.
    async fn find(app: &App, job: &Job, events: &[AttemptEvent]) -> Result<Culprit, ApiError> {
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
            name: spec.steps.get(step).map(|step| step.name.clone()),
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
            name: Some(name.to_owned()),
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

async fn last_lines(app: &App, job: &Job, stream: &StreamId) -> Result<Vec<web::views::LogLine>, ApiError> {
    let Some(attempt) = job.attempt.clone() else {
        return Ok(Vec::new());
    };
    let key = LogKey {
        attempt,
        stream: stream.clone(),
    };
    let meta = match app.logs.meta(&key).await {
        Err(LogError::NotFound | LogError::Removed) => return Ok(Vec::new()),
        other => other?,
    };
    let from = meta.lines.saturating_sub(FAILURE_LINES as u64);
    Ok(app
        .logs
        .lines(&key, from, FAILURE_LINES)
        .await?
        .iter()
        .map(wire)
        .collect())
}
