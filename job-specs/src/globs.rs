//! The one dialect of globs, for branches, tags and paths: `*` and `?` stop at `/`, `**` does not, `{a,b}` is one of both
//! and `[a-z]` one of these characters. In a list `!` leaves out again, and the last one that matches counts; a list that
//! begins with `!` begins with everything. Of files in the workspace a folder means everything in it.

use std::path::{Path, PathBuf};

use globset::{Glob, GlobBuilder, GlobMatcher};

/// Globs of one list.
pub(crate) const MAX_GLOBS: usize = 100;
/// Bytes of one glob.
pub(crate) const MAX_GLOB_BYTES: usize = 256;
/// What makes a text mean more than itself.
const WILDCARDS: &[char] = &['*', '?', '[', '{', '\\'];

/// A list of globs, not yet ready to match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Globs {
    patterns: Vec<Pattern>,
    /// A folder means everything in it.
    with_folders: bool,
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
    patterns: Vec<(Pattern, GlobMatcher)>,
    with_folders: bool,
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

    /// Globs of files in the workspace, relative to it; people also write `./x`, `x/` and `/workspace/x`.
    ///
    /// # Errors
    /// Which one is no glob or leads out of the workspace, as a sentence.
    pub fn of_workspace<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Globs, String> {
        let mut globs = Globs {
            with_folders: true,
            ..Globs::default()
        };
        for text in texts {
            let (leaves_out, inner) = divided(text);
            let inner = inner.strip_prefix("/workspace/").unwrap_or(inner);
            if inner.starts_with('/') || inner.split('/').any(|part| part == "..") {
                return Err(format!("`{text}` is outside the workspace"));
            }
            let parts: Vec<&str> = inner.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
            let inner = if parts.is_empty() {
                "**".to_owned()
            } else {
                parts.join("/")
            };
            globs.patterns.push(Pattern {
                text: text.to_owned(),
                leaves_out,
                glob: glob(&inner).map_err(|fault| format!("`{text}` is no glob: {fault}"))?,
            });
        }
        Ok(globs)
    }

    /// One more.
    pub(crate) fn push(&mut self, text: &str) -> Result<(), String> {
        let (leaves_out, inner) = divided(text);
        self.patterns.push(Pattern {
            text: text.to_owned(),
            leaves_out,
            glob: glob(inner)?,
        });
        Ok(())
    }

    /// Ready to match.
    pub fn matcher(&self) -> Matcher {
        let ready = |pattern: &Pattern| (pattern.clone(), pattern.glob.compile_matcher());
        Matcher {
            patterns: self.patterns.iter().map(ready).collect(),
            with_folders: self.with_folders,
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
    pub fn matches(&self, path: impl AsRef<Path>) -> bool {
        let last = (0..self.patterns.len()).rev().find(|at| self.means(*at, path.as_ref()));
        match last {
            Some(at) => !self.patterns[at].0.leaves_out,
            None => self.begins_with_everything(),
        }
    }

    /// Whether that one means the path, whatever the others say.
    pub fn means(&self, index: usize, path: &Path) -> bool {
        let glob = &self.patterns[index].1;
        let mut folders = path.ancestors().skip(1).filter(|folder| *folder != Path::new(""));
        glob.is_match(path) || (self.with_folders && folders.any(|folder| glob.is_match(folder)))
    }

    /// Those that do not leave out, with their index, as they are written.
    pub fn given(&self) -> impl Iterator<Item = (usize, &str)> {
        let given = self.patterns.iter().enumerate().filter(|(_, (one, _))| !one.leaves_out);
        given.map(|(index, (one, _))| (index, one.text.as_str()))
    }

    /// The folders (or files) to look in: nothing that matches is outside them.
    pub fn starts(&self) -> Vec<PathBuf> {
        let given = self.patterns.iter().filter(|(one, _)| !one.leaves_out);
        let plain = |glob: &Glob| -> PathBuf {
            let parts = glob.glob().split('/');
            parts.take_while(|part| !part.contains(WILDCARDS)).collect()
        };
        let mut starts: Vec<PathBuf> = given.map(|(one, _)| plain(&one.glob)).collect();
        starts.extend(self.begins_with_everything().then(PathBuf::new));
        starts.sort();
        starts.dedup_by(|later, earlier| later.starts_with(earlier.as_path()));
        starts
    }

    fn begins_with_everything(&self) -> bool {
        self.patterns.first().is_some_and(|(first, _)| first.leaves_out)
    }
}

/// Whether it leaves out, and what.
fn divided(text: &str) -> (bool, &str) {
    text.strip_prefix('!').map_or((false, text), |inner| (true, inner))
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
    text.starts_with('!') || text.contains(WILDCARDS)
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

    fn takes(globs: &[&str], path: &str) -> bool {
        Globs::of_workspace(globs.iter().copied()).unwrap().matches(path)
    }

    #[test]
    fn in_the_workspace_a_folder_is_all_in_it() {
        assert!(takes(&["target/*/app"], "target/release/app") && !takes(&["target/*"], "target2/a"));
        assert!(takes(&["target/*"], "target/release/app") && !takes(&["*.md"], "docs/a.md"));
        assert!(takes(&["dist"], "dist/a/b") && takes(&["dist/"], "dist/a") && takes(&["./dist"], "dist"));
        assert!(takes(&["**/junit.xml"], "junit.xml") && takes(&["**/junit.xml"], "a/b/junit.xml"));
        assert!(takes(&["/workspace/a.txt"], "a.txt") && takes(&["."], "a/b"));
        assert!(takes(&["dist", "!**/*.map"], "dist/a.js") && !takes(&["dist", "!**/*.map"], "dist/a.map"));
        assert!(takes(&["!docs"], "src/a") && !takes(&["!docs"], "docs/a/b"));
    }

    #[test]
    fn only_folders_that_can_have_something_are_looked_in() {
        let starts = |globs: &[&str]| Globs::of_workspace(globs.iter().copied()).unwrap().matcher().starts();
        let found = starts(&["target/*/app", "target/release/**", "README.md", "!docs/x"]);
        assert_eq!(found, ["README.md", "target"].map(PathBuf::from));
        assert_eq!(starts(&["!docs/x", "a/b"]), [PathBuf::new()]);
    }

    #[test]
    fn what_is_outside_the_workspace_is_refused_by_name() {
        let error = |glob: &str| Globs::of_workspace([glob]).unwrap_err();
        assert_eq!(error("../secret"), "`../secret` is outside the workspace");
        assert_eq!(error("/etc/passwd"), "`/etc/passwd` is outside the workspace");
        assert_eq!(error("a[b"), "`a[b` is no glob: unclosed character class; missing ']'");
    }
}
