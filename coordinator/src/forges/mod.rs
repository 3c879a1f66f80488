//! Forges, pure: which header signs a webhook, whether the signature is right, what its body says. All that is particular
//! to one forge is in the file of its name, as `Webhooks`; the others are what forges share. Separate from HTTP and
//! store so that every forge's shape is a test of bytes.

mod forgejo;
mod form;
mod generic;
mod gitea;
mod github;
mod message;
mod payload;
mod signature;

use std::str::FromStr;

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use generic::sign;
pub use message::{Message, Origin, PullRequest, Push};
pub use signature::{Check, Refused};

/// The forges whose webhooks we take. Each is called by one word: in JSON, in the database and in a hook's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forge {
    /// Anything that can sign a small JSON body: a post-receive hook.
    Generic,
    /// GitHub.
    Github,
    /// Gitea.
    Gitea,
    /// Forgejo.
    Forgejo,
}

/// What the webhooks of one forge look like. Of several headers the first that is there counts.
struct Webhooks {
    /// How the forge is called.
    word: &'static str,
    /// Headers that name the event.
    event: &'static [&'static str],
    /// The event of a delivery without such a header.
    default_event: &'static str,
    /// Headers with the forge's id of the delivery.
    delivery: &'static [&'static str],
    /// Headers with the signature.
    signature: &'static [&'static str],
    /// What stands before the hexadecimal digits of a signature.
    signature_prefix: &'static str,
    /// Reads the JSON of an event.
    read: fn(event: &str, body: &[u8]) -> Result<Message, serde_json::Error>,
}

/// The word names no forge whose webhooks we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown forge `{0}`; known are generic, github, gitea and forgejo")]
pub struct UnknownForge(String);

/// The body is not what that forge sends.
#[derive(Debug, thiserror::Error)]
#[error("the body is no {forge} {event} delivery: {detail}")]
pub struct Malformed {
    forge: &'static str,
    event: String,
    detail: serde_json::Error,
}

impl FromStr for Forge {
    type Err = UnknownForge;

    fn from_str(word: &str) -> Result<Forge, UnknownForge> {
        let mut all = Forge::ALL.into_iter();
        all.find(|forge| forge.word() == word)
            .ok_or_else(|| UnknownForge(word.to_owned()))
    }
}

impl Forge {
    /// Every forge.
    pub const ALL: [Forge; 4] = [Forge::Generic, Forge::Github, Forge::Gitea, Forge::Forgejo];

    const fn webhooks(self) -> &'static Webhooks {
        match self {
            Forge::Generic => &generic::WEBHOOKS,
            Forge::Github => &github::WEBHOOKS,
            Forge::Gitea => &gitea::WEBHOOKS,
            Forge::Forgejo => &forgejo::WEBHOOKS,
        }
    }

    /// How it is called: `github`.
    pub fn word(self) -> &'static str {
        self.webhooks().word
    }

    /// The forge's own name for what happened: `push`, `ping`, … A generic delivery without one is a push.
    pub fn event(self, headers: &HeaderMap) -> String {
        let webhooks = self.webhooks();
        let event = first(headers, webhooks.event).unwrap_or(webhooks.default_event);
        event.chars().take(64).collect()
    }

    /// The forge's id of a delivery: the same one twice is one delivery. A sender may give none, and nothing signs it:
    /// that the same *push* makes one build is decided when it is processed, by what it says.
    pub fn delivery_id(self, headers: &HeaderMap) -> Option<String> {
        first(headers, self.webhooks().delivery).map(|id| match id.len() {
            ..=128 => id.to_owned(),
            _ => hash(id.as_bytes()),
        })
    }

    /// Reads a delivery whose signature is right. `event` is [`Forge::event`]. The body is JSON, or a form with the JSON
    /// inside.
    ///
    /// # Errors
    /// When the body of a push or a pull request is not of the forge's shape.
    pub fn parse(self, event: &str, body: &[u8]) -> Result<Message, Malformed> {
        let body = form::unwrap(body);
        // Names in git may have any bytes, and a sender may pass them on as they are.
        let body = String::from_utf8_lossy(&body);
        let webhooks = self.webhooks();
        (webhooks.read)(event, body.as_bytes()).map_err(|detail| Malformed {
            forge: webhooks.word,
            event: event.to_owned(),
            detail,
        })
    }

    /// What a delivery is about, for people: `main`, `v1.2`, `pull request 7`. Empty when it does not say.
    pub fn about(self, event: &str, body: &[u8]) -> String {
        let text = match self.parse(event, body) {
            Ok(Message::Push(push)) => {
                let name = push.reference.strip_prefix("refs/heads/");
                let name = name.or_else(|| push.reference.strip_prefix("refs/tags/"));
                name.unwrap_or(&push.reference).to_owned()
            }
            Ok(Message::PullRequest(request)) => format!("pull request {}", request.number),
            Ok(Message::Ping | Message::Other(_)) | Err(_) => String::new(),
        };
        text.chars().filter(|c| !c.is_control()).take(100).collect()
    }
}

