//! The requests that the APIs of forges take, pure. All that is
//! particular to one forge is in the file of its name, as `Api`; who sends them and waits is
//! `forge_client`.

use axum::http::Method;
use job_specs::status::JobStatus;
use protocol::work::SecretValue;
use serde_json::Value;

use super::command::Author;
use super::location::{Segments, WebAddress};
use super::{Forge, bitbucket, bitbucket_dc, gitea, github, gitlab};

/// How one forge is spoken to.
pub struct Api {
    /// Where the API is, of a forge at that web address: `https://git.example/api/v1`.
    pub(super) base: fn(&WebAddress) -> String,
    /// Which of the path's segments name the project: all, or the last two.
    pub(super) project: Segments,
    /// The header that has the token, and what stands before the token in it.
    pub(super) token: (&'static str, &'static str),
    /// Further headers of every request.
    pub(super) headers: &'static [(&'static str, &'static str)],
    /// Tells how a build of a commit stands.
    pub(super) commit_status: fn(project: &str, status: &CommitStatus) -> ApiRequest,
    /// The list of a project's webhooks; one that is changed is below it, by its id.
    pub(super) webhooks: fn(project: &str) -> String,
    /// What makes the list as long as it can be.
    pub(super) whole_page: &'static str,
    /// How a webhook is changed.
    pub(super) change_webhook: Method,
    /// A webhook as the forge takes it.
    pub(super) webhook: fn(&NewWebhook) -> Value,
    /// Asks what somebody may do in a project.
    pub(super) permission: fn(project: &str, author: &Author) -> String,
    /// Whether the answer says that they may write.
    pub(super) may_write: fn(answer: &Value, author: &Author) -> bool,
    /// What only a new one says, too.
    pub(super) only_new: &'static [(&'static str, &'static str)],
}

/// A request to an API.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiRequest {
    /// Its method.
    pub method: Method,
    /// Below the API's URL, encoded; begins with a slash.
    pub path: String,
    /// JSON; null: none.
    pub body: Value,
}

impl ApiRequest {
    fn get(path: String) -> ApiRequest {
        ApiRequest {
            method: Method::GET,
            path,
            body: Value::Null,
        }
    }

    pub(super) fn post(path: String, body: Value) -> ApiRequest {
        ApiRequest {
            method: Method::POST,
            path,
            body,
        }
    }
}

/// How a build of a commit stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitStatus {
    /// The commit.
    pub sha: String,
    /// Which of the statuses of the commit it is: `drover/push`.
    pub context: String,
    /// Where the build stands.
    pub status: JobStatus,
    /// In a few words.
    pub description: String,
    /// The build's page.
    pub url: String,
}

/// A webhook that is to be there.
pub struct NewWebhook {
    /// Where it sends.
    pub url: String,
    /// What signs it.
    pub secret: SecretValue,
}

/// `/repos/owner/name` and the like: each segment of a project, encoded, behind `before`.
pub(super) fn path(before: &str, project: &str) -> String {
    let segments: Vec<String> = project.split('/').map(web::routes::encode).collect();
    format!("{before}/{}", segments.join("/"))
}

/// The first `most` characters, with a sign where something is missing.
pub(super) fn short(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

impl Api {
    /// How it is told that a build of a commit stands so.
    pub fn commit_status(&self, project: &str, status: &CommitStatus) -> ApiRequest {
        (self.commit_status)(project, status)
    }

    /// How it is asked for a project's webhooks.
    pub fn list_webhooks(&self, project: &str) -> ApiRequest {
        ApiRequest::get(format!("{}?{}", (self.webhooks)(project), self.whole_page))
    }

    /// How it is told of a webhook that is to be there. `listed` is the answer to [`Api::list_webhooks`]: one that sends to
    /// the same URL is changed.
    pub fn put_webhook(&self, project: &str, hook: &NewWebhook, listed: &Value) -> ApiRequest {
        let (path, mut body) = ((self.webhooks)(project), (self.webhook)(hook));
        match webhook_of(listed, &hook.url) {
            None => {
                for (key, value) in self.only_new {
                    body[*key] = Value::from(*value);
                }
                ApiRequest::post(path, body)
            }
            Some(id) => ApiRequest {
                method: self.change_webhook.clone(),
                path: format!("{path}/{}", web::routes::encode(&id)),
                body,
            },
        }
    }

    /// How it is asked what somebody may do in a project.
    pub fn permission(&self, project: &str, author: &Author) -> ApiRequest {
        ApiRequest::get((self.permission)(project, author))
    }

    /// Whether the answer to [`Api::permission`] says that they may write.
    pub fn may_write(&self, answer: &Value, author: &Author) -> bool {
        (self.may_write)(answer, author)
    }

    /// The headers of every request, the token's first.
    pub fn headers(&self, token: &SecretValue) -> impl Iterator<Item = (&'static str, String)> {
        let (name, before) = self.token;
        let further = self.headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
        [(name, format!("{before}{}", token.0))].into_iter().chain(further)
    }
}

impl Forge {
    /// How it is spoken to. `None`: it has no API.
    pub const fn api(self) -> Option<&'static Api> {
        match self {
            Forge::Generic => None,
            Forge::Github => Some(&github::API),
            Forge::Gitea | Forge::Forgejo => Some(&gitea::API),
            Forge::Gitlab => Some(&gitlab::API),
            Forge::Bitbucket => Some(&bitbucket::API),
            Forge::BitbucketDc => Some(&bitbucket_dc::API),
        }
    }
}

/// The id of the webhook that sends to that URL. Forges list them as an array, or as `values` of a page.
fn webhook_of(listed: &Value, url: &str) -> Option<String> {
    let all = listed.as_array().or_else(|| listed.get("values")?.as_array())?;
    let found = all.iter().find(|hook| {
        let sends_to = hook.pointer("/config/url").or_else(|| hook.get("url"));
        sends_to.and_then(Value::as_str) == Some(url)
    })?;
    match found.get("id").or_else(|| found.get("uuid"))? {
        Value::String(id) => Some(id.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment_of_a_path() {
        let hostile = "a b/c?d#e";
        assert_eq!(path("/repos", hostile), "/repos/a%20b/c%3Fd%23e");
        let status = CommitStatus {
            sha: "5a1d".into(),
            context: "drover/pull_request of something with a very long name".into(),
            status: JobStatus::Cancelled,
            description: "é".repeat(300),
            url: "https://ci.example/builds/1".into(),
        };
        let said = |forge: Forge| forge.api().unwrap().commit_status(hostile, &status);
        let gitlab = said(Forge::Gitlab);
        assert_eq!(gitlab.path, "/projects/a%20b%2Fc%3Fd%23e/statuses/5a1d");
        assert_eq!(gitlab.body["state"], "canceled");
        let length = |request: &ApiRequest, key: &str| request.body[key].as_str().unwrap().chars().count();
        assert_eq!(length(&gitlab, "description"), 255);
        assert_eq!(length(&said(Forge::Github), "description"), 140);
        assert_eq!(length(&said(Forge::Bitbucket), "key"), 40);
    }
}
