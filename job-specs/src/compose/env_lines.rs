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

/// The number of a line and what is wrong with it.
pub type WrongLine = (usize, &'static str);

/// The secrets of a file, by name, in the same form; a `$` is only itself. Else the number of each line that is wrong, and
/// what is wrong with it: never the line, which may hold a secret.
///
/// # Errors
/// See above.
pub fn secret_lines(text: &str) -> Result<Vec<(String, String)>, Vec<WrongLine>> {
    let (mut secrets, mut wrong) = (Vec::new(), Vec::new());
    let mut no = |at: usize, why| wrong.push((text[..at].matches('\n').count() + 1, why));
    for line in lines_of(text, Dollar::Literal) {
        match line {
            // A file from Windows: its line ends are no part of a value.
            Ok(EnvLine {
                name,
                value: Some(value),
                ..
            }) => secrets.push((name, value.replace("\r\n", "\n"))),
            Ok(line) => no(
                line.at.start,
                "expected NAME=value; a value of several lines stands in quotes",
            ),
            Err((at, why)) => no(at.start, why),
        }
    }
    if wrong.is_empty() { Ok(secrets) } else { Err(wrong) }
}

/// What a `$` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dollar {
    /// The beginning of a variable.
    Variable,
    /// Itself.
    Literal,
}

/// The lines of a file; for each that cannot be read its place and what is wrong, in a few words.
pub(crate) fn env_lines(text: &str) -> Vec<Line> {
    lines_of(text, Dollar::Variable)
}

fn lines_of(text: &str, dollar: Dollar) -> Vec<Line> {
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
        let (line, next) = env_line(text, (start, end), dollar);
        lines.push(line);
        at = next;
    }
    lines
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |length| at + length)
}

pub(crate) type Line = Result<EnvLine, (Range<usize>, &'static str)>;

/// The line from `start`, and where the next one begins.
fn env_line(text: &str, (start, end): (usize, usize), dollar: Dollar) -> (Line, usize) {
    let whole = &text[start..end];
    let after_export = whole.strip_prefix("export ").map_or(whole, str::trim_start);
    let from = end - after_export.len();
    let name_length = after_export
        .find(['=', ':', ' ', '\t', '\r'])
        .unwrap_or(after_export.len());
    let name = after_export[..name_length].to_owned();
    let rest = after_export[name_length..].trim_start_matches([' ', '\t']);
    let location = start..end - (whole.len() - whole.trim_end().len());
    if name.is_empty() || name.contains(['"', '\'', '#', '$']) {
        return (Err((location, "expected NAME=value")), end + 1);
    }
    let Some(value) = rest.strip_prefix(['=', ':']) else {
        let line = match rest.trim().is_empty() {
            true => Ok(EnvLine {
                name,
                value: None,
                interpolated: false,
                at: location,
            }),
            false => Err((location, "expected `=` after the name")),
        };
        return (line, end + 1);
    };
    let value_at = end - value.trim_start_matches([' ', '\t']).len();
    debug_assert!(from <= value_at);
    let make = |value, interpolated| EnvLine {
        name,
        value: Some(value),
        interpolated,
        at: location.clone(),
    };
    match text[value_at..end].chars().next() {
        Some(quote @ ('"' | '\'')) => match quoted(&text[value_at + 1..], quote, dollar) {
            Some((value, length)) => {
                let closed = value_at + 1 + length;
                let next = line_end(text, closed);
                let after = text[closed..next].trim();
                let line = match after.is_empty() || after.starts_with('#') {
                    true => Ok(make(value, quote == '"')),
                    false => Err((location.clone(), "there is more after the closing quote")),
                };
                (line, next + 1)
            }
            None => (Err((location.clone(), "the quote is not closed")), end + 1),
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
fn quoted(text: &str, quote: char, dollar: Dollar) -> Option<(String, usize)> {
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
                '$' if quote == '"' => value.push_str(if dollar == Dollar::Variable { "$$" } else { "$" }),
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
    fn secrets_have_any_line_and_any_sign() {
        let text = "\
# for the tests
KEY=\"-----BEGIN KEY-----\r
MIIE+/=\r
-----END KEY-----\r
\"\r
export TOKEN=a=b#c$d\r
SINGLE='two
lines with \"quotes\"' # why
JSON={\"a\": \"$b\"}
ESCAPED=\"one\\ntwo \\$x \\\\\"
";
        let secrets = secret_lines(text).unwrap();
        let shown: Vec<String> = secrets
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        KEY="-----BEGIN KEY-----\nMIIE+/=\n-----END KEY-----\n"
        TOKEN="a=b#c$d"
        SINGLE="two\nlines with \"quotes\""
        JSON="{\"a\": \"$b\"}"
        ESCAPED="one\ntwo $x \\"
        "#);
        let wrong = "A=1\nKEY=-----BEGIN KEY-----\nMIIE\n-----END KEY-----\nB=\"x\"y\nC=\"open\n";
        assert_eq!(
            secret_lines(wrong),
            Err(vec![
                (3, "expected NAME=value; a value of several lines stands in quotes"),
                (4, "expected `=` after the name"),
                (5, "there is more after the closing quote"),
                (6, "the quote is not closed"),
            ])
        );
    }

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
