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
    /// The commit that was its newest before, if the sender says so.
    pub before: Option<String>,
    /// When it last changed, by the forge's clock, in microseconds.
    pub updated_at: Option<i64>,
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
    /// The head before new commits came; GitHub alone says it.
    before: Option<String>,
    pull_request: Request,
}

#[derive(Deserialize)]
struct Request {
    head: End,
    base: End,
    /// How it was made, where the forge says: 0 is from a branch, anything else is not.
    flow: Option<serde_json::Value>,
    /// When it last changed.
    updated_at: Option<String>,
}

#[derive(Deserialize)]
struct End {
    #[serde(rename = "ref")]
    reference: String,
    sha: String,
    /// Null when the repository was deleted.
    repo: Option<Repo>,
    /// The same id once more, where the forge says it.
    repo_id: Option<i64>,
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
        before,
        pull_request: request,
    } = serde_json::from_slice(body)?;
    let origin = request.origin();
    let Request {
        head, base, updated_at, ..
    } = request;
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
        before,
        updated_at: updated_at.as_deref().and_then(micros),
        branch: Some(branch),
        base: base.reference,
        origin,
    })
}

impl Request {
    /// Whose code it is; a fork's whenever something speaks against it. A pull request that was made without a branch
    /// (AGit: `git push origin HEAD:refs/for/main`, open to all who may read) has the repository itself as its head, and
    /// so has one whose branch is gone; both name a reference (`refs/pull/7/head`) where a branch's name would be.
    fn origin(&self) -> Origin {
        let id = |end: &End| end.repo.as_ref().map(|repo| repo.id).filter(|id| *id > 0);
        let is_one = id(&self.base).is_some() && id(&self.head) == id(&self.base);
        let other = |said: Option<i64>| said.is_some() && said != id(&self.base);
        let is_branch = !self.head.reference.is_empty() && !self.head.reference.starts_with("refs/");
        let is_from_branch = match &self.flow {
            None | Some(serde_json::Value::Null) => true,
            Some(flow) => flow.as_i64() == Some(0),
        };
        match is_one && !other(self.head.repo_id) && !other(self.base.repo_id) && is_branch && is_from_branch {
            true => Origin::SameRepository,
            false => Origin::Fork,
        }
    }
}

#[derive(Deserialize)]
struct GenericBody {
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

/// A time that cannot be read is not known: it only helps to put deliveries in order.
fn micros(time: &str) -> Option<i64> {
    Some(time.parse::<jiff::Timestamp>().ok()?.as_microsecond())
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

    /// What Gitea and Forgejo send for `git push origin HEAD:refs/for/main`: the head is said to be the repository itself.
    #[test]
    fn a_head_that_is_no_branch_is_a_fork() {
        let agit = include_str!("../../tests/fixtures/webhooks/gitea-agit.json");
        let read = |text: &str| of_forge(text.as_bytes()).unwrap();
        let request = read(agit);
        assert_eq!((request.number, request.origin), (7, Origin::Fork));
        assert_eq!(request.branch.as_deref(), Some("octo:refs/pull/7/head"));
        let branch = agit.replace(r#""ref": "refs/pull/7/head""#, r#""ref": "feature""#);
        assert_eq!(read(&branch).origin, Origin::SameRepository);
        for (ours, theirs) in [
            (r#""flow": 0"#, r#""flow": 1"#),
            (r#""flow": 0"#, r#""flow": "agit""#),
            (r#""repo_id": 1"#, r#""repo_id": 2"#),
            (r#""ref": "feature""#, r#""ref": """#),
            (r#""id": 1,"#, r#""id": 0,"#),
        ] {
            let doubtful = branch.replace(ours, theirs);
            assert_ne!(doubtful, branch, "{ours}");
            assert_eq!(read(&doubtful).origin, Origin::Fork, "{theirs}");
        }
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
        let no_branch = read(r#"{"ref":"refs/pull/3/head","base":"main","number":3,"fork":false}"#);
        assert_eq!((no_branch.origin, no_branch.branch), (Origin::Fork, None));
    }

    #[test]
    fn only_new_commits_are_built() {
        let mut request = generic(br#"{"base":"main","number":3}"#).unwrap();
        assert_eq!(request.unwanted(), None);
        request.action = "labeled".into();
        insta::assert_snapshot!(request.unwanted().unwrap(), @"pull request 3 was labeled: only new commits are built");
    }
}
