//! `drover run` in the clones that people have: git says in the copy what it says in the original.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use agent::checkout::{self, ObjectsMount, objects_mount};

use crate::checkout::{Repository, git};

/// A copy of a working tree, with its objects where they are on this machine.
struct Copy {
    folder: PathBuf,
    mounts: Vec<ObjectsMount>,
}

impl Copy {
    async fn of(original: &Path, to: PathBuf) -> Copy {
        fs::create_dir(&to).unwrap();
        let nothing = to.with_extension("nothing");
        let mounts = checkout::objects_of_tree(original, nothing).await.unwrap();
        checkout::tree(original, &to).await.unwrap();
        let copy = Copy { folder: to, mounts };
        copy.find_objects(Path::new(""));
        copy
    }

    /// Puts the places of this machine where those of a container stand.
    fn find_objects(&self, repository: &Path) {
        let path = self.folder.join(repository).join(".git/objects/info/alternates");
        let listed = fs::read_to_string(&path).unwrap();
        let host = |inside: &str| {
            let mount = self.mounts.iter().find(|mount| mount.inside == inside).unwrap();
            format!("{}\n", mount.host.display())
        };
        fs::write(&path, listed.lines().map(host).collect::<String>()).unwrap();
    }
}

/// What must be the same inside and outside.
const QUESTIONS: [&[&str]; 7] = [
    &["status"],
    &["status", "--porcelain=v2", "--branch"],
    &["log", "-1", "--format=%H %an %s"],
    &["rev-parse", "HEAD"],
    &["describe", "--tags", "--always"],
    &["ls-files", "-s"],
    &["for-each-ref"],
];

async fn same(original: &Path, to: PathBuf) -> Copy {
    let outside: Vec<String> = QUESTIONS.iter().map(|question| git(original, question)).collect();
    let copy = Copy::of(original, to).await;
    for (question, outside) in QUESTIONS.iter().zip(outside) {
        assert_eq!(
            git(&copy.folder, question),
            outside,
            "{question:?} in a copy of {}",
            original.display()
        );
    }
    copy
}

/// Two commits, a tag, and changes of every kind that are not committed.
fn dirty(parent: &Path) -> Repository {
    let repository = Repository::new(parent);
    let tree = parent.join("repository");
    fs::write(tree.join("deep/other"), "y").unwrap();
    repository.commit("second");
    make_dirty(&tree);
    repository
}

fn make_dirty(tree: &Path) {
    fs::write(tree.join("code"), "changed\n").unwrap();
    fs::write(tree.join("untracked"), "x").unwrap();
    fs::write(tree.join("meant"), "x").unwrap();
    git(tree, &["add", "--intent-to-add", "meant"]);
    fs::write(tree.join("assumed"), "x").unwrap();
    git(tree, &["add", "assumed"]);
    git(tree, &["update-index", "--assume-unchanged", "assumed"]);
    fs::write(tree.join("assumed"), "other").unwrap();
    fs::write(tree.join(".git-is-not-this"), "x").unwrap();
}

#[tokio::test]
async fn a_working_tree_with_changes_of_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    dirty(folder.path());
    let copy = same(&folder.path().join("repository"), folder.path().join("copy")).await;
    assert_eq!(copy.mounts.len(), 1);
    assert_eq!(copy.mounts[0].inside, objects_mount(0));
}

#[tokio::test]
async fn clones_that_borrow_or_lack_objects() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let original = dirty(folder.path());
    let url = format!("file://{}", path("repository").display());
    for (name, options) in [
        ("shallow", &["--depth=1", &url][..]),
        ("shared", &["--shared", "repository"]),
        (
            "blobless",
            &["-c", "uploadpack.allowFilter=true", "--filter=blob:none", &url],
        ),
        ("reference", &["--reference", "repository", &url]),
        ("detached", &["--branch", "v1", &url]),
    ] {
        git(folder.path(), &[&["clone", "-q"], options, &[name]].concat());
        make_dirty(&path(name));
        let copy = same(&path(name), path(&format!("{name}-copy"))).await;
        if matches!(name, "shared" | "reference") {
            let list = format!("{}/info/alternates", objects_mount(0));
            let hidden = copy.mounts.iter().find(|mount| mount.inside == list).expect(name);
            assert_eq!(fs::read_to_string(&hidden.host).unwrap(), "");
            assert_eq!(copy.mounts.len(), 3);
        }
    }
    drop(original);
}

