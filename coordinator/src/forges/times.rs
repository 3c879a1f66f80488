//! The forges' ways to write a time. One that cannot be read is not known: it only helps to put deliveries in order.

use jiff::Timestamp;
use serde::Deserialize;

/// A time in text or in milliseconds, as Bitbucket Data Center has it, by its version.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Time {
    /// Milliseconds since 1970.
    Millis(i64),
    /// For [`micros`].
    Text(String),
}

impl Time {
    /// Microseconds since 1970.
    pub(super) fn micros(&self) -> Option<i64> {
        match self {
            Time::Millis(millis) => millis.checked_mul(1_000),
            Time::Text(text) => micros(text),
        }
    }
}

/// `2026-11-20T09:00:00Z`, with any offset; GitLab also writes `2026-11-20 09:00:00 UTC`, Bitbucket Data Center an offset
/// without a colon.
pub(super) fn micros(text: &str) -> Option<i64> {
    let text = text
        .strip_suffix(" UTC")
        .map_or(text.to_owned(), |time| format!("{time}Z"));
    let short = || Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", &text).ok();
    let time = text.parse::<Timestamp>().ok().or_else(short)?;
    Some(time.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_forges_time_is_one_time() {
        let expected = Some(1_532_113_290_000_000);
        for text in [
            "2018-07-20T19:01:30Z",
            "2018-07-20T21:01:30+02:00",
            "2018-07-20 19:01:30 UTC",
            "2018-07-20T19:01:30+0000",
            "2018-07-20T19:01:30.000000+00:00",
        ] {
            assert_eq!(micros(text), expected, "{text}");
        }
        assert_eq!(Time::Millis(1_532_113_290_000).micros(), expected);
        assert_eq!((micros("yesterday"), Time::Millis(i64::MAX).micros()), (None, None));
    }
}
