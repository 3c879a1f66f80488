//! What a stream of events is about, as its query says. Also asked by the access check, so that both always mean the
//! same thing.

use axum::extract::Query;
use axum::http::Uri;
use protocol::ids::JobId;
use serde::Deserialize;

use super::Cursor;
use crate::http::error::ApiError;

/// What a stream of events is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Topic {
    /// `?page=builds`: the list of builds.
    Builds,
    /// `?page=queue`: agents and queue.
    Queue,
    /// `?build=N`: one build.
    Build(i64),
    /// `?job=ID&attempt=2&cursor=…`: one job and its logs.
    Job(WatchedJob),
}

/// A job whose logs are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WatchedJob {
    /// Which.
    pub job: JobId,
    /// One attempt; `None`: the newest, also when there comes another.
    pub attempt: Option<u32>,
    /// Where to go on; `None`: from the beginning.
    pub cursor: Option<Cursor>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopicQuery {
    page: Option<String>,
    build: Option<i64>,
    job: Option<String>,
    attempt: Option<u32>,
    cursor: Option<String>,
}

impl Topic {
    /// Reads the query; exactly one of `page`, `build`, `job` must be there.
    pub fn of(uri: &Uri) -> Result<Topic, ApiError> {
        let bad = |sentence: &str| ApiError::BadRequest(sentence.to_owned());
        let Query(query) = Query::<TopicQuery>::try_from_uri(uri)?;
        match query {
            TopicQuery {
                page: None,
                build: Some(number),
                job: None,
                ..
            } => Ok(Topic::Build(number)),
            TopicQuery {
                page: None,
                build: None,
                job: Some(job),
                attempt,
                cursor,
            } => {
                let cursor = match cursor {
                    Some(text) => Some(Cursor::parse(&text).ok_or_else(|| bad("this is no cursor"))?),
                    None => None,
                };
                Ok(Topic::Job(WatchedJob {
                    job: JobId(job),
                    attempt,
                    cursor,
                }))
            }
            TopicQuery {
                page: Some(page),
                build: None,
                job: None,
                ..
            } => match page.as_str() {
                "builds" => Ok(Topic::Builds),
                "queue" => Ok(Topic::Queue),
                _ => Err(bad("`page` is `builds` or `queue`")),
            },
            _ => Err(bad("say one of `page`, `build` or `job`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_about_one_thing() {
        let topic = |query: &str| Topic::of(&format!("/events?{query}").parse().unwrap());
        assert_eq!(topic("build=4").unwrap(), Topic::Build(4));
        assert_eq!(topic("page=queue").unwrap(), Topic::Queue);
        assert!(matches!(topic("job=a&cursor=job:1&attempt=2").unwrap(), Topic::Job(_)));
        for bad in [
            "",
            "build=4&job=a",
            "build=4&page=queue",
            "page=secrets",
            "job=a&cursor=x",
            "build=x",
        ] {
            assert!(topic(bad).is_err(), "{bad}");
        }
    }
}
