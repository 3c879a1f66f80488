//! Numbers as people say them: durations, times ago, counts, sizes. `assets/live.js` says running durations the same
//! way.

use jiff::Timestamp;
pub use job_specs::units::{count, grouped, size};

use crate::views::Micros;

const SECOND: i64 = 1_000_000;

/// `320ms`, `4.1s`, `58s`, `2m 14s`, `1h 05m`, `3d 04h`.
pub fn duration(micros: Micros) -> String {
    let micros = micros.max(0);
    let seconds = micros / SECOND;
    match seconds {
        0 => format!("{}ms", micros / 1000),
        1..=9 => format!("{seconds}.{}s", micros % SECOND / 100_000),
        10..=59 => format!("{seconds}s"),
        60..=3599 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..=86_399 => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// [`duration`] of milliseconds.
pub fn millis(millis: u64) -> String {
    duration(i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(1000))
}

/// [`duration`] of microseconds that cannot be negative.
pub fn micros(micros: u64) -> String {
    duration(i64::try_from(micros).unwrap_or(i64::MAX))
}

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
    fn durations_read_aloud() {
        let said = [
            -5,
            320_400,
            4_190_000,
            58_000_000,
            134_000_000,
            3_900_000_000,
            273_600_000_000,
        ]
        .map(duration);
        assert_eq!(said, ["0ms", "320ms", "4.1s", "58s", "2m 14s", "1h 05m", "3d 04h"]);
    }

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
    fn counts_and_sizes() {
        assert_eq!(count(1_u32, "job"), "1 job");
        assert_eq!(count(1_234_567_u32, "line"), "1,234,567 lines");
        assert_eq!(
            [0, 1023, 4300, 536_870_912].map(size),
            ["0 B", "1023 B", "4.1 KiB", "512 MiB"]
        );
        assert_eq!(short("3f2a9c1d"), "3f2a9c1");
        assert_eq!(short(""), "");
    }
}
