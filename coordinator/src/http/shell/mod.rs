//! Shells between people and agents: a WebSocket from each, brought together and copied until one of them ends.
//!
//! # Layout
//! `pair` the copying · here the two routes and what may be entered.

mod pair;

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use axum::routing::get;
use protocol::ids::{AgentId, JobId};
use protocol::shell::{ShellCall, ShellMessage, ShellRequest};
use protocol::work::{StackSpec, StackState, WorkId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{self, AgentCaller, User};
use super::error::ApiError;
use super::extract::Path;
use super::routes::Routes;
use crate::app::App;
use crate::store::attempts::AttemptState;
use crate::store::stacks::{self, Stack};
use crate::store::{Actor, StoreError, audit, jobs};

/// How often the expiry of a stack is renewed while somebody is in it: more often than the shortest time that it may have.
const RENEW: Duration = Duration::from_secs(10);
/// No frame of a terminal is longer, bytes.
const FRAME: usize = 256 * 1024;

/// The route of people, with its description.
pub(super) fn described() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(open))
}

/// The route of agents.
pub(super) fn router() -> Routes {
    Routes::new().route("/agent/v1/shells/{id}", [Method::GET], get(bring))
}

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

fn upgrade(upgrade: Upgrade) -> Result<WebSocketUpgrade, ApiError> {
    let upgrade = upgrade.map_err(|_| ApiError::BadRequest("a shell is a WebSocket; use `drover shell`".into()))?;
    Ok(upgrade.max_message_size(FRAME).max_frame_size(FRAME))
}

/// A terminal in a job that runs or of which something is retained: a WebSocket whose first text frame says what to enter
/// (`{"place": "job" | {"step": …} | {"service": …}, "command": […], "terminal": {"cols", "rows"}}`).
#[utoipa::path(get, path = "/api/v1/jobs/{job}/shell", params(("job", description = "Its id")),
    responses((status = 101), (status = 409), (status = 410)))]
async fn open(
    State(app): State<App>,
    user: User,
    Path(job): Path<String>,
    headers: HeaderMap,
    request: Upgrade,
) -> Result<Response, ApiError> {
    check_origin(&app, &headers)?;
    let job = JobId(job);
    let target = enterable(&app, &job).await?;
    let request = upgrade(request)?;
    audit::enter(&app.store, &user.actor(), &job).await?;
    let tasks = app.tasks.clone();
    Ok(request.on_upgrade(move |person| tasks.track_future(serve(app, user, target, person))))
}

/// Browsers send cookies along with whatever page asks: only our own may.
fn check_origin(app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_own = host.is_some_and(|host| origin.split_once("://").is_some_and(|(_, from)| from == host));
    if is_own || origin == &*app.url {
        Ok(())
    } else {
        Err(ApiError::Forbidden("a shell is opened from our own pages only".into()))
    }
}

/// What may be entered, and who has it.
pub(super) struct Enterable {
    /// The attempt that runs, or the stack that is left of one.
    work: WorkId,
    agent: AgentId,
    agent_name: String,
}

/// What of a job may be entered: the attempt that runs, or what is retained of one.
pub(super) async fn enterable(app: &App, job: &JobId) -> Result<Enterable, ApiError> {
    let found = jobs::show(&app.store, job).await?;
    let mut attempts = found.attempts.into_iter().rev();
    if let Some(active) = attempts.find(|attempt| attempt.state == AttemptState::Active) {
        return Ok(Enterable {
            work: WorkId::Attempt(active.id),
            agent: active.agent,
            agent_name: active.agent_name,
        });
    }
    let (title, build) = (found.job.title, found.job.build);
    match stacks::of_job(&app.store, job).await? {
        Some(stack) if stack.state == StackState::Running => Ok(of_stack(stack)),
        Some(stack) if stack.state == StackState::Unreachable => Err(ApiError::Conflict(
            "unreachable",
            format!(
                "agent {} does not answer, and has what job {title} of build {build} left; `drover agent ls` shows when \
                 it is back",
                stack.agent_name
            ),
        )),
        _ if found.job.status.is_final() => Err(ApiError::Gone(format!(
            "job {title} of build {build} is over, and nothing of it is retained; say `hold_on_failure: 30m` in the job \
             and run it again with `drover rerun {build} --failed`"
        ))),
        _ => Err(ApiError::Conflict(
            "not_running",
            format!("job {title} of build {build} does not run yet; `drover why {build}` says why"),
        )),
    }
}

