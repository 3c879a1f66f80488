//! Sizes as Compose writes them: `512m`, `1.5g`, `64kb`. Units are steps of 1024.

use crate::durations::times;

/// Bytes of a size; a number without a unit is bytes. `None` when it is not one.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.trim();
    let unit = unit
        .strip_suffix("ib")
        .or_else(|| unit.strip_suffix('b'))
        .unwrap_or(unit);
    let shift = match unit {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    times(number, 1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_compose_reads_them() {
        let cases = [
            ("512m", Some(512 << 20)),
            ("1.5g", Some(3 << 29)),
            ("64kb", Some(64 << 10)),
            ("2GiB", Some(2 << 30)),
            ("4 g", Some(4 << 30)),
            ("1048576", Some(1 << 20)),
            ("100b", Some(100)),
            ("", None),
            ("m", None),
            ("4x", None),
            ("-1g", None),
            ("99999999999t", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_bytes(text), expected, "{text}");
        }
    }
}
