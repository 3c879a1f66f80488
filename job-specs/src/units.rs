//! Sizes and counts as people say them: one way for pages, command line and the agent's sentences. Beside `sizes` and
//! `durations`, which read them.

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
