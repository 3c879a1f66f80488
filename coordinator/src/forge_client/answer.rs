//! What an answer of a forge means, pure: it is told, it is to be told again and when, or never.

use axum::http::{HeaderMap, StatusCode, header};
use protocol::work::SecretValue;
use serde_json::Value;

use crate::store::outbox::{Hold, Outcome};

/// The longest pause that a forge may ask for, in seconds: 6 hours.
const LONGEST_PAUSE: i64 = 6 * 3_600;
/// A pause for a forge that says it was asked too often, and not for how long: GitHub wants a minute.
const UNSAID_PAUSE: i64 = 60;
/// Most of what a forge says about an error.
const SAID: usize = 300;

/// An answer that was read whole.
pub(super) struct Answer<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

impl Answer<'_> {
    /// The answer's JSON, null when there is none; `now` is in seconds since 1970. The token may not stand in a sentence.
    pub(super) fn judge(&self, token: &SecretValue, now: i64) -> Result<Value, Outcome> {
        let status = self.status;
        if status.is_success() {
            return self.json();
        }
        let said = self.said().replace(&token.0, "***");
        let why = match said.is_empty() {
            true => format!("it answered {status}"),
            false => format!("it answered {status}: {said}"),
        };
        let hold = match self.pause(now) {
            Some(secs) => Hold::Asked(secs),
            None => Hold::BackOff,
        };
        let not_now = |why: String, hold: Option<Hold>| Err(Outcome::NotNow { why, hold });
        match status.as_u16() {
            // What it is told is what it knows.
            400 if said.contains("Cannot transition status") => Ok(Value::Null),
            401 => Err(Outcome::Failed(format!(
                "{why}. The token is not valid there: connect with another one"
            ))),
            403 if self.is_too_often(&said) => not_now(why, Some(Hold::Asked(self.pause(now).unwrap_or(UNSAID_PAUSE)))),
            403 => Err(Outcome::Failed(format!(
                "{why}. The token may not do that: connect with one that may"
            ))),
            404 => Err(Outcome::Failed(format!(
                "{why}. There is no such project, or the token may not see it"
            ))),
            409 | 423 => not_now(why, None),
            408 | 425 | 429 => not_now(why, Some(hold)),
            300..400 => Err(Outcome::Failed(format!("{why}. Is this the URL of the API?"))),
            _ if status.is_server_error() => not_now(why, Some(hold)),
            _ => Err(Outcome::Failed(why)),
        }
    }

    /// A page of something that stands before the forge is no answer of the forge.
    fn json(&self) -> Result<Value, Outcome> {
        if self.body.trim_ascii().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(self.body).map_err(|_| no_answer("its answer is not JSON: is this the URL of the API?"))
    }

    /// What a forge says about an error, each in its own place.
    fn said(&self) -> String {
        let json: Value = serde_json::from_slice(self.body).unwrap_or_default();
        let places = [
            "/message",
            "/error/message",
            "/errors/0/message",
            "/error_description",
            "/error",
        ];
        let said = places.iter().find_map(|place| json.pointer(place));
        let said = match said {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        said.chars().filter(|c| !c.is_control()).take(SAID).collect()
    }

    /// Seconds until it wants to be asked again, if it says so.
    fn pause(&self, now: i64) -> Option<i64> {
        let number = |name: &str| self.text(name)?.parse::<i64>().ok();
        let after = number("retry-after").or_else(|| self.date().map(|at| at - now));
        let reset = ["x-ratelimit-reset", "ratelimit-reset"].into_iter().find_map(number);
        let reset = reset.filter(|_| self.is_used_up()).map(|at| at - now);
        after.or(reset).map(|secs| secs.clamp(1, LONGEST_PAUSE))
    }

    fn date(&self) -> Option<i64> {
        let text = self.text(header::RETRY_AFTER.as_str())?;
        let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(at.as_second())
    }

    fn is_used_up(&self) -> bool {
        let left = ["x-ratelimit-remaining", "ratelimit-remaining"];
        left.into_iter().any(|name| self.text(name) == Some("0"))
    }

    /// GitHub refuses with 403 who asks too often.
    fn is_too_often(&self, said: &str) -> bool {
        self.is_used_up() || self.text("retry-after").is_some() || said.to_ascii_lowercase().contains("rate limit")
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// There was no answer that says anything.
pub(crate) fn no_answer(why: &str) -> Outcome {
    Outcome::NotNow {
        why: why.to_owned(),
        hold: Some(Hold::BackOff),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000;

    fn judged(status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<Value, Outcome> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<Vec<(header::HeaderName, header::HeaderValue)>>()
            .into_iter()
            .collect();
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: &headers,
            body: body.as_bytes(),
        };
        answer.judge(&SecretValue("s3cret".into()), NOW)
    }

    fn hold(status: u16, headers: &[(&'static str, &str)], body: &str) -> Option<Hold> {
        match judged(status, headers, body) {
            Err(Outcome::NotNow { hold, .. }) => hold,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_pause_is_as_long_as_the_forge_says() {
        assert_eq!(hold(429, &[("retry-after", "90")], ""), Some(Hold::Asked(90)));
        let date = "Wed, 18 Nov 2026 11:08:20 GMT";
        assert_eq!(
            hold(503, &[("retry-after", date)], ""),
            Some(Hold::Asked(1_795_000_100 - NOW))
        );
        let reset = (NOW + 40).to_string();
        let used_up = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset.as_str())];
        assert_eq!(hold(403, &used_up, ""), Some(Hold::Asked(40)));
        let some_left = [("x-ratelimit-remaining", "12"), ("x-ratelimit-reset", reset.as_str())];
        assert_eq!(hold(429, &some_left, ""), Some(Hold::BackOff));
        assert_eq!(
            hold(403, &[], r#"{"message": "API rate limit exceeded"}"#),
            Some(Hold::Asked(UNSAID_PAUSE))
        );
        assert_eq!(
            hold(429, &[("retry-after", "99999999")], ""),
            Some(Hold::Asked(LONGEST_PAUSE))
        );
        assert_eq!(hold(429, &[("retry-after", "-5")], ""), Some(Hold::Asked(1)));
        assert_eq!(hold(429, &[("retry-after", "soon")], ""), Some(Hold::BackOff));
    }

    #[test]
    fn what_a_forge_says_of_an_error_is_shown_and_the_token_is_not() {
        let said = |body: &str| match judged(422, &[], body) {
            Err(Outcome::Failed(why)) => why,
            other => panic!("{other:?}"),
        };
        let of_gitlab = r#"{"message": {"url": ["is blocked: s3cret"]}}"#;
        assert_eq!(
            said(of_gitlab),
            r#"it answered 422 Unprocessable Entity: {"url":["is blocked: ***"]}"#
        );
        let of_bitbucket = r#"{"type": "error", "error": {"message": "Bad key"}}"#;
        assert_eq!(said(of_bitbucket), "it answered 422 Unprocessable Entity: Bad key");
        let of_data_center = r#"{"errors": [{"context": null, "message": "No such commit"}]}"#;
        assert_eq!(
            said(of_data_center),
            "it answered 422 Unprocessable Entity: No such commit"
        );
        assert_eq!(said("<html>"), "it answered 422 Unprocessable Entity");
        assert_eq!(
            said(&format!(r#"{{"message": "{}"}}"#, r"é\u0007".repeat(400)))
                .chars()
                .count(),
            338
        );
    }

    #[test]
    fn what_gitlab_knows_already_is_told() {
        let known =
            r#"{"message": "Cannot transition status via :run from :running (Reason(s): Status cannot transition)"}"#;
        assert_eq!(judged(400, &[], known), Ok(Value::Null));
        assert!(matches!(judged(400, &[], "{}"), Err(Outcome::Failed(_))));
        assert_eq!(judged(204, &[], ""), Ok(Value::Null));
    }
}
