//! Which files there are: looks through folders without following a link, and tells them in the order of their names,
//! so that equal trees make equal archives.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use job_specs::globs::Matcher;
use job_specs::units::size;
use protocol::blobs::{LONGEST_NAME, MOST_ENTRIES, MOST_NAME_BYTES};
use rustix::fs::{FileType, Stat};

use super::names;
use crate::beneath::Beneath;
use crate::checkout::WORKSPACE;

/// Where files come from.
#[derive(Debug)]
pub enum PackSource {
    /// Files of a workspace, under their own names. Its `.git` is left out unless a glob names it.
    Globs {
        /// The workspace on the host.
        root: PathBuf,
        /// Which.
        globs: Matcher,
    },
    /// One file, or a folder with all in it, with folders and owners.
    Path {
        /// The folder on the host that is not left.
        root: PathBuf,
        /// Under it; clean, and empty for all of it.
        at: PathBuf,
        /// Its name in the archive.
        name: PathBuf,
    },
}

impl PackSource {
    /// The folder that is not left.
    pub fn root(&self) -> &Path {
        match self {
            PackSource::Globs { root, .. } | PackSource::Path { root, .. } => root,
        }
    }
}

/// The files that an archive is to have.
#[derive(Debug, Default)]
pub struct FileList {
    /// Sorted by name, each name once.
    pub entries: Vec<Entry>,
    /// Globs and paths that give nothing.
    pub nothing: Vec<String>,
    /// Files that an archive cannot have, each with the reason.
    pub left_out: Vec<String>,
}

impl FileList {
    /// Files and links.
    pub fn files(&self) -> u64 {
        let files = self.entries.iter().filter(|entry| entry.kind != Kind::Folder);
        files.count() as u64
    }
}

/// One file, link or folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// In the archive.
    pub name: PathBuf,
    /// Under the root of its source.
    pub path: PathBuf,
    /// Its source's place.
    pub from: usize,
    /// What it is.
    pub kind: Kind,
    /// Where a link leads, when it is not packed as it is.
    pub target: Option<PathBuf>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A plain file.
    File,
    /// A symbolic link.
    Link,
}

/// Why nobody can say which files there are.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// There are more than [`MOST_ENTRIES`].
    #[error("there are more than {MOST_ENTRIES} files")]
    TooMany,
    /// A name is longer than `LONGEST_NAME`.
    #[error("the name of a file has more than {LONGEST_NAME} bytes: `{0}…`")]
    LongName(String),
    /// All names together are longer than `MOST_NAME_BYTES`.
    #[error("the names of the files have more than {} together", size(MOST_NAME_BYTES as u64))]
    LongNames,
    /// A folder cannot be read.
    #[error("`{path}` cannot be read: {error}")]
    Unreadable {
        /// In the archive.
        path: String,
        /// Why.
        error: io::Error,
    },
}

/// Looks for them.
pub fn walk(sources: &[PackSource]) -> Result<FileList, WalkError> {
    let mut walk = Walk::default();
    for (index, source) in sources.iter().enumerate() {
        match source {
            PackSource::Path { root, at, name } => walk.path(index, root, at, name)?,
            PackSource::Globs { root, globs } => walk.globs(index, root, globs)?,
        }
    }
    let mut found = walk.found;
    found.entries.sort();
    found.entries.dedup_by(|a, b| a.name == b.name);
    Ok(found)
}

#[derive(Default)]
struct Walk {
    found: FileList,
    /// Bytes of the names and sentences that are held in memory.
    held: usize,
}

impl Walk {
    fn hold(&mut self, bytes: usize) -> Result<(), WalkError> {
        self.held += bytes;
        if self.held > MOST_NAME_BYTES {
            Err(WalkError::LongNames)
        } else {
            Ok(())
        }
    }

    fn leave_out(&mut self, sentence: String) -> Result<(), WalkError> {
        self.hold(sentence.len())?;
        self.found.left_out.push(sentence);
        Ok(())
    }

    fn path(&mut self, from: usize, root: &Path, at: &Path, name: &Path) -> Result<(), WalkError> {
        let mut folder = Beneath::open(root).map_err(|error| unreadable(root, error))?;
        let stat = match folder.stat(at) {
            Ok(stat) => stat,
            Err(_) => {
                self.found.nothing.push(at.display().to_string());
                return Ok(());
            }
        };
        let before = self.found.entries.len();
        let mut take = |path: &Path, _: &Stat| Some(name.join(path.strip_prefix(at).unwrap_or(path)));
        self.below(&mut folder, (from, at.to_owned(), stat), &mut take)?;
        if self.found.entries[before..]
            .iter()
            .all(|entry| entry.kind == Kind::Folder)
        {
            self.found.nothing.push(name.display().to_string());
        }
        Ok(())
    }

