//! What the forms of pages do. Each posts, acts, and sends the browser back.

use std::collections::BTreeMap;

use axum::extract::{Form, State};
use axum::response::Response;
use protocol::ids::{AgentId, DeliveryId, JobId};
use serde::Deserialize;
use web::routes;

use super::PageError;
use super::notice::{Notice, go};
use crate::app::App;
use crate::http::access::By;
use crate::http::error::ApiError;
use crate::http::extract::Path;
use crate::http::shell;
use crate::store::agents::{self, Draining};
use crate::store::builds::Rerun;
use crate::store::{Actor, approvals, builds, deliveries, jobs, queue, repositories};

type Done = Result<Response, PageError>;

/// Stops a build.
pub(super) async fn cancel_build(State(app): State<App>, By(actor): By, Path(number): Path<i64>) -> Done {
    builds::cancel(&app.store, &actor, number).await?;
    shell::release(&app, &actor, number, None).await?;
    Ok(go(&app, &routes::build(number), Notice::BuildCancelled(number)))
}

/// Lets the build of a stranger's pull request run.
pub(super) async fn approve_build(State(app): State<App>, By(actor): By, Path(number): Path<i64>) -> Done {
    approvals::approve(&app.store, &actor, number).await?;
    Ok(go(&app, &routes::build(number), Notice::BuildApproved(number)))
}

/// Builds the same commit again.
pub(super) async fn rerun_build(State(app): State<App>, By(actor): By, Path(number): Path<i64>) -> Done {
    rerun(&app, &actor, number, Rerun::All).await
}

/// Runs what did not pass again.
pub(super) async fn rerun_failed(State(app): State<App>, By(actor): By, Path(number): Path<i64>) -> Done {
    rerun(&app, &actor, number, Rerun::Failed).await
}

async fn rerun(app: &App, actor: &Actor, number: i64, which: Rerun) -> Done {
    let made = crate::builds::rerun(app, actor, number, which)
        .await
        .map_err(ApiError::from)?;
    Ok(go(app, &routes::build(made), Notice::BuildAgain(made)))
}

/// Stops one job.
pub(super) async fn cancel_job(State(app): State<App>, By(actor): By, Path(job): Path<String>) -> Done {
    queue::cancel(&app.store, &actor, &JobId(job.clone())).await?;
    Ok(go(&app, &routes::job(&job), Notice::JobCancelled))
}

/// Removes what is retained of a job.
pub(super) async fn release_job(State(app): State<App>, By(actor): By, Path(job): Path<String>) -> Done {
    let id = JobId(job);
    let build = jobs::show(&app.store, &id).await?.job.build;
    shell::release(&app, &actor, build, Some(&id)).await?;
    Ok(go(&app, &routes::job(id.as_str()), Notice::JobReleased))
}

/// Runs this job again, one cell of a matrix included, and what was skipped only because of it.
pub(super) async fn rerun_job(State(app): State<App>, By(actor): By, Path(job): Path<String>) -> Done {
    let job = jobs::show(&app.store, &JobId(job)).await?.job;
    rerun(&app, &actor, job.build, Rerun::Jobs(vec![job.id])).await
}

/// Lets an agent finish what it has.
pub(super) async fn drain(State(app): State<App>, By(actor): By, Path(agent): Path<String>) -> Done {
    agents::drain(&app.store, &actor, &AgentId(agent), Draining::Yes).await?;
    Ok(go(&app, "/agents", Notice::Draining))
}

/// Gives an agent work again.
pub(super) async fn undrain(State(app): State<App>, By(actor): By, Path(agent): Path<String>) -> Done {
    agents::drain(&app.store, &actor, &AgentId(agent), Draining::No).await?;
    Ok(go(&app, "/agents", Notice::TakesWork))
}

/// Labels of an agent, `key=value` with commas between.
#[derive(Deserialize)]
pub(super) struct LabelsForm {
    agent: AgentId,
    labels: String,
}

/// Gives an agent other labels.
pub(super) async fn label_agent(State(app): State<App>, By(actor): By, Form(form): Form<LabelsForm>) -> Done {
    let pairs = form.labels.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let labels = pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
    agents::set_labels(&app.store, &actor, &form.agent, &labels.collect()).await?;
    Ok(go(&app, "/agents", Notice::Labelled))
}

/// Takes an agent away.
pub(super) async fn remove_agent(State(app): State<App>, By(actor): By, Path(agent): Path<String>) -> Done {
    agents::remove(&app.store, &actor, &AgentId(agent)).await?;
    Ok(go(&app, "/agents", Notice::AgentRemoved))
}

/// What to build.
#[derive(Deserialize)]
pub(super) struct TriggerForm {
    reference: String,
    /// Fields `input.NAME`, one for each input.
    #[serde(flatten)]
    others: BTreeMap<String, String>,
}

/// Builds a branch, tag or commit now.
pub(super) async fn trigger(
    State(app): State<App>,
    By(actor): By,
    Path(name): Path<String>,
    Form(form): Form<TriggerForm>,
) -> Done {
    let repository = repositories::by_name(&app.store, &name).await?;
    let reference = Some(form.reference.trim()).filter(|reference| !reference.is_empty());
    let inputs = form.others.into_iter();
    let inputs = inputs.filter_map(|(field, value)| Some((field.strip_prefix("input.")?.to_owned(), value)));
    let number = crate::builds::trigger(&app, &actor, &repository, (reference, inputs.collect()))
        .await
        .map_err(ApiError::from)?;
    Ok(go(&app, &routes::build(number), Notice::Triggered(number)))
}

/// Processes a delivery again.
pub(super) async fn redeliver(State(app): State<App>, By(actor): By, Path((name, id)): Path<(String, String)>) -> Done {
    deliveries::redeliver(&app.store, &actor, &DeliveryId(id)).await?;
    app.delivered.notify_one();
    Ok(go(&app, &routes::repository(&name), Notice::Redelivered))
}