#[tokio::test]
async fn working_trees_with_an_index_of_their_own_kind() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let original = dirty(folder.path());
    original.git(&["worktree", "add", "-q", "-b", "beside", "../worktree"]);
    make_dirty(&path("worktree"));
    same(&path("worktree"), path("worktree-copy")).await;
    for (name, cone) in [
        ("cone", "--cone"),
        ("patterns", "--no-cone"),
        ("sparse-index", "--sparse-index"),
    ] {
        git(folder.path(), &["clone", "-q", "repository", name]);
        git(&path(name), &["sparse-checkout", "init", cone]);
        let wanted = if cone == "--no-cone" { "/code" } else { "none" };
        git(&path(name), &["sparse-checkout", "set", wanted]);
        fs::write(path(name).join("code"), "changed\n").unwrap();
        same(&path(name), path(&format!("{name}-copy"))).await;
        assert!(!path(&format!("{name}-copy/deep")).exists());
    }
    git(folder.path(), &["clone", "-q", "repository", "split"]);
    git(&path("split"), &["update-index", "--split-index"]);
    make_dirty(&path("split"));
    same(&path("split"), path("split-copy")).await;
}

#[tokio::test]
async fn a_repository_in_the_middle_of_something_or_before_its_first_commit() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let repository = Repository::new(folder.path());
    repository.git(&["checkout", "-q", "-b", "other"]);
    fs::remove_file(path("repository/link")).unwrap();
    std::os::unix::fs::symlink("elsewhere", path("repository/link")).unwrap();
    repository.commit("elsewhere");
    repository.git(&["checkout", "-q", "main"]);
    fs::remove_file(path("repository/link")).unwrap();
    std::os::unix::fs::symlink("nowhere", path("repository/link")).unwrap();
    repository.commit("nowhere");
    let merge = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@b", "merge", "-q", "other"])
        .current_dir(path("repository"))
        .output();
    assert!(!merge.unwrap().status.success(), "the link has a conflict");
    same(&path("repository"), path("merging-copy")).await;

    fs::create_dir(path("empty")).unwrap();
    git(&path("empty"), &["init", "-q", "-b", "main"]);
    fs::write(path("empty/new"), "x").unwrap();
    let copy = Copy::of(&path("empty"), path("empty-copy")).await;
    assert_eq!(git(&copy.folder, &["status"]), git(&path("empty"), &["status"]));
}

#[tokio::test]
async fn submodules_are_repositories_in_the_copy_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let repository = Repository::new(folder.path());
    Repository::with(folder.path(), "library", &["--object-format=sha1"]);
    repository.add_submodule("../library", "libs/lib");
    repository.commit("with library");
    fs::write(path("repository/libs/lib/code"), "changed\n").unwrap();
    fs::create_dir(path("repository/nested")).unwrap();
    git(&path("repository/nested"), &["init", "-q"]);
    fs::write(path("repository/nested/file"), "x").unwrap();
    let outside = git(&path("repository"), &["status", "--porcelain"]);
    let copy = Copy::of(&path("repository"), path("copy")).await;
    copy.find_objects(Path::new("libs/lib"));
    assert_eq!(git(&copy.folder, &["status", "--porcelain"]), outside);
    assert!(
        outside.contains(" M libs/lib") && outside.contains("nested"),
        "{outside}"
    );
    let library = copy.folder.join("libs/lib");
    assert_eq!(
        git(&library, &["log", "-1", "--format=%H"]),
        git(&path("library"), &["log", "-1", "--format=%H"])
    );
    assert_eq!(git(&library, &["status", "--porcelain"]), " M code");
    assert_eq!(copy.mounts.len(), 2);
}

#[tokio::test]
async fn other_ids_other_owners_and_other_settings() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    Repository::with(folder.path(), "long", &["--object-format=sha256"]);
    make_dirty(&path("long"));
    same(&path("long"), path("long-copy")).await;

    let settings = Repository::with(folder.path(), "settings", &[]);
    settings.git(&["config", "core.fileMode", "false"]);
    settings.git(&["config", "core.autocrlf", "true"]);
    settings.git(&["config", "status.showUntrackedFiles", "all"]);
    settings.git(&["remote", "add", "origin", "https://me:word@git.example/a.git"]);
    fs::write(
        path("settings/.gitattributes"),
        "*.txt text eol=crlf\n*.x filter=unknown\n",
    )
    .unwrap();
    fs::write(path("settings/dos.txt"), "a\r\nb\r\n").unwrap();
    fs::write(path("settings/a.x"), "x\n").unwrap();
    settings.commit("settings");
    fs::set_permissions(
        path("settings/run.sh"),
        std::os::unix::fs::PermissionsExt::from_mode(0o644),
    )
    .unwrap();
    fs::create_dir(path("settings/folder")).unwrap();
    fs::write(path("settings/folder/new"), "x").unwrap();
    let copy = same(&path("settings"), path("settings-copy")).await;
    let url = git(&copy.folder, &["remote", "get-url", "origin"]);
    assert_eq!(url, "https://git.example/a.git");
}
