//! Shells between people and agents: a WebSocket from each, brought together and copied until one of them ends.
//!
//! # Layout
//! [`board`] who waits for whom · `pair` the copying · here the two routes and what may be entered.

mod board;
mod pair;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use axum::routing::get;
use protocol::ids::JobId;
use protocol::shell::{ShellCall, ShellWish, ShellWord};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{self, AgentCaller, User};
use super::error::ApiError;
use super::extract::Path;
use super::routes::Routes;
use crate::app::App;
use crate::store::attempts::{self, Attempt, AttemptState};
use crate::store::jobs;

pub(crate) use board::Shells;

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

/// A terminal in a job that runs or is held: a WebSocket whose first text frame says what to enter
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
    let attempt = enterable(&app, &JobId(job)).await?;
    let request = upgrade(request)?;
    let tasks = app.tasks.clone();
    Ok(request.on_upgrade(move |person| tasks.track_future(serve(app, user, attempt, person))))
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

/// The attempt of a job that runs, or is held.
pub(super) async fn enterable(app: &App, job: &JobId) -> Result<Attempt, ApiError> {
    let found = jobs::show(&app.store, job).await?;
    let is_open = |attempt: &Attempt| attempt.state == AttemptState::Active || is_held(app, attempt);
    let (title, build) = (found.job.title, found.job.build);
    if let Some(attempt) = found.attempts.into_iter().rev().find(is_open) {
        return Ok(attempt);
    }
    Err(if found.job.status.is_final() {
        ApiError::Gone(format!(
            "job {title} of build {build} is over, and nothing of it is held; say `hold_on_failure: 30m` in the job \
             and run it again with `drover rerun {build} --failed`"
        ))
    } else {
        ApiError::Conflict(
            "not_running",
            format!("job {title} of build {build} does not run yet; `drover why {build}` says why"),
        )
    })
}

fn is_held(app: &App, attempt: &Attempt) -> bool {
    app.shells.held_until(&attempt.id).is_some()
}

/// Lets every held attempt of which this is true go; whether there was one.
pub(super) async fn release(app: &App, which: impl Fn(&Attempt) -> bool) -> Result<bool, ApiError> {
    let mut released = false;
    for held in app.shells.held() {
        let attempt = attempts::show(&app.store, &held).await?;
        released |= which(&attempt) && app.shells.release(&held);
    }
    Ok(released)
}

/// From the person's first word to their last.
async fn serve(app: App, user: User, attempt: Attempt, mut person: WebSocket) {
    let Some(wish) = first_word(&mut person).await else {
        return;
    };
    let call = ShellCall {
        id: uuid::Uuid::now_v7().simple().to_string(),
        attempt: attempt.id.clone(),
        place: wish.place,
        command: wish.command,
        terminal: wish.terminal,
        by: user.name.clone(),
    };
    tracing::info!(attempt.id = %attempt.id, by = call.by, place = ?call.place, "a shell is asked for");
    let id = call.id.clone();
    let coming = app.shells.call(&attempt.agent, call);
    let mut early = Vec::new();
    let agent = tokio::select! {
        came = tokio::time::timeout(pair::AGENT_COMES, coming) => came.ok().and_then(Result::ok),
        () = pair::gone(&mut person, &mut early) => None,
        () = app.stop.cancelled() => None,
    };
    app.shells.give_up(&id);
    match agent {
        Some(agent) => pair::copy(person, agent, early, must_end(&app, &user)).await,
        None => {
            let message = format!(
                "agent {} did not answer; `drover agent ls` shows whether it is there",
                attempt.agent_name
            );
            pair::end(&mut person, &ShellWord::Failed { message }).await;
        }
    }
}

/// Completes when a shell must end though both its ends are there; says why.
async fn must_end(app: &App, user: &User) -> &'static str {
    tokio::select! {
        () = app.stop.cancelled() => "the coordinator is being restarted; open the shell again in a moment",
        () = access::revoked(app, Some(user)) => "the session or API token that opened this shell was revoked or has expired",
    }
}

async fn first_word(person: &mut WebSocket) -> Option<ShellWish> {
    let first = tokio::time::timeout(pair::AGENT_COMES, person.recv()).await.ok()??;
    let wish = match first {
        Ok(Message::Text(text)) => serde_json::from_str(&text).ok(),
        _ => None,
    };
    if wish.is_none() {
        let message = "the first frame must say what to enter, as JSON".to_owned();
        pair::end(person, &ShellWord::Failed { message }).await;
    }
    wish
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
