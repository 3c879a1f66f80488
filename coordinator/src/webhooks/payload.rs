//! What a delivery says. Only the fields we use are typed; a forge may send whatever else it likes.

use std::borrow::Cow;

use serde::Deserialize;

use super::pull_request::{self, PullRequest};
use super::{Forge, word};

/// What a delivery says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// "Do you hear me?"
    Ping,
    /// A branch or a tag points at another commit.
    Push(Push),
    /// A pull request was opened, or has new commits, or something else happened to it.
    PullRequest(PullRequest),
    /// Something that starts no build; its name.
    Other(String),
}

/// A branch or a tag points at another commit. Nothing here is checked yet: names are the sender's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// `refs/heads/main`
    pub reference: String,
    /// The commit, or the tag object; `None`: whatever the reference points at.
    pub after: Option<String>,
    /// The commit that it pointed at before; all zeros when it is new, `None` when the sender does not say.
    pub before: Option<String>,
    /// Who pushed, for display.
    pub pusher: Option<String>,
}

impl Push {
    /// The reference is gone: its new value is all zeros.
    pub fn is_deletion(&self) -> bool {
        let zeros = |id: &str| !id.is_empty() && id.bytes().all(|digit| digit == b'0');
        self.after.as_deref().is_some_and(zeros)
    }
}

/// The body is not what that forge sends.
#[derive(Debug, thiserror::Error)]
#[error("the body is no {forge} {event} delivery: {detail}")]
pub struct Malformed {
    forge: &'static str,
    event: String,
    detail: String,
}

#[derive(Deserialize)]
struct PushBody {
    #[serde(rename = "ref")]
    reference: String,
    after: Option<String>,
    before: Option<String>,
    #[serde(default)]
    deleted: bool,
    pusher: Option<Person>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Person {
    Named(String),
    Account {
        name: Option<String>,
        login: Option<String>,
        username: Option<String>,
    },
}

impl Person {
    fn name(self) -> Option<String> {
        match self {
            Person::Named(name) => Some(name),
            Person::Account { name, login, username } => login.or(username).or(name),
        }
    }
}

/// Reads a delivery whose signature is right. `event` is [`super::event`]. The body is JSON, or a form with the JSON
/// in its field `payload`, as GitHub's default is.
///
/// # Errors
/// When a push is not of the forge's shape.
pub fn parse(forge: Forge, event: &str, body: &[u8]) -> Result<Message, Malformed> {
    let body = unwrap_form(body);
    // Names in git may have any bytes, and a sender may pass them on as they are.
    let body = String::from_utf8_lossy(&body);
    let body = body.as_bytes();
    let malformed = |error: serde_json::Error| Malformed {
        forge: word(forge).unwrap_or("unknown"),
        event: event.to_owned(),
        detail: error.to_string(),
    };
    match event {
        "ping" => Ok(Message::Ping),
        // A generic sender may say in the body what it is.
        "push" | "pull_request" if forge == Forge::Generic => generic(event, body).map_err(malformed),
        "push" => push(body).map(Message::Push).map_err(malformed),
        "pull_request" => pull_request::of_forge(body)
            .map(Message::PullRequest)
            .map_err(malformed),
        other => Ok(Message::Other(other.to_owned())),
    }
}

fn generic(event: &str, body: &[u8]) -> Result<Message, serde_json::Error> {
    #[derive(Deserialize)]
    struct Kind {
        event: Option<String>,
    }
    let said = serde_json::from_slice::<Kind>(body)?.event;
    match said.as_deref().unwrap_or(event) {
        "push" => push(body).map(Message::Push),
        "pull_request" => pull_request::generic(body).map(Message::PullRequest),
        other => Ok(Message::Other(other.chars().take(64).collect())),
    }
}

fn unwrap_form(body: &[u8]) -> Cow<'_, [u8]> {
    let Some(rest) = body.strip_prefix(b"payload=") else {
        return Cow::Borrowed(body);
    };
    let value = rest.split(|byte| *byte == b'&').next().unwrap_or_default();
    let mut plain = Vec::with_capacity(value.len());
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next().unwrap_or_default(), bytes.next().unwrap_or_default()];
                let mut decoded = [b'?'];
                // A broken escape becomes `?`, and the JSON around it says the rest.
                let _ = hex::decode_to_slice(digits, &mut decoded);
                decoded[0]
            }
            other => other,
        });
    }
    Cow::Owned(plain)
}

fn push(body: &[u8]) -> Result<Push, serde_json::Error> {
    let body: PushBody = serde_json::from_slice(body)?;
    let after = match body.deleted {
        true => Some("0".repeat(40)),
        false => body.after,
    };
    Ok(Push {
        reference: body.reference,
        after,
        before: body.before,
        pusher: body.pusher.and_then(Person::name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(forge: Forge, body: &str) -> Push {
        match parse(forge, "push", body.as_bytes()).unwrap() {
            Message::Push(push) => push,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_push_of_each_forge_is_the_same_push() {
        let expected = Push {
            reference: "refs/heads/main".into(),
            after: Some("6113728f27ae82c7b1a177c8d03f9e96e0adf246".into()),
            before: None,
            pusher: Some("octo".into()),
        };
        let github = include_str!("../../tests/fixtures/webhooks/github-push.json");
        let gitea = include_str!("../../tests/fixtures/webhooks/gitea-push.json");
        let forgejo = include_str!("../../tests/fixtures/webhooks/forgejo-push.json");
        let generic = include_str!("../../tests/fixtures/webhooks/generic-push.json");
        let alike = |push: Push| Push { before: None, ..push };
        let pushed = |forge, body| alike(pushed(forge, body));
        assert_eq!(pushed(Forge::Github, github), expected);
        assert_eq!(pushed(Forge::Gitea, gitea), expected);
        assert_eq!(pushed(Forge::Forgejo, forgejo), expected);
        assert_eq!(pushed(Forge::Generic, generic), expected);
    }

    #[test]
    fn a_deleted_branch_is_seen() {
        let deleted = include_str!("../../tests/fixtures/webhooks/github-push-deleted.json");
        assert!(pushed(Forge::Github, deleted).is_deletion());
        let zeros = format!(r#"{{"ref":"refs/heads/x","after":"{}"}}"#, "0".repeat(64));
        assert!(pushed(Forge::Generic, &zeros).is_deletion());
        assert!(!pushed(Forge::Generic, r#"{"ref":"refs/heads/x"}"#).is_deletion());
    }

    #[test]
    fn a_form_with_the_json_inside_is_the_same_push() {
        let form = "payload=%7B%22ref%22%3A+%22refs%2Fheads%2Fmain%22%7D&x=1";
        assert_eq!(pushed(Forge::Github, form).reference, "refs/heads/main");
        assert!(parse(Forge::Github, "push", b"payload=%7%").is_err());
    }

    #[test]
    fn a_ping_and_what_we_do_not_know_start_nothing() {
        let ping = include_str!("../../tests/fixtures/webhooks/github-ping.json");
        assert_eq!(parse(Forge::Github, "ping", ping.as_bytes()).unwrap(), Message::Ping);
        let other = parse(Forge::Gitea, "issues", b"{}").unwrap();
        assert_eq!(other, Message::Other("issues".into()));
    }

    #[test]
    fn a_body_of_another_shape_says_what_is_missing() {
        let error = parse(Forge::Generic, "push", br#"{"after": "x"}"#).unwrap_err();
        insta::assert_snapshot!(error, @"the body is no generic push delivery: missing field `ref` at line 1 column 14");
    }
}