/// Agents of version 1 know no stacks, and what they retain by its attempt.
fn of_stack(stack: Stack) -> Enterable {
    let StackSpec::Retained { attempt } = stack.spec;
    Enterable {
        work: match stack.agent_version {
            0 | 1 => WorkId::Attempt(attempt),
            _ => WorkId::Stack(stack.id),
        },
        agent: stack.agent,
        agent_name: stack.agent_name,
    }
}

/// Removes what is retained of the jobs of a build, or of one of them; whether there was something.
pub(super) async fn release(app: &App, actor: &Actor, build: i64, job: Option<&JobId>) -> Result<bool, ApiError> {
    let is_meant = |stack: &Stack| stack.state != StackState::Deleting && job.is_none_or(|job| stack.job == *job);
    let mut stacks = stacks::of_build(&app.store, build).await?;
    stacks.retain(is_meant);
    for stack in &stacks {
        match stacks::delete(&app.store, actor, &stack.id).await {
            Err(StoreError::NotFound(_)) => {}
            deleted => deleted?,
        }
    }
    Ok(!stacks.is_empty())
}

/// From the person's first word to their last.
async fn serve(app: App, user: User, target: Enterable, mut person: WebSocket) {
    let Some(request) = first_word(&mut person).await else {
        return;
    };
    let call = ShellCall {
        id: uuid::Uuid::now_v7().simple().to_string(),
        work: target.work.clone(),
        target: request.target,
        command: request.command,
        terminal: request.terminal,
        by: user.name.clone(),
    };
    tracing::info!(work = %target.work, by = call.by, target = ?call.target, "a shell is asked for");
    let id = call.id.clone();
    let coming = app.shells.call(&target.agent, call);
    let mut early = Vec::new();
    let agent = tokio::select! {
        came = tokio::time::timeout(pair::AGENT_COMES, coming) => came.ok().and_then(Result::ok),
        () = pair::gone(&mut person, &mut early) => None,
        () = app.stop.cancelled() => None,
    };
    app.shells.give_up(&id);
    match agent {
        Some(agent) => {
            let copied = pair::copy(person, agent, early, must_end(&app, &user));
            tokio::select! {
                () = copied => {}
                () = keep_renewing(&app, &target.work) => {}
            }
            renew(&app, &target.work).await;
        }
        None => {
            let message = format!(
                "agent {} did not answer; `drover agent ls` shows whether it is there",
                target.agent_name
            );
            pair::end(&mut person, &ShellMessage::Failed { message }).await;
        }
    }
}

/// Renews the expiry of a stack that is in use; never completes.
async fn keep_renewing(app: &App, work: &WorkId) {
    loop {
        renew(app, work).await;
        tokio::time::sleep(RENEW).await;
    }
}

async fn renew(app: &App, work: &WorkId) {
    let WorkId::Stack(stack) = work else { return };
    if let Err(error) = stacks::renew(&app.store, stack).await {
        tracing::debug!(stack.id = %stack, %error, "the expiry of a stack in use cannot be renewed");
    }
}

/// Completes when a shell must end though both its ends are there; says why.
async fn must_end(app: &App, user: &User) -> &'static str {
    tokio::select! {
        () = app.stop.cancelled() => "the coordinator is being restarted; open the shell again in a moment",
        () = access::revoked(app, Some(user)) => "the session or API token that opened this shell was revoked or has expired",
    }
}

async fn first_word(person: &mut WebSocket) -> Option<ShellRequest> {
    let first = tokio::time::timeout(pair::AGENT_COMES, person.recv()).await.ok()??;
    let request = match first {
        Ok(Message::Text(text)) => serde_json::from_str(&text).ok(),
        _ => None,
    };
    if request.is_none() {
        let message = "the first frame must say what to enter, as JSON".to_owned();
        pair::end(person, &ShellMessage::Failed { message }).await;
    }
    request
}

/// An agent brings a shell.
async fn bring(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Path(id): Path<String>,
    request: Upgrade,
) -> Result<Response, ApiError> {
    let request = upgrade(request)?;
    let person = app.shells.meet(&agent, &id).ok_or(ApiError::NotFound("shell"))?;
    Ok(request.on_upgrade(async move |socket| {
        // The person may have gone meanwhile; then the agent's end is closed with this.
        drop(person.send(socket));
    }))
}
