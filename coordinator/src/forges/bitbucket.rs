//! Bitbucket Cloud: one delivery may move several branches and tags; pull requests have short commit ids, and those of
//! forks no reference in the repository.

use axum::http::Method;
use job_specs::status::JobStatus as S;
use serde::Deserialize;
use serde_json::{Error, Value, json};

use super::Webhooks;
use super::api::{self, Api, ApiRequest, CommitStatus};
use super::command::{self, Author};
use super::location::Segments;
use super::message::{Message, Origin, Other, PullRequest, Push};
use super::signature::Scheme;
use super::times::micros;

pub(super) const WEBHOOKS: Webhooks = Webhooks {
    word: "bitbucket",
    event: &["x-event-key"],
    default_event: "unknown",
    delivery: &["x-request-uuid"],
    scheme: Scheme::Hmac {
        headers: &["x-hub-signature"],
        prefix: "sha256=",
    },
    set_up: (
        "Bitbucket, Repository settings > Webhooks",
        "repository push, pull request created and updated",
    ),
    read,
};

pub(super) static API: Api = Api {
    base: |_| "https://api.bitbucket.org/2.0".to_owned(),
    project: Segments::LastTwo,
    token: ("authorization", "Bearer "),
    headers: &[("accept", "application/json")],
    commit_status,
    webhooks: |project| api::path("/repositories", project) + "/hooks",
    whole_page: "pagelen=100",
    change_webhook: Method::PUT,
    webhook: |hook| {
        json!({
            "description": "Drover",
            "url": hook.url,
            "active": true,
            "secret": hook.secret.0,
            "events": ["repo:push", "pullrequest:created", "pullrequest:updated", "pullrequest:comment_created"],
        })
    },
    permission: |project, author| {
        let user = web::routes::encode(&author.id);
        format!(
            "{}/permissions-config/users/{user}",
            api::path("/repositories", project)
        )
    },
    may_write: |answer, _| matches!(answer["permission"].as_str(), Some("write" | "admin")),
    only_new: &[],
};

fn commit_status(project: &str, status: &CommitStatus) -> ApiRequest {
    let state = match status.status {
        S::Waiting | S::Queued | S::Assigned | S::Running => "INPROGRESS",
        S::Passed | S::Skipped => "SUCCESSFUL",
        S::Failed | S::TimedOut | S::Errored => "FAILED",
        S::Cancelled => "STOPPED",
    };
    let path = format!(
        "{}/commit/{}/statuses/build",
        api::path("/repositories", project),
        status.sha
    );
    ApiRequest::post(path, build_status(status, state))
}

/// The status of a build as Cloud and Data Center take it. A key longer than 40 characters is refused.
pub(super) fn build_status(status: &CommitStatus, state: &str) -> Value {
    json!({
        "key": api::short(&status.context, 40),
        "state": state,
        "name": status.context,
        "url": status.url,
        "description": api::short(&status.description, 255),
    })
}

fn read(event: &str, body: &[u8]) -> Result<Vec<Message>, Error> {
    if event == "repo:push" {
        return pushes(body);
    }
    let what = event.strip_prefix("pullrequest:");
    Ok(vec![
        match (what, what.and_then(|what| what.strip_prefix("comment_"))) {
            (_, Some(what)) => comment(what, body)?,
            (Some(what), None) => Message::PullRequest(pull_request(what, body)?),
            (None, None) => Message::other(event),
        },
    ])
}

/// Who did it, at Cloud and at Data Center.
#[derive(Deserialize)]
pub(super) struct Actor {
    nickname: Option<String>,
    #[serde(alias = "name")]
    username: Option<String>,
    #[serde(alias = "displayName")]
    display_name: Option<String>,
    /// Of Cloud.
    uuid: Option<String>,
    /// Of Data Center.
    id: Option<i64>,
}

impl Actor {
    fn author(&self) -> Option<Author> {
        let id = self.uuid.clone().or_else(|| Some(self.id?.to_string()))?;
        let name = self.username.clone().or_else(|| self.nickname.clone());
        Some(Author {
            name: name.unwrap_or_else(|| id.clone()),
            id,
        })
    }

    pub(super) fn name(self) -> Option<String> {
        self.username.or(self.nickname).or(self.display_name)
    }
}

