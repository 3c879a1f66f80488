//! Names and messages of tests: without secrets, control characters and colours, and never longer than a page can
//! show.

use protocol::reports::{MAX_MESSAGE, MAX_NAME, TestCase};

use crate::logs::mask::Masker;

/// Bytes of a message that are looked at before it is cut; the cut must not hide half a secret from the masker.
pub const LOOKED_AT: usize = 64 * 1024;

/// The case as it may leave the agent.
pub fn bounded(case: TestCase, masker: &Masker) -> TestCase {
    let short = |text: &str| name(&masker.mask(&plain(text)), MAX_NAME);
    let name = match short(&case.name) {
        empty if empty.is_empty() => "(no name)".to_owned(), // it still needs one to be found by
        name => name,
    };
    let message = case.message.map(|text| message(&masker.mask(&plain(&text))));
    TestCase {
        suite: short(&case.suite),
        name,
        status: case.status,
        // A century of microseconds fits every database.
        duration_us: case.duration_us.min(3_600_000_000 * 24 * 36_500),
        message: message.filter(|text| !text.is_empty()),
        file: case.file.map(|text| short(&text)),
    }
}

/// One line of at most so many bytes.
pub fn name(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() <= most {
        return line;
    }
    format!("{}…", cut(&line, most - "…".len()))
}

/// Text of at most [`MAX_MESSAGE`] bytes; says how much is left out.
fn message(text: &str) -> String {
    let text = text.trim_end().trim_start_matches('\n');
    if text.len() <= MAX_MESSAGE {
        return text.to_owned();
    }
    let kept = cut(text, MAX_MESSAGE - 64);
    format!("{kept}\n… {} more bytes are left out", text.len() - kept.len())
}

/// At most so many bytes of it, at a character's border.
pub fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// Adds text to what is gathered for a message, up to [`LOOKED_AT`].
pub fn gather(into: &mut String, text: &str) {
    let room = LOOKED_AT.saturating_sub(into.len());
    into.push_str(cut(text, room));
}

/// Without escape sequences of terminals and other control characters; line ends and tabs stay.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' if chars.peek() == Some(&'[') => {
                chars.next();
                // Parameters, then one final letter.
                while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            }
            '\n' | '\t' => out.push(c),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' => out.push('\n'),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_controls_go_and_words_stay() {
        assert_eq!(plain("\u{1b}[1;31mred\u{1b}[0m\0 a\tb\r\nc\u{7f}"), "red a\tb\nc");
        assert_eq!(plain("\u{1b}["), "");
    }

    #[test]
    fn what_is_too_long_says_so() {
        let long = "é".repeat(MAX_MESSAGE);
        let kept = message(&long);
        assert!(
            kept.len() <= MAX_MESSAGE && kept.ends_with("more bytes are left out"),
            "{}",
            kept.len()
        );
        assert_eq!(name("a\n  b", 10), "a b");
        assert!(name(&long, MAX_NAME).len() <= MAX_NAME);
    }

    #[test]
    fn a_secret_at_the_cut_is_masked_whole() {
        let masker = Masker::new([("TOKEN", "s3cr3t-value")]);
        let case = TestCase {
            suite: "s3cr3t-value".into(),
            name: String::new(),
            status: protocol::reports::TestStatus::Failed,
            duration_us: 0,
            message: Some(format!("{}s3cr3t-value", "x".repeat(MAX_MESSAGE - 70))),
            file: None,
        };
        let case = bounded(case, &masker);
        assert_eq!((case.suite.as_str(), case.name.as_str()), ("•••", "(no name)"));
        assert!(!case.message.unwrap().contains("s3c"));
    }
}
