//! GitHub: the names of its headers. Its bodies are those of [`super::payload`], which others took over.

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
