//! Names of references and commits as they come from outside, checked before anything else sees them: the rules of
//! `git check-ref-format`, no leading `-`, and object ids of 40 or 64 hexadecimal digits only.

use std::fmt;

/// What was given is no name that git could have made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Not a reference.
    #[error("`{0}` is not a valid branch or tag name")]
    Reference(String),
    /// A reference that is neither a branch nor a tag.
    #[error("`{0}` is neither a branch nor a tag nor the head of a pull request")]
    OtherReference(String),
    /// Not a full object id.
    #[error("`{0}` is not a full commit id (40 or 64 hexadecimal digits)")]
    ObjectId(String),
}

/// Where forges keep the head of pull request N: GitHub, Gitea and Forgejo; GitLab; Bitbucket Data Center.
const PULL_REQUESTS: [(&str, &str); 3] = [
    ("refs/pull/", "/head"),
    ("refs/merge-requests/", "/head"),
    ("refs/pull-requests/", "/from"),
];

/// `refs/heads/…`, `refs/tags/…` or the head of a pull request (`refs/pull/N/head`), well formed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference(String);

impl Reference {
    /// Bytes of the longest full name.
    pub const LONGEST: usize = 255;

    /// Takes a full reference name.
    ///
    /// # Errors
    /// When git would not allow it, or it is none of the three.
    pub fn parse(text: &str) -> Result<Reference, BadName> {
        if !is_well_formed(text) {
            return Err(BadName::Reference(shorten(text)));
        }
        let name = text
            .strip_prefix("refs/heads/")
            .or_else(|| text.strip_prefix("refs/tags/"));
        match name {
            Some(name) if !name.starts_with('-') => Ok(Reference(text.to_owned())),
            Some(_) => Err(BadName::Reference(shorten(text))),
            None if pull_request(text).is_some() => Ok(Reference(text.to_owned())),
            None => Err(BadName::OtherReference(shorten(text))),
        }
    }

    /// Takes what people write: `main` is the branch, `refs/tags/v1` is itself.
    ///
    /// # Errors
    /// As [`Reference::parse`].
    pub fn from_people(text: &str) -> Result<Reference, BadName> {
        if text.starts_with("refs/") {
            return Reference::parse(text);
        }
        Reference::parse(&format!("refs/heads/{text}")).map_err(|_| BadName::Reference(shorten(text)))
    }

    /// The head of a pull request, as forges keep it.
    pub fn pull(number: u32) -> Reference {
        Reference(format!("refs/pull/{number}/head"))
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The branch's name, when it is a branch.
    pub fn branch(&self) -> Option<&str> {
        self.0.strip_prefix("refs/heads/")
    }

    /// The tag's name, when it is a tag.
    pub fn tag(&self) -> Option<&str> {
        self.0.strip_prefix("refs/tags/")
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.branch(), self.tag(), pull_request(&self.0)) {
            (Some(branch), _, _) => write!(f, "branch {branch}"),
            (_, Some(tag), _) => write!(f, "tag {tag}"),
            (_, _, Some(number)) => write!(f, "pull request {number}"),
            _ => f.write_str(&self.0),
        }
    }
}

/// The number in `refs/pull/N/head`, or as other forges write it.
fn pull_request(reference: &str) -> Option<u32> {
    let mut all = PULL_REQUESTS.iter();
    let number = all.find_map(|(begin, end)| reference.strip_prefix(begin)?.strip_suffix(end))?;
    let is_plain = number.bytes().all(|digit| digit.is_ascii_digit()) && !number.starts_with('0');
    number.parse().ok().filter(|_| is_plain)
}

/// A full object id, lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectId(String);

impl ObjectId {
    /// Takes 40 or 64 hexadecimal digits that are not all zero.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(text: &str) -> Result<ObjectId, BadName> {
        let full = matches!(text.len(), 40 | 64) && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        if full && text.bytes().any(|digit| digit != b'0') {
            return Ok(ObjectId(text.to_ascii_lowercase()));
        }
        Err(BadName::ObjectId(shorten(text)))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..10]
    }
}

/// The rules of `git check-ref-format` for a full name.
fn is_well_formed(name: &str) -> bool {
    let forbidden = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    (1..=Reference::LONGEST).contains(&name.len())
        && name.contains('/')
        && name != "@"
        && !name.contains(forbidden)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.ends_with('.')
        && name
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
}

/// What was given, printable and not longer than a line.
fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_pass() {
        for name in [
            "refs/heads/main",
            "refs/heads/feature/ünï",
            "refs/tags/v1.0",
            "refs/heads/a@b",
            "refs/heads/a-b",
        ] {
            assert_eq!(Reference::parse(name).unwrap().as_str(), name);
        }
        assert_eq!(Reference::parse("refs/pull/7/head").unwrap(), Reference::pull(7));
        assert!(Reference::parse("refs/pull/07/head").is_err() && Reference::parse("refs/pull/7/merge").is_err());
        for other in ["refs/merge-requests/7/head", "refs/pull-requests/7/from"] {
            assert_eq!(Reference::parse(other).unwrap().to_string(), "pull request 7");
        }
        assert!(Reference::parse("refs/pull-requests/7/merge").is_err());
        assert_eq!(Reference::from_people("main").unwrap().branch(), Some("main"));
        assert_eq!(Reference::from_people("refs/tags/v1").unwrap().tag(), Some("v1"));
    }

    #[test]
    fn what_git_would_take_for_something_else_is_refused() {
        for name in [
            "",
            "main",
            "refs/heads/",
            "refs/heads/-x",
            "refs/heads/--upload-pack=touch",
            "refs/heads/a..b",
            "refs/heads/a b",
            "refs/heads/a:b",
            "refs/heads/a\nb",
            "refs/heads/.a",
            "refs/heads/a.lock",
            "refs/heads/a@{1}",
            "refs/heads/a\\b",
            "refs/heads/a//b",
            "refs/heads/a.",
            "refs/notes/x",
            "-refs/heads/x",
        ] {
            assert!(Reference::parse(name).is_err(), "{name:?}");
        }
        for name in ["-x", "--output=/etc/passwd", "a:b", "ext::sh", ""] {
            assert!(Reference::from_people(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn an_object_id_is_whole_or_nothing() {
        let id = "6113728F27AE82C7B1A177C8D03F9E96E0ADF246";
        assert_eq!(ObjectId::parse(id).unwrap().as_str(), id.to_ascii_lowercase());
        for bad in [
            "",
            "6113728",
            "-113728f27ae82c7b1a177c8d03f9e96e0adf246",
            &"0".repeat(40),
            &"g".repeat(40),
        ] {
            assert!(ObjectId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
