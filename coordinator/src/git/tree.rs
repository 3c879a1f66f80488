//! The files of one commit, for the job language: what a job file refers to (`compose`, `env_file`, `hash`) is read
//! from the bare mirror, never from a working folder.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use git2::{ObjectType, Oid, Repository};

use super::commit::is_link;
use super::{GitError, ObjectId, oid};

/// A file beyond this is not read.
const MAX_FILE: usize = 1 << 20;
/// More files than this are not listed.
const MAX_LISTED: usize = 500_000;

/// What was read of a commit: path to text, `None` where there is no such file.
pub type ReadFiles = BTreeMap<String, Option<Arc<str>>>;

/// The tree of one commit in a mirror. Blocking; it remembers every file that it gave.
pub struct CommitTree {
    repository: Repository,
    tree: Oid,
    given: RefCell<ReadFiles>,
}

impl CommitTree {
    /// Of a commit that was fetched before. `None`: it is not in the mirror.
    pub(super) fn open(mirror: &Path, id: &ObjectId) -> Result<Option<CommitTree>, GitError> {
        let repository = Repository::open_bare(mirror).map_err(broken)?;
        let oid = oid(id).map_err(broken)?;
        let tree = match repository.find_commit(oid) {
            Ok(commit) => commit.tree_id(),
            Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(broken(error)),
        };
        Ok(Some(CommitTree {
            repository,
            tree,
            given: RefCell::default(),
        }))
    }

    /// Every file that was asked for.
    pub fn into_given(self) -> ReadFiles {
        self.given.into_inner()
    }

    fn text(&self, path: &str) -> Result<Option<Arc<str>>, String> {
        let text = |error: git2::Error| error.message().to_owned();
        let tree = self.repository.find_tree(self.tree).map_err(text)?;
        let entry = match tree.get_path(Path::new(path)) {
            Ok(entry) => entry,
            Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(text(error)),
        };
        if is_link(&entry) {
            return Err("it is a symbolic link".into());
        }
        if entry.kind() != Some(ObjectType::Blob) {
            return Err("it is a folder".into());
        }
        let odb = self.repository.odb().map_err(text)?;
        let (size, _) = odb.read_header(entry.id()).map_err(text)?;
        if size > MAX_FILE {
            return Err(format!("it has {size} bytes; at most 1 MiB is read"));
        }
        let blob = self.repository.find_blob(entry.id()).map_err(text)?;
        match std::str::from_utf8(blob.content()) {
            Ok(text) => Ok(Some(Arc::from(text))),
            Err(error) => Err(format!("it is not UTF-8 text (byte {})", error.valid_up_to())),
        }
    }
}

impl job_specs::Repository for CommitTree {
    fn read(&self, path: &str) -> Result<Option<Arc<str>>, String> {
        let text = self.text(path)?;
        self.given.borrow_mut().insert(path.to_owned(), text.clone());
        Ok(text)
    }

    fn list(&self) -> Result<Vec<(String, String)>, String> {
        let mut files = Vec::new();
        // Not libgit2's own walk: it ends at a folder whose name is not UTF-8.
        let mut folders = vec![(String::new(), self.tree)];
        while let Some((folder, id)) = folders.pop() {
            let tree = self.repository.find_tree(id);
            for entry in &tree.map_err(|error| error.message().to_owned())? {
                let path = format!("{folder}{}", String::from_utf8_lossy(entry.name_bytes()));
                match entry.kind() {
                    Some(ObjectType::Blob) => files.push((path, entry.id().to_string())),
                    Some(ObjectType::Tree) => folders.push((path + "/", entry.id())),
                    _ => {}
                }
                if files.len() + folders.len() > MAX_LISTED {
                    return Err(format!("the repository has more than {MAX_LISTED} files"));
                }
            }
        }
        Ok(files)
    }
}

/// Files that were read before, kept apart from any mirror: the same answers, without the repository.
pub struct KeptFiles(pub ReadFiles);

impl job_specs::Repository for KeptFiles {
    fn read(&self, path: &str) -> Result<Option<Arc<str>>, String> {
        Ok(self.0.get(path).cloned().flatten())
    }

    fn list(&self) -> Result<Vec<(String, String)>, String> {
        Ok(Vec::new())
    }
}

fn broken(error: git2::Error) -> GitError {
    GitError::Mirror(error.message().to_owned())
}
