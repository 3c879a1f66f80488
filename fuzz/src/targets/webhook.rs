//! Deliveries of forges: the body, under every forge and event.

use coordinator::forges::Forge;

use super::{Target, files, filled};
use crate::mutate::Examples;
use crate::random::Random;

const EVENTS: [&str; 11] = [
    "push",
    "pull_request",
    "create",
    "ping",
    "release",
    "repo:push",
    "pullrequest:updated",
    "pullrequest:comment_created",
    "repo:refs_changed",
    "pr:from_ref_updated",
    "",
];

pub(super) fn target() -> anyhow::Result<Target> {
    let examples = files(&["coordinator/tests/fixtures/webhooks", "fuzz/corpus/webhook"])?;
    Ok(Target {
        name: "webhook",
        examples: Examples::new(examples.into_iter().map(|(_, text)| text).collect()),
        worst: Box::new(|| Ok(worst())),
        read: Box::new(read),
    })
}

fn worst() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |open: &str, close: &str| {
        let half = 120 * 1024 / open.len();
        (open.repeat(half) + &close.repeat(half)).into_bytes()
    };
    vec![
        ("lists inside lists", nested("[", "]")),
        ("maps inside maps", nested("{\"ref\":", "}")),
        (
            "commits",
            filled(
                255 * 1024,
                "{\"ref\":\"refs/heads/a\",\"commits\":[{}",
                &|_| ",{}".into(),
                "]}",
            ),
        ),
        (
            "one key",
            filled(255 * 1024, "{\"ref\":\"a\"", &|_| ",\"ref\":\"a\"".into(), "}"),
        ),
    ]
}

fn read(bytes: &[u8]) {
    let mut random = Random::of_bytes(bytes);
    let forge = random.pick(&Forge::ALL);
    for name in ["push", "pull_request", random.pick(&EVENTS)] {
        for message in forge.parse(name, bytes).unwrap_or_default() {
            let _ = (message.about(), message.ignored(), message.meaning());
        }
    }
}