    fn globs(&mut self, from: usize, root: &Path, globs: &Matcher) -> Result<(), WalkError> {
        let mut folder = Beneath::open(root).map_err(|error| unreadable(root, error))?;
        let mut seen = BTreeSet::new();
        for start in globs.starts() {
            let Ok(stat) = folder.stat(&start) else {
                continue;
            };
            let wants_git = start.starts_with(".git");
            let mut take = |path: &Path, stat: &Stat| {
                let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
                if path.starts_with(".git") && !wants_git {
                    return None;
                }
                if !is_folder {
                    if !globs.matches(path) {
                        return None;
                    }
                    let all = globs.given().map(|(index, _)| index);
                    seen.extend(all.filter(|&index| globs.means(index, path)));
                }
                Some(path.to_owned())
            };
            self.below(&mut folder, (from, start, stat), &mut take)?;
        }
        let in_vain = globs.given().filter(|(index, _)| !seen.contains(index));
        self.found.nothing.extend(in_vain.map(|(_, text)| text.to_owned()));
        // Folders come with their files.
        self.found
            .entries
            .retain(|entry| entry.from != from || entry.kind != Kind::Folder);
        self.leave_out_links(from, &mut folder)
    }

    /// Goes down from one place; `take` gives each its name, or leaves it out with all below.
    fn below(
        &mut self,
        folder: &mut Beneath,
        (from, start, stat): (usize, PathBuf, Stat),
        take: &mut dyn FnMut(&Path, &Stat) -> Option<PathBuf>,
    ) -> Result<(), WalkError> {
        let mut open = vec![(start, stat)];
        self.hold(open[0].0.as_os_str().len())?;
        while let Some((path, stat)) = open.pop() {
            self.held -= path.as_os_str().len();
            let Some(name) = take(&path, &stat) else {
                continue;
            };
            if name.as_os_str().len() > LONGEST_NAME {
                let begin = name.display().to_string().chars().take(100).collect();
                return Err(WalkError::LongName(begin));
            }
            let kind = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => Kind::Folder,
                FileType::RegularFile => Kind::File,
                FileType::Symlink => Kind::Link,
                _ => {
                    self.leave_out(format!("`{}` is no file, folder or link", name.display()))?;
                    continue;
                }
            };
            if kind == Kind::Folder {
                let inside = folder.list(&path).map_err(|error| unreadable(&name, error))?;
                for (name, stat) in inside {
                    let path = path.join(name);
                    self.hold(path.as_os_str().len())?;
                    open.push((path, stat));
                }
            }
            if !name.as_os_str().is_empty() {
                // who looks into the archive counts where links lead, too
                let target = match kind {
                    Kind::Link => usize::try_from(stat.st_size).unwrap_or(0),
                    Kind::File | Kind::Folder => 0,
                };
                self.hold(name.as_os_str().len() + target)?;
                let target = None;
                self.found.entries.push(Entry {
                    name,
                    path,
                    from,
                    kind,
                    target,
                });
            }
            if self.found.entries.len() + open.len() > 2 * MOST_ENTRIES || self.found.entries.len() > MOST_ENTRIES {
                return Err(WalkError::TooMany);
            }
        }
        Ok(())
    }

    /// An artifact is unpacked elsewhere: a link out of its tree would lead to another's files there, and one by the
    /// workspace's own path becomes one that leads to the same file from where it is.
    fn leave_out_links(&mut self, from: usize, folder: &mut Beneath) -> Result<(), WalkError> {
        let (entries, mut kept) = (std::mem::take(&mut self.found.entries), Vec::new());
        for mut entry in entries {
            if entry.from == from && entry.kind == Kind::Link {
                let target = folder.read_link(&entry.path).unwrap_or_default();
                if let Ok(beneath) = target.strip_prefix(WORKSPACE) {
                    let target = names::link_to(&entry.name, beneath);
                    self.hold(target.as_os_str().len())?;
                    entry.target = Some(target);
                }
                if !names::link_stays_inside(&entry.name, entry.target.as_ref().unwrap_or(&target)) {
                    let (name, target) = (entry.name.display(), target.display());
                    self.leave_out(format!(
                        "`{name}` is a link that leads out of the workspace (to `{target}`)"
                    ))?;
                    continue;
                }
            }
            kept.push(entry);
        }
        self.found.entries = kept;
        Ok(())
    }
}

fn unreadable(path: &Path, error: io::Error) -> WalkError {
    WalkError::Unreadable {
        path: path.display().to_string(),
        error,
    }
}
