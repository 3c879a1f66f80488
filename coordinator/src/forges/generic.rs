//! Anything that can sign a small JSON body, as a post-receive hook can. The body itself may say which event it is.

use secrecy::SecretString;
use serde::Deserialize;

use super::signature::{self, Scheme};
use super::times::micros;
use super::{Message, Origin, PullRequest, Push, Webhooks, payload};

/// Before the digits of a signature.
const PREFIX: &str = "sha256=";

pub(super) const WEBHOOKS: Webhooks = Webhooks {
    word: "generic",
    event: &["x-drover-event"],
    default_event: "push",
    delivery: &["x-drover-delivery"],
    scheme: Scheme::Hmac {
        headers: &["x-drover-signature-256"],
        prefix: PREFIX,
    },
    set_up: ("the sender", "pushes and pull requests"),
    read,
};

/// The value of `X-Drover-Signature-256` that signs `body`: `sha256=<hex>`.
pub fn sign(secret: &SecretString, body: &[u8]) -> String {
    format!("{}{}", PREFIX, signature::digits(secret, body))
}

/// The body of a push, as such a sender writes it.
pub fn push_body(push: &Push) -> Vec<u8> {
    let body = serde_json::json!({"ref": push.reference, "before": push.before, "after": push.after});
    body.to_string().into_bytes()
}

#[derive(Deserialize)]
struct Kind {
    event: Option<String>,
}

#[derive(Deserialize)]
struct PullRequestBody {
    #[serde(rename = "ref")]
    reference: Option<String>,
    after: Option<String>,
    before: Option<String>,
    updated_at: Option<String>,
    base: String,
    number: i64,
    #[serde(default = "opened")]
    action: String,
    /// Who does not say is not trusted.
    #[serde(default = "yes")]
    fork: bool,
    sender: Option<String>,
}

fn opened() -> String {
    "opened".to_owned()
}

fn yes() -> bool {
    true
}

fn read(event: &str, body: &[u8]) -> Result<Vec<Message>, serde_json::Error> {
    if !matches!(event, "push" | "pull_request") {
        return payload::read(event, body);
    }
    let said = serde_json::from_slice::<Kind>(body)?.event;
    Ok(vec![match said.as_deref().unwrap_or(event) {
        "push" => Message::Push(payload::push(body)?),
        "pull_request" => Message::PullRequest(pull_request(body)?),
        other => Message::other(&other.chars().take(64).collect::<String>()),
    }])
}

fn pull_request(body: &[u8]) -> Result<PullRequest, serde_json::Error> {
    let body: PullRequestBody = serde_json::from_slice(body)?;
    let reference = body
        .reference
        .unwrap_or_else(|| format!("refs/pull/{}/head", body.number));
    let branch = reference.strip_prefix("refs/heads/").map(str::to_owned);
    // Only a branch can be ours: everybody may make the head of a pull request.
    let is_fork = body.fork || branch.is_none();
    let base = body.base.strip_prefix("refs/heads/").unwrap_or(&body.base).to_owned();
    Ok(PullRequest {
        action: Some(match body.action.as_str() {
            "synchronize" => "synchronized".to_owned(),
            _ => body.action,
        }),
        number: body.number,
        head: body.after,
        before: body.before,
        updated_at: body.updated_at.as_deref().and_then(micros),
        branch,
        head_repository: None,
        reference: Some(reference),
        base,
        origin: match is_fork {
            true => Origin::Fork,
            false => Origin::SameRepository,
        },
        sender: body.sender,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_say_is_a_fork() {
        let read = |text: &str| pull_request(text.as_bytes()).unwrap();
        let said = read(r#"{"event":"pull_request","ref":"refs/heads/x","base":"main","number":3,"fork":false}"#);
        assert_eq!(
            (said.origin, said.label().as_deref()),
            (Origin::SameRepository, Some("x"))
        );
        let silent = read(r#"{"base":"refs/heads/main","number":3}"#);
        assert_eq!((silent.origin, silent.base.as_str()), (Origin::Fork, "main"));
        assert_eq!(silent.reference.as_deref(), Some("refs/pull/3/head"));
        let no_branch = read(r#"{"ref":"refs/pull/3/head","base":"main","number":3,"fork":false}"#);
        assert_eq!((no_branch.origin, no_branch.branch), (Origin::Fork, None));
    }

    #[test]
    fn a_push_is_read_as_it_is_written() {
        let push = Push {
            reference: "refs/heads/\"caf\u{fffd}\" $(x)".into(),
            before: Some("0".repeat(40)),
            after: Some("1".repeat(40)),
            ..Push::default()
        };
        let messages = read("push", &push_body(&push)).unwrap();
        assert_eq!(messages, [Message::Push(push)]);
    }

    #[test]
    fn only_new_commits_are_built() {
        let ignored = |text: &str| Message::PullRequest(pull_request(text.as_bytes()).unwrap()).ignored();
        assert_eq!(ignored(r#"{"base":"main","number":3}"#), None);
        let labelled = ignored(r#"{"base":"main","number":3,"action":"labelled"}"#).unwrap();
        insta::assert_snapshot!(labelled, @"pull request 3 was labelled: only new commits are built");
    }
}
