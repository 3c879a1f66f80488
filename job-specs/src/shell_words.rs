//! Splits a command into words as a shell would, which is how Compose reads `command: redis-server --save ""`. No
//! variables, no globs. `${{ }}` stays whole, so that a substituted value can never become more than one word.

/// The words of a command line.
///
/// # Errors
/// In a few words what is wrong: a quote that is not closed, a backslash at the end.
pub fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let after = &rest[next.len_utf8()..];
        rest = match next {
            _ if rest.starts_with("${{") => {
                let end = rest.find("}}").map_or(rest.len(), |at| at + 2);
                word.get_or_insert_default().push_str(&rest[..end]);
                &rest[end..]
            }
            ' ' | '\t' | '\n' | '\r' => {
                words.extend(word.take());
                after
            }
            '\'' => {
                let end = after.find('\'').ok_or("a single quote is not closed")?;
                word.get_or_insert_default().push_str(&after[..end]);
                &after[end + 1..]
            }
            '"' => double_quoted(after, word.get_or_insert_default())?,
            '\\' => match after.chars().next() {
                Some('\n') => &after[1..],
                Some(escaped) => {
                    word.get_or_insert_default().push(escaped);
                    &after[escaped.len_utf8()..]
                }
                None => return Err("a backslash at the end escapes nothing"),
            },
            other => {
                word.get_or_insert_default().push(other);
                after
            }
        };
    }
    words.extend(word);
    Ok(words)
}

fn double_quoted<'a>(text: &'a str, word: &mut String) -> Result<&'a str, &'static str> {
    let mut rest = text;
    loop {
        let Some(next) = rest.chars().next() else {
            return Err("a double quote is not closed");
        };
        let after = &rest[next.len_utf8()..];
        rest = match next {
            _ if rest.starts_with("${{") => {
                let end = rest.find("}}").map_or(rest.len(), |at| at + 2);
                word.push_str(&rest[..end]);
                &rest[end..]
            }
            '"' => return Ok(after),
            '\\' if after.starts_with(['"', '\\', '$', '`']) => {
                word.push_str(&after[..1]);
                &after[1..]
            }
            other => {
                word.push(other);
                after
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        split(text).unwrap()
    }

    #[test]
    fn a_command_is_split_as_a_shell_would() {
        assert_eq!(words("redis-server --save ''"), ["redis-server", "--save", ""]);
        assert_eq!(words("sh -c \"echo \\\"a b\\\"\""), ["sh", "-c", "echo \"a b\""]);
        assert_eq!(words("  a\\ b 'c d'e\n"), ["a b", "c de"]);
        assert_eq!(words("x \"$HOME\" '$HOME'"), ["x", "$HOME", "$HOME"]);
        assert_eq!(words(""), Vec::<String>::new());
    }

    #[test]
    fn a_template_stays_in_its_word() {
        assert_eq!(
            words("run --name=${{ git.branch }} x"),
            ["run", "--name=${{ git.branch }}", "x"]
        );
        assert_eq!(words("\"v ${{ matrix.a }}\""), ["v ${{ matrix.a }}"]);
        assert_eq!(words("${{ open"), ["${{ open"]);
    }

    #[test]
    fn an_open_quote_is_an_error() {
        assert!(split("a 'b").is_err());
        assert!(split("a \"b").is_err());
        assert!(split("a\\").is_err());
    }
}