#[derive(Deserialize)]
struct PushBody {
    push: Changes,
    actor: Option<Actor>,
}

#[derive(Deserialize)]
struct Changes {
    changes: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    new: Option<Named>,
    old: Option<Named>,
    #[serde(default)]
    forced: bool,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    hash: String,
}

fn pushes(body: &[u8]) -> Result<Vec<Message>, Error> {
    let body: PushBody = serde_json::from_slice(body)?;
    let sender = body.actor.and_then(Actor::name);
    let moved = body.push.changes.into_iter().filter_map(|change| {
        let commit = |named: Option<Named>| named.map_or(Some("0".repeat(40)), |named| Some(named.target?.hash));
        let named = change.new.as_ref().or(change.old.as_ref())?;
        let folder = match named.kind.as_str() {
            "tag" | "annotated_tag" => "refs/tags",
            _ => "refs/heads",
        };
        Some(Push {
            reference: format!("{folder}/{}", named.name),
            after: commit(change.new),
            before: commit(change.old),
            forced: change.forced,
            sender: sender.clone(),
        })
    });
    Ok(Message::pushes(moved))
}

#[derive(Deserialize)]
struct PullRequestBody {
    pullrequest: Request,
    actor: Option<Actor>,
}

#[derive(Deserialize)]
struct Request {
    id: i64,
    source: End,
    destination: End,
    updated_on: Option<String>,
}

#[derive(Deserialize)]
struct End {
    branch: Branch,
    commit: Option<Target>,
    /// Null when the repository was deleted.
    repository: Option<Repository>,
}

#[derive(Deserialize)]
struct Branch {
    name: String,
}

#[derive(Deserialize)]
struct Repository {
    uuid: Option<String>,
    full_name: Option<String>,
}

fn pull_request(what: &str, body: &[u8]) -> Result<PullRequest, Error> {
    let body: PullRequestBody = serde_json::from_slice(body)?;
    let Request {
        id,
        source,
        destination,
        updated_on,
    } = body.pullrequest;
    let uuid = |end: &End| end.repository.as_ref()?.uuid.clone().filter(|uuid| !uuid.is_empty());
    let is_one = uuid(&source).is_some() && uuid(&source) == uuid(&destination);
    let branch = source.branch.name;
    let action = match what {
        "created" => "opened",
        // New commits or a new title, nobody says which; the same commit again makes no second build.
        "updated" => "synchronized",
        "fulfilled" | "rejected" => "closed",
        other => other,
    };
    Ok(PullRequest {
        action: Some(action.to_owned()),
        number: id,
        reference: is_one.then(|| format!("refs/heads/{branch}")),
        head: source.commit.map(|commit| commit.hash),
        before: None,
        updated_at: updated_on.as_deref().and_then(micros),
        branch: Some(branch),
        head_repository: source.repository.and_then(|repository| repository.full_name),
        base: destination.branch.name,
        origin: if is_one { Origin::SameRepository } else { Origin::Fork },
        sender: body.actor.and_then(Actor::name),
    })
}

#[derive(Deserialize)]
struct CommentBody {
    #[serde(alias = "pullRequest")]
    pullrequest: Commented,
    comment: Option<Comment>,
    actor: Option<Actor>,
}

#[derive(Deserialize)]
struct Comment {
    /// Of Data Center.
    text: Option<String>,
    /// Of Cloud.
    content: Option<Content>,
}

#[derive(Deserialize)]
struct Content {
    raw: Option<String>,
}

#[derive(Deserialize)]
struct Commented {
    id: i64,
}

/// A comment, at Cloud and at Data Center; `what` is what happened to it.
pub(super) fn comment(what: &str, body: &[u8]) -> Result<Message, Error> {
    let body: CommentBody = serde_json::from_slice(body)?;
    let author = body.actor.as_ref().and_then(Actor::author);
    let text = body
        .comment
        .and_then(|comment| comment.text.or_else(|| comment.content?.raw));
    let about = Other {
        event: "comment".to_owned(),
        action: Some(what.to_owned()),
        number: Some(body.pullrequest.id),
        sender: body.actor.and_then(Actor::name),
        ..Other::default()
    };
    Ok(command::comment(about, text.as_deref(), author))
}
