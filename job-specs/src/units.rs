//! Durations, sizes and counts as people read them: one way for pages, command line and the sentences of agent and gate.
//! `assets/live.js` of the pages shows running durations the same way; `sizes` and `durations` read what people write.
//! The gate, which has no dependency, compiles this file as its own, so it uses the standard library only.

use std::time::Duration;

/// `320ms`, `4.1s`, `58s`, `2m 14s`, `10m`, `1h 05m`, `3d 04h`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let two = |whole: u64, unit: &str, rest: u64, small: &str| match rest {
        0 => format!("{whole}{unit}"),
        rest => format!("{whole}{unit} {rest:02}{small}"),
    };
    match (seconds, time.subsec_millis() / 100) {
        (0, _) => format!("{}ms", time.as_millis()),
        (1..=9, tenth) if tenth > 0 => format!("{seconds}.{tenth}s"),
        (1..=59, _) => format!("{seconds}s"),
        (60..=3599, _) => two(seconds / 60, "m", seconds % 60, "s"),
        (3600..=86_399, _) => two(seconds / 3600, "h", seconds / 60 % 60, "m"),
        _ => two(seconds / 86_400, "d", seconds / 3600 % 24, "h"),
    }
}

/// [`duration`] of microseconds; what is negative, as clocks may differ, is none.
pub fn micros(micros: impl TryInto<u64>) -> String {
    duration(Duration::from_micros(micros.try_into().unwrap_or_default()))
}

/// `812 B`, `4.2 KiB`, `64 MiB`, `1.5 GiB`: of 1024, one decimal where it says something.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    match tenths % 10 {
        0 => format!("{} {}", tenths / 10, UNITS[unit]),
        tenth => format!("{}.{tenth} {}", tenths / 10, UNITS[unit]),
    }
}

/// `1 job`, `1,204 lines`.
pub fn count(n: impl TryInto<u64>, noun: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    let s = if n == 1 { "" } else { "s" };
    format!("{} {noun}{s}", grouped(n))
}

/// `1,204`
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        let ms = [
            0,
            320,
            1000,
            4190,
            9999,
            58_900,
            60_000,
            134_000,
            600_000,
            3_900_000,
            7_200_000,
            273_600_000,
        ];
        let said = ms.map(|ms| duration(Duration::from_millis(ms)));
        let expected = [
            "0ms", "320ms", "1s", "4.1s", "9.9s", "58s", "1m", "2m 14s", "10m", "1h 05m", "2h", "3d 04h",
        ];
        assert_eq!(said, expected);
        assert_eq!([micros(-5), micros(4_190_000_u64)], ["0ms", "4.1s"]);
    }

    #[test]
    fn sizes_have_a_decimal_where_it_says_something() {
        let said = [0, 812, 1023, 1024, 4300, 64 << 20, 3 << 29, 14_700_000_000, u64::MAX].map(size);
        let expected = [
            "0 B",
            "812 B",
            "1023 B",
            "1 KiB",
            "4.1 KiB",
            "64 MiB",
            "1.5 GiB",
            "13.6 GiB",
            "16777215.9 TiB",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn counts_are_grouped_and_have_their_plural() {
        let said = [
            count(0_u64, "job"),
            count(1_u64, "job"),
            count(1204_u64, "line"),
            grouped(1_234_567),
        ];
        assert_eq!(said, ["0 jobs", "1 job", "1,204 lines", "1,234,567"]);
    }
}
