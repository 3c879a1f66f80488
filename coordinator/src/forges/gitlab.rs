//! GitLab: one kind of body for each event, the plain secret or a signature of Standard Webhooks in the headers, and
//! merge requests under `refs/merge-requests/`.

use axum::http::Method;
use job_specs::status::JobStatus as S;
use serde::Deserialize;
use serde_json::{Error, json};

use super::Webhooks;
use super::api::{self, Api, ApiRequest, CommitStatus};
use super::command::{self, Author};
use super::location::Segments;
use super::message::{Message, Origin, Other, PullRequest, Push};
use super::signature::Scheme;
use super::times::micros;

pub(super) const WEBHOOKS: Webhooks = Webhooks {
    word: "gitlab",
    event: &["x-gitlab-event"],
    default_event: "unknown",
    // The first is signed, and the same as the second; both are the same for each try of one delivery. Older ones have a
    // new id for each.
    delivery: &["webhook-id", "idempotency-key", "x-gitlab-event-uuid"],
    scheme: Scheme::TokenOrStandard {
        token: "x-gitlab-token",
    },
    set_up: (
        "GitLab, Settings > Webhooks",
        "push events, tag push events and merge request events",
    ),
    read,
};

pub(super) static API: Api = Api {
    base: |address| address.below(0) + "/api/v4",
    project: Segments::All,
    token: ("private-token", ""),
    headers: &[("accept", "application/json")],
    commit_status,
    webhooks: |project| format!("{}/hooks", path(project)),
    whole_page: "per_page=100",
    change_webhook: Method::PUT,
    webhook: |hook| {
        json!({
            "url": hook.url,
            "token": hook.secret.0,
            "push_events": true,
            "tag_push_events": true,
            "merge_requests_events": true,
            "note_events": true,
            "enable_ssl_verification": true,
        })
    },
    permission: |project, author| format!("{}/members/all/{}", path(project), web::routes::encode(&author.id)),
    // Developers and those above.
    may_write: |answer, _| answer["access_level"].as_i64().is_some_and(|level| level >= 30),
    only_new: &[],
};

/// A project is named by its whole path as one segment.
fn path(project: &str) -> String {
    format!("/projects/{}", web::routes::encode(project))
}

fn commit_status(project: &str, status: &CommitStatus) -> ApiRequest {
    let state = match status.status {
        S::Waiting | S::Queued => "pending",
        S::Assigned | S::Running => "running",
        S::Passed | S::Skipped => "success",
        S::Failed | S::TimedOut | S::Errored => "failed",
        S::Cancelled => "canceled",
    };
    let body = json!({
        "state": state,
        "name": status.context,
        "target_url": status.url,
        "description": api::short(&status.description, 255),
    });
    ApiRequest::post(format!("{}/statuses/{}", path(project), status.sha), body)
}

#[derive(Deserialize)]
struct Kind {
    object_kind: Option<String>,
    event_name: Option<String>,
}

/// The body says which event it is: a system hook's header does not.
fn read(event: &str, body: &[u8]) -> Result<Vec<Message>, Error> {
    let kind: Kind = serde_json::from_slice(body)?;
    let kind = kind.object_kind.or(kind.event_name);
    Ok(vec![match kind.as_deref() {
        Some("push" | "tag_push") => Message::Push(push(body)?),
        Some("merge_request") => Message::PullRequest(merge_request(body)?),
        Some("note") => note(body)?,
        Some("release") => Message::Other(release(body)?),
        other => Message::other(other.unwrap_or(event)),
    }])
}

#[derive(Deserialize)]
struct PushBody {
    #[serde(rename = "ref")]
    reference: String,
    before: Option<String>,
    after: Option<String>,
    user_username: Option<String>,
}

fn push(body: &[u8]) -> Result<Push, Error> {
    let body: PushBody = serde_json::from_slice(body)?;
    Ok(Push {
        reference: body.reference,
        after: body.after,
        before: body.before,
        forced: false,
        sender: body.user_username,
    })
}

#[derive(Deserialize)]
struct MergeRequestBody {
    user: Option<User>,
    project: Project,
    object_attributes: MergeRequest,
    #[serde(default)]
    changes: Changes,
}

#[derive(Deserialize)]
struct User {
    id: Option<i64>,
    username: Option<String>,
}

#[derive(Deserialize)]
struct Project {
    id: i64,
}

#[derive(Default, Deserialize)]
struct Changes {
    labels: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct MergeRequest {
    iid: i64,
    action: Option<String>,
    source_branch: String,
    target_branch: String,
    /// Null when the project is gone.
    source_project_id: Option<i64>,
    target_project_id: i64,
    /// The project of the source.
    source: Option<Source>,
    last_commit: Option<Commit>,
    /// The commit that was the last before; only when new ones came.
    oldrev: Option<String>,
    updated_at: Option<String>,
}

#[derive(Deserialize)]
struct Source {
    path_with_namespace: Option<String>,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
}

fn merge_request(body: &[u8]) -> Result<PullRequest, Error> {
    let body: MergeRequestBody = serde_json::from_slice(body)?;
    let request = body.object_attributes;
    let is_one = request.source_project_id == Some(request.target_project_id)
        && body.project.id == request.target_project_id
        && !request.source_branch.starts_with("refs/");
    let action = request.action.as_deref().map(|action| match action {
        "open" => "opened",
        "reopen" => "reopened",
        "close" | "merge" => "closed",
        "update" if request.oldrev.is_some() => "synchronized",
        "update" if body.changes.labels.is_some() => "labelled",
        "update" => "edited",
        other => other,
    });
    Ok(PullRequest {
        action: action.map(str::to_owned),
        number: request.iid,
        reference: Some(format!("refs/merge-requests/{}/head", request.iid)),
        head: request.last_commit.map(|commit| commit.id),
        before: request.oldrev,
        updated_at: request.updated_at.as_deref().and_then(micros),
        branch: Some(request.source_branch),
        head_repository: request.source.and_then(|source| source.path_with_namespace),
        base: request.target_branch,
        origin: if is_one { Origin::SameRepository } else { Origin::Fork },
        sender: body.user.and_then(|user| user.username),
    })
}

#[derive(Deserialize)]
struct NoteBody {
    user: Option<User>,
    object_attributes: Option<Note>,
    merge_request: Option<Noted>,
}

#[derive(Deserialize)]
struct Note {
    action: Option<String>,
    note: Option<String>,
}

#[derive(Deserialize)]
struct Noted {
    iid: i64,
}

fn note(body: &[u8]) -> Result<Message, Error> {
    let body: NoteBody = serde_json::from_slice(body)?;
    let (action, text) = body
        .object_attributes
        .map_or((None, None), |note| (note.action, note.note));
    let author = body.user.as_ref().and_then(|user| {
        Some(Author {
            name: user.username.clone()?,
            id: user.id?.to_string(),
        })
    });
    let about = Other {
        event: "comment".to_owned(),
        action,
        number: body.merge_request.map(|request| request.iid),
        sender: body.user.and_then(|user| user.username),
        ..Other::default()
    };
    Ok(command::comment(about, text.as_deref(), author))
}

#[derive(Deserialize)]
struct ReleaseBody {
    tag: Option<String>,
    action: Option<String>,
}

fn release(body: &[u8]) -> Result<Other, Error> {
    let body: ReleaseBody = serde_json::from_slice(body)?;
    Ok(Other {
        event: "release".to_owned(),
        action: body.action,
        reference: body.tag.map(|tag| format!("refs/tags/{tag}")),
        ..Other::default()
    })
}
