//! GitHub: the names of its headers. Its bodies are those of [`super::payload`], which others took over.

use super::{Webhooks, payload};

pub(super) const WEBHOOKS: Webhooks = Webhooks {
    word: "github",
    event: &["x-github-event"],
    default_event: "unknown",
    delivery: &["x-github-delivery"],
    signature: &["x-hub-signature-256"],
    signature_prefix: "sha256=",
    read: payload::read,
};
