//! Webhooks, pure: which header signs a delivery, whether the signature is right, what the delivery says. Separate
//! from HTTP and store so that every forge's shape is a test of bytes.

mod payload;
mod signature;

use std::str::FromStr;

use axum::http::HeaderMap;
use sha2::{Digest, Sha256};

pub use payload::{Malformed, Message, Push, parse};
pub use signature::{Refused, sign, verify};

/// Who sends webhooks, and so in which shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forge {
    /// Anything that can send our own small JSON: a `post-receive` hook, a script.
    Generic,
    /// github.com or GitHub Enterprise.
    Github,
    /// Gitea.
    Gitea,
    /// Forgejo: Gitea's shape, and its own header names beside Gitea's.
    Forgejo,
}

/// The word is no forge that we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown forge `{0}`; known are generic, github, gitea, forgejo")]
pub struct UnknownForge(String);

impl FromStr for Forge {
    type Err = UnknownForge;

    fn from_str(word: &str) -> Result<Forge, UnknownForge> {
        match word {
            "generic" => Ok(Forge::Generic),
            "github" => Ok(Forge::Github),
            "gitea" => Ok(Forge::Gitea),
            "forgejo" => Ok(Forge::Forgejo),
            other => Err(UnknownForge(other.to_owned())),
        }
    }
}

impl Forge {
    /// The word of the hook's URL and of the store.
    pub fn name(self) -> &'static str {
        match self {
            Forge::Generic => "generic",
            Forge::Github => "github",
            Forge::Gitea => "gitea",
            Forge::Forgejo => "forgejo",
        }
    }

    fn delivery_headers(self) -> &'static [&'static str] {
        match self {
            Forge::Generic => &["x-drover-delivery"],
            Forge::Github => &["x-github-delivery"],
            Forge::Gitea => &["x-gitea-delivery"],
            Forge::Forgejo => &["x-forgejo-delivery", "x-gitea-delivery"],
        }
    }

    fn event_headers(self) -> &'static [&'static str] {
        match self {
            Forge::Generic => &["x-drover-event"],
            Forge::Github => &["x-github-event"],
            Forge::Gitea => &["x-gitea-event"],
            Forge::Forgejo => &["x-forgejo-event", "x-gitea-event"],
        }
    }

    /// The forge's own name for what happened: `push`, `ping`, … A generic delivery without one is a push.
    pub fn event(self, headers: &HeaderMap) -> String {
        let named = first(headers, self.event_headers());
        match (named, self) {
            (Some(event), _) => event.chars().take(64).collect(),
            (None, Forge::Generic) => "push".to_owned(),
            (None, _) => "unknown".to_owned(),
        }
    }

    /// The delivery's id by which it is de-duplicated: the forge's, or a hash of the body when there is none.
    pub fn delivery_id(self, headers: &HeaderMap, body: &[u8]) -> String {
        match first(headers, self.delivery_headers()) {
            Some(id) if id.len() <= 128 => id.to_owned(),
            Some(id) => hash(id.as_bytes()),
            None => hash(body),
        }
    }
}

fn hash(bytes: &[u8]) -> String {
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
    fn a_delivery_without_an_id_is_known_by_its_body() {
        let none = HeaderMap::new();
        let a = Forge::Generic.delivery_id(&none, b"a");
        assert_eq!(a, Forge::Generic.delivery_id(&none, b"a"));
        assert_ne!(a, Forge::Generic.delivery_id(&none, b"b"));
        let mut headers = HeaderMap::new();
        headers.insert("x-github-delivery", "72d3162e-cc78".parse().unwrap());
        assert_eq!(Forge::Github.delivery_id(&headers, b"a"), "72d3162e-cc78");
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
}
