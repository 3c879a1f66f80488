//! A bare Git repository that one can commit to.

use git2::{Repository, Signature};
use tempfile::TempDir;

/// A job file with one job.
pub const PASSING: &str = "jobs:\n  test:\n    image: busybox\n    steps: [echo hi]\n";

/// A bare repository, as a forge keeps it, and what the coordinator said when it was added.
pub struct TestRepository {
    pub folder: TempDir,
    pub name: String,
    pub address: String,
    pub secret: String,
    pub hook: String,
}

impl TestRepository {
    pub fn new(name: &str) -> TestRepository {
        let folder = tempfile::tempdir().unwrap();
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).initial_head("main");
        Repository::init_opts(folder.path(), &options).unwrap();
        TestRepository {
            address: folder.path().to_str().unwrap().to_owned(),
            folder,
            name: name.to_owned(),
            secret: String::new(),
            hook: String::new(),
        }
    }

    fn open(&self) -> Repository {
        Repository::open_bare(self.folder.path()).unwrap()
    }

    /// Commits exactly these files onto a branch; gives the commit's id.
    pub fn commit(&self, branch: &str, files: &[(&str, &str)]) -> String {
        self.commit_saying(branch, files, "Say hi\n\nAt length.")
    }

    /// Lets a reference point at a commit: `refs/pull/7/head`.
    pub fn point(&self, reference: &str, commit: &str) {
        let repository = self.open();
        let id = commit.parse().unwrap();
        repository.reference(reference, id, true, "").unwrap();
    }

    /// Takes a reference away.
    pub fn remove(&self, reference: &str) {
        self.open().find_reference(reference).unwrap().delete().unwrap();
    }

    /// A commit that only the head of a pull request leads to, as forges keep those of forks.
    pub fn commit_of_fork(&self, pull: u32, files: &[(&str, &str)]) -> String {
        let commit = self.commit("theirs", files);
        self.point(&format!("refs/pull/{pull}/head"), &commit);
        self.remove("refs/heads/theirs");
        commit
    }

    /// The same, with a message.
    pub fn commit_saying(&self, branch: &str, files: &[(&str, &str)], message: &str) -> String {
        let repository = self.open();
        let mut index = git2::Index::new().unwrap();
        for (path, text) in files {
            let entry = git2::IndexEntry {
                ctime: git2::IndexTime::new(0, 0),
                mtime: git2::IndexTime::new(0, 0),
                dev: 0,
                ino: 0,
                mode: 0o100_644,
                uid: 0,
                gid: 0,
                file_size: 0,
                id: repository.blob(text.as_bytes()).unwrap(),
                flags: 0,
                flags_extended: 0,
                path: path.as_bytes().to_vec(),
            };
            index.add(&entry).unwrap();
        }
        let tree = repository.find_tree(index.write_tree_to(&repository).unwrap()).unwrap();
        let author = Signature::now("Ada Lovelace", "ada@example.org").unwrap();
        let reference = format!("refs/heads/{branch}");
        let parent = repository
            .find_reference(&reference)
            .ok()
            .map(|found| found.peel_to_commit().unwrap());
        let parents: Vec<_> = parent.iter().collect();
        let id = repository.commit(Some(&reference), &author, &author, message, &tree, &parents);
        id.unwrap().to_string()
    }

    /// Makes an annotated tag; gives the id of the tag object.
    pub fn tag(&self, name: &str, commit: &str) -> String {
        let repository = self.open();
        let commit = repository.find_object(commit.parse().unwrap(), None).unwrap();
        let tagger = Signature::now("Ada Lovelace", "ada@example.org").unwrap();
        repository
            .tag(name, &commit, &tagger, "one", false)
            .unwrap()
            .to_string()
    }
}
