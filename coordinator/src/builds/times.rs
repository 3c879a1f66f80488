//! The times of a schedule as the store has them, pure.

use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;
use job_specs::cron::Cron;

use crate::store::Micros;

/// The first time after `after`. `None`: there is none, or the line or the zone is not valid any more.
pub(crate) fn next(cron: &str, timezone: &str, after: Micros) -> Option<Micros> {
    let zone = TimeZoneDatabase::bundled().get(timezone).ok()?;
    let after = Timestamp::from_microsecond(after).ok()?.to_zoned(zone);
    let next = cron.parse::<Cron>().ok()?.next(&after)?;
    Some(next.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first `count` times after a moment, in UTC.
    fn times((cron, zone): (&str, &str), from: &str, count: usize) -> String {
        let mut at = from.parse::<Timestamp>().unwrap().as_microsecond();
        let mut said = Vec::new();
        for _ in 0..count {
            at = next(cron, zone, at).unwrap();
            said.push(Timestamp::from_microsecond(at).unwrap().to_string());
        }
        said.join(" ")
    }

    #[test]
    fn a_skipped_hour_runs_once_right_after() {
        // 2026-03-29: Paris goes from 02:00 to 03:00, which is 01:00 UTC.
        let nightly = ("30 2 * * *", "Europe/Paris");
        insta::assert_snapshot!(times(nightly, "2026-03-28T00:00:00Z", 3), @"2026-03-28T01:30:00Z 2026-03-29T01:00:00Z 2026-03-30T00:30:00Z");
    }

    #[test]
    fn a_repeated_hour_runs_once() {
        // 2026-10-25: Paris has 02:30 twice, at 00:30 and at 01:30 UTC.
        let nightly = ("30 2 * * *", "Europe/Paris");
        insta::assert_snapshot!(times(nightly, "2026-10-24T00:00:00Z", 3), @"2026-10-24T00:30:00Z 2026-10-25T00:30:00Z 2026-10-26T01:30:00Z");
    }

    #[test]
    fn what_never_fires_has_no_time() {
        assert_eq!(next("0 0 31 2 *", "UTC", 0), None);
        assert_eq!(next("0 0 * * *", "Mars/Olympus", 0), None);
        assert_eq!(next("x", "UTC", 0), None);
    }
}
