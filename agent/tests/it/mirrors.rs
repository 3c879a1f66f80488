//! Mirrors that are broken, or seem so, while jobs use them.

use std::fs;
use std::path::Path;

use crate::checkout::build;
use crate::repositories::{Stage, read};

/// What is done to a mirror.
type Breakage = Box<dyn Fn(&Path)>;

#[tokio::test]
async fn a_broken_mirror_is_made_anew_and_the_log_says_so() {
    let stage = Stage::new(&[]);
    let (first, _) = stage.commit_and_build("first").await;
    let mut breakages: Vec<(&str, Breakage)> = Vec::new();
    breakages.push((
        "objects",
        Box::new(|mirror| {
            for pack in fs::read_dir(mirror.join("objects/pack")).unwrap() {
                let pack = pack.unwrap().path();
                if pack.extension().is_some_and(|extension| extension == "pack") {
                    let size = fs::metadata(&pack).unwrap().len();
                    fs::remove_file(&pack).unwrap();
                    fs::write(&pack, vec![0; usize::try_from(size).unwrap()]).unwrap();
                }
            }
        }),
    ));
    breakages.push((
        "configuration",
        Box::new(|mirror| fs::write(mirror.join("config"), "[core").unwrap()),
    ));
    breakages.push((
        "packed references",
        Box::new(|mirror| fs::write(mirror.join("packed-refs"), "x y z\n").unwrap()),
    ));
    for (what, spoil) in breakages {
        let objects = stage.mirror().join("objects");
        let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
        let before = inode(&objects);
        spoil(&stage.mirror());
        let source = stage.repository.source();
        fs::remove_dir_all(&first).unwrap();
        let (workspace, said) = stage.build(&source, true).await;
        // A fetch may bring objects again by itself.
        let message = said.contains("the mirror of the repository is made anew");
        assert!(
            message || what == "objects" && said.contains("fetching"),
            "{what}: {said}"
        );
        assert_eq!(read(workspace.join("code")), "first\n");
        // Containers have it mounted by now.
        assert_eq!(inode(&objects), before, "{what}");
        assert_eq!(stage.inside(&workspace, &["status", "--porcelain"]).await, "", "{what}");
    }
}

#[tokio::test]
async fn a_broken_repository_takes_nothing_from_jobs_that_run() {
    let stage = Stage::new(&[]);
    let (running, _) = stage.commit_and_build("first").await;
    let first = stage.inside(&running, &["rev-parse", "HEAD"]).await;
    fs::write(stage.path("repository/code"), "second\n").unwrap();
    stage.repository.commit("second");
    let second = stage.repository.source();
    let config = stage.path("repository/.git/config");
    let whole = fs::read(&config).unwrap();
    fs::write(&config, "[core").unwrap();
    // what git says of the other side reads as if it were said of the mirror
    let (said, done) = build(&stage.mirrors, &second, &stage.path("second"), true).await;
    assert!(done.is_err());
    assert!(said.iter().any(|line| line.contains("made anew")), "{said:?}");
    fs::write(&config, whole).unwrap();
    let code = format!("{first}:code");
    assert_eq!(stage.inside(&running, &["show", &code]).await, "first");
    assert_eq!(stage.inside(&running, &["fsck", "--full"]).await, "");
    let (workspace, _) = stage.build(&second, true).await;
    assert_eq!(read(workspace.join("code")), "second\n");
}
