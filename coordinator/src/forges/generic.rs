//! Anything that can sign a small JSON body, as a post-receive hook can. The body itself may say which event it is.

use secrecy::SecretString;
use serde::Deserialize;

use super::payload::{self, micros};
use super::{Message, Origin, PullRequest, Webhooks, signature};

pub(super) const WEBHOOKS: Webhooks = Webhooks {
    word: "generic",
    event: &["x-drover-event"],
    default_event: "push",
    delivery: &["x-drover-delivery"],
    signature: &["x-drover-signature-256"],
    signature_prefix: "sha256=",
    read,
};

/// The value of `X-Drover-Signature-256` that signs `body`: `sha256=<hex>`.
pub fn sign(secret: &SecretString, body: &[u8]) -> String {
    format!("{}{}", WEBHOOKS.signature_prefix, signature::digits(secret, body))
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
}

fn opened() -> String {
    "opened".to_owned()
}

fn yes() -> bool {
    true
}

fn read(event: &str, body: &[u8]) -> Result<Message, serde_json::Error> {
    if !matches!(event, "push" | "pull_request") {
        return payload::read(event, body);
    }
    let said = serde_json::from_slice::<Kind>(body)?.event;
    match said.as_deref().unwrap_or(event) {
        "push" => payload::push(body).map(Message::Push),
        "pull_request" => pull_request(body).map(Message::PullRequest),
        other => Ok(Message::Other(other.chars().take(64).collect())),
    }
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
        action: body.action,
        number: body.number,
        head: body.after,
        before: body.before,
        updated_at: body.updated_at.as_deref().and_then(micros),
        branch: match is_fork {
            true => branch.map(|branch| format!("fork:{branch}")),
            false => branch,
        },
        reference,
        base,
        origin: match is_fork {
            true => Origin::Fork,
            false => Origin::SameRepository,
        },
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
            (said.origin, said.branch.as_deref()),
            (Origin::SameRepository, Some("x"))
        );
        let silent = read(r#"{"base":"refs/heads/main","number":3}"#);
        assert_eq!((silent.origin, silent.base.as_str()), (Origin::Fork, "main"));
        assert_eq!(silent.reference, "refs/pull/3/head");
        let no_branch = read(r#"{"ref":"refs/pull/3/head","base":"main","number":3,"fork":false}"#);
        assert_eq!((no_branch.origin, no_branch.branch), (Origin::Fork, None));
    }

    #[test]
    fn only_new_commits_are_built() {
        let mut request = pull_request(br#"{"base":"main","number":3}"#).unwrap();
        assert_eq!(request.unwanted(), None);
        request.action = "labeled".into();
        insta::assert_snapshot!(request.unwanted().unwrap(), @"pull request 3 was labeled: only new commits are built");
    }
}
