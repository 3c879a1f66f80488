//! The instructions of a Dockerfile as the builder reads them: continued lines, flags, quotes and variables. Pure. What it cannot
//! read it says, so that nobody is misled by what the builder reads otherwise.

use std::collections::BTreeMap;

/// Names and values that an instruction can use.
pub(super) type Variables = BTreeMap<String, String>;

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instruction {
    /// The line on which it begins, from 1.
    pub(super) line: usize,
    /// Lines that it takes.
    pub(super) lines: usize,
    /// All of it in one line, as it is written.
    pub(super) text: String,
}

impl Instruction {
    /// `FROM`, and what comes after it.
    pub(super) fn parts(&self) -> (String, &str) {
        parts(&self.text)
    }
}

/// `FROM`, and what comes after it.
pub(super) fn parts(text: &str) -> (String, &str) {
    let text = text.trim();
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (name.to_ascii_uppercase(), rest.trim())
}

/// The instructions of a Dockerfile.
pub(super) fn parse(text: &str) -> Vec<Instruction> {
    let escape = escape_of(text);
    let mut all = Vec::<Instruction>::new();
    let mut continued = false;
    for (nth, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue; // also in the middle of an instruction
        }
        let line = if continued { line.trim_end() } else { trimmed };
        // two of them are one that is meant
        let (line, goes_on) = match line.strip_suffix(escape) {
            Some(line) if !line.ends_with(escape) => (line, true),
            Some(_) | None => (line, false),
        };
        match all.last_mut().filter(|_| continued) {
            Some(begun) => {
                begun.text.push_str(line);
                begun.lines = nth + 2 - begun.line;
            }
            None => all.push(Instruction {
                line: nth + 1,
                lines: 1,
                text: line.to_owned(),
            }),
        }
        continued = goes_on;
    }
    all
}

/// What continues a line and takes the meaning of the next character; `# escape=` among the first lines sets it.
pub(super) fn escape_of(text: &str) -> char {
    for line in text.trim_start_matches('\u{feff}').lines() {
        let Some(directive) = line.trim().strip_prefix('#') else {
            break;
        };
        let Some((name, value)) = directive.split_once('=') else {
            break;
        };
        if name.trim().eq_ignore_ascii_case("escape") {
            return if value.trim().starts_with('`') { '`' } else { '\\' };
        }
    }
    '\\'
}

/// The flags (`--from=x`) before the arguments, and the rest.
pub(super) fn flags(rest: &str) -> (Vec<String>, &str) {
    let mut found = Vec::new();
    let mut rest = rest.trim_start();
    while rest.starts_with("--") {
        let (flag, after) = first_word(rest);
        rest = after.trim_start();
        if flag == "--" {
            break;
        }
        found.push(flag);
    }
    (found, rest)
}

/// The first word, without its quotes and escapes, and what comes after it. Before the arguments the escape is always
/// a backslash.
fn first_word(text: &str) -> (String, &str) {
    let (mut word, mut quote) = (String::new(), None);
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match (c, quote) {
            ('\\', _) => word.extend(characters.next().map(|(_, c)| c)),
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => return (word, &text[at..]),
            _ => word.push(c),
        }
    }
    (word, "")
}

/// The value of that flag.
pub(super) fn flag<'a>(flags: &'a [String], name: &str) -> Option<&'a str> {
    let value = |flag: &'a String| flag.strip_prefix("--")?.strip_prefix(name)?.strip_prefix('=');
    flags.iter().find_map(value)
}

/// The arguments of ADD and COPY: a JSON list, or what stands between spaces; no quote and no escape keeps a space in.
///
/// # Errors
/// It begins like a list and is none: a builder that is less strict would read a list.
pub(super) fn arguments(rest: &str) -> Result<Vec<String>, String> {
    if !rest.starts_with('[') {
        return Ok(rest.split_whitespace().map(str::to_owned).collect());
    }
    serde_json::from_str(rest).map_err(|error| format!("`{rest}` is no list of texts: {error}"))
}

