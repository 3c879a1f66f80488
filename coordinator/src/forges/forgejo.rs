//! Forgejo: what Gitea sends, under its own headers or, from an older one, under Gitea's.

use super::signature::Scheme;
use super::{Webhooks, gitea};

pub(super) const WEBHOOKS: Webhooks = Webhooks {
    word: "forgejo",
    event: &["x-forgejo-event", "x-gitea-event"],
    delivery: &["x-forgejo-delivery", "x-gitea-delivery"],
    scheme: Scheme::Hmac {
        headers: &["x-forgejo-signature", "x-gitea-signature"],
        prefix: "",
    },
    ..gitea::WEBHOOKS
};
