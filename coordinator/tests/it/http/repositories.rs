//! Repositories as people have them, made with the git program: SHA-256, other encodings, names of any bytes, mirrors
//! that broke.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{PASSING, TestApp, TestRepository};

/// What asks for every kind of reading: changed paths, a hash of files, another file.
const READING: &str = "on: {push: {paths: ['src/**']}, manual: {}}\njobs:\n  test:\n    image: busybox\n    \
                       env: {KEY: \"${{ hash('src/**') }}\"}\n    steps: [echo hi]\n";

pub fn git_bytes(folder: &Path, args: &[&OsStr]) -> String {
    let command = Command::new("git")
        .args(args)
        .current_dir(folder)
        .env("GIT_AUTHOR_NAME", "Ada")
        .env("GIT_AUTHOR_EMAIL", "ada@example.org")
        .env("GIT_COMMITTER_NAME", "Ada")
        .env("GIT_COMMITTER_EMAIL", "ada@example.org")
        .output()
        .unwrap();
    assert!(
        command.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&command.stderr)
    );
    String::from_utf8_lossy(&command.stdout).trim_end().to_owned()
}

pub fn git(folder: &Path, args: &[&str]) -> String {
    git_bytes(folder, &args.iter().map(OsStr::new).collect::<Vec<_>>())
}

/// A repository with a working tree, known to the coordinator.
pub async fn repository(app: &TestApp, init: &[&str]) -> TestRepository {
    let mut repository = TestRepository::new("app");
    std::fs::remove_dir_all(repository.folder.path()).unwrap();
    std::fs::create_dir(repository.folder.path()).unwrap();
    git(
        repository.folder.path(),
        &[&["init", "-q", "-b", "main"], init].concat(),
    );
    app.add(&mut repository).await;
    repository
}

pub fn write(repository: &TestRepository, path: &[u8], text: &str) {
    let path = repository.folder.path().join(OsStr::from_bytes(path));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

pub fn commit(repository: &TestRepository, message: &str) -> String {
    let folder = repository.folder.path();
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "--allow-empty", "-m", message]);
    git(folder, &["rev-parse", "HEAD"])
}

async fn pushed(app: &TestApp, repository: &TestRepository, body: Value) -> Value {
    let answer = app.deliver(repository, &body).await.expect(202).json();
    let delivery = app.delivery_over(answer["delivery"].as_str().unwrap()).await;
    match delivery["build"].as_i64() {
        Some(number) => app.build(number).await,
        None => panic!("{delivery}"),
    }
}

async fn trigger(app: &TestApp, body: Value) -> Value {
    let answer = app
        .post("/api/v1/repositories/app/trigger", body)
        .await
        .expect(201)
        .json();
    app.build(answer["number"].as_i64().unwrap()).await
}

#[tokio::test]
async fn a_repository_with_sha_256_is_read_in_every_way() {
    let app = TestApp::start().await;
    let repository = repository(&app, &["--object-format=sha256"]).await;
    write(&repository, b".drover.yml", READING);
    write(&repository, b"src/a", "1");
    let before = commit(&repository, "one");
    write(&repository, b"src/a", "2");
    let after = commit(&repository, "two");
    assert_eq!(after.len(), 64);
    let build = pushed(
        &app,
        &repository,
        json!({"ref": "refs/heads/main", "before": before, "after": after}),
    )
    .await;
    assert_eq!((&build["commit"], &build["title"]), (&json!(after), &json!("two")));
    assert_eq!(build["jobs"][0]["status"], "queued", "{build}");
    // Where the paths did not change, nothing is built: two trees were compared.
    let third = commit(&repository, "three");
    let body = json!({"ref": "refs/heads/main", "before": after, "after": third});
    let answer = app.deliver(&repository, &body).await.expect(202).json();
    let delivery = app.delivery_over(answer["delivery"].as_str().unwrap()).await;
    assert_eq!(delivery["build"], Value::Null, "{delivery}");
    assert_eq!(trigger(&app, json!({})).await["commit"], json!(third));
    git(repository.folder.path(), &["tag", "-a", "v1", "-m", "one", &before]);
    assert_eq!(trigger(&app, json!({"ref": "v1"})).await["commit"], json!(before));
    // An id of the other kind is no commit of it, and breaks nothing.
    let other = app
        .post("/api/v1/repositories/app/trigger", json!({"ref": "1".repeat(40)}))
        .await;
    assert!(other.text.contains("has no commit 1111111111"), "{}", other.text);
    assert_eq!(trigger(&app, json!({"ref": after})).await["commit"], json!(after));
}

