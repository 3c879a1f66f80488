//! Log text without terminal escape sequences.

/// `text` without colours, cursor moves, titles and links.
pub(super) fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => skip_until(&mut chars, |c| ('\u{40}'..='\u{7e}').contains(&c)),
                Some(']' | 'P' | '_' | '^' | 'X') => skip_string(&mut chars),
                _ => {}
            },
            '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

fn skip_until(chars: &mut impl Iterator<Item = char>, is_last: impl Fn(char) -> bool) {
    for c in chars {
        if is_last(c) {
            return;
        }
    }
}

/// A string ends with BEL or with ESC and a backslash.
fn skip_string(chars: &mut std::iter::Peekable<impl Iterator<Item = char>>) {
    while let Some(c) = chars.next() {
        if c == '\u{7}' {
            return;
        }
        if c == '\u{1b}' {
            chars.next_if_eq(&'\\');
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::without_escapes;

    #[test]
    fn colours_links_and_moves_go_and_words_stay() {
        assert_eq!(without_escapes("\u{1b}[1;31merror\u{1b}[0m: no"), "error: no");
        assert_eq!(
            without_escapes("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{7}\tend"),
            "link\tend"
        );
        assert_eq!(without_escapes("half \u{1b}[3"), "half ");
    }
}
