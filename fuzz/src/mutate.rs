//! Inputs from examples. Most changes keep the shape of the text (a word becomes another word, a line goes, comes twice
//! or comes from another example), so that what is read gets past the parser; the rest are of bytes. Most inputs are
//! small; one in some hundreds is blown up to the size at which files are refused.

use crate::random::Random;

/// No input is longer, in bytes: a little more than a job file may have.
pub const MAX_LEN: usize = 260 * 1024;
/// Longer words of examples are not used elsewhere.
const MAX_WORD: usize = 40;

/// What turns up in no example, and where readers go wrong.
const SPECIALS: &[&str] = &[
    "",
    "0",
    "-1",
    "1",
    "255",
    "65536",
    "2147483648",
    "4294967295",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "99999999999999999999999999",
    "1e309",
    "-0.0",
    "NaN",
    "inf",
    ".inf",
    "3.10",
    "0x",
    "0o17",
    "1_000",
    "~",
    "null",
    "true",
    "no",
    "on",
    "é",
    "𝄞",
    "\u{feff}",
    "\0",
    "\u{202e}",
    "a\u{301}",
    "${{",
    "}}",
    "${{ x }}",
    "${",
    "${A:-${B:?c}}",
    "$$",
    "%00",
    "..",
    "../..",
    "/",
    "//",
    "./",
    "\\",
    "**",
    "*",
    "?",
    "[",
    "]",
    "{",
    "}",
    "{a,b}",
    "\"",
    "'",
    "`",
    "#",
    "!",
    "&a ",
    "*a",
    "<<: *a",
    ": ",
    "- ",
    "? ",
    "| ",
    "|\n",
    ">-\n",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "    ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "<",
    ">",
    "</",
    "/>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "&#x0;",
    "&amp;",
    "&x;",
    "{\"a\":",
    "[[",
    "\\u0000",
    "\\ud800",
    ",",
    ",,",
    "refs/heads/",
    "0000000000000000000000000000000000000000",
];

/// Examples, and what is put into them.
pub struct Examples {
    texts: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

impl Examples {
    /// Of at least one text.
    #[must_use]
    pub fn new(texts: Vec<Vec<u8>>) -> Examples {
        let mut words: Vec<Vec<u8>> = texts
            .iter()
            .flat_map(|text| text.split(|byte| !is_word(*byte)))
            .filter(|word| (2..=MAX_WORD).contains(&word.len()))
            .map(<[u8]>::to_vec)
            .collect();
        words.sort();
        words.dedup();
        Examples { texts, words }
    }

    /// One input.
    #[must_use]
    pub fn input(&self, random: &mut Random) -> Vec<u8> {
        let mut text = self.texts[random.below(self.texts.len())].clone();
        // Mostly one or two changes: the more there are, the less of the text is read.
        let changes = 1 + random.below(2) + random.below(2) * random.below(6);
        for _ in 0..changes {
            self.change(&mut text, random);
        }
        if random.once_in(512) {
            blow_up(&mut text, random);
        }
        text.truncate(MAX_LEN);
        text
    }

    fn change(&self, text: &mut Vec<u8>, random: &mut Random) {
        let at = random.below(text.len() + 1);
        let short = at..(at + random.below(24)).min(text.len());
        match random.below(16) {
            0..=4 => put(text, word(text, at), self.word(random)),
            5 => put(text, at..at, self.word(random)),
            6 => put(text, short, self.word(random)),
            7 => put(text, short, &[]),
            8 => put(text, line(text, at), &[]),
            9 => {
                let copied = text[line(text, random.below(text.len() + 1))].to_vec();
                put(text, line(text, at).start..line(text, at).start, &copied);
            }
            10 | 11 => {
                let other = &self.texts[random.below(self.texts.len())];
                let copied = &other[line(other, random.below(other.len() + 1))];
                put(text, line(text, at).start..line(text, at).start, copied);
            }
            12 => {
                let repeated = text[short.clone()].repeat(1 + random.below(20));
                put(text, short.end..short.end, &repeated);
            }
            13 => {
                let part = text[line(text, at)].to_vec();
                let repeated = part.repeat(1 + random.below(8));
                put(text, at..at, &repeated);
            }
            14 if random.once_in(3) => text.truncate(at),
            _ if at < text.len() => text[at] ^= 1 << random.below(8),
            _ => {}
        }
    }

    fn word<'a>(&'a self, random: &mut Random) -> &'a [u8] {
        if random.once_in(3) || self.words.is_empty() {
            random.pick(SPECIALS).as_bytes()
        } else {
            &self.words[random.below(self.words.len())]
        }
    }
}

/// Repeats a part of it until it is large.
fn blow_up(text: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(text.len() + 1);
    let part = match random.below(3) {
        0 => at..(at + 1 + random.below(8)).min(text.len()),
        1 => line(text, at),
        _ => at..(at + random.below(2_000)).min(text.len()),
    };
    let size = 1 << (10 + random.below(9));
    let part = text[part].to_vec();
    if !part.is_empty() {
        let repeated = part.repeat((size / part.len()).min(MAX_LEN / part.len() + 1));
        put(text, at..at, &repeated);
    }
}

fn put(text: &mut Vec<u8>, range: std::ops::Range<usize>, new: &[u8]) {
    text.splice(range, new.iter().copied());
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.@".contains(&byte) || byte >= 0x80
}

/// The word at or after that place; empty at the end of the text.
fn word(text: &[u8], at: usize) -> std::ops::Range<usize> {
    let from = text[at..]
        .iter()
        .position(|byte| is_word(*byte))
        .map_or(text.len(), |skip| at + skip);
    let from = from - text[..from].iter().rev().take_while(|byte| is_word(**byte)).count();
    from..from + text[from..].iter().take_while(|byte| is_word(**byte)).count()
}

/// The line around that place, with its end.
fn line(text: &[u8], at: usize) -> std::ops::Range<usize> {
    let from = text[..at]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let to = text[at..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(text.len(), |end| at + end + 1);
    from..to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_known_by_seed_and_index() {
        let examples = Examples::new(vec![b"jobs:\n  a: {image: b}\n".to_vec(), b"on: push\n".to_vec()]);
        let input = |index| examples.input(&mut Random::of_input(7, index));
        let all: Vec<_> = (0..1_000).map(input).collect();
        assert!(
            (0..1_000).rev().map(input).eq(all.iter().rev().cloned()),
            "in any order"
        );
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert!(different.len() > 700, "{} of 1000 are different", different.len());
        assert!(all.iter().all(|input| input.len() <= MAX_LEN));
    }

    #[test]
    fn words_and_lines_are_found_where_they_are() {
        let text = b"one: two\nthree\n";
        assert_eq!(&text[word(text, 1)], b"one");
        assert_eq!(&text[word(text, 3)], b"two");
        assert_eq!(word(text, text.len()), text.len()..text.len());
        assert_eq!(&text[line(text, 4)], b"one: two\n");
        assert_eq!(&text[line(text, 9)], b"three\n");
    }
}
