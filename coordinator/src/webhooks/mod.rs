//! Webhooks, pure: which header signs a delivery, whether the signature is right, what the delivery says. Separate
//! from HTTP and store so that every forge's shape is a test of bytes.

mod payload;
mod pull_request;
mod signature;

use axum::http::HeaderMap;
use sha2::{Digest, Sha256};

pub use crate::store::repositories::Forge;
pub use payload::{Malformed, Message, Push, parse};
pub use pull_request::{Origin, PullRequest};
pub use signature::{Check, Refused, sign};

/// The word of the hook's URL; `None` for a forge whose webhooks we do not take yet.
pub fn word(forge: Forge) -> Option<&'static str> {
    match forge {
        Forge::Generic => Some("generic"),
        Forge::Github => Some("github"),
        Forge::Gitea => Some("gitea"),
        Forge::Forgejo => Some("forgejo"),
        Forge::Gitlab | Forge::Bitbucket => None,
    }
}

/// The word names no forge whose webhooks we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown forge `{0}`; known are generic, github, gitea and forgejo")]
pub struct UnknownForge(String);

/// The forge of that word.
///
/// # Errors
/// When there is none, or we do not take its webhooks yet.
pub fn forge(name: &str) -> Result<Forge, UnknownForge> {
    let known = [Forge::Generic, Forge::Github, Forge::Gitea, Forge::Forgejo];
    known
        .into_iter()
        .find(|forge| word(*forge) == Some(name))
        .ok_or_else(|| UnknownForge(name.to_owned()))
}

/// The forge's own name for what happened: `push`, `ping`, … A generic delivery without one is a push.
pub fn event(forge: Forge, headers: &HeaderMap) -> String {
    let names: &[&str] = match forge {
        Forge::Generic => &["x-drover-event"],
        Forge::Github => &["x-github-event"],
        Forge::Gitea => &["x-gitea-event"],
        Forge::Forgejo => &["x-forgejo-event", "x-gitea-event"],
        Forge::Gitlab | Forge::Bitbucket => &[],
    };
    match (first(headers, names), forge) {
        (Some(event), _) => event.chars().take(64).collect(),
        (None, Forge::Generic) => "push".to_owned(),
        (None, _) => "unknown".to_owned(),
    }
}

/// The forge's id of a delivery: the same one twice is one delivery. A sender may give none, and nothing signs it: that
/// the same *push* makes one build is decided when it is processed, by what it says.
pub fn delivery_id(forge: Forge, headers: &HeaderMap) -> Option<String> {
    let names: &[&str] = match forge {
        Forge::Generic => &["x-drover-delivery"],
        Forge::Github => &["x-github-delivery"],
        Forge::Gitea => &["x-gitea-delivery"],
        Forge::Forgejo => &["x-forgejo-delivery", "x-gitea-delivery"],
        Forge::Gitlab | Forge::Bitbucket => &[],
    };
    first(headers, names).map(|id| match id.len() {
        ..=128 => id.to_owned(),
        _ => hash(id.as_bytes()),
    })
}

/// What a delivery is about, for people: `main`, `v1.2`, `pull request 7`. Empty when it does not say.
pub fn about(forge: Forge, event: &str, body: &[u8]) -> String {
    let text = match parse(forge, event, body) {
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
    fn a_delivery_has_the_id_of_its_forge_or_none() {
        assert_eq!(delivery_id(Forge::Generic, &HeaderMap::new()), None);
        let mut headers = HeaderMap::new();
        headers.insert("x-github-delivery", "72d3162e-cc78".parse().unwrap());
        assert_eq!(delivery_id(Forge::Github, &headers).as_deref(), Some("72d3162e-cc78"));
        headers.insert("x-github-delivery", "7".repeat(200).parse().unwrap());
        assert_eq!(delivery_id(Forge::Github, &headers).map(|id| id.len()), Some(71));
    }

    #[test]
    fn forgejo_is_understood_by_its_own_headers_and_by_giteas() {
        let mut headers = HeaderMap::new();
        headers.insert("x-gitea-event", "push".parse().unwrap());
        assert_eq!(event(Forge::Forgejo, &headers), "push");
        headers.insert("x-forgejo-event", "create".parse().unwrap());
        assert_eq!(event(Forge::Forgejo, &headers), "create");
        assert_eq!(event(Forge::Github, &headers), "unknown");
    }
}
