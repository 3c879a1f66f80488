//! Gitea: GitHub's bodies under headers of its own, and a signature without the name of its hash.

use axum::http::Method;
use serde_json::json;

use super::api::{self, Api};
use super::location::Segments;
use super::signature::Scheme;
use super::{Webhooks, github, payload};

pub(super) const WEBHOOKS: Webhooks = Webhooks {
    word: "gitea",
    event: &["x-gitea-event"],
    default_event: "unknown",
    delivery: &["x-gitea-delivery"],
    scheme: Scheme::Hmac {
        headers: &["x-gitea-signature"],
        prefix: "",
    },
    set_up: (
        "the repository's Settings > Webhooks",
        "push and pull request events, content type application/json",
    ),
    read: payload::read,
};

pub(super) static API: Api = Api {
    base: |address| address.root() + "/api/v1",
    project: Segments::LastTwo,
    token: ("authorization", "token "),
    headers: &[("accept", "application/json")],
    commit_status: github::commit_status,
    webhooks: |project| api::path("/repos", project) + "/hooks",
    whole_page: "limit=100",
    change_webhook: Method::PATCH,
    // Forgejo takes Gitea's webhooks, too, and sends them under both kinds of headers.
    webhook: |hook| {
        json!({
            "active": true,
            "events": ["push", "pull_request", "pull_request_sync", "issue_comment"],
            "config": {"url": hook.url, "content_type": "json", "secret": hook.secret.0},
        })
    },
    permission: github::permission,
    may_write: github::may_write,
    only_new: &[("type", "gitea")],
};
