//! Checkouts of real repositories, made with the git program.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use agent::checkout::{self, CheckoutError, Mirrors, OBJECTS_MOUNT};
use protocol::work::Source;
use tokio_util::sync::CancellationToken;

/// A repository with one commit and a tag.
pub struct Repository(PathBuf);

impl Repository {
    /// Made in a folder of its own under `parent`.
    pub fn new(parent: &Path) -> Repository {
        Repository::with(parent, "repository", &[])
    }

    /// The same under another name, with further options of `git init`.
    pub fn with(parent: &Path, name: &str, options: &[&str]) -> Repository {
        let folder = parent.join(name);
        fs::create_dir(&folder).unwrap();
        let repository = Repository(folder);
        repository.git(&[&["init", "-q", "-b", "main"], options].concat());
        fs::write(repository.0.join("code"), "first\n").unwrap();
        fs::write(repository.0.join("run.sh"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(repository.0.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("code", repository.0.join("link")).unwrap();
        fs::write(repository.0.join("name"), name).unwrap();
        fs::create_dir(repository.0.join("deep")).unwrap();
        fs::write(repository.0.join("deep/file"), "x").unwrap();
        repository.commit("first");
        repository.git(&["tag", "-a", "v1", "-m", "one"]);
        repository
    }

    pub fn git(&self, args: &[&str]) -> String {
        git(&self.0, args)
    }

    pub fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.commit_index(message);
    }

    /// Commits what is in the index.
    pub fn commit_index(&self, message: &str) {
        let author = ["-c", "user.name=a", "-c", "user.email=a@b"];
        self.git(&[&author[..], &["commit", "-q", "--allow-empty", "-m", message]].concat());
    }

    /// Adds a submodule that is on this machine, without a commit.
    pub fn add_submodule(&self, url: &str, path: &str) {
        // A relative address is relative to where the repository is said to be.
        self.git(&["config", "remote.origin.url", self.0.to_str().unwrap()]);
        self.git(&[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            url,
            path,
        ]);
    }

    pub fn source(&self) -> Source {
        Source {
            git: self.0.to_str().unwrap().to_owned(),
            commit: self.git(&["rev-parse", "HEAD"]),
            reference: "refs/heads/main".into(),
            protocols: Vec::new(),
        }
    }
}

pub fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git").args(args).current_dir(folder).output().unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

async fn check_out(mirrors: &Mirrors, source: &Source, workspace: &Path) -> Result<(), CheckoutError> {
    build(mirrors, source, workspace, true).await.1
}

/// Checks out for a build, and gives what the log says.
pub async fn build(
    mirrors: &Mirrors,
    source: &Source,
    workspace: &Path,
    trusted: bool,
) -> (Vec<String>, Result<(), CheckoutError>) {
    fs::create_dir_all(workspace).unwrap();
    let said = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = said.clone();
    let progress: checkout::Progress = Arc::new(move |words| log.lock().unwrap().push(words));
    let build = checkout::Build {
        source,
        trusted,
        workspace,
    };
    let done = checkout::commit(mirrors, build, progress, &CancellationToken::new()).await;
    let said = said.lock().unwrap().clone();
    (said, done)
}

/// Git as a step sees it: the mirror's objects where the workspace expects them.
pub fn git_inside(workspace: &Path, objects: &Path, args: &[&str]) -> String {
    let alternates = workspace.join(".git/objects/info/alternates");
    assert_eq!(fs::read_to_string(&alternates).unwrap().trim(), OBJECTS_MOUNT);
    fs::write(&alternates, format!("{}\n", objects.display())).unwrap();
    let said = git(workspace, args);
    fs::write(&alternates, format!("{OBJECTS_MOUNT}\n")).unwrap();
    said
}

#[tokio::test]
async fn a_workspace_is_a_clean_repository_at_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::new(folder.path());
    let mirrors = Mirrors::new(folder.path().join("mirrors"));
    let (source, workspace) = (repository.source(), folder.path().join("workspace"));
    check_out(&mirrors, &source, &workspace).await.unwrap();

    let objects = checkout::objects_of_commit(&mirrors, &source, true).await.unwrap().host;
    let inside = |args: &[&str]| git_inside(&workspace, &objects, args);
    assert_eq!(inside(&["describe"]), "v1");
    assert_eq!(inside(&["status", "--porcelain"]), "");
    assert_eq!(
        inside(&["rev-parse", "HEAD", "origin/main"]),
        format!("{0}\n{0}", source.commit)
    );
    assert_eq!(fs::read_link(workspace.join("link")).unwrap(), Path::new("code"));
    let mode = |path: &str| fs::metadata(workspace.join(path)).unwrap().mode() & 0o777;
    assert_eq!(
        (mode("code"), mode("run.sh"), mode("deep"), mode("deep/file")),
        (0o666, 0o777, 0o777, 0o666)
    );
    assert_eq!((mode(".git"), mode(".git/index")), (0o777, 0o666));

    // Again into the same folder: what an interrupted checkout left does no harm.
    fs::write(workspace.join("rest"), "").unwrap();
    check_out(&mirrors, &source, &workspace).await.unwrap();
    assert!(!workspace.join("rest").exists());
}

#[tokio::test]
async fn only_a_commit_that_is_not_there_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::new(folder.path());
    let mirrors = Mirrors::new(folder.path().join("mirrors"));
    let old = repository.source();
    check_out(&mirrors, &old, &folder.path().join("a")).await.unwrap();

