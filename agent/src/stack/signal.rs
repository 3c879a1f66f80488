//! Signals by the names that images use.

/// What ends a service whose image does not say otherwise.
pub(super) const TERM: i32 = 15;

/// `SIGINT`, `INT` or `2`.
pub(super) fn number(text: &str) -> Option<i32> {
    const NAMES: [(&str, i32); 9] = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ABRT", 6),
        ("KILL", 9),
        ("USR1", 10),
        ("USR2", 12),
        ("TERM", TERM),
        ("WINCH", 28),
    ];
    if let Ok(number) = text.parse() {
        return (1..=64).contains(&number).then_some(number);
    }
    let name = text.strip_prefix("SIG").unwrap_or(text);
    if let Some(offset) = name.strip_prefix("RTMIN+") {
        return offset.parse::<i32>().ok().map(|offset| 34 + offset);
    }
    NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_known_by_name_and_number() {
        let known = ["SIGINT", "QUIT", "9", "SIGRTMIN+3"].map(number);
        assert_eq!(known, [Some(2), Some(3), Some(9), Some(37)]);
        assert_eq!(number("SIGNAL"), None);
    }
}
