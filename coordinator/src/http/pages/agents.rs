//! `/agents`: who does the work, and what waits for them.

use axum::extract::State;
use axum::response::Response;
use web::views::{AgentRow, AgentsPage, QueueRow};

use super::frame::Framed;
use super::{PageError, Part, rows};
use crate::app::App;
use crate::http::access::{By, User};
use crate::http::api::agents::CODE;
use crate::http::extract::Query;
use crate::store::agents::Agent;
use crate::store::{StoreError, agents, attempts, builds, jobs, queue};

/// Jobs of the queue that are shown.
const QUEUE: u32 = 200;

/// Agents and queue.
pub(super) async fn page(
    State(app): State<App>,
    _: User,
    framed: Framed,
    Query(part): Query<Part>,
) -> Result<Response, PageError> {
    let view = view(&app, None).await?;
    Ok(framed.render_part(part, &view, (web::pages::agents, web::pages::agents_live)))
}

/// Makes an enrolment code and shows it, once: therefore no redirect.
pub(super) async fn enrol(State(app): State<App>, By(actor): By, framed: Framed) -> Result<Response, PageError> {
    let code = agents::enrol_code(&app.store, &actor, CODE, None).await?;
    let view = view(&app, Some(code)).await?;
    Ok(framed.render(&view, web::pages::agents))
}

async fn view(app: &App, enrolment_code: Option<String>) -> Result<AgentsPage, StoreError> {
    let mut found = Vec::new();
    for agent in agents::list(&app.store).await? {
        found.push(row(app, agent).await?);
    }
    let waiting = queue::waiting(&app.store, QUEUE)
        .await?
        .into_iter()
        .map(|job| QueueRow {
            job: rows::link(job.job.as_str(), job.title, (job.build, job.repository)),
            since: job.since,
            reason: job.why,
        });
    Ok(AgentsPage {
        agents: found,
        queue: waiting.collect(),
        enrolment_code,
    })
}

async fn row(app: &App, agent: Agent) -> Result<AgentRow, StoreError> {
    let mut running = Vec::new();
    for id in &agent.running {
        let attempt = attempts::show(&app.store, id).await?;
        let job = jobs::show(&app.store, &attempt.job).await?.job;
        let build = builds::show(&app.store, job.build).await?.build;
        running.push(rows::link(job.id.as_str(), job.title, (job.build, build.repository)));
    }
    Ok(AgentRow {
        id: agent.id.0,
        name: agent.name,
        labels: agent.labels,
        asked_labels: agent.asked_labels,
        slots: agent.slots,
        running,
        last_seen_at: agent.seen_at,
        online: agent.connected,
        draining: agent.draining,
        version: agent.software,
    })
}
