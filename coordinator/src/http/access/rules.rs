//! Who may call what: one table over the routes as they were registered. What is not in it needs a logged-in user,
//! so a route that is added and forgotten here is closed, not open.

use axum::http::Method;

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Anybody: the route checks for itself what it must.
    Public,
    /// An agent's token.
    Agent,
    /// A user; for reading, anybody when the thing belongs to a repository that is marked public.
    Readable(Subject),
    /// A user: session or API token.
    User,
}

/// Where a route's path (or query) says which repository it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// `{number}` is a build.
    Build,
    /// `{job}` is a job.
    Job,
    /// `{attempt}` is an attempt.
    Attempt,
    /// `{artifact}` is an artifact.
    Artifact,
    /// `{name}` is a repository.
    Repository,
    /// `{file}` is a repository with `.svg` behind.
    Badge,
    /// The query says what the stream of events is about.
    Topic,
    /// The query narrows the list of builds to one `repository`.
    Filter,
}

/// The rule of a route; `None` as path: no route matched.
pub(crate) fn of(method: &Method, path: Option<&str>) -> Rule {
    let Some(path) = path else {
        return Rule::User;
    };
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match path {
        "/healthz" | "/readyz" | "/schema/v1.json" | "/assets/{*path}" if reads => Rule::Public,
        path if reads && path.starts_with("/.well-known/") => Rule::Public,
        "/login" | "/hooks/{forge}/{repository}" | "/agent/v1/enrol" => Rule::Public,
        path if path.starts_with("/agent/") => Rule::Agent,
        "/builds/{number}"
        | "/api/v1/builds/{number}/logs"
        | "/api/v1/builds/{number}/report"
        | "/api/v1/builds/{number}/artifacts"
            if reads =>
        {
            Rule::Readable(Subject::Build)
        }
        path if reads && path.starts_with("/api/v1/artifacts/{artifact}") => Rule::Readable(Subject::Artifact),
        path if reads && path.starts_with("/artifacts/{artifact}") => Rule::Readable(Subject::Artifact),
        "/jobs/{job}" | "/jobs/{job}/attempts/{number}" | "/api/v1/jobs/{job}/artifacts" if reads => {
            Rule::Readable(Subject::Job)
        }
        path if reads && path.starts_with("/api/v1/attempts/{attempt}/logs") => Rule::Readable(Subject::Attempt),
        "/repositories/{name}" if reads => Rule::Readable(Subject::Repository),
        "/badge/{file}" if reads => Rule::Readable(Subject::Badge),
        "/events" if reads => Rule::Readable(Subject::Topic),
        "/" if reads => Rule::Readable(Subject::Filter),
        _ => Rule::User,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_is_closed() {
        assert_eq!(of(&Method::GET, None), Rule::User);
        assert_eq!(of(&Method::GET, Some("/a/new/route")), Rule::User);
        assert_eq!(of(&Method::GET, Some("/agent/v1/a-new-call")), Rule::Agent);
    }

    #[test]
    fn reading_in_public_is_not_acting_in_public() {
        assert_eq!(
            of(&Method::GET, Some("/builds/{number}")),
            Rule::Readable(Subject::Build)
        );
        assert_eq!(of(&Method::POST, Some("/builds/{number}")), Rule::User);
        assert_eq!(of(&Method::POST, Some("/builds/{number}/cancel")), Rule::User);
        assert_eq!(of(&Method::POST, Some("/healthz")), Rule::User);
    }
}
