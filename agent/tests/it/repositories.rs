//! Checkouts of repositories as people have them: branches that come and go, any bytes in names, submodules, Git LFS,
//! SHA-256. All with the git program.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use agent::checkout::{self, CheckoutError, Mirrors};
use protocol::work::Source;

use crate::checkout::{Repository, build, git, git_inside};

/// A folder with a repository and the mirrors of an agent.
pub struct Stage {
    pub folder: tempfile::TempDir,
    pub repository: Repository,
    pub mirrors: Mirrors,
}

impl Stage {
    pub fn new(init: &[&str]) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        Stage {
            repository: Repository::with(folder.path(), "repository", init),
            mirrors: Mirrors::new(folder.path().join("mirrors")),
            folder,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The mirror, of which there is one.
    pub fn mirror(&self) -> PathBuf {
        let mut folders = fs::read_dir(self.path("mirrors"))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        folders.find(|path| path.is_dir()).expect("a mirror")
    }

    /// Commits everything and checks it out of the mirror; gives the workspace and what the log says.
    pub async fn commit_and_build(&self, message: &str) -> (PathBuf, String) {
        self.repository.commit(message);
        self.build(&self.repository.source(), true).await
    }

    pub async fn build(&self, source: &Source, trusted: bool) -> (PathBuf, String) {
        let workspace = self.path(&format!("workspace-{}", &source.commit[..12]));
        let (said, done) = build(&self.mirrors, source, &workspace, trusted).await;
        done.unwrap();
        let said = said.join("\n").replace(self.folder.path().to_str().unwrap(), "");
        (workspace, said)
    }

    /// Puts the mirror's own place where that of a container stands.
    pub async fn find_objects(&self, repositories: &[&Path]) {
        let source = self.repository.source();
        let objects = checkout::objects_of_commit(&self.mirrors, &source, true)
            .await
            .unwrap()
            .host;
        for repository in repositories {
            let alternates = repository.join(".git/objects/info/alternates");
            fs::write(alternates, format!("{}\n", objects.display())).unwrap();
        }
    }

    pub async fn inside(&self, workspace: &Path, args: &[&str]) -> String {
        let source = self.repository.source();
        let objects = checkout::objects_of_commit(&self.mirrors, &source, true)
            .await
            .unwrap()
            .host;
        git_inside(workspace, &objects, args)
    }
}

pub fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[tokio::test]
async fn a_branch_in_the_place_of_a_folder_of_branches_does_no_harm() {
    let stage = Stage::new(&[]);
    let branch = |args: &[&str]| stage.repository.git(&[&["branch", "-q"], args].concat());
    branch(&["feature"]);
    branch(&["Case"]);
    stage.repository.git(&["update-ref", "refs/heads/HEAD", "HEAD"]);
    stage.commit_and_build("first").await;
    branch(&["-D", "feature"]);
    branch(&["feature/login"]);
    branch(&["case"]);
    let (workspace, said) = stage.commit_and_build("second").await;
    assert_eq!(said, "fetching /repository");
    let names = stage
        .inside(
            &workspace,
            &["for-each-ref", "--format=%(refname:lstrip=3)", "refs/remotes"],
        )
        .await;
    assert_eq!(names, "Case\nHEAD\ncase\nfeature/login\nmain");
    // And back.
    branch(&["-D", "feature/login"]);
    branch(&["feature"]);
    let (_, said) = stage.commit_and_build("third").await;
    assert_eq!(said, "fetching /repository");
}

#[tokio::test]
async fn what_a_killed_git_left_in_a_mirror_is_mended() {
    let stage = Stage::new(&[]);
    stage.commit_and_build("first").await;
    let heads = stage.mirror().join("refs/heads");
    fs::create_dir_all(&heads).unwrap();
    fs::write(heads.join("main.lock"), "").unwrap();
    fs::write(stage.mirror().join("packed-refs.lock"), "").unwrap();
    fs::write(heads.join("side"), "").unwrap();
    stage.repository.git(&["branch", "-q", "side"]);
    fs::write(stage.path("repository/code"), "second\n").unwrap();
    let (workspace, said) = stage.commit_and_build("second").await;
    assert_eq!(read(workspace.join("code")), "second\n");
    // The commit came by another way, or the references were mended for it.
    assert!(!said.contains("anew"), "{said}");
    fs::write(stage.path("repository/code"), "third\n").unwrap();
    let (workspace, _) = stage.commit_and_build("third").await;
    assert_eq!(read(workspace.join("code")), "third\n");
}

#[tokio::test]
async fn a_repository_with_sha_256_is_checked_out_with_its_submodule() {
    let stage = Stage::new(&["--object-format=sha256"]);
    let library = Repository::with(stage.folder.path(), "library", &["--object-format=sha256"]);
    stage.repository.add_submodule("../library", "lib");
    let (workspace, said) = stage.commit_and_build("second").await;
    assert!(said.contains("submodule lib: checked out"), "{said}");
    assert_eq!(read(workspace.join("lib/code")), "first\n");
    stage.find_objects(&[&workspace.join("lib")]).await;
    assert_eq!(stage.inside(&workspace, &["status", "--porcelain"]).await, "");
    assert_eq!(
        stage.inside(&workspace, &["describe", "--tags"]).await,
        stage.repository.git(&["describe", "--tags"])
    );
    drop(library);
}

#[tokio::test]
async fn names_may_have_any_bytes() {
    let stage = Stage::new(&[]);
    let latin = |name: &[u8]| stage.path("repository").join(OsStr::from_bytes(name));
    fs::create_dir(latin(b"d\xe9p\xf4t")).unwrap();
    for name in [
        &b"testu\xe7\xf5es.txt"[..],
        b"d\xe9p\xf4t/\xff",
        b"a\nb",
        b"-x",
        b"\"q\"",
    ] {
        fs::write(latin(name), "x").unwrap();
    }
    let branch = [OsStr::new("branch"), OsStr::from_bytes(b"caf\xe9")];
    let made = std::process::Command::new("git")
        .args(branch)
        .current_dir(stage.path("repository"))
        .status();
    assert!(made.unwrap().success());
    let (workspace, _) = stage.commit_and_build("names").await;
    assert!(workspace.join(OsStr::from_bytes(b"d\xe9p\xf4t/\xff")).is_file());
    assert_eq!(stage.inside(&workspace, &["status", "--porcelain"]).await, "");
    let branches = stage
        .inside(&workspace, &["for-each-ref", "--shell", "--format=%(refname)"])
        .await;
    assert!(branches.contains("refs/remotes/origin/caf"), "{branches}");

    // The branch is built by its commit, since its name in a message is not what git calls it.
    let source = Source {
        reference: "refs/heads/caf\u{fffd}".into(),
        ..stage.repository.source()
    };
    stage.build(&source, true).await;
}

#[tokio::test]
async fn submodules_are_checked_out_and_nested_ones_too() {
    let stage = Stage::new(&[]);
    let inner = Repository::with(stage.folder.path(), "inner", &[]);
    let library = Repository::with(stage.folder.path(), "library", &[]);
    library.add_submodule("../inner", "deep/inner");
    library.commit("with inner");
    stage.repository.add_submodule("../library", "libs/lib");
    let (workspace, said) = stage.commit_and_build("with library").await;
    let id = |repository: &Repository| repository.git(&["rev-parse", "HEAD"])[..12].to_owned();
    for expected in [
        format!("submodule libs/lib: checked out {}", id(&library)),
        format!("submodule libs/lib/deep/inner: checked out {}", id(&inner)),
    ] {
        assert!(said.contains(&expected), "{said}");
    }
    assert_eq!(read(workspace.join("libs/lib/deep/inner/code")), "first\n");
    let modules = [workspace.join("libs/lib"), workspace.join("libs/lib/deep/inner")];
    stage.find_objects(&[&workspace, &modules[0], &modules[1]]).await;
    assert_eq!(git(&workspace, &["status", "--porcelain"]), "");
    let status = git(&workspace, &["submodule", "status", "--recursive"]);
    assert_eq!(status.lines().count(), 2, "{status}");
    assert!(status.lines().all(|line| !line.starts_with(['-', '+'])), "{status}");
    assert_eq!(
        git(&modules[0], &["describe", "--tags"]),
        library.git(&["describe", "--tags"])
    );
    // Known by now: nothing is fetched, and the original may be gone.
    fs::rename(stage.path("inner"), stage.path("moved")).unwrap();
    let (workspace, said) = stage.build(&stage.repository.source(), true).await;
    assert!(!said.contains("fetching"), "{said}");
    assert_eq!(read(workspace.join("libs/lib/deep/inner/code")), "first\n");
}

#[tokio::test]
async fn a_submodule_that_cannot_be_had_stays_empty_and_the_log_says_why() {
    let stage = Stage::new(&[]);
    let library = Repository::with(stage.folder.path(), "library", &[]);
    let commit = library.git(&["rev-parse", "HEAD"]);
    let marker = stage.path("ran");
    let run = format!("ext::touch {}", marker.display());
    let option = format!("--upload-pack=touch {}", marker.display());
    let cases = [
        ("gone", "../none", "cannot fetch"),
        ("runs", run.as_str(), "is no address of a repository"),
        ("option", option.as_str(), "is no address of a repository"),
        ("above", "../../../../../../../../../../../../x", "relative path"),
    ];
    let mut modules = String::new();
    for (path, url, _) in &cases {
        modules += &format!("[submodule \"{path}\"]\n\tpath = {path}\n\turl = \"{url}\"\n");
        let link = format!("160000,{commit},{path}");
        stage.repository.git(&["update-index", "--add", "--cacheinfo", &link]);
    }
    stage.repository.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{commit},unknown"),
    ]);
    fs::write(stage.path("repository/.gitmodules"), modules).unwrap();
    stage.repository.git(&["add", ".gitmodules"]);
    stage.repository.commit_index("bad submodules");
    let (workspace, said) = stage.build(&stage.repository.source(), true).await;
    for (path, _, why) in cases
        .iter()
        .chain([&("unknown", "", ".gitmodules does not describe it")])
    {
        let message = said
            .lines()
            .find(|line| line.starts_with(&format!("submodule {path} stays empty")));
        assert!(message.is_some_and(|message| message.contains(why)), "{path}: {said}");
        assert_eq!(fs::read_dir(workspace.join(path)).unwrap().count(), 0, "{path}");
    }
    assert!(!marker.exists());
}

