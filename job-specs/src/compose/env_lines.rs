//! Env files (`.env`, `env_file`) by Compose's rules: `NAME=value` lines, comments, quotes; `$NAME` is replaced except
//! inside single quotes.

use std::ops::Range;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EnvLine {
    pub(crate) name: String,
    /// `None`: the name alone; its value is the variable's of that name.
    pub(crate) value: Option<String>,
    /// `$` means a variable in the value.
    pub(crate) interpolated: bool,
    /// Where it is in the file.
    pub(crate) at: Range<usize>,
}

/// The lines of a file; for each that cannot be read its place and what is wrong, in a few words.
pub(crate) fn env_lines(text: &str) -> Vec<Result<EnvLine, (Range<usize>, &'static str)>> {
    let mut lines = Vec::new();
    let mut at = text.len() - text.trim_start_matches('\u{feff}').len();
    while at < text.len() {
        let end = line_end(text, at);
        let trimmed = text[at..end].trim_start();
        let start = end - trimmed.len();
        if trimmed.trim().is_empty() || trimmed.starts_with('#') {
            at = end + 1;
            continue;
        }
        let (line, next) = env_line(text, start, end);
        lines.push(line);
        at = next;
    }
    lines
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |length| at + length)
}

type Line = Result<EnvLine, (Range<usize>, &'static str)>;

/// The line from `start`, and where the next one begins.
fn env_line(text: &str, start: usize, end: usize) -> (Line, usize) {
    let whole = &text[start..end];
    let after_export = whole.strip_prefix("export ").map_or(whole, str::trim_start);
    let from = end - after_export.len();
    let name_length = after_export
        .find(['=', ':', ' ', '\t', '\r'])
        .unwrap_or(after_export.len());
    let name = after_export[..name_length].to_owned();
    let rest = after_export[name_length..].trim_start_matches([' ', '\t']);
    let place = start..end - (whole.len() - whole.trim_end().len());
    if name.is_empty() || name.contains(['"', '\'', '#', '$']) {
        return (Err((place, "expected NAME=value")), end + 1);
    }
    let Some(value) = rest.strip_prefix(['=', ':']) else {
        let line = match rest.trim().is_empty() {
            true => Ok(EnvLine {
                name,
                value: None,
                interpolated: false,
                at: place,
            }),
            false => Err((place, "expected `=` after the name")),
        };
        return (line, end + 1);
    };
    let value_at = end - value.trim_start_matches([' ', '\t']).len();
    debug_assert!(from <= value_at);
    let make = |value, interpolated| EnvLine {
        name,
        value: Some(value),
        interpolated,
        at: place.clone(),
    };
    match text[value_at..end].chars().next() {
        Some(quote @ ('"' | '\'')) => match quoted(&text[value_at + 1..], quote) {
            Some((value, length)) => {
                let closed = value_at + 1 + length;
                let next = line_end(text, closed);
                (Ok(make(value, quote == '"')), next + 1)
            }
            None => (Err((place.clone(), "the quote is not closed")), end + 1),
        },
        _ => (
            Ok(make(without_comment(&text[value_at..end]).to_owned(), true)),
            end + 1,
        ),
    }
}

fn without_comment(value: &str) -> &str {
    let comment = value
        .match_indices('#')
        .find(|(at, _)| *at == 0 || value[..*at].ends_with([' ', '\t']));
    comment.map_or(value, |(at, _)| &value[..at]).trim()
}

/// The value up to its quote, and how many bytes it and its quote take. A `$` that is escaped stays one.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            _ if letter == quote => return Some((value, at + 1)),
            '\\' => match letters.next()?.1 {
                escaped if escaped == quote => value.push(escaped),
                'n' if quote == '"' => value.push('\n'),
                'r' if quote == '"' => value.push('\r'),
                't' if quote == '"' => value.push('\t'),
                '\\' if quote == '"' => value.push('\\'),
                '$' if quote == '"' => value.push_str("$$"),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_files_are_read_as_compose_reads_them() {
        let text = "\
# a comment
A=b
  export B = c d   # not this
C='single $X \\'quoted\\''   # comment
D=\"double\\n\\$5 $X\"
E=
F=a#b
G: yaml like
H
I=\"two
lines\"
J=x=y\r
=bad
K=\"open
";
        let shown: Vec<String> = env_lines(text)
            .into_iter()
            .map(|line| match line {
                Ok(line) => format!("{} {:?} {}", line.name, line.value, line.interpolated),
                Err((at, fault)) => format!("{:?} {fault}", &text[at]),
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        A Some("b") true
        B Some("c d") true
        C Some("single $X 'quoted'") false
        D Some("double\n$$5 $X") true
        E Some("") true
        F Some("a#b") true
        G Some("yaml like") true
        H None false
        I Some("two\nlines") true
        J Some("x=y") true
        "=bad" expected NAME=value
        "K=\"open" the quote is not closed
        "#);
    }
}
