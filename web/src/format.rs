//! Times and numbers as people read them: times ago, dates, commits, and what `job_specs::units` has.

use jiff::Timestamp;
pub use job_specs::units::{count, grouped, micros, size};

use crate::views::Micros;

const SECOND: i64 = 1_000_000;

/// `just now`, `40 seconds ago`, `3 minutes ago`, …; the date after a month.
pub fn ago(now: Micros, then: Micros) -> String {
    let seconds = (now - then) / SECOND;
    let some = |n: i64, unit: &str| format!("{} ago", count(n, unit));
    match seconds {
        ..=9 => "just now".into(),
        10..=59 => some(seconds, "second"),
        60..=3599 => some(seconds / 60, "minute"),
        3600..=86_399 => some(seconds / 3600, "hour"),
        86_400..=2_591_999 => some(seconds / 86_400, "day"),
        _ => utc(then).chars().take(10).collect(),
    }
}

/// `2026-11-20T09:17:03.123Z`, for `datetime` attributes.
pub fn utc(at: Micros) -> String {
    Timestamp::from_microsecond(at).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

/// `14:32 UTC`, of a time that is hours away at most.
pub fn clock_utc(at: Micros) -> String {
    let text = utc(at);
    format!("{} UTC", text.get(11..16).unwrap_or_default())
}

/// `3f2a9c1` of a full object id.
pub fn short(commit: &str) -> &str {
    commit.char_indices().nth(7).map_or(commit, |(end, _)| &commit[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_ago_become_dates() {
        let now = 1_800_000_000 * SECOND;
        let said = [0, 40, 60, 7200, 86_400 * 3, 86_400 * 60].map(|seconds| ago(now, now - seconds * SECOND));
        assert_eq!(
            said,
            [
                "just now",
                "40 seconds ago",
                "1 minute ago",
                "2 hours ago",
                "3 days ago",
                "2026-11-16"
            ]
        );
        assert_eq!(utc(now + 123_456), "2027-01-15T08:00:00.123Z");
    }

    #[test]
    fn a_commit_is_short() {
        assert_eq!(short("3f2a9c1d"), "3f2a9c1");
        assert_eq!(short(""), "");
    }
}
