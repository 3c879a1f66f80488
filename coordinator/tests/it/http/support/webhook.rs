//! Webhooks as each forge sends them.

use coordinator::forges::{self, Forge};
use reqwest::{Method, RequestBuilder};
use secrecy::SecretString;

use super::{TestApp, TestRepository};

impl TestApp {
    /// A webhook of the repository's forge, signed as that forge does; `event` is the forge's own word.
    pub fn webhook(&self, repository: &TestRepository, event: &str, body: String) -> RequestBuilder {
        let secret = repository.secret.as_str();
        let prefixed = forges::sign(&SecretString::from(secret), body.as_bytes());
        let digits = prefixed.trim_start_matches("sha256=").to_owned();
        let forge: Forge = repository.hook.split('/').nth(2).unwrap().parse().unwrap();
        let (event_header, header, value) = match forge {
            Forge::Generic => ("x-drover-event", "x-drover-signature-256", prefixed),
            Forge::Github => ("x-github-event", "x-hub-signature-256", prefixed),
            Forge::Gitea => ("x-gitea-event", "x-gitea-signature", digits),
            Forge::Forgejo => ("x-forgejo-event", "x-forgejo-signature", digits),
            Forge::Gitlab => ("x-gitlab-event", "x-gitlab-token", secret.to_owned()),
            Forge::Bitbucket | Forge::BitbucketDc => ("x-event-key", "x-hub-signature", prefixed),
        };
        self.anonymous(Method::POST, &repository.hook)
            .header(event_header, event)
            .header(header, value)
            .body(body)
    }
}