/// Words between spaces; quotes and escapes keep spaces in, and stay. In single quotes nothing is escaped.
pub(super) fn split(text: &str, escape: char) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (c, quote) {
            (c, within) if c == escape && within != Some('\'') => {
                word.push(c);
                word.extend(characters.next());
            }
            ('"' | '\'', None) => {
                quote = Some(c);
                word.push(c);
            }
            (c, Some(open)) if c == open => {
                quote = None;
                word.push(c);
            }
            (c, None) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// `A=1 B="two words"`, or `A one value`.
pub(super) fn assignments(rest: &str, escape: char) -> Vec<(String, String)> {
    let words = split(rest, escape);
    if words.first().is_some_and(|word| !word.contains('=')) {
        let (name, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        return vec![(name.to_owned(), value.trim().to_owned())];
    }
    let pairs = words.into_iter().filter_map(|word| {
        let (name, value) = word.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    pairs.collect()
}

/// The word with its quotes taken off and its variables replaced.
///
/// # Errors
/// The form that is not read here.
pub(super) fn expand(word: &str, escape: char, variables: &Variables) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = word;
    let mut double = false;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\'' if !double => {
                let end = rest
                    .find('\'')
                    .ok_or_else(|| format!("`{word}` has a quote without its end"))?;
                out.push_str(&rest[..end]);
                rest = &rest[end + 1..];
            }
            '"' => double = !double,
            c if c == escape => {
                let next = rest.chars().next();
                out.extend(next);
                rest = &rest[next.map_or(0, char::len_utf8)..];
            }
            '$' => rest = variable(word, rest, escape, variables, &mut out)?,
            c => out.push(c),
        }
    }
    Ok(out)
}

/// What stands behind a `$`; the rest behind that.
fn variable<'a>(
    word: &str,
    rest: &'a str,
    escape: char,
    variables: &Variables,
    out: &mut String,
) -> Result<&'a str, String> {
    let value = |name: &str| variables.get(name).filter(|value| !value.is_empty());
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    // others are names to the builder, too, and end elsewhere
    let is_plain = |name: &str| name.is_ascii() && !name.starts_with(|c: char| c.is_ascii_digit());
    let unread =
        || format!("`{word}` has a form of variable that is not read here; write `$NAME` or `${{NAME:-value}}`");
    let Some(inner) = rest.strip_prefix('{') else {
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        match name {
            "" if after.starts_with(['@', '*', '#', '?', '-', '$', '!']) => return Err(unread()),
            "" => out.push('$'),
            name if is_plain(name) => out.extend(value(name).map(String::as_str)),
            _ => return Err(unread()),
        }
        return Ok(after);
    };
    let end = inner.find('}').ok_or_else(unread)?;
    let (body, after) = (&inner[..end], &inner[end + 1..]);
    let name_end = body.find(|c| !is_name(c)).unwrap_or(body.len());
    let (name, form) = body.split_at(name_end);
    let other = form.get(2..).unwrap_or_default();
    if name.is_empty() || !is_plain(name) || other.contains(['$', '{', '"', '\'', escape]) {
        return Err(unread());
    }
    match (form.get(..2).unwrap_or(form), value(name)) {
        ("", found) => out.extend(found.map(String::as_str)),
        (":-", found) => out.push_str(found.map_or(other, String::as_str)),
        (":+", Some(_)) => out.push_str(other),
        (":+", None) => {}
        _ => return Err(unread()),
    }
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_as_the_builder_does() {
        let text = "\u{feff}# a\nFR\\\nOM busybox\n\nRUN one && \\  \n  # why\n\n    two\nADD a b\nRUN \\\\\nADD c d\n";
        let message: Vec<String> = parse(text)
            .iter()
            .map(|one| format!("{}+{} {}", one.line, one.lines, one.text))
            .collect();
        assert_eq!(
            message,
            [
                "2+2 FROM busybox",
                "5+4 RUN one &&     two",
                "9+1 ADD a b",
                "10+1 RUN \\\\",
                "11+1 ADD c d"
            ]
        );
    }

    #[test]
    fn words_are_expanded_as_the_builder_does() {
        let variables: Variables = [("A", "one"), ("EMPTY", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let expand = |word: &str| expand(word, '\\', &variables);
        for (word, expected) in [
            ("$A/x", "one/x"),
            ("${A}x", "onex"),
            ("h\"tt\"p://'$A'", "http://$A"),
            ("\\$A", "$A"),
            ("${B:-two}${EMPTY:-three}", "twothree"),
            ("${A:+yes}${B:+no}", "yes"),
            ("$B", ""),
        ] {
            assert_eq!(expand(word).as_deref(), Ok(expected), "{word}");
        }
        for word in ["${A#o}", "${A", "'x", "${B:-$A}", "${A/o/x}", "$1x", "$é", "${é}", "$@"] {
            assert!(expand(word).is_err(), "{word}");
        }
    }

    #[test]
    fn flags_and_arguments_are_distinguished() {
        let (found, rest) = flags("--ch\"own\"=1 --from=x  a b");
        assert_eq!(
            (flag(&found, "from"), flag(&found, "chown"), rest),
            (Some("x"), Some("1"), "a b")
        );
        let (found, rest) = flags("--chown='a b' --fr\\om=x -- --y");
        assert_eq!(
            (flag(&found, "from"), flag(&found, "chown"), rest),
            (Some("x"), Some("a b"), "--y")
        );
        assert_eq!(arguments(r#"["a b", "c"]"#).unwrap(), ["a b", "c"]);
        assert_eq!(arguments(r#"a\ b "c d""#).unwrap(), [r"a\", "b", "\"c", "d\""]);
        assert!(arguments(r#"["\ud800", "c"]"#).is_err());
        assert_eq!(split(r"a\ b 'c\' d", '\\'), [r"a\ b", r"'c\'", "d"]);
        assert_eq!(split(r"a\ b` c", '`'), [r"a\", "b` c"]);
        assert_eq!(escape_of("# syntax=x\n#Escape = `\nFROM a"), '`');
        assert_eq!(escape_of("FROM a\n# escape=`"), '\\');
    }
}
