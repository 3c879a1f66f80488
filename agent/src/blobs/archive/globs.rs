//! Which files of the workspace `artifacts` and `reports` mean, pure: globs relative to it, where `*` stops at a `/`
//! and `**` does not. A folder means everything in it, and `!glob` takes away what an earlier one gave.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

/// The globs of one artifact.
#[derive(Debug)]
pub struct Globs(Vec<One>);

#[derive(Debug)]
struct One {
    /// As it is written in the job file.
    text: String,
    takes_away: bool,
    /// Nothing that it means is outside this folder.
    start: PathBuf,
    file: GlobMatcher,
    below: GlobMatcher,
}

impl Globs {
    /// Reads them. `Err`: the first that is none, and why, for people.
    pub fn new(globs: &[String]) -> Result<Globs, String> {
        globs
            .iter()
            .map(|glob| One::new(glob))
            .collect::<Result<_, _>>()
            .map(Globs)
    }

    /// The folders (or files) to look in: nothing that is meant is outside them.
    pub fn starts(&self) -> Vec<PathBuf> {
        let given = self.0.iter().filter(|one| !one.takes_away);
        let mut starts: Vec<PathBuf> = given.map(|one| one.start.clone()).collect();
        starts.sort();
        starts.dedup_by(|later, earlier| later.starts_with(earlier.as_path()));
        starts
    }

    /// The glob that gives the file (its index), unless a later one takes it away.
    pub fn find(&self, path: &Path) -> Option<usize> {
        let last = self.0.iter().rposition(|one| one.is_match(path))?;
        if self.0[last].takes_away {
            return None;
        }
        self.0.iter().position(|one| !one.takes_away && one.is_match(path))
    }

    /// Every glob that gives files, as it is written, with its index.
    pub fn given(&self) -> impl Iterator<Item = (usize, &str)> {
        let given = self.0.iter().enumerate().filter(|(_, one)| !one.takes_away);
        given.map(|(index, one)| (index, one.text.as_str()))
    }

    /// Whether that glob means the file, whatever the others say.
    pub fn means(&self, index: usize, path: &Path) -> bool {
        self.0[index].is_match(path)
    }
}

impl One {
    fn new(text: &str) -> Result<One, String> {
        let (takes_away, glob) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let glob = glob.strip_prefix("/workspace/").unwrap_or(glob);
        if glob.starts_with('/') || glob.split('/').any(|part| part == "..") {
            return Err(format!("`{text}` is outside the workspace"));
        }
        let parts: Vec<&str> = glob.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        let glob = parts.join("/");
        let plain = parts
            .iter()
            .take_while(|part| !part.contains(['*', '?', '[', '{', '\\']));
        let matcher = |glob: &str| {
            let built = GlobBuilder::new(glob).literal_separator(true).build();
            built
                .map(|glob| glob.compile_matcher())
                .map_err(|error| format!("`{text}` is no glob: {}", error.kind()))
        };
        Ok(One {
            text: text.to_owned(),
            takes_away,
            start: plain.collect(),
            file: matcher(if glob.is_empty() { "**" } else { &glob })?,
            below: matcher(&format!("{glob}/**"))?,
        })
    }

    fn is_match(&self, path: &Path) -> bool {
        self.file.is_match(path) || self.below.is_match(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(of: &[&str]) -> Globs {
        Globs::new(&of.iter().map(|&glob| glob.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn takes(of: &[&str], path: &str) -> bool {
        globs(of).find(Path::new(path)).is_some()
    }

    #[test]
    fn a_star_stops_at_a_slash_and_a_folder_is_all_in_it() {
        assert!(takes(&["target/*/app"], "target/release/app") && !takes(&["target/*"], "target2/a"));
        assert!(takes(&["dist"], "dist/a/b") && takes(&["dist/"], "dist/a") && takes(&["./dist"], "dist"));
        assert!(takes(&["**/junit.xml"], "junit.xml") && takes(&["**/junit.xml"], "a/b/junit.xml"));
        assert!(takes(&["/workspace/a.txt"], "a.txt") && takes(&["."], "a/b"));
        assert!(takes(&["dist", "!**/*.map"], "dist/a.js") && !takes(&["dist", "!**/*.map"], "dist/a.map"));
    }

    #[test]
    fn only_folders_that_can_have_something_are_looked_in() {
        let starts = globs(&["target/*/app", "target/release/**", "README.md", "!docs/x"]).starts();
        assert_eq!(starts, ["README.md", "target"].map(PathBuf::from));
    }

    #[test]
    fn what_is_outside_is_refused_by_name() {
        let error = |glob: &str| Globs::new(&[glob.to_owned()]).unwrap_err();
        assert_eq!(error("../secret"), "`../secret` is outside the workspace");
        assert_eq!(error("/etc/passwd"), "`/etc/passwd` is outside the workspace");
        assert_eq!(error("a[b"), "`a[b` is no glob: unclosed character class; missing ']'");
    }
}
