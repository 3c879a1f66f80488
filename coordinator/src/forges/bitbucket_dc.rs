//! Bitbucket Data Center: one delivery may move several branches and tags; pull requests are found under
//! `refs/pull-requests/`.

use axum::http::Method;
use job_specs::status::JobStatus as S;
use serde::Deserialize;
use serde_json::{Error, Value, json};

use super::Webhooks;
use super::api::{Api, ApiRequest, CommitStatus};
use super::bitbucket::{Actor, build_status, comment};
use super::command::Author;
use super::location::{Segments, WebAddress};
use super::message::{Message, Origin, PullRequest, Push};
use super::signature::Scheme;
use super::times::Time;

pub(super) const WEBHOOKS: Webhooks = Webhooks {
    word: "bitbucket-dc",
    event: &["x-event-key"],
    default_event: "unknown",
    delivery: &["x-request-id"],
    scheme: Scheme::Hmac {
        headers: &["x-hub-signature"],
        prefix: "sha256=",
    },
    set_up: (
        "Bitbucket, Repository settings > Webhooks",
        "repository push, pull request opened and source branch updated",
    ),
    read,
};

pub(super) static API: Api = Api {
    base,
    project: Segments::LastTwo,
    token: ("authorization", "Bearer "),
    headers: &[("accept", "application/json")],
    commit_status,
    webhooks: |project| path(project) + "/webhooks",
    whole_page: "limit=100",
    change_webhook: Method::PUT,
    webhook: |hook| {
        json!({
            "name": "Drover",
            "url": hook.url,
            "active": true,
            "configuration": {"secret": hook.secret.0},
            "events": ["repo:refs_changed", "pr:opened", "pr:from_ref_updated", "pr:reopened", "pr:comment:added"],
        })
    },
    permission: |project, author| {
        format!(
            "{}/permissions/users?filter={}",
            path(project),
            web::routes::encode(&author.name)
        )
    },
    may_write,
    only_new: &[],
};

/// Over HTTP, repositories are below `scm`, which may be below a path; over SSH nothing but the host is known.
fn base(address: &WebAddress) -> String {
    let scm = address.path.iter().position(|segment| segment == "scm");
    address.below(scm.unwrap_or(0)) + "/rest"
}

/// The filter also finds names that only contain the author's.
fn may_write(answer: &Value, author: &Author) -> bool {
    let mut all = answer["values"].as_array().into_iter().flatten();
    all.any(|entry| {
        let is_same = entry["user"]["id"].as_i64().map(|id| id.to_string()).as_deref() == Some(author.id.as_str());
        is_same && matches!(entry["permission"].as_str(), Some("REPO_WRITE" | "REPO_ADMIN"))
    })
}

fn path(project: &str) -> String {
    let (key, name) = project.rsplit_once('/').unwrap_or(("", project));
    let [key, name] = [key, name].map(web::routes::encode);
    format!("/api/latest/projects/{key}/repos/{name}")
}

fn commit_status(project: &str, status: &CommitStatus) -> ApiRequest {
    let state = match status.status {
        S::Waiting | S::Queued | S::Assigned | S::Running => "INPROGRESS",
        S::Passed | S::Skipped => "SUCCESSFUL",
        // Only newer ones have a word for what was cancelled.
        S::Failed | S::TimedOut | S::Errored | S::Cancelled => "FAILED",
    };
    ApiRequest::post(
        format!("{}/commits/{}/builds", path(project), status.sha),
        build_status(status, state),
    )
}

fn read(event: &str, body: &[u8]) -> Result<Vec<Message>, Error> {
    if event == "repo:refs_changed" {
        return pushes(body);
    }
    let what = event.strip_prefix("pr:");
    Ok(vec![
        match (what, what.and_then(|what| what.strip_prefix("comment:"))) {
            (_, Some(what)) => comment(what, body)?,
            (Some(what), None) => Message::PullRequest(pull_request(what, body)?),
            (None, None) if event == "diagnostics:ping" => Message::Ping,
            (None, None) => Message::other(event),
        },
    ])
}

#[derive(Deserialize)]
struct PushBody {
    changes: Vec<Change>,
    actor: Option<Actor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    #[serde(rename = "ref")]
    reference: Reference,
    from_hash: String,
    to_hash: String,
}

#[derive(Deserialize)]
struct Reference {
    id: String,
}

fn pushes(body: &[u8]) -> Result<Vec<Message>, Error> {
    let body: PushBody = serde_json::from_slice(body)?;
    let sender = body.actor.and_then(Actor::name);
    let moved = body.changes.into_iter().map(|change| Push {
        reference: change.reference.id,
        after: Some(change.to_hash),
        before: Some(change.from_hash),
        forced: false,
        sender: sender.clone(),
    });
    Ok(Message::pushes(moved))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PullRequestBody {
    pull_request: Request,
    actor: Option<Actor>,
    previous_from_hash: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    id: i64,
    from_ref: End,
    to_ref: End,
    updated_date: Option<Time>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct End {
    /// `refs/heads/feature`
    id: String,
    latest_commit: Option<String>,
    repository: Repository,
}

#[derive(Deserialize)]
struct Repository {
    id: i64,
    slug: String,
    project: Project,
}

#[derive(Deserialize)]
struct Project {
    key: String,
}

impl End {
    fn branch(&self) -> String {
        self.id.strip_prefix("refs/heads/").unwrap_or(&self.id).to_owned()
    }
}

fn pull_request(what: &str, body: &[u8]) -> Result<PullRequest, Error> {
    let body: PullRequestBody = serde_json::from_slice(body)?;
    let Request {
        id,
        from_ref: head,
        to_ref: base,
        updated_date,
    } = body.pull_request;
    let is_one = head.repository.id == base.repository.id && head.id.starts_with("refs/heads/");
    let action = match what {
        "from_ref_updated" => "synchronized",
        "modified" => "edited",
        "merged" | "declined" | "deleted" => "closed",
        other => other,
    };
    Ok(PullRequest {
        action: Some(action.to_owned()),
        number: id,
        reference: Some(format!("refs/pull-requests/{id}/from")),
        before: body.previous_from_hash,
        updated_at: updated_date.and_then(|time| time.micros()),
        branch: Some(head.branch()),
        head_repository: Some(format!("{}/{}", head.repository.project.key, head.repository.slug)),
        head: head.latest_commit,
        base: base.branch(),
        origin: if is_one { Origin::SameRepository } else { Origin::Fork },
        sender: body.actor.and_then(Actor::name),
    })
}
