//! Tabs of indentation as spaces. How wide a tab was meant is told by the line above: deep enough to stand below its
//! key. A text inside a block is left alone: its lines begin with spaces, so a tab in them is content.

use std::ops::Range;

/// Widths that people give a tab, the likeliest first.
const WIDTHS: [usize; 3] = [2, 4, 8];

/// Every indentation with a tab at its beginning, and the one around `at`, with the spaces that replace it.
pub(super) fn to_spaces(text: &str, at: usize) -> Vec<(Range<usize>, String)> {
    let lines: Vec<(usize, &str)> = indents(text).collect();
    let is_wrong = |(start, indent): &(usize, &str)| {
        indent.starts_with('\t') || (indent.contains('\t') && (*start..=start + indent.len()).contains(&at))
    };
    let Some(first) = lines.iter().position(is_wrong) else {
        return Vec::new();
    };
    let above = lines[..first].iter().rev().find(|(start, indent)| {
        let rest = text[start + indent.len()..].lines().next().unwrap_or_default();
        !rest.is_empty() && !rest.starts_with('#')
    });
    let parent = above.map_or(0, |(_, indent)| indent.len());
    let fits = |width: &usize| expanded(lines[first].1, *width).len() > parent;
    let width = WIDTHS.into_iter().find(fits).unwrap_or(2);
    let wrong = lines.iter().filter(|line| is_wrong(line));
    wrong
        .map(|(start, indent)| (*start..start + indent.len(), expanded(indent, width)))
        .collect()
}

/// Where each line begins, and its spaces and tabs.
fn indents(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.split('\n').map(move |line| {
        let indent = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
        let here = (start, indent);
        start += line.len() + 1;
        here
    })
}

fn expanded(indent: &str, width: usize) -> String {
    indent.replace('\t', &" ".repeat(width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tab_is_as_wide_as_the_line_above_asks_for() {
        let edits = |text: &str| to_spaces(text, text.find('\t').unwrap());
        assert_eq!(edits("a:\n\tb: c\n"), [(3..4, "  ".to_owned())]);
        assert_eq!(edits("x:\n    a:\n\t\tb: c\n\t\td: e\n").len(), 2);
        assert_eq!(edits("x:\n    a:\n\t\tb: c\n")[0].1, " ".repeat(8));
    }

    #[test]
    fn a_tab_inside_a_script_stays() {
        let text = "a:\n\tb: c\n  run: |\n    x\n    \ty\n";
        assert_eq!(to_spaces(text, 3).len(), 1);
    }
}
