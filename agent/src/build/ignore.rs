//! `.dockerignore`: which paths of a context are left at home. By the engine's own rules: the last line that matches
//! counts, a line that matches a folder matches what is in it, `!` takes back. Pure.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};

/// The lines of a `.dockerignore`.
#[derive(Debug, Default)]
pub(super) struct Ignore(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    matcher: GlobMatcher,
    /// The line began with `!`.
    takes_back: bool,
}

impl Ignore {
    /// Errors: a sentence about a line that is no pattern.
    pub(super) fn of(text: &str) -> Result<Ignore, String> {
        let text = text.trim_start_matches('\u{feff}');
        let lines = text.lines().enumerate();
        let rules = lines.filter_map(|(nth, line)| rule(nth + 1, line).transpose());
        rules.collect::<Result<_, _>>().map(Ignore)
    }

    /// That path, relative to the context, stays at home.
    pub(super) fn leaves_out(&self, path: &Path) -> bool {
        let matches = |rule: &&Rule| path.ancestors().any(|part| rule.matcher.is_match(part));
        let last = self.0.iter().rev().find(matches);
        last.is_some_and(|rule| !rule.takes_back)
    }

    /// Nothing under a folder that is left out comes back.
    pub(super) fn is_final(&self) -> bool {
        self.0.iter().all(|rule| !rule.takes_back)
    }
}

fn rule(number: usize, line: &str) -> Result<Option<Rule>, String> {
    if line.starts_with('#') {
        return Ok(None);
    }
    let line = line.trim();
    let (takes_back, pattern) = match line.strip_prefix('!') {
        Some(pattern) => (true, pattern.trim()),
        None => (false, line),
    };
    let pattern = clean(pattern);
    if pattern.is_empty() {
        return Ok(None);
    }
    let glob = GlobBuilder::new(&pattern)
        .literal_separator(true)
        .backslash_escape(true)
        .build();
    match glob {
        Ok(glob) => Ok(Some(Rule {
            matcher: glob.compile_matcher(),
            takes_back,
        })),
        Err(error) => Err(format!("line {number} of .dockerignore is no pattern: {error}")),
    }
}

/// Without what says nothing (`/a`, `./a`, `a/`, `a//b`), and with braces that mean themselves.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/").replace('{', "[{]").replace('}', "[}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_matches_counts() {
        let ignore = Ignore::of("# notes\n/target/\n**/*.log\n\n*.md\n!README.md\nkeep{1}\nsecret?\n").unwrap();
        let left = |path: &str| {
            format!(
                "{path}: {}",
                if ignore.leaves_out(Path::new(path)) {
                    "out"
                } else {
                    "in"
                }
            )
        };
        let message = [
            "target",
            "target/debug/x",
            "sub/target/x",
            "a.log",
            "deep/er/b.log",
            "NOTES.md",
            "README.md",
            "docs/NOTES.md",
            "keep{1}",
            "keep1",
            "secret1",
            "src/main.rs",
        ]
        .map(left);
        insta::assert_snapshot!(message.join("\n"), @r"
        target: out
        target/debug/x: out
        sub/target/x: in
        a.log: out
        deep/er/b.log: out
        NOTES.md: out
        README.md: in
        docs/NOTES.md: in
        keep{1}: out
        keep1: in
        secret1: out
        src/main.rs: in
        ");
        assert!(!ignore.is_final());
    }

    #[test]
    fn everything_but_what_is_taken_back() {
        let ignore = Ignore::of("*\n!src\n!Cargo.*").unwrap();
        let out = ["src/main.rs", "Cargo.toml", "secrets/key"].map(|path| ignore.leaves_out(Path::new(path)));
        assert_eq!(out, [false, false, true]);
    }

    #[test]
    fn a_line_that_is_no_pattern_is_named() {
        let error = Ignore::of("ok\n[a-").unwrap_err();
        assert!(error.starts_with("line 2 of .dockerignore is no pattern"), "{error}");
    }
}
