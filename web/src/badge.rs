//! The badge `/badge/{repo}.svg`: one small picture with the state in words and shape, not by colour alone.

use askama::Template;
use job_specs::status::JobStatus;

use crate::look;

/// Average width of a letter at 11 px, in tenths of a pixel.
const LETTER: usize = 66;
/// Pixels left and right of a word.
const PADDING: usize = 8;

#[derive(Template)]
#[template(path = "badge.svg", escape = "html")]
struct Badge<'a> {
    label: &'a str,
    word: &'a str,
    colour: &'static str,
    left: usize,
    right: usize,
}

/// The badge as SVG; `None`: "no builds yet". Serve it as `image/svg+xml`, with `Cache-Control: no-cache`.
pub fn svg(label: &str, status: Option<JobStatus>) -> String {
    let (mark, word, tone) = match status.map(look::job) {
        None => ("○ ", "no builds yet", "idle"),
        Some(look) => (mark(look.icon), look.word, look.tone),
    };
    let colour = match tone {
        "ok" => "#2f7d6e",
        "run" => "#0044a9",
        "fail" => "#970d2c",
        _ => "#5b6472",
    };
    let word = format!("{mark}{word}");
    let badge = Badge {
        label,
        word: &word,
        colour,
        left: width(label),
        right: width(&word),
    };
    badge
        .render()
        .expect("templates write to memory and use no filter that fails")
}

/// The shape of a state as a character.
fn mark(icon: &str) -> &'static str {
    match icon {
        "passed" => "✓ ",
        "failed" | "timed-out" => "✕ ",
        "errored" => "! ",
        "running" => "◐ ",
        "cancelled" => "■ ",
        "skipped" => "⊘ ",
        _ => "○ ",
    }
}

fn width(text: &str) -> usize {
    (text.chars().count() * LETTER).div_ceil(10) + 2 * PADDING
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_says_it_in_words() {
        insta::assert_snapshot!(svg("app", Some(JobStatus::Passed)), @r##"<svg xmlns="http://www.w3.org/2000/svg" width="105" height="20" role="img" aria-label="app: ✓ passed"><title>app: ✓ passed</title><clipPath id="r"><rect width="105" height="20" rx="4"/></clipPath><g clip-path="url(#r)" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" fill="#fff" text-anchor="middle"><path fill="#3b424d" d="M0 0h36v20H0z"/><path fill="#2f7d6e" d="M36 0h69v20H36z"/><text x="18" y="14">app</text><text x="70" y="14">✓ passed</text></g></svg>"##);
        assert!(svg("<script>", None).contains("&#60;script&#62;"));
        assert!(svg("app", None).contains("no builds yet"));
    }
}
