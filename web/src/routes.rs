//! Every address that a page links to or posts to, in one place: what is not here is not linked.

use std::fmt::Write;

/// A path segment or query value, percent-encoded (`/` too, so that a name stays one segment).
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// `/builds/42`; its actions are `…/approve`, `…/cancel`, `…/rerun`, `…/rerun-failed` (POST), its fragment `…?live=1`.
pub fn build(number: i64) -> String {
    format!("/builds/{number}")
}

/// `/api/v1/builds/42/report?format=markdown`: what went wrong, in one answer.
pub fn report(number: i64) -> String {
    format!("/api/v1/builds/{number}/report?format=markdown")
}

/// `/jobs/{id}`: the job at its newest attempt; actions `…/cancel`, `…/rerun`, `…/release` (POST), fragment `…?live=1`.
pub fn job(id: &str) -> String {
    format!("/jobs/{}", encode(id))
}

/// `/jobs/{id}/shell`: a terminal in it.
pub fn shell(job: &str) -> String {
    format!("/jobs/{}/shell", encode(job))
}

/// `/jobs/{id}/shell?service=db`: a terminal in one of its services.
pub fn shell_of_service(job: &str, service: &str) -> String {
    format!("/jobs/{}/shell?service={}", encode(job), encode(service))
}

/// `/jobs/{id}/attempts/2`; fragment `…?live=1`.
pub fn attempt(job: &str, number: u32) -> String {
    format!("/jobs/{}/attempts/{number}", encode(job))
}

/// `/api/v1/attempts/{attempt}/logs/{stream}`: the log API's base; `/meta`, `/lines`, `/find`, `/raw` follow.
pub fn log(attempt: &str, stream: &str) -> String {
    format!("/api/v1/attempts/{}/logs/{}", encode(attempt), encode(stream))
}

/// `/artifacts/{id}`: what is in an artifact, in the folder `at` (empty: the top).
pub fn artifact(id: &str, at: &str) -> String {
    match at {
        "" => format!("/artifacts/{}", encode(id)),
        at => format!("/artifacts/{}?at={}", encode(id), encode(at)),
    }
}

/// `/api/v1/artifacts/{id}`: the archive of an artifact.
pub fn artifact_archive(id: &str) -> String {
    format!("/api/v1/artifacts/{}", encode(id))
}

/// `/api/v1/artifacts/{id}/files/{path}`: one file of it.
pub fn artifact_file(id: &str, path: &str) -> String {
    let path: Vec<String> = path.split('/').map(encode).collect();
    format!("{}/files/{}", artifact_archive(id), path.join("/"))
}

/// `/repositories/{name}`; `…/trigger` (POST).
pub fn repository(name: &str) -> String {
    format!("/repositories/{}", encode(name))
}

/// `/repositories/{name}/deliveries/{id}`; `…/redeliver` (POST).
pub fn delivery(repository: &str, delivery: &str) -> String {
    format!("/repositories/{}/deliveries/{}", encode(repository), encode(delivery))
}

/// `/repositories/{name}/deliveries/{id}/redeliver` (POST).
pub fn redeliver(repository: &str, id: &str) -> String {
    format!("{}/redeliver", delivery(repository, id))
}

/// `/?repository=…`: the builds of one repository.
pub fn builds_of(repository: &str) -> String {
    format!("/?repository={}", encode(repository))
}

/// `/agents/{id}`; `…/drain`, `…/undrain`, `…/remove` (POST).
pub fn agent(id: &str) -> String {
    format!("/agents/{}", encode(id))
}

/// `/tokens/{id}/revoke` (POST).
pub fn revoke_token(id: &str) -> String {
    format!("/tokens/{}/revoke", encode(id))
}

/// `/sessions/{id}/revoke` (POST).
pub fn revoke_session(id: &str) -> String {
    format!("/sessions/{}/revoke", encode(id))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(super::repository("team/app ü"), "/repositories/team%2Fapp%20%C3%BC");
    }
}