#[tokio::test]
async fn what_a_commit_says_is_read_in_the_encoding_that_it_names() {
    let app = TestApp::start().await;
    let repository = repository(&app, &[]).await;
    write(&repository, b".drover.yml", PASSING);
    let folder = repository.folder.path();
    for (encoding, author, message, expected) in [
        (
            "ISO-8859-1",
            &b"Jos\xe9"[..],
            &b"D\xe9j\xe0 vu"[..],
            ("José", "Déjà vu"),
        ),
        ("Shift_JIS", b"\x93\x8c", b"\x93\xfa\x96\x7b", ("東", "日本")),
        // Nobody knows it: what can be read is kept.
        (
            "x-nobody",
            b"Jos\xe9",
            b"caf\xe9 [1]",
            ("Jos\u{fffd}", "caf\u{fffd} [1]"),
        ),
        (
            "UTF-8",
            "Zoë".as_bytes(),
            "red \u{1b}[31m\ttext".as_bytes(),
            ("Zoë", "red [31m text"),
        ),
    ] {
        git(folder, &["add", "-A"]);
        let author = [b"--author=", author, b" <a@b>"].concat();
        let message = [b"-m", message].concat();
        let setting = format!("i18n.commitEncoding={encoding}");
        let args = ["-c", &setting, "commit", "-q", "--allow-empty"].map(OsStr::new);
        git_bytes(
            folder,
            &[&args[..], &[OsStr::from_bytes(&author), OsStr::from_bytes(&message)]].concat(),
        );
        let after = git(folder, &["rev-parse", "HEAD"]);
        let build = pushed(&app, &repository, json!({"ref": "refs/heads/main", "after": after})).await;
        assert_eq!(
            (build["author"].as_str(), build["title"].as_str()),
            (Some(expected.0), Some(expected.1))
        );
    }
}

#[tokio::test]
async fn branches_and_files_may_have_names_of_any_bytes() {
    let app = TestApp::start().await;
    let repository = repository(&app, &[]).await;
    write(&repository, b".drover.yml", READING);
    write(&repository, b"src/d\xe9p\xf4t/\xff", "1");
    let after = commit(&repository, "names");
    let folder = repository.folder.path();
    git_bytes(folder, &[OsStr::new("branch"), OsStr::from_bytes(b"caf\xe9\"$(id)")]);
    // As the hook sends it: the bytes as they are.
    let body = [
        &b"{\"ref\":\"refs/heads/caf\xe9\\\"$(id)\",\"after\":\""[..],
        after.as_bytes(),
        b"\"}",
    ]
    .concat();
    let answer = app.send(app.delivery_of(&repository, body)).await.expect(202).json();
    let delivery = app.delivery_over(answer["delivery"].as_str().unwrap()).await;
    let build = app
        .build(delivery["build"].as_i64().unwrap_or_else(|| panic!("{delivery}")))
        .await;
    let name = "caf\u{fffd}\"$(id)";
    assert_eq!(
        (build["branch"].as_str(), &build["commit"]),
        (Some(name), &json!(after))
    );
    assert_eq!(trigger(&app, json!({"ref": name})).await["commit"], json!(after));
    let page = app
        .send(app.request(Method::GET, &format!("/builds/{}", build["number"])))
        .await;
    assert!(page.expect(200).text.contains("caf\u{fffd}"));
}

#[tokio::test]
async fn a_mirror_that_broke_is_made_anew() {
    let data = tempfile::tempdir().unwrap();
    let app = TestApp::over(data.path()).await;
    let repository = repository(&app, &[]).await;
    write(&repository, b".drover.yml", PASSING);
    let push = async |message: &str| {
        let after = commit(&repository, message);
        let build = pushed(&app, &repository, json!({"ref": "refs/heads/main", "after": after})).await;
        assert_eq!(build["commit"], json!(after));
    };
    push("one").await;
    let mirrors = std::fs::read_dir(data.path().join("git")).unwrap();
    let mirror = mirrors
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir())
        .unwrap();
    type Breakage = fn(&Path);
    let breakages: [(&str, Breakage); 5] = [
        ("a lock file", |mirror| {
            std::fs::write(mirror.join("shallow.lock"), "").unwrap()
        }),
        ("no configuration", |mirror| {
            std::fs::write(mirror.join("config"), "[core").unwrap()
        }),
        ("no end of history", |mirror| {
            std::fs::write(mirror.join("shallow"), "x\n").unwrap()
        }),
        ("a broken reference", |mirror| {
            for reference in std::fs::read_dir(mirror.join("refs/drover")).unwrap() {
                std::fs::write(reference.unwrap().path(), "").unwrap();
            }
        }),
        ("half an initialisation", |mirror| {
            std::fs::remove_dir_all(mirror.join("objects")).unwrap()
        }),
    ];
    for (what, spoil) in breakages {
        spoil(&mirror);
        push(what).await;
    }
    // The repository was made again, of the other kind.
    let folder = repository.folder.path();
    std::fs::remove_dir_all(folder.join(".git")).unwrap();
    git(folder, &["init", "-q", "-b", "main", "--object-format=sha256"]);
    push("another kind").await;
}