#[tokio::test]
async fn code_that_is_not_trusted_gets_no_submodule_by_our_means() {
    let stage = Stage::new(&[]);
    let library = Repository::with(stage.folder.path(), "library", &[]);
    stage.repository.add_submodule("../library", "lib");
    stage.commit_and_build("with library").await;
    let source = stage.repository.source();
    let workspace = stage.path("untrusted");
    let (said, done) = build(&stage.mirrors, &source, &workspace, false).await;
    done.unwrap();
    let said = said.join("\n");
    assert!(
        said.contains("submodule lib stays empty: the build is not trusted"),
        "{said}"
    );
    // What trusted builds brought is not in reach either.
    let objects = checkout::objects_of_commit(&stage.mirrors, &source, false)
        .await
        .unwrap()
        .host;
    let bare = git2::Repository::open_bare(objects.parent().unwrap()).unwrap();
    let secret = library.git(&["rev-parse", "HEAD"]).parse().unwrap();
    assert!(bare.find_commit(secret).is_err());
}

#[tokio::test]
async fn files_of_git_lfs_have_their_content_or_the_log_says_why_not() {
    let stage = Stage::new(&[]);
    stage.repository.git(&["lfs", "install", "--local"]);
    stage.repository.git(&["lfs", "track", "*.bin"]);
    fs::write(stage.path("repository/big.bin"), "content".repeat(1000)).unwrap();
    let (workspace, said) = stage.commit_and_build("large").await;
    assert!(said.contains("fetched 1 file of Git LFS"), "{said}");
    assert_eq!(read(workspace.join("big.bin")), "content".repeat(1000));
    assert_eq!(stage.inside(&workspace, &["status", "--porcelain"]).await, "");
    // A pointer whose content is nowhere.
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 9\n",
        "1".repeat(64)
    );
    let plain = Stage::new(&[]);
    fs::write(
        plain.path("repository/.gitattributes"),
        "*.dat filter=lfs diff=lfs merge=lfs -text\n",
    )
    .unwrap();
    fs::write(plain.path("repository/lost.dat"), &pointer).unwrap();
    fs::write(plain.path("repository/other.txt"), &pointer).unwrap();
    plain.repository.git(&["config", "filter.lfs.clean", "cat"]);
    let (workspace, said) = plain.commit_and_build("lost").await;
    assert!(said.contains("1 file of Git LFS stay"), "{said}");
    assert_eq!(read(workspace.join("lost.dat")), pointer);
    assert!(!said.contains("2 files"), "{said}");
}

#[tokio::test]
async fn a_commit_that_was_replaced_while_it_waited_is_found_by_its_id() {
    let stage = Stage::new(&[]);
    fs::write(stage.path("repository/code"), "replaced\n").unwrap();
    stage.repository.commit("to be replaced");
    let old = stage.repository.source();
    stage.repository.git(&["reset", "-q", "--hard", "HEAD~1"]);
    stage.commit_and_build("instead").await;
    let (workspace, _) = stage.build(&old, true).await;
    assert_eq!(read(workspace.join("code")), "replaced\n");
    // Once the repository has thrown it away, a sentence says so.
    let other = Stage::new(&[]);
    let gone = Source {
        commit: old.commit.clone(),
        ..other.repository.source()
    };
    let (_, done) = build(&other.mirrors, &gone, &other.path("none"), true).await;
    assert!(matches!(done, Err(CheckoutError::UnknownCommit { .. })), "{done:?}");
}