    fs::write(folder.path().join("repository/code"), "second\n").unwrap();
    repository.commit("second");
    let new = repository.source();
    check_out(&mirrors, &new, &folder.path().join("b")).await.unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("b/code")).unwrap(), "second\n");

    // The repository is gone, the mirror is not.
    fs::rename(folder.path().join("repository"), folder.path().join("moved")).unwrap();
    check_out(&mirrors, &old, &folder.path().join("c")).await.unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("c/code")).unwrap(), "first\n");
    let unknown = Source {
        commit: "1".repeat(40),
        ..old
    };
    let error = check_out(&mirrors, &unknown, &folder.path().join("d"))
        .await
        .unwrap_err();
    assert!(matches!(error, CheckoutError::Unreachable { .. }), "{error}");
    assert!(!error.is_users());
}

#[tokio::test]
async fn a_commit_that_no_branch_has_is_found_or_named() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::new(folder.path());
    let mirrors = Mirrors::new(folder.path().join("mirrors"));
    // A pull request's commit: under a reference that is neither branch nor tag.
    repository.git(&["checkout", "-q", "-b", "side"]);
    fs::write(folder.path().join("repository/code"), "side\n").unwrap();
    repository.commit("side");
    let side = Source {
        reference: "refs/pull/7/head".into(),
        ..repository.source()
    };
    repository.git(&["update-ref", "refs/pull/7/head", &side.commit]);
    repository.git(&["checkout", "-q", "main"]);
    repository.git(&["branch", "-q", "-D", "side"]);
    check_out(&mirrors, &side, &folder.path().join("a")).await.unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("a/code")).unwrap(), "side\n");

    let unknown = Source {
        commit: "2".repeat(40),
        reference: "refs/heads/gone".into(),
        ..side
    };
    let error = check_out(&mirrors, &unknown, &folder.path().join("b"))
        .await
        .unwrap_err();
    assert!(error.is_users());
    let message = error.to_string().replace(folder.path().to_str().unwrap(), "");
    assert_eq!(
        message,
        "commit 2222222222222222222222222222222222222222 is not in /repository any more (was refs/heads/gone deleted or \
         force-pushed?)"
    );
}

#[tokio::test]
async fn a_working_tree_comes_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::new(folder.path());
    let tree = folder.path().join("repository");
    fs::write(tree.join(".gitignore"), "target\n").unwrap();
    fs::write(tree.join("code"), "changed\n").unwrap();
    fs::write(tree.join("new"), "not committed\n").unwrap();
    fs::create_dir(tree.join("target")).unwrap();
    fs::write(tree.join("target/big"), "").unwrap();
    fs::remove_file(tree.join("deep/file")).unwrap();
    let workspace = folder.path().join("workspace");
    fs::create_dir(&workspace).unwrap();
    checkout::tree(&tree, &workspace).await.unwrap();

    let read = |path: &str| fs::read_to_string(workspace.join(path)).unwrap();
    assert_eq!(
        (read("code"), read("new")),
        ("changed\n".into(), "not committed\n".into())
    );
    assert!(!workspace.join("target").exists() && !workspace.join("deep/file").exists());
    assert_eq!(fs::read_link(workspace.join("link")).unwrap(), Path::new("code"));
    assert_eq!(fs::metadata(workspace.join("run.sh")).unwrap().mode() & 0o777, 0o777);
    let mounts = checkout::objects_of_tree(&tree, folder.path().join("nothing"))
        .await
        .unwrap();
    assert_eq!(mounts.len(), 1);
    let objects = mounts[0].host.clone();
    let inside = git_inside(&workspace, &objects, &["status", "--porcelain"]);
    assert_eq!(inside, repository.git(&["status", "--porcelain"]));
    assert_eq!(git_inside(&workspace, &objects, &["describe"]), "v1");

    // No repository: everything.
    let plain = folder.path().join("plain");
    fs::create_dir_all(plain.join("a/b")).unwrap();
    fs::write(plain.join("a/b/c"), "c").unwrap();
    let copy = folder.path().join("copy");
    fs::create_dir(&copy).unwrap();
    checkout::tree(&plain, &copy).await.unwrap();
    assert_eq!(fs::read_to_string(copy.join("a/b/c")).unwrap(), "c");
    assert!(!copy.join(".git").exists());
    assert_eq!(
        checkout::objects_of_tree(&plain, folder.path().join("nothing"))
            .await
            .unwrap(),
        []
    );
}
