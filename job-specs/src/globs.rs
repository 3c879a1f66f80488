//! Lists of globs for branches, tags and paths: `*` and `?` stop at `/`, `**` does not, `!` leaves out again, and the
//! last one that matches counts. A list that begins with `!` begins with everything.

use globset::{Glob, GlobBuilder, GlobMatcher};

/// Globs of one list.
pub(crate) const MAX_GLOBS: usize = 100;
/// Bytes of one glob.
pub(crate) const MAX_GLOB_BYTES: usize = 256;

/// A list of globs, not yet ready to match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Globs {
    patterns: Vec<Pattern>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// As written, with its `!`.
    text: String,
    leaves_out: bool,
    glob: Glob,
}

/// A list of globs, ready to match. Making it costs more than using it.
#[derive(Debug, Clone)]
pub struct Matcher {
    patterns: Vec<(bool, GlobMatcher)>,
}

impl Globs {
    /// The globs of these texts.
    ///
    /// # Errors
    /// What is wrong with one, in a few words: `[` without `]`, too long.
    pub fn new<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Globs, String> {
        let mut globs = Globs::default();
        for text in texts {
            globs.push(text)?;
        }
        Ok(globs)
    }

    /// One more.
    pub(crate) fn push(&mut self, text: &str) -> Result<(), String> {
        let (leaves_out, inner) = match text.strip_prefix('!') {
            Some(inner) => (true, inner),
            None => (false, text),
        };
        self.patterns.push(Pattern {
            text: text.to_owned(),
            leaves_out,
            glob: glob(inner)?,
        });
        Ok(())
    }

    /// Ready to match.
    pub fn matcher(&self) -> Matcher {
        let ready = |pattern: &Pattern| (pattern.leaves_out, pattern.glob.compile_matcher());
        Matcher {
            patterns: self.patterns.iter().map(ready).collect(),
        }
    }

    /// Whether this one text matches.
    pub fn matches(&self, text: &str) -> bool {
        self.matcher().matches(text)
    }

    /// `` `main`, `release/**` ``
    pub(crate) fn listed(&self) -> String {
        let texts: Vec<String> = self.patterns.iter().map(|one| format!("`{}`", one.text)).collect();
        crate::suggest::listed(texts.iter().map(String::as_str))
    }

    /// Whether there is only one, which does not leave out.
    pub(crate) fn is_single(&self) -> bool {
        matches!(self.patterns.as_slice(), [only] if !only.leaves_out)
    }
}

impl Matcher {
    /// Whether the last one that matches does not leave out.
    pub fn matches(&self, text: &str) -> bool {
        let last = self.patterns.iter().rev().find(|(_, glob)| glob.is_match(text));
        match last {
            Some((leaves_out, _)) => !leaves_out,
            None => self.patterns.first().is_some_and(|(leaves_out, _)| *leaves_out),
        }
    }
}

fn glob(text: &str) -> Result<Glob, String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.len() > MAX_GLOB_BYTES {
        return Err(format!("it is longer than {MAX_GLOB_BYTES} bytes"));
    }
    let built = GlobBuilder::new(text).literal_separator(true).build();
    built.map_err(|fault| fault.kind().to_string())
}

/// Whether a text means anything but itself.
pub(crate) fn has_wildcard(text: &str) -> bool {
    text.starts_with('!') || text.contains(['*', '?', '[', '{', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(globs: &[&str], text: &str) -> bool {
        Globs::new(globs.iter().copied()).unwrap().matches(text)
    }

    #[test]
    fn a_star_stops_at_a_slash_and_two_do_not() {
        assert!(matches(&["*.md"], "a.md"));
        assert!(!matches(&["*.md"], "docs/a.md"));
        assert!(matches(&["**/*.md"], "a.md"));
        assert!(matches(&["src/**"], "src/a/b.rs"));
        assert!(!matches(&["src/**"], "src"));
        assert!(matches(&["release/*", "v[0-9]?"], "v12"));
        assert!(matches(&["{main,dev}"], "dev"));
    }

    #[test]
    fn the_last_match_counts() {
        let globs = ["src/**", "!src/gen/**", "src/gen/keep.rs"];
        assert!(matches(&globs, "src/a.rs"));
        assert!(!matches(&globs, "src/gen/a.rs"));
        assert!(matches(&globs, "src/gen/keep.rs"));
        assert!(matches(&["!docs/**"], "src/a.rs"));
        assert!(!matches(&["!docs/**"], "docs/a.md"));
    }

    #[test]
    fn a_malformed_glob_says_what_is_wrong() {
        for text in ["[a", "{a", "a\\", "[z-a]", "", "!", &"x".repeat(300)] {
            assert!(Globs::new([text]).is_err(), "{text}");
        }
    }
}
