//! What a delivery about a pull request says. GitHub, Gitea and Forgejo send the same shape; a generic sender a small one.
//! Whether the code is trusted is decided by the identity of the repository that it comes from, never by its words.

use serde::Deserialize;

/// A pull request, as far as it matters. Nothing here is checked yet: names are the sender's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// What happened to it: `opened`, `synchronize`, …
    pub action: String,
    /// Its number.
    pub number: i64,
    /// Where its newest commit is found in the repository: `refs/pull/7/head`.
    pub reference: String,
    /// Its newest commit.
    pub head: Option<String>,
    /// The name of its branch: `feature`, or `octo:feature` from a fork, which no branch of ours can be called.
    pub branch: Option<String>,
    /// The branch that it wants to go into.
    pub base: String,
    /// Whose code it is.
    pub origin: Origin,
}

/// Where the code of a pull request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A branch of the repository itself: who wrote it may push here.
    SameRepository,
    /// Another repository, or one that is gone.
    Fork,
}

impl PullRequest {
    /// Why nothing is built for what happened to it.
    pub fn unwanted(&self) -> Option<String> {
        match self.action.as_str() {
            "opened" | "reopened" | "synchronize" | "synchronized" => None,
            other => Some(format!(
                "pull request {} was {other}: only new commits are built",
                self.number
            )),
        }
    }
}

#[derive(Deserialize)]
struct Body {
    action: String,
    number: i64,
    pull_request: Request,
}

#[derive(Deserialize)]
struct Request {
    head: End,
    base: End,
}

#[derive(Deserialize)]
struct End {
    #[serde(rename = "ref")]
    reference: String,
    sha: String,
    /// Null when the repository was deleted.
    repo: Option<Repo>,
}

#[derive(Deserialize)]
struct Repo {
    id: i64,
    owner: Option<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    login: Option<String>,
}

/// Reads what a forge sends.
pub(super) fn of_forge(body: &[u8]) -> Result<PullRequest, serde_json::Error> {
    let Body {
        action,
        number,
        pull_request: Request { head, base },
    } = serde_json::from_slice(body)?;
    let id = |end: &End| end.repo.as_ref().map(|repo| repo.id);
    let origin = match (id(&head), id(&base)) {
        (Some(head), Some(base)) if head == base => Origin::SameRepository,
        _ => Origin::Fork,
    };
    let owner = head.repo.and_then(|repo| repo.owner?.login);
    let branch = match origin {
        Origin::SameRepository => head.reference,
        Origin::Fork => format!("{}:{}", owner.as_deref().unwrap_or("unknown"), head.reference),
    };
    Ok(PullRequest {
        action,
        number,
        reference: format!("refs/pull/{number}/head"),
        head: Some(head.sha),
        branch: Some(branch),
        base: base.reference,
        origin,
    })
}

#[derive(Deserialize)]
struct GenericBody {
    #[serde(rename = "ref")]
    reference: Option<String>,
    after: Option<String>,
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

/// Reads what a generic sender sends.
pub(super) fn generic(body: &[u8]) -> Result<PullRequest, serde_json::Error> {
    let body: GenericBody = serde_json::from_slice(body)?;
    let reference = body
        .reference
        .unwrap_or_else(|| format!("refs/pull/{}/head", body.number));
    let branch = reference.strip_prefix("refs/heads/").map(str::to_owned);
    let base = body.base.strip_prefix("refs/heads/").unwrap_or(&body.base).to_owned();
    Ok(PullRequest {
        action: body.action,
        number: body.number,
        head: body.after,
        branch: match body.fork {
            true => branch.map(|branch| format!("fork:{branch}")),
            false => branch,
        },
        reference,
        base,
        origin: if body.fork {
            Origin::Fork
        } else {
            Origin::SameRepository
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(head: &str) -> String {
        format!(
            r#"{{"action":"synchronize","number":7,"pull_request":{{
                "head":{{"ref":"main","sha":"6113728f27ae82c7b1a177c8d03f9e96e0adf246","repo":{head}}},
                "base":{{"ref":"main","sha":"0000000000000000000000000000000000000001","repo":{{"id":1}}}}}}}}"#
        )
    }

    #[test]
    fn trust_is_whose_repository_it_is() {
        let read = |head: &str| of_forge(body(head).as_bytes()).unwrap();
        let ours = read(r#"{"id":1,"owner":{"login":"octo"}}"#);
        assert_eq!(
            (ours.origin, ours.branch.as_deref()),
            (Origin::SameRepository, Some("main"))
        );
        assert_eq!(ours.reference, "refs/pull/7/head");
        let fork = read(r#"{"id":2,"owner":{"login":"mallory"},"full_name":"octo/ours"}"#);
        assert_eq!(
            (fork.origin, fork.branch.as_deref()),
            (Origin::Fork, Some("mallory:main"))
        );
        assert_eq!(read("null").origin, Origin::Fork);
    }

    #[test]
    fn who_does_not_say_is_a_fork() {
        let read = |text: &str| generic(text.as_bytes()).unwrap();
        let said = read(r#"{"event":"pull_request","ref":"refs/heads/x","base":"main","number":3,"fork":false}"#);
        assert_eq!(
            (said.origin, said.branch.as_deref()),
            (Origin::SameRepository, Some("x"))
        );
        let silent = read(r#"{"base":"refs/heads/main","number":3}"#);
        assert_eq!((silent.origin, silent.base.as_str()), (Origin::Fork, "main"));
        assert_eq!(silent.reference, "refs/pull/3/head");
    }

    #[test]
    fn only_new_commits_are_built() {
        let mut request = generic(br#"{"base":"main","number":3}"#).unwrap();
        assert_eq!(request.unwanted(), None);
        request.action = "labeled".into();
        insta::assert_snapshot!(request.unwanted().unwrap(), @"pull request 3 was labeled: only new commits are built");
    }
}
