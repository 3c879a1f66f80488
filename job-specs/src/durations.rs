//! Durations as people write them: `500ms`, `30s`, `10m`, `1h30m`, `2d`.

/// Longer than this is a typing error: 366 days.
const MAX_MS: u64 = 366 * 24 * 3_600_000;

/// Milliseconds of a duration, rounded up; `None` when it is not one, or longer than a year. A number without a unit
/// is not a duration: some systems read it as seconds and some as minutes.
pub fn parse_ms(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total_us: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let part_us = times(number, unit_us(unit.trim())?)?;
        total_us = total_us.checked_add(part_us)?;
        rest = after;
    }
    Some(total_us.div_ceil(1000)).filter(|ms| *ms <= MAX_MS)
}

fn unit_us(unit: &str) -> Option<u64> {
    Some(match unit {
        "us" | "µs" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" | "min" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return None,
    })
}

/// A decimal number times a unit, rounded up; `None` when it is not a number or too big.
pub(crate) fn times(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.len() + fraction.len() == 0 || fraction.len() > 9 {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let parts: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scaled = whole
        .checked_mul(scale)?
        .checked_add(parts)?
        .checked_mul(u128::from(unit))?;
    u64::try_from(scaled.div_ceil(scale)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_compose_reads_them() {
        let cases = [
            ("500ms", Some(500)),
            ("30s", Some(30_000)),
            ("1.5s", Some(1_500)),
            ("10m", Some(600_000)),
            ("1h30m", Some(5_400_000)),
            ("1m30s", Some(90_000)),
            ("2d", Some(172_800_000)),
            ("0s", Some(0)),
            ("1us", Some(1)),
            ("10", None),
            ("", None),
            ("ten", None),
            ("10x", None),
            ("-5s", None),
            ("1..5s", None),
            (".s", None),
            ("99999999999999999999d", None),
            ("400d", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_ms(text), expected, "{text}");
        }
    }
}
