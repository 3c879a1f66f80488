//! Masking: no secret leaves the agent, whatever a tool made of it on its way to the log. Separate from line assembly
//! because what counts as a secret's shape changes for other reasons than what counts as a line.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::logs::shapes;

/// What stands in place of a secret.
pub const MASK: &str = "•••";
/// Shorter values would make every log unreadable.
const MIN_CHARS: usize = 4;
/// The faster automaton is only built up to this many bytes of patterns: its memory grows with them.
const DFA_BYTES: usize = 8 * 1024;

/// Finds secrets in lines. Cheap when there are none. It has no `Debug`.
#[derive(Clone, Default)]
pub struct Masker {
    automaton: Option<AhoCorasick>,
    longest: usize,
    skipped: Vec<String>,
    /// The lines of each secret that has short ones among several, without empty ones.
    keys: Vec<Vec<String>>,
}

/// A line of a secret that may come next: which secret of several lines, and which line of it.
pub(crate) type Next = (usize, usize);

impl Masker {
    /// For these secrets, by name and value.
    pub fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Masker {
        let mut skipped = Vec::new();
        let mut patterns = BTreeSet::new();
        let mut keys = Vec::new();
        for (name, value) in secrets {
            if value.trim().chars().count() < MIN_CHARS {
                skipped.push(name.to_owned());
            } else {
                patterns.extend(shapes::of(value));
                let lines = value.lines().map(|line| line.trim_end_matches('\r'));
                let lines: Vec<String> = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
                if lines.len() > 1 && lines.iter().any(|line| is_short(line)) {
                    keys.push(lines);
                }
            }
        }
        patterns.retain(|pattern| pattern.len() >= MIN_CHARS);
        let bytes: usize = patterns.iter().map(Vec::len).sum();
        let kind = if bytes <= DFA_BYTES {
            AhoCorasickKind::DFA
        } else {
            AhoCorasickKind::ContiguousNFA
        };
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(kind))
            // It is ten times slower on logs that are full of the bytes it looks for.
            .prefilter(false)
            .build(&patterns);
        Masker {
            longest: patterns.iter().map(Vec::len).max().unwrap_or(0),
            automaton: (!patterns.is_empty())
                .then(|| automaton.expect("secrets are at most a few MiB, the limit is 2 GiB of states")),
            skipped,
            keys,
        }
    }

    /// Whether a line that begins nowhere in `expected` can be part of a secret although [`Masker::finds_in`] says no.
    pub(crate) fn knows_short_lines(&self) -> bool {
        self.keys.iter().any(|key| is_short(&key[0]))
    }

    /// Whether the whole line is a line of a secret, too short to be masked anywhere but behind the one before it, which
    /// `expected` knows; `expected` is then what may come next.
    pub(crate) fn hides_short(&self, line: &[u8], expected: &mut Vec<Next>) -> bool {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || self.keys.is_empty() {
            return false;
        }
        let is_expected = |next: Next| expected.contains(&next);
        let (mut hides, mut after) = (false, Vec::new());
        for (which, key) in self.keys.iter().enumerate() {
            for (nth, of_key) in key.iter().enumerate() {
                let begins = nth == 0 && line.ends_with(of_key.as_bytes());
                let goes_on = line == of_key.as_bytes() && (!is_short(of_key) || is_expected((which, nth)));
                if !begins && !goes_on {
                    continue;
                }
                hides |= is_short(of_key) && goes_on;
                if nth + 1 < key.len() {
                    after.push((which, nth + 1));
                }
            }
        }
        *expected = after;
        hides
    }

    /// Names of the secrets that are too short to be masked (under 4 characters), to be told to people.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// The text without secrets, for sentences that quote what a job printed.
    pub fn mask(&self, text: &str) -> String {
        let mut out = Vec::with_capacity(text.len());
        self.mask_whole(text.as_bytes(), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Length of the longest thing that is masked, bytes; 0 when nothing is.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Is there anything to mask in these bytes?
    pub(crate) fn finds_in(&self, bytes: &[u8]) -> bool {
        self.automaton
            .as_ref()
            .is_some_and(|automaton| automaton.is_match(bytes))
    }

    /// Appends `bytes`, which end where the line ends, without secrets.
    pub(crate) fn mask_whole(&self, bytes: &[u8], out: &mut Vec<u8>) {
        self.mask_until(bytes, bytes.len(), out);
    }

    /// Appends the beginning of `bytes` without secrets, up to `safe` or to the end of a secret that begins before it;
    /// how many bytes that was. `safe` must leave [`Masker::longest`] bytes, unless the line ends with `bytes`.
    pub(crate) fn mask_until(&self, bytes: &[u8], safe: usize, out: &mut Vec<u8>) -> usize {
        let mut done = 0;
        for found in self.automaton.iter().flat_map(|automaton| automaton.find_iter(bytes)) {
            if found.start() >= safe {
                break;
            }
            out.extend_from_slice(&bytes[done..found.start()]);
            out.extend_from_slice(MASK.as_bytes());
            done = found.end();
        }
        let end = done.max(safe);
        out.extend_from_slice(&bytes[done..end]);
        end
    }
}

fn is_short(line: &str) -> bool {
    line.chars().count() < MIN_CHARS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_secret_wins_and_short_ones_are_named() {
        let masker = Masker::new([
            ("A", "hunter2"),
            ("B", "hunter2-and-more"),
            ("PIN", "123"),
            ("EMPTY", " \n"),
        ]);
        assert_eq!(masker.skipped(), ["PIN", "EMPTY"]);
        assert_eq!(
            masker.mask("x=hunter2-and-more, y=hunter2-and, 123"),
            "x=•••, y=•••-and, 123"
        );
    }

    #[test]
    fn secrets_are_found_in_other_clothes() {
        let value = "p@ss 'w\"rd/é";
        let masker = Masker::new([("S", value)]);
        let clothes = [
            value.to_owned(),
            "p%40ss%20%27w%22rd%2F%C3%A9".to_owned(),
            "p%40ss+%27w%22rd%2f%c3%a9".to_owned(),
            "p%40ss%20'w%22rd%2F%C3%A9".to_owned(),
            r#"p@ss 'w\"rd/é"#.to_owned(),
            r#"p@ss 'w\"rd\/é"#.to_owned(),
            r#"p@ss 'w\"rd/\u00e9"#.to_owned(),
            r#"p@ss '\''w"rd/é"#.to_owned(),
            r#"p@ss '"'"'w"rd/é"#.to_owned(),
            r#"p@ss\ \'w\"rd/é"#.to_owned(),
        ];
        for cloth in clothes {
            assert_eq!(masker.mask(&format!("<{cloth}>")), "<•••>", "{cloth}");
        }
    }

    #[test]
    fn base64_is_found_at_every_alignment() {
        use base64::Engine as _;
        use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
        let masker = Masker::new([("S", "s3cr3t?>value")]);
        for before in ["", "a", "ab", "abc"] {
            for after in ["", "z", "zy", "zyx"] {
                let text = format!("{before}s3cr3t?>value{after}");
                for coded in [
                    STANDARD.encode(&text),
                    STANDARD_NO_PAD.encode(&text),
                    URL_SAFE.encode(&text),
                ] {
                    let masked = masker.mask(&coded);
                    assert!(masked.contains(MASK), "{before}|{after}: {coded}");
                    let seen = masked.replace(MASK, "").trim_end_matches('=').len();
                    let around = (before.len() + after.len()) * 4 / 3 + 4;
                    assert!(seen <= around, "{before}|{after}: {masked} shows {seen} characters");
                }
            }
        }
        assert_eq!(masker.mask(&STANDARD.encode("s3cr3t?>value")), MASK);
    }

    #[test]
    fn hexadecimal_and_one_coded_line_of_several_are_found() {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        let masker = Masker::new([("S", "first line of a key\nsecond line of it!!")]);
        assert_eq!(masker.mask(&hex::encode("second line of it!!")), MASK);
        assert_eq!(masker.mask(&hex::encode_upper("first line of a key")), MASK);
        let masked = masker.mask(&STANDARD.encode("x=second line of it!!;"));
        assert!(masked.contains(MASK), "{masked}");
    }

    #[test]
    fn each_line_of_a_key_is_a_secret() {
        let key = "-----BEGIN KEY-----\nMIIEabcdef\r\nxyz\nlast-line-of-it\n-----END KEY-----\n";
        let masker = Masker::new([("KEY", key)]);
        let masked = masker.mask("MIIEabcdef xyz last-line-of-it");
        assert_eq!(masked, "••• xyz •••", "a line of 3 characters is too short");
        let json = serde_json::json!({ "key": key }).to_string();
        assert_eq!(masker.mask(&json), r#"{"key":"•••"}"#);
        let wrapped = "LS0tLS1CRUdJTiBLRVktLS0tLQpNSUlFYWJjZGVmDQp4eXoKbGFzdC1saW5lLW9mLWl0Ci0tLS0t";
        assert_eq!(
            masker.mask(wrapped),
            MASK,
            "the first line that the base64 tool prints of it"
        );
    }

    #[test]
    fn without_secrets_nothing_changes() {
        assert_eq!(Masker::default().mask("a\0é"), "a\0é");
        assert_eq!(Masker::new([]).mask("password"), "password");
    }
}
