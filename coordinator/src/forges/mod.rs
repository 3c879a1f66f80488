//! Forges, pure: which header signs a webhook, whether the signature is right, what its body says; and the requests that a
//! forge's API takes. All that is particular to one forge is in the file of its name, as `Webhooks` and `Api`; the others
//! are what forges share. Separate from HTTP and
//! store so that every forge's shape is a test of bytes.

mod api;
mod bitbucket;
mod bitbucket_dc;
mod command;
mod forgejo;
mod form;
mod generic;
mod gitea;
mod github;
mod gitlab;
mod location;
mod message;
mod payload;
mod signature;
#[cfg(test)]
mod tests;
mod times;

use std::str::FromStr;

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use api::{Api, ApiRequest, CommitStatus, NewWebhook};
pub use command::{Author, Command, Wanted};
pub use generic::{push_body, sign};
pub use location::{BadLocation, Location};
pub use message::{Message, Origin, Other, PullRequest, Push};
pub use signature::{Check, Refused};

use signature::Scheme;

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
    /// GitLab.
    Gitlab,
    /// Bitbucket Cloud.
    Bitbucket,
    /// Bitbucket Data Center.
    #[serde(rename = "bitbucket-dc")]
    BitbucketDc,
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
    /// How a delivery is signed.
    scheme: Scheme,
    /// Where people add a webhook, and what they choose there.
    set_up: (&'static str, &'static str),
    /// Reads the JSON of an event: at least one message, and several where one delivery moves several references.
    read: fn(event: &str, body: &[u8]) -> Result<Vec<Message>, serde_json::Error>,
}

/// The word names no forge whose webhooks we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown forge `{0}`; known are {known}", known = known())]
pub struct UnknownForge(String);

/// The words of all forges, as a sentence has them.
fn known() -> String {
    let [first @ .., last] = Forge::ALL.map(Forge::word);
    format!("{} and {last}", first.join(", "))
}

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
    pub const ALL: [Forge; 7] = [
        Forge::Generic,
        Forge::Github,
        Forge::Gitea,
        Forge::Forgejo,
        Forge::Gitlab,
        Forge::Bitbucket,
        Forge::BitbucketDc,
    ];

    const fn webhooks(self) -> &'static Webhooks {
        match self {
            Forge::Generic => &generic::WEBHOOKS,
            Forge::Github => &github::WEBHOOKS,
            Forge::Gitea => &gitea::WEBHOOKS,
            Forge::Forgejo => &forgejo::WEBHOOKS,
            Forge::Gitlab => &gitlab::WEBHOOKS,
            Forge::Bitbucket => &bitbucket::WEBHOOKS,
            Forge::BitbucketDc => &bitbucket_dc::WEBHOOKS,
        }
    }

    /// How it is called: `github`.
    pub fn word(self) -> &'static str {
        self.webhooks().word
    }

    /// Where people add a webhook at the forge, and what they choose there.
    pub fn set_up(self) -> (&'static str, &'static str) {
        self.webhooks().set_up
    }

    /// A repository's secret as the forge's signing token, which is better than the secret itself where there is one.
    pub fn signing_token(self, secret: &str) -> Option<String> {
        match self.webhooks().scheme {
            Scheme::TokenOrStandard { .. } => signature::standard_key(secret),
            Scheme::Hmac { .. } => None,
        }
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
    /// inside. There is at least one message; several when one delivery moves several references.
    ///
    /// # Errors
    /// When the body of a push or a pull request is not of the forge's shape.
    pub fn parse(self, event: &str, body: &[u8]) -> Result<Vec<Message>, Malformed> {
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