/// Names bytes by their SHA-256.
pub(crate) fn hash(bytes: &[u8]) -> String {
    format!("sha256-{}", hex::encode(Sha256::digest(bytes)))
}

/// The first of the headers that is there, is text and is not empty.
fn first<'a>(headers: &'a HeaderMap, names: &[&str]) -> Option<&'a str> {
    let mut values = names.iter().filter_map(|name| headers.get(*name)?.to_str().ok());
    values.find(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forge_is_called_by_one_word() {
        for forge in Forge::ALL {
            assert_eq!(serde_json::to_value(forge).unwrap(), forge.word());
            assert_eq!(forge.word().parse(), Ok(forge));
        }
        let unknown = "gitlab".parse::<Forge>().unwrap_err();
        insta::assert_snapshot!(unknown, @"unknown forge `gitlab`; known are generic, github, gitea and forgejo");
    }

    #[test]
    fn a_delivery_has_the_id_of_its_forge_or_none() {
        assert_eq!(Forge::Generic.delivery_id(&HeaderMap::new()), None);
        let mut headers = HeaderMap::new();
        headers.insert("x-github-delivery", "72d3162e-cc78".parse().unwrap());
        assert_eq!(Forge::Github.delivery_id(&headers).as_deref(), Some("72d3162e-cc78"));
        headers.insert("x-github-delivery", "7".repeat(200).parse().unwrap());
        assert_eq!(Forge::Github.delivery_id(&headers).map(|id| id.len()), Some(71));
    }

    #[test]
    fn forgejo_is_understood_by_its_own_headers_and_by_giteas() {
        let mut headers = HeaderMap::new();
        headers.insert("x-gitea-event", "push".parse().unwrap());
        assert_eq!(Forge::Forgejo.event(&headers), "push");
        headers.insert("x-forgejo-event", "create".parse().unwrap());
        assert_eq!(Forge::Forgejo.event(&headers), "create");
        assert_eq!(Forge::Github.event(&headers), "unknown");
    }

    fn pushed(forge: Forge, body: &str) -> Push {
        match forge.parse("push", body.as_bytes()).unwrap() {
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
        assert!(Forge::Github.parse("push", b"payload=%7%").is_err());
    }

    #[test]
    fn a_ping_and_what_we_do_not_know_start_nothing() {
        let ping = include_str!("../../tests/fixtures/webhooks/github-ping.json");
        assert_eq!(Forge::Github.parse("ping", ping.as_bytes()).unwrap(), Message::Ping);
        let other = Forge::Gitea.parse("issues", b"{}").unwrap();
        assert_eq!(other, Message::Other("issues".into()));
    }

    #[test]
    fn a_body_of_another_shape_says_what_is_missing() {
        let error = Forge::Generic.parse("push", br#"{"after": "x"}"#).unwrap_err();
        insta::assert_snapshot!(error, @"the body is no generic push delivery: missing field `ref` at line 1 column 14");
    }
}
