//! Cron lines: the one place that parses them and that searches for the next time. Every search is bounded by
//! construction: a line that no date fits is refused when it is parsed, so that the library, which searches until the
//! year 5000, is only asked for times that exist; the rarest line (29 February on one day of the week) comes again
//! within 40 years.

use croner::parser::{CronParser, Seconds, Year};
use jiff::Zoned;
use jiff::civil::Date;

/// Bytes of a cron line.
pub const MAX_BYTES: usize = 200;
/// In these 28 years every date is on every day of the week.
const YEARS: std::ops::Range<i16> = 2024..2052;

/// A cron line with five fields that fires some day.
#[derive(Debug, Clone)]
pub struct Cron(croner::Cron);

/// Why a text is no [`Cron`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// It is not such a line.
    #[error("{0}")]
    Syntax(String),
    /// There is no such day, as 31 February.
    #[error("no day is like that")]
    NeverFires,
}

impl std::str::FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Cron, CronError> {
        if text.len() > MAX_BYTES {
            return Err(CronError::Syntax(format!("a cron line has at most {MAX_BYTES} bytes")));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(text).map_err(|fault| {
            let words = fault.to_string();
            let words = words.split_once(": ").map_or(words.as_str(), |(_, words)| words);
            let words = words.trim_end_matches('.');
            CronError::Syntax(words.replace("CronPattern contains", "there is an"))
        })?;
        if fires(&cron) {
            Ok(Cron(cron))
        } else {
            Err(CronError::NeverFires)
        }
    }
}

impl Cron {
    /// The first time after `after`, by the clock on the wall of its time zone: an hour that is skipped runs its times
    /// once, right after; an hour that comes twice runs them once. `None` only at the end of the calendar.
    #[must_use]
    pub fn next(&self, after: &Zoned) -> Option<Zoned> {
        self.0.find_next_occurrence(after, false).ok()
    }
}

/// Whether there is any such time.
fn fires(cron: &croner::Cron) -> bool {
    let pattern = &cron.pattern;
    let hour = (0..24).find(|hour| pattern.hour_match(*hour).unwrap_or(false));
    let minute = (0..60).find(|minute| pattern.minute_match(*minute).unwrap_or(false));
    let time = hour.zip(minute).and_then(|(hour, minute)| {
        let (hour, minute) = (i8::try_from(hour).ok()?, i8::try_from(minute).ok()?);
        jiff::civil::Time::new(hour, minute, 0, 0).ok()
    });
    let Some(time) = time else {
        return false;
    };
    let months = (1_i8..=12).filter(|month| pattern.month_match(month.unsigned_abs().into()).unwrap_or(false));
    let mut days = months.flat_map(|month| YEARS.flat_map(move |year| (1..=31).map(move |day| (year, month, day))));
    days.any(|(year, month, day)| {
        Date::new(year, month, day).is_ok_and(|day| cron.is_time_matching(&day.to_datetime(time)).unwrap_or(false))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{Timestamp, tz::TimeZone};

    fn next(line: &str, after: &str) -> String {
        let after = after.parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC);
        line.parse::<Cron>()
            .unwrap()
            .next(&after)
            .unwrap()
            .timestamp()
            .to_string()
    }

    #[test]
    fn what_no_date_fits_is_refused() {
        let never = [
            "0 0 31 2 *",
            "0 0 30 2 *",
            "* * 31 2,4,6,9,11 *",
            "*/5 * 30,31 FEB *",
            "0 0 31W 2 *",
        ];
        for line in never {
            assert_eq!(line.parse::<Cron>().unwrap_err(), CronError::NeverFires, "{line}");
        }
    }

    #[test]
    fn the_rarest_dates_are_found() {
        assert_eq!(next("0 0 29 2 *", "2024-03-01T00:00:00Z"), "2028-02-29T00:00:00Z");
        // 2100 is no leap year.
        assert_eq!(next("0 0 29 2 *", "2096-03-01T00:00:00Z"), "2104-02-29T00:00:00Z");
        // The longest way to a 29 February that is a Friday.
        assert_eq!(next("0 0 29 2 +5", "2188-03-01T00:00:00Z"), "2228-02-29T00:00:00Z");
    }

    #[test]
    fn what_is_not_a_line_is_said() {
        for line in [
            "",
            "x",
            "0 0 * *",
            "61 * * * *",
            "0 0 0 * *",
            "*/0 * * * *",
            "0 0 * * * *",
            "- - - - -",
        ] {
            assert!(matches!(line.parse::<Cron>(), Err(CronError::Syntax(_))), "{line}");
        }
        assert!(matches!("1,".repeat(101).parse::<Cron>(), Err(CronError::Syntax(_))));
    }
}
