//! Gitea: GitHub's bodies under headers of its own, and a signature without the name of its hash.

use super::signature::Scheme;
use super::{Webhooks, payload};

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
