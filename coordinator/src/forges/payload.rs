//! What GitHub, Gitea and Forgejo send: one shape, of which only the fields we use are typed. A push of a generic sender
//! has it, too.

use serde::Deserialize;
use serde_json::Error;

use super::command::{self, Author};
use super::message::{Message, Origin, Other, PullRequest, Push};
use super::times::micros;

/// Reads the body of an event.
pub(super) fn read(event: &str, body: &[u8]) -> Result<Vec<Message>, Error> {
    Ok(vec![match event {
        "ping" => Message::Ping,
        "push" => Message::Push(push(body)?),
        "pull_request" => Message::PullRequest(pull_request(body)?),
        other => self::other(other, body),
    }])
}

#[derive(Deserialize)]
struct PushBody {
    #[serde(rename = "ref")]
    reference: String,
    after: Option<String>,
    before: Option<String>,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    forced: bool,
    pusher: Option<Person>,
    sender: Option<Person>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Person {
    Named(String),
    Account {
        name: Option<String>,
        login: Option<String>,
        username: Option<String>,
        id: Option<i64>,
    },
}

impl Person {
    fn name(self) -> Option<String> {
        match self {
            Person::Named(name) => Some(name),
            Person::Account {
                name, login, username, ..
            } => login.or(username).or(name),
        }
    }

    fn author(&self) -> Option<Author> {
        match self {
            Person::Account {
                login: Some(name),
                id: Some(id),
                ..
            } => Some(Author {
                name: name.clone(),
                id: id.to_string(),
            }),
            _ => None,
        }
    }
}

pub(super) fn push(body: &[u8]) -> Result<Push, Error> {
    let body: PushBody = serde_json::from_slice(body)?;
    let after = match body.deleted {
        true => Some("0".repeat(40)),
        false => body.after,
    };
    Ok(Push {
        reference: body.reference,
        after,
        before: body.before,
        forced: body.forced,
        sender: body.sender.or(body.pusher).and_then(Person::name),
    })
}

#[derive(Deserialize)]
struct PullRequestBody {
    action: String,
    number: i64,
    /// The head before new commits came; GitHub alone says it.
    before: Option<String>,
    pull_request: Request,
    sender: Option<Person>,
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
    full_name: Option<String>,
}

fn pull_request(body: &[u8]) -> Result<PullRequest, Error> {
    let PullRequestBody {
        action,
        number,
        before,
        pull_request: request,
        sender,
    } = serde_json::from_slice(body)?;
    let origin = request.origin();
    let Request {
        head, base, updated_at, ..
    } = request;
    Ok(PullRequest {
        action: Some(normal(&action).to_owned()),
        number,
        reference: Some(format!("refs/pull/{number}/head")),
        head: Some(head.sha),
        before,
        updated_at: updated_at.as_deref().and_then(micros),
        branch: Some(head.reference),
        head_repository: head.repo.and_then(|repo| repo.full_name),
        base: base.reference,
        origin,
        sender: sender.and_then(Person::name),
    })
}

/// Gitea's and GitHub's words for what happened to a pull request, in those of [`protocol::api::Meaning::action`].
fn normal(action: &str) -> &str {
    match action {
        "synchronize" => "synchronized",
        "labeled" | "label_updated" => "labelled",
        "unlabeled" | "label_cleared" => "unlabelled",
        other => other,
    }
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

/// What most events say of themselves, each in its own way.
#[derive(Default, Deserialize)]
struct OtherBody {
    action: Option<String>,
    /// Of `create` and `delete`: a short name.
    #[serde(rename = "ref")]
    reference: Option<String>,
    ref_type: Option<String>,
    release: Option<Release>,
    issue: Option<Issue>,
    comment: Option<Comment>,
    sender: Option<Person>,
}

#[derive(Deserialize)]
struct Comment {
    body: Option<String>,
}

#[derive(Deserialize)]
struct Release {
    tag_name: Option<String>,
}

#[derive(Deserialize)]
struct Issue {
    number: i64,
    /// It is a pull request.
    pull_request: Option<serde::de::IgnoredAny>,
}

/// An event that starts no build; of a body that has another shape nothing is known.
fn other(event: &str, body: &[u8]) -> Message {
    let body: OtherBody = serde_json::from_slice(body).unwrap_or_default();
    let tag = body.release.and_then(|release| release.tag_name);
    let named = match (body.ref_type.as_deref(), body.reference) {
        (Some("tag"), Some(name)) => Some(format!("refs/tags/{name}")),
        (Some("branch"), Some(name)) => Some(format!("refs/heads/{name}")),
        _ => None,
    };
    let of_request = body.issue.filter(|issue| issue.pull_request.is_some());
    let (text, author) = (body.comment.and_then(|comment| comment.body), body.sender.as_ref());
    let (author, is_comment) = (author.and_then(Person::author), event.ends_with("_comment"));
    let about = Other {
        event: match event {
            "issue_comment" | "pull_request_comment" => "comment",
            other => other,
        }
        .to_owned(),
        action: body.action,
        reference: tag.map(|tag| format!("refs/tags/{tag}")).or(named),
        number: of_request.map(|issue| issue.number),
        sender: body.sender.and_then(Person::name),
    };
    command::comment(about, text.as_deref().filter(|_| is_comment), author)
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
        let read = |head: &str| pull_request(body(head).as_bytes()).unwrap();
        let ours = read(r#"{"id":1,"full_name":"octo/ours"}"#);
        assert_eq!(
            (ours.origin, ours.label().as_deref()),
            (Origin::SameRepository, Some("main"))
        );
        assert_eq!(ours.reference.as_deref(), Some("refs/pull/7/head"));
        let fork = read(r#"{"id":2,"owner":{"login":"octo"},"full_name":"mallory/ours"}"#);
        assert_eq!(
            (fork.origin, fork.label().as_deref()),
            (Origin::Fork, Some("mallory:main"))
        );
        assert_eq!(read("null").origin, Origin::Fork);
    }

    /// What Gitea and Forgejo send for `git push origin HEAD:refs/for/main`: the head is said to be the repository itself.
    #[test]
    fn a_head_that_is_no_branch_is_a_fork() {
        let agit = include_str!("../../tests/fixtures/webhooks/gitea-agit.json");
        let read = |text: &str| pull_request(text.as_bytes()).unwrap();
        let request = read(agit);
        assert_eq!((request.number, request.origin), (7, Origin::Fork));
        assert_eq!(request.label().as_deref(), Some("octo:refs/pull/7/head"));
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
}
