//! GitHub: the names of its headers. Its bodies are those of [`super::payload`], which others took over.

use axum::http::Method;
use job_specs::status::JobStatus as S;
use serde_json::{Value, json};

use super::api::{self, Api, ApiRequest, CommitStatus};
use super::command::Author;
use super::location::{Segments, WebAddress};
use super::signature::Scheme;
use super::{Webhooks, payload};

pub(super) const WEBHOOKS: Webhooks = Webhooks {
    word: "github",
    event: &["x-github-event"],
    default_event: "unknown",
    delivery: &["x-github-delivery"],
    scheme: Scheme::Hmac {
        headers: &["x-hub-signature-256"],
        prefix: "sha256=",
    },
    set_up: (
        "GitHub, Settings > Webhooks",
        "pushes and pull requests, content type application/json",
    ),
    read: payload::read,
};

pub(super) static API: Api = Api {
    base,
    project: Segments::LastTwo,
    token: ("authorization", "Bearer "),
    headers: &[
        ("accept", "application/vnd.github+json"),
        ("x-github-api-version", "2022-11-28"),
    ],
    commit_status,
    webhooks: |project| api::path("/repos", project) + "/hooks",
    whole_page: "per_page=100",
    change_webhook: Method::PATCH,
    webhook: |hook| {
        json!({
            "active": true,
            "events": ["push", "pull_request", "issue_comment"],
            "config": {"url": hook.url, "content_type": "json", "secret": hook.secret.0, "insecure_ssl": "0"},
        })
    },
    permission,
    may_write,
    only_new: &[("name", "web")],
};

/// An Enterprise Server has its API below its web address.
fn base(address: &WebAddress) -> String {
    match address.host.as_str() {
        "github.com" | "ssh.github.com" => "https://api.github.com".to_owned(),
        _ => format!("{}/api/v3", address.below(0)),
    }
}

/// Gitea's API is the same here. A description longer than 140 characters is refused.
pub(super) fn commit_status(project: &str, status: &CommitStatus) -> ApiRequest {
    let state = match status.status {
        S::Waiting | S::Queued | S::Assigned | S::Running => "pending",
        S::Passed | S::Skipped => "success",
        S::Failed | S::TimedOut => "failure",
        S::Errored | S::Cancelled => "error",
    };
    let body = json!({
        "state": state,
        "target_url": status.url,
        "description": api::short(&status.description, 140),
        "context": status.context,
    });
    ApiRequest::post(
        format!("{}/statuses/{}", api::path("/repos", project), status.sha),
        body,
    )
}

/// Gitea's API is the same here.
pub(super) fn permission(project: &str, author: &Author) -> String {
    let user = web::routes::encode(&author.name);
    format!("{}/collaborators/{user}/permission", api::path("/repos", project))
}

/// The account of that name may be another one by now.
pub(super) fn may_write(answer: &Value, author: &Author) -> bool {
    let is_same = answer["user"]["id"].as_i64().map(|id| id.to_string()).as_deref() == Some(author.id.as_str());
    is_same && matches!(answer["permission"].as_str(), Some("write" | "admin" | "owner"))
}
