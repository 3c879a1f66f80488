//! From globs to files of a workspace. A workspace is what a job left: a link in it may point anywhere on this machine,
//! so nothing is read through one.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use job_specs::globs::{Globs, Matcher};
use rustix::fs::{Mode, OFlags};

use super::MAX_FILE;

/// Files and folders that the globs of one format may look at.
const MAX_LOOKED_AT: usize = 500_000;
/// Files that they may match.
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
pub enum FileContent {
    /// All of it.
    Bytes(Vec<u8>),
    /// It has so many bytes, which is too much.
    TooLarge(u64),
}

/// The files that these globs match. One that is wrong is left out, with a warning.
pub fn find(workspace: &Path, globs: &[String]) -> Matched {
    let mut matched = Matched::default();
    let mut right: Vec<&str> = Vec::new();
    for glob in globs {
        match Globs::of_workspace([glob.as_str()]) {
            Ok(_) => right.push(glob),
            Err(why) => matched
                .warnings
                .push(format!("reports: {why}, so no file is read for it")),
        }
    }
    let Ok(globs) = Globs::of_workspace(right) else {
        return matched;
    };
    let globs = globs.matcher();
    let mut walk = Walk {
        workspace,
        globs: &globs,
        looked_at: 0,
        found: BTreeSet::new(),
        seen: BTreeSet::new(),
    };
    globs.starts().into_iter().for_each(|start| walk.look(start));
    let Walk {
        looked_at, found, seen, ..
    } = walk;
    if looked_at >= MAX_LOOKED_AT || found.len() >= MAX_FILES {
        matched.warnings.push(format!(
            "reports: the globs look at more than {MAX_LOOKED_AT} files or match more than {MAX_FILES}; the rest is not \
             read: name the folder"
        ));
    }
    let in_vain = globs.given().filter(|(index, _)| !seen.contains(index));
    let in_vain = in_vain.map(|(_, text)| format!("reports: `{text}` matches no file"));
    matched.warnings.extend(in_vain);
    matched.files = found;
    matched
}

/// A look through folders.
struct Walk<'a> {
    workspace: &'a Path,
    globs: &'a Matcher,
    looked_at: usize,
    found: BTreeSet<String>,
    /// Indexes of the globs that mean one of those.
    seen: BTreeSet<usize>,
}

impl Walk<'_> {
    /// A file, or a folder with all that is in it.
    fn look(&mut self, start: PathBuf) {
        if start.ancestors().any(|part| self.is_link(part)) {
            return;
        }
        let mut open = vec![start];
        while let Some(path) = open.pop() {
            // What is gone or closed has no reports.
            let Ok(metadata) = std::fs::symlink_metadata(self.workspace.join(&path)) else {
                continue;
            };
            if metadata.is_file() {
                self.file(&path);
            } else if metadata.is_dir() && !path.ends_with(".git") {
                let entries = std::fs::read_dir(self.workspace.join(&path))
                    .into_iter()
                    .flatten()
                    .flatten();
                for entry in entries {
                    self.looked_at += 1;
                    if self.looked_at >= MAX_LOOKED_AT || self.found.len() >= MAX_FILES {
                        return;
                    }
                    open.push(path.join(entry.file_name()));
                }
            }
        }
    }

    fn file(&mut self, path: &Path) {
        if let Some(name) = path.to_str().filter(|_| self.globs.matches(path)) {
            let all = self.globs.given().map(|(index, _)| index);
            self.seen.extend(all.filter(|index| self.globs.means(*index, path)));
            self.found.insert(name.to_owned());
        }
    }

    fn is_link(&self, folder: &Path) -> bool {
        let metadata = std::fs::symlink_metadata(self.workspace.join(folder));
        !folder.as_os_str().is_empty() && metadata.is_ok_and(|metadata| metadata.is_symlink())
    }
}

/// The bytes of a file of the workspace, opened part by part without following any link. Errors: as the disk says.
pub fn open(workspace: &Path, file: &str) -> io::Result<FileContent> {
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
        return Ok(FileContent::TooLarge(metadata.len()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Ok(FileContent::TooLarge(bytes.len() as u64));
    }
    Ok(FileContent::Bytes(bytes))
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
        let (files, warnings) = names(folder.path(), &["target", "!target/b"]);
        assert_eq!((files, warnings), (vec!["target/a/junit.xml".to_owned()], Vec::new()));
        let (files, warnings) = names(
            folder.path(),
            &["target/*.xml", "../*.xml", "nowhere/*.xml", "a[", "**/junit.xml"],
        );
        assert_eq!(files.len(), 3);
        assert_eq!(
            warnings,
            [
                "reports: `../*.xml` is outside the workspace, so no file is read for it",
                "reports: `a[` is no glob: unclosed character class; missing ']', so no file is read for it",
                "reports: `target/*.xml` matches no file",
                "reports: `nowhere/*.xml` matches no file",
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
        let (files, _) = names(folder.path(), &["linked"]);
        assert_eq!(files, [""; 0]);
        for file in ["linked/passwd.xml", "link.xml", "pipe.xml"] {
            assert!(open(folder.path(), file).is_err(), "{file}");
        }
        let large = File::create(folder.path().join("large.xml")).unwrap();
        large.set_len(1 << 30).unwrap();
        assert!(matches!(open(folder.path(), "large.xml"), Ok(FileContent::TooLarge(size)) if size == 1 << 30));
    }
}
