//! What an ID token says: who signs, for whom, and which job of which build of which commit it is.

use serde::Serialize;

use crate::store::queue::Claimed;

/// A token lives at most this long, in seconds: 6 hours.
const LONGEST_SECS: u64 = 6 * 3_600;

/// The claims of a token. Times are in seconds since 1970.
#[derive(Debug, Serialize)]
pub(crate) struct Claims {
    iss: String,
    /// `repository:app:ref:refs/heads/main`; of a pull request `repository:app:pull_request`.
    sub: String,
    aud: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
    repository: String,
    repository_id: String,
    #[serde(rename = "ref")]
    reference: String,
    ref_type: &'static str,
    sha: String,
    event_name: String,
    build: i64,
    build_url: String,
    job: String,
    attempt: u32,
    runner_environment: &'static str,
    build_signer_uri: String,
    trusted: bool,
}

impl Claims {
    /// For a job, to be shown to `audience`; `url` is the coordinator's.
    pub(crate) fn of(claimed: &Claimed, audience: &str, url: &str) -> Claims {
        let (facts, name) = (&claimed.facts, &claimed.facts.repository);
        let about = match facts.pull_request {
            Some(_) => "pull_request".to_owned(),
            None => format!("ref:{}", facts.reference),
        };
        let iat = claimed.assigned_at / 1_000_000;
        let lives = claimed.spec.timeout_secs.min(LONGEST_SECS);
        Claims {
            iss: url.to_owned(),
            sub: format!("repository:{name}:{about}"),
            aud: audience.to_owned(),
            iat,
            nbf: iat,
            exp: iat.saturating_add(i64::try_from(lives).unwrap_or(i64::MAX)),
            jti: format!("{} {audience}", claimed.attempt),
            repository: name.clone(),
            repository_id: claimed.repository.to_string(),
            reference: facts.reference.clone(),
            ref_type: if facts.tag.is_some() { "tag" } else { "branch" },
            sha: facts.sha.clone(),
            event_name: facts.event.clone(),
            build: claimed.build,
            build_url: format!("{url}{}", web::routes::build(claimed.build)),
            job: claimed.spec.title(),
            attempt: claimed.number,
            runner_environment: "self-hosted",
            build_signer_uri: format!("{url}{}/.drover.yml@{}", web::routes::repository(name), facts.reference),
            trusted: claimed.trust.is_trusted(),
        }
    }
}
