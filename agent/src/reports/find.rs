//! From globs to files of a workspace. A workspace is what a job left: a link in it may point anywhere on this machine,
//! so nothing is read through one.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use rustix::fs::{Mode, OFlags};

use super::MAX_FILE;

/// Files and folders that one glob may look at.
const MAX_LOOKED_AT: usize = 500_000;
/// Files that one glob may match.
const MAX_FILES: usize = 10_000;

/// What globs match.
#[derive(Debug, Default)]
pub struct Matched {
    /// Paths relative to the workspace, sorted, each once.
    pub files: BTreeSet<String>,
    /// What people should know about the globs.
    pub warnings: Vec<String>,
}

/// What is in a file.
pub enum Found {
    /// All of it.
    Bytes(Vec<u8>),
    /// It has so many bytes, which is too much.
    TooLarge(u64),
}

/// The files that these globs match.
pub fn find(workspace: &Path, globs: &[String]) -> Matched {
    let mut matched = Matched::default();
    for glob in globs {
        let text = relative(glob);
        let built = GlobBuilder::new(text).literal_separator(true).build();
        let Ok(built) = built else {
            matched
                .warnings
                .push(format!("reports: `{glob}` is not a glob, so no file is read"));
            continue;
        };
        let before = matched.files.len();
        let mut walk = Walk {
            workspace,
            glob: built.compile_matcher(),
            looked_at: 0,
            found: Vec::new(),
        };
        walk.folder(&literal_folder(text));
        let (looked_at, found) = (walk.looked_at, walk.found);
        if looked_at >= MAX_LOOKED_AT || found.len() >= MAX_FILES {
            matched.warnings.push(format!(
                "reports: `{glob}` looks at more than {MAX_LOOKED_AT} files or matches more than {MAX_FILES}; the rest \
                 is not read: name the folder"
            ));
        }
        let known = found.iter().any(|file| matched.files.contains(file));
        matched.files.extend(found);
        if matched.files.len() == before && !known {
            matched.warnings.push(format!("reports: `{glob}` matches no file"));
        }
    }
    matched
}

/// A glob that is relative to the workspace; people also write `./x` and `/workspace/x`.
fn relative(glob: &str) -> &str {
    let glob = glob.strip_prefix("/workspace/").unwrap_or(glob);
    let glob = glob.strip_prefix("./").unwrap_or(glob);
    glob.trim_start_matches('/')
}

/// The folder that a glob cannot leave: `target/reports` of `target/reports/*.xml`.
fn literal_folder(glob: &str) -> PathBuf {
    let is_literal = |part: &&str| !part.contains(['*', '?', '[', '{', '\\']) && !part.is_empty() && *part != "..";
    let parts: Vec<&str> = glob.split('/').collect();
    let folders = &parts[..parts.len() - 1];
    folders.iter().copied().take_while(|part| is_literal(part)).collect()
}

/// A look through folders for one glob.
struct Walk<'a> {
    workspace: &'a Path,
    glob: GlobMatcher,
    looked_at: usize,
    found: Vec<String>,
}

impl Walk<'_> {
    fn folder(&mut self, first: &Path) {
        let mut folders = vec![first.to_owned()];
        while let Some(folder) = folders.pop() {
            if folder.ancestors().any(|part| self.is_link(part)) {
                continue;
            }
            // A folder that is gone or closed has no reports.
            let Ok(entries) = std::fs::read_dir(self.workspace.join(&folder)) else {
                continue;
            };
            for entry in entries.flatten() {
                self.looked_at += 1;
                if self.looked_at >= MAX_LOOKED_AT || self.found.len() >= MAX_FILES {
                    return;
                }
                let (Ok(kind), path) = (entry.file_type(), folder.join(entry.file_name())) else {
                    continue;
                };
                if kind.is_dir() && entry.file_name() != ".git" {
                    folders.push(path);
                } else if kind.is_file()
                    && self.glob.is_match(&path)
                    && let Some(path) = path.to_str()
                {
                    self.found.push(path.to_owned());
                }
            }
        }
    }

    fn is_link(&self, folder: &Path) -> bool {
        let metadata = std::fs::symlink_metadata(self.workspace.join(folder));
        !folder.as_os_str().is_empty() && metadata.is_ok_and(|metadata| metadata.is_symlink())
    }
}

/// The bytes of a file of the workspace, opened part by part without following any link. Errors: as the disk says.
pub fn open(workspace: &Path, file: &str) -> io::Result<Found> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at: OwnedFd = rustix::fs::open(workspace, flags | OFlags::DIRECTORY, Mode::empty())?;
    let (folders, name) = file.rsplit_once('/').unwrap_or(("", file));
    for folder in folders.split('/').filter(|part| !part.is_empty()) {
        at = rustix::fs::openat(&at, folder, flags | OFlags::DIRECTORY, Mode::empty())?;
    }
    // A pipe would wait for a writer for ever.
    let opened = rustix::fs::openat(&at, name, flags | OFlags::NONBLOCK, Mode::empty())?;
    let file = File::from(opened);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if metadata.len() > MAX_FILE {
        return Ok(Found::TooLarge(metadata.len()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Ok(Found::TooLarge(bytes.len() as u64));
    }
    Ok(Found::Bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(workspace: &Path, globs: &[&str]) -> (Vec<String>, Vec<String>) {
        let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        let matched = find(workspace, &globs);
        (matched.files.into_iter().collect(), matched.warnings)
    }

    #[test]
    fn globs_match_below_their_folder_and_say_when_they_match_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for file in [
            "target/a/junit.xml",
            "target/b/c/junit.xml",
            "junit.xml",
            ".git/junit.xml",
        ] {
            std::fs::create_dir_all(at(file).parent().unwrap()).unwrap();
            std::fs::write(at(file), "x").unwrap();
        }
        let (files, warnings) = names(
            folder.path(),
            &["target/**/junit.xml", "./junit.xml", "/workspace/junit.xml"],
        );
        assert_eq!(files, ["junit.xml", "target/a/junit.xml", "target/b/c/junit.xml"]);
        assert_eq!(warnings, [""; 0]);
        let (files, warnings) = names(
            folder.path(),
            &["target/*.xml", "../*.xml", "nowhere/*.xml", "a[", "**/junit.xml"],
        );
        assert_eq!(files.len(), 3);
        assert_eq!(
            warnings,
            [
                "reports: `target/*.xml` matches no file",
                "reports: `../*.xml` matches no file",
                "reports: `nowhere/*.xml` matches no file",
                "reports: `a[` is not a glob, so no file is read",
            ]
        );
    }

    #[test]
    fn nothing_is_read_through_a_link_or_from_a_pipe() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(other.path().join("passwd.xml"), "root").unwrap();
        symlink(other.path(), folder.path().join("linked")).unwrap();
        symlink(other.path().join("passwd.xml"), folder.path().join("link.xml")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.path().join("pipe.xml"), Mode::RUSR | Mode::WUSR).unwrap();
        let (files, _) = names(folder.path(), &["**/*.xml", "linked/*.xml", "*.xml"]);
        assert_eq!(files, [""; 0]);
        for file in ["linked/passwd.xml", "link.xml", "pipe.xml"] {
            assert!(open(folder.path(), file).is_err(), "{file}");
        }
        let large = File::create(folder.path().join("large.xml")).unwrap();
        large.set_len(1 << 30).unwrap();
        assert!(matches!(open(folder.path(), "large.xml"), Ok(Found::TooLarge(size)) if size == 1 << 30));
    }
}
