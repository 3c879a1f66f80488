//! A working folder as the repository that a job file refers to: what `compose`, `env_file` and `hash('…')` see on a
//! laptop is what the job's own copy of the folder will have.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use git2::{ObjectFormat, ObjectType, Oid};
use job_specs::Repository;
use sha2::{Digest, Sha256};

use crate::checkout::{self, Head, LocalRepository};

/// Bigger files are not read as text.
const MAX_BYTES: u64 = 1024 * 1024;

/// The folder.
#[derive(Debug, Clone)]
pub struct WorkingTree {
    root: PathBuf,
    head: Head,
    long_ids: bool,
}

impl WorkingTree {
    /// The repository around a folder, or the folder itself when there is none.
    pub fn around(folder: &Path) -> WorkingTree {
        let repository = LocalRepository::around(folder);
        WorkingTree {
            root: repository.as_ref().map_or(folder, |found| &found.root).to_path_buf(),
            long_ids: repository.as_ref().is_some_and(|found| found.long_ids),
            head: repository.map(|found| found.head()).unwrap_or_default(),
        }
    }

    /// The top folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What its caches and artifacts are kept under: its name, and what tells it from others of that name.
    pub fn key(&self) -> String {
        let root = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        let name = root.file_name().unwrap_or_else(|| OsStr::new("local"));
        let sum = hex::encode(Sha256::digest(root.as_os_str().as_bytes()));
        format!("{}-{}", name.to_string_lossy(), &sum[..8])
    }

    /// Its branch and commit; nothing when it is no repository.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Where a path of the repository is on disk; it may be a link, but never one that leads out of the folder.
    fn locate(&self, path: &str) -> Result<Option<PathBuf>, String> {
        let plain = Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !plain || path.is_empty() {
            return Err(format!("`{path}` is not a path inside the repository"));
        }
        let root = self.root.canonicalize().map_err(|error| error.to_string())?;
        match root.join(path).canonicalize() {
            Ok(real) if real.starts_with(&root) && !real.starts_with(root.join(".git")) => Ok(Some(real)),
            Ok(_) => Err(format!("`{path}` leads out of the repository")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Repository for WorkingTree {
    fn read(&self, path: &str) -> Result<Option<Arc<str>>, String> {
        let Some(real) = self.locate(path)? else {
            return Ok(None);
        };
        let metadata = real.metadata().map_err(|error| error.to_string())?;
        if !metadata.is_file() {
            return Err("it is not a file".to_owned());
        }
        if metadata.len() > MAX_BYTES {
            return Err("it has more than 1 MiB".to_owned());
        }
        let bytes = std::fs::read(&real).map_err(|error| error.to_string())?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.into())),
            Err(_) => Err("it is not UTF-8 text".to_owned()),
        }
    }

    fn list(&self) -> Result<Vec<(String, String)>, String> {
        let files = checkout::files(&self.root).map_err(|error| error.to_string())?;
        Ok(files.iter().filter_map(|path| self.listed(path)).collect())
    }
}

impl WorkingTree {
    /// A file and the id of its blob; `None` for what is no file, or gone by now.
    fn listed(&self, path: &Path) -> Option<(String, String)> {
        let (name, real) = (path.to_string_lossy().into_owned(), self.root.join(path));
        let format = match self.long_ids {
            true => ObjectFormat::Sha256,
            false => ObjectFormat::Sha1,
        };
        let metadata = real.symlink_metadata().ok()?;
        let id = if metadata.is_symlink() {
            let target = std::fs::read_link(&real).ok()?;
            Oid::hash_object_ext(ObjectType::Blob, target.as_os_str().as_bytes(), format).ok()?
        } else if metadata.is_file() {
            Oid::hash_file_ext(ObjectType::Blob, &real, format).ok()?
        } else {
            return None;
        };
        Some((name, id.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> (tempfile::TempDir, WorkingTree) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        std::fs::write(folder.path().join("a/b/c.yml"), "x: 1\n").unwrap();
        std::fs::write(folder.path().join("binary"), [0xff, 0xfe]).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("out")).unwrap();
        std::os::unix::fs::symlink("a/b/c.yml", folder.path().join("in")).unwrap();
        let tree = WorkingTree::around(folder.path());
        (folder, tree)
    }

    #[test]
    fn files_of_the_folder_are_read_and_nothing_else() {
        let (_folder, tree) = tree();
        assert_eq!(tree.read("a/b/c.yml").unwrap().as_deref(), Some("x: 1\n"));
        assert_eq!(tree.read("in").unwrap().as_deref(), Some("x: 1\n"));
        assert_eq!(tree.read("a/none").unwrap(), None);
        for path in ["out", "../x", "/etc/passwd", "", "a/../../x", "a", "binary"] {
            assert!(tree.read(path).is_err(), "{path}");
        }
    }

    #[test]
    fn every_file_has_the_id_that_git_gives_it() {
        let (_folder, tree) = tree();
        let files = tree.list().unwrap();
        let id = |name: &str| files.iter().find(|(file, _)| file == name).unwrap().1.clone();
        // `printf 'x: 1\n' | git hash-object --stdin`
        assert_eq!(
            id("a/b/c.yml"),
            Oid::hash_object(ObjectType::Blob, b"x: 1\n").unwrap().to_string()
        );
        assert_eq!(
            id("out"),
            Oid::hash_object(ObjectType::Blob, b"/etc/passwd").unwrap().to_string()
        );
        assert_eq!(files.len(), 4);
    }
}
