//! `/builds/{number}`: one build, its jobs, its first failure, what is wrong with its job file.

use axum::extract::State;
use axum::response::Response;
use protocol::api::Approval;
use web::views::{BuildActions, BuildPage, Diagnosis, Failure, SourceText};

use super::frame::Framed;
use super::{PageError, Part, rows, test_reports};
use crate::app::App;
use crate::builds::job_files;
use crate::http::access::Reader;
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::http::failures::{self, Culprit};
use crate::http::follow::wire;
use crate::store::approvals::Approved;
use crate::store::builds::{self, Build, BuildDetail};
use crate::store::facts::Trust;
use crate::store::jobs::Job;
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
            approve: !over && needs_approval(&found.build),
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

fn needs_approval(build: &Build) -> bool {
    let approval = build.approval.as_ref();
    approval.is_some_and(|approved| approved.state == Approval::Needed)
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
    let commit: String = facts.sha.chars().take(10).collect();
    match &build.approval {
        Some(approved) if approved.state == Approval::Needed && !build.status.is_final() => notes.push(format!(
            "It waits until somebody has looked at commit `{commit}`. Approved, it runs that code on an agent; a new commit \
             waits again."
        )),
        Some(Approved { by: Some(by), .. }) => notes.push(format!("`{by}` has approved commit `{commit}`.")),
        _ => {}
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
    let end = match &first.attempt {
        Some(attempt) => failures::log_end(app, attempt, (&culprit.stream, FAILURE_LINES)).await?,
        None => None,
    };
    let lines = end.map_or_else(Vec::new, |(_, lines)| lines.iter().map(wire).collect());
    let unknown = || "nobody said why".to_owned();
    Ok(Some(Failure {
        job: first.id.0.clone(),
        title: first.title.clone(),
        status: first.status,
        culprit: culprit.step.or(culprit.service),
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
