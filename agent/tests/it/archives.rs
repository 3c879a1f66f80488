//! Archives that were made to do harm: nothing is written outside the folder, and each is refused in one sentence.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use agent::blobs::archive::{
    self, FileList, Limits, Links, Modes, PackSource, Rules, UnpackError, UnpackTarget, WalkError,
};
use job_specs::globs::{Globs, Matcher};
use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

const CAREFUL: Rules = Rules {
    links: Links::Inside,
    modes: Modes::Own,
    limits: Limits {
        entries: 1000,
        bytes: 1 << 20,
    },
};

/// One entry as its attacker wants it, names included.
fn entry(kind: EntryType, name: &str, target: &str, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_mut_bytes()[..name.len().min(100)].copy_from_slice(&name.as_bytes()[..name.len().min(100)]);
    header.as_mut_bytes()[157..157 + target.len().min(100)]
        .copy_from_slice(&target.as_bytes()[..target.len().min(100)]);
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o4777);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn packed(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes: Vec<u8> = entries.concat();
    bytes.extend_from_slice(&[0; 1024]);
    zstd::encode_all(bytes.as_slice(), 1).unwrap()
}

/// A folder to unpack into, and all that is around it.
struct Files {
    around: tempfile::TempDir,
}

impl Files {
    fn new() -> Files {
        let around = tempfile::tempdir().unwrap();
        fs::create_dir(around.path().join("in")).unwrap();
        fs::write(around.path().join("secret"), "untouched").unwrap();
        Files { around }
    }

    fn folder(&self) -> PathBuf {
        self.around.path().join("in")
    }

    fn unpack(&self, bytes: &[u8], rules: Rules) -> Result<archive::Unpacked, UnpackError> {
        let into = UnpackTarget {
            root: self.folder(),
            at: PathBuf::new(),
            name: PathBuf::new(),
        };
        archive::unpack(bytes, &[into], rules)
    }

    fn is_safe(&self) -> bool {
        let mut names: Vec<_> = fs::read_dir(self.around.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names == ["in", "secret"] && fs::read_to_string(self.around.path().join("secret")).unwrap() == "untouched"
    }

    fn refusal(&self, bytes: &[u8], rules: Rules) -> String {
        let error = self.unpack(bytes, rules).expect_err("it is to be refused");
        assert!(self.is_safe());
        error.to_string()
    }
}

#[test]
fn every_trick_has_its_own_sentence() {
    use EntryType as T;
    let file = |name: &str| entry(T::Regular, name, "", b"evil");
    let tricks: Vec<Vec<Vec<u8>>> = vec![
        vec![file("../secret")],
        vec![file("/tmp/drover-was-here")],
        vec![file("a/../../secret")],
        vec![entry(T::Symlink, "out", "../secret", b"")],
        vec![entry(T::Symlink, "out", "/etc", b"")],
        vec![entry(T::Symlink, "d/out", "../../in/../secret", b"")],
        vec![entry(T::Link, "hard", "../secret", b"")],
        vec![entry(T::Char, "tty", "", b"")],
        vec![entry(T::Fifo, "pipe", "", b"")],
        vec![entry(T::XHeader, "pax", "", b"30 path=../../../etc/passwd\n")],
        vec![
            entry(T::Directory, "d", "", b""),
            entry(T::Symlink, "l", "d", b""),
            file("l/x"),
        ],
    ];
    let said: Vec<String> = tricks
        .iter()
        .map(|trick| Files::new().refusal(&packed(trick), CAREFUL))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @"
    the archive is refused: `../secret`: its name has `..`
    the archive is refused: `/tmp/drover-was-here`: its name is absolute
    the archive is refused: `a/../../secret`: its name has `..`
    the archive is refused: `out`: it is a link that leads out (to `../secret`)
    the archive is refused: `out`: it is a link that leads out (to `/etc`)
    the archive is refused: `d/out`: it is a link that leads out (to `../../in/../secret`)
    the archive is refused: `hard`: it is a hard link
    the archive is refused: `tty`: it is a device
    the archive is refused: `pipe`: it is a pipe
    the archive is refused: `pax`: it is of a kind that we do not make (`XHeader`)
    `l/x` cannot be written: `l` on the way to it is a link or a file
    ");
}

#[test]
fn a_link_of_a_cache_may_lead_anywhere_and_is_never_followed() {
    use EntryType as T;
    let files = Files::new();
    let rules = Rules {
        links: Links::Anywhere,
        ..CAREFUL
    };
    let venv = packed(&[entry(T::Symlink, "python", "/usr/bin/python3", b"")]);
    files.unpack(&venv, rules).unwrap();
    assert_eq!(
        fs::read_link(files.folder().join("python")).unwrap(),
        Path::new("/usr/bin/python3")
    );
    let through = packed(&[
        entry(T::Symlink, "up", "..", b""),
        entry(T::Regular, "up/secret", "", b"evil"),
    ]);
    files.refusal(&through, rules);
    let over = packed(&[
        entry(T::Symlink, "x", "../secret", b""),
        entry(T::Regular, "x", "", b"mine"),
    ]);
    files.unpack(&over, rules).unwrap();
    assert!(files.is_safe(), "the link was replaced, not written through");
}

#[test]
fn too_much_is_refused() {
    let files = Files::new();
    let many: Vec<Vec<u8>> = (0..1001)
        .map(|n| entry(EntryType::Regular, &format!("f{n}"), "", b""))
        .collect();
    assert_eq!(
        files.refusal(&packed(&many), CAREFUL),
        "the archive is refused: it has more than 1000 files"
    );
    let large = packed(&[entry(EntryType::Regular, "big", "", &vec![0; 2 << 20])]);
    assert_eq!(
        files.refusal(&large, CAREFUL),
        "the archive is refused: it has more than 1048576 bytes of files"
    );
    let name = packed(&[entry(EntryType::GNULongName, "n", "", &vec![b'a'; 100_000])]);
    assert_eq!(
        files.refusal(&name, CAREFUL),
        "the archive is refused: it has more than 4096 bytes in a name"
    );
    assert!(
        files
            .refusal(b"not an archive", CAREFUL)
            .starts_with("the archive is damaged")
    );
    let half = packed(&[entry(EntryType::Regular, "f", "", &[7; 5000])]);
    assert!(
        files
            .refusal(&half[..half.len() - 5], CAREFUL)
            .starts_with("the archive is damaged")
    );
}

fn meant(globs: &[&str]) -> Matcher {
    Globs::of_workspace(globs.iter().copied()).unwrap().matcher()
}

fn pack(root: &Path, globs: &[&str]) -> (Vec<u8>, FileList) {
    let sources = [PackSource::Globs {
        root: root.to_owned(),
        globs: meant(globs),
    }];
    let found = archive::walk(&sources).unwrap();
    let mut bytes = Vec::new();
    archive::pack(&sources, &found, u64::MAX, &mut bytes).unwrap();
    (bytes, found)
}

#[test]
fn an_empty_disk_is_kept_and_had_back_without_taking_any() {
    use std::os::unix::fs::{FileExt, MetadataExt};
    const LEN: u64 = (1 << 30) + (1 << 29) + 12_345;
    let tree = tempfile::tempdir().unwrap();
    let disk = fs::File::create(tree.path().join("disk.img")).unwrap();
    disk.set_len(LEN).unwrap();
    disk.write_all_at(b"boot", 1 << 20).unwrap();
    disk.write_all_at(b"end", LEN - 3).unwrap();
    fs::File::create(tree.path().join("hole"))
        .unwrap()
        .set_len(1 << 20)
        .unwrap();
    let (bytes, _) = pack(tree.path(), &["*"]);
    let files = Files::new();
    let rules = Rules {
        limits: Limits::default(),
        ..CAREFUL
    };
    let unpacked = files.unpack(&bytes, rules).unwrap();
    assert_eq!((unpacked.files, unpacked.content_bytes), (2, LEN + (1 << 20)));
    let back = fs::File::open(files.folder().join("disk.img")).unwrap();
    let (mut boot, mut end) = ([0; 5], [0; 4]);
    back.read_exact_at(&mut boot, 1 << 20).unwrap();
    back.read_exact_at(&mut end, LEN - 4).unwrap();
    assert_eq!((&boot, &end), (b"boot\0", b"\0end"));
    let metadata = back.metadata().unwrap();
    assert_eq!(metadata.len(), LEN);
    assert!(metadata.blocks() * 512 < 8 << 20, "{} blocks", metadata.blocks());
    assert_eq!(fs::read(files.folder().join("hole")).unwrap(), vec![0; 1 << 20]);
}

#[test]
fn what_nobody_would_unpack_is_not_packed() {
    let tree = tempfile::tempdir().unwrap();
    fs::write(tree.path().join("a"), "small").unwrap();
    let huge = fs::File::create(tree.path().join("huge.img")).unwrap();
    huge.set_len(Limits::default().bytes).unwrap();
    let sources = [PackSource::Globs {
        root: tree.path().to_owned(),
        globs: meant(&["*"]),
    }];
    let found = archive::walk(&sources).unwrap();
    let refused = archive::pack(&sources, &found, u64::MAX, std::io::sink()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "its files have more than 100 GiB together, holes included, up to `huge.img`"
    );
}

#[test]
fn equal_trees_make_equal_archives_and_come_back_whole() {
    let make = |names: &[&str]| {
        let tree = tempfile::tempdir().unwrap();
        for name in names {
            let path = tree.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut file = fs::File::create(&path).unwrap();
            file.write_all(name.as_bytes()).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000))
                .unwrap();
        }
        tree
    };
    let long = format!("d/{}/{}", "x".repeat(120), "y".repeat(120));
    let (a, b) = (make(&["z", "a/b", "a/c", &long]), make(&[&long, "a/c", "z", "a/b"]));
    let (bytes, found) = pack(a.path(), &["."]);
    assert_eq!((found.files(), &bytes), (4, &pack(b.path(), &["**"]).0));
    let files = Files::new();
    let unpacked = files.unpack(&bytes, CAREFUL).unwrap();
    assert_eq!((unpacked.files, unpacked.bytes), (4, bytes.len() as u64));
    assert_eq!(fs::read_to_string(files.folder().join(&long)).unwrap(), long);
    let modified = fs::metadata(files.folder().join("z")).unwrap().modified().unwrap();
    assert_eq!(
        modified,
        std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000)
    );
}

#[test]
fn what_a_step_put_in_the_way_is_not_followed() {
    let around = tempfile::tempdir().unwrap();
    let workspace = around.path().join("workspace");
    fs::create_dir_all(workspace.join("real")).unwrap();
    fs::write(around.path().join("secret"), "s3cret").unwrap();
    std::os::unix::fs::symlink("..", workspace.join("up")).unwrap();
    std::os::unix::fs::symlink("../secret", workspace.join("link")).unwrap();
    fs::write(workspace.join("real/file"), "x").unwrap();
    let (bytes, found) = pack(&workspace, &["up/secret", "link", "real", "up/**"]);
    assert_eq!(found.files(), 1);
    assert!(
        !zstd::decode_all(bytes.as_slice())
            .unwrap()
            .windows(6)
            .any(|part| part == b"s3cret")
    );
    assert_eq!(found.nothing, ["up/secret", "up/**"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_archive_ever_leaves_its_folder(
        entries in proptest::collection::vec((0_usize..7, "(\\.\\./|/|a/|b/|l/|\\./){0,4}(a|b|l|secret|\\.\\.)", "(\\.\\./|/|a/|\\./){0,3}(a|secret|\\.\\.|in)"), 1..8),
        anywhere in any::<bool>(),
    ) {
        use EntryType as T;
        let kinds = [T::Regular, T::Directory, T::Symlink, T::Symlink, T::Link, T::GNULongName, T::GNULongLink];
        let entries: Vec<Vec<u8>> = entries.iter().map(|(kind, name, target)| {
            let content: &[u8] = if kinds[*kind] == T::Regular || *kind > 4 { name.as_bytes() } else { b"" };
            entry(kinds[*kind], name, target, content)
        }).collect();
        let files = Files::new();
        let links = if anywhere { Links::Anywhere } else { Links::Inside };
        let _ = files.unpack(&packed(&entries), Rules { links, ..CAREFUL });
        prop_assert!(files.is_safe());
    }
}

#[test]
fn a_plain_tar_of_another_tool_is_taken() {
    let mut tar = Builder::new(zstd::Encoder::new(Vec::new(), 1).unwrap());
    let mut header = Header::new_ustar();
    header.set_size(2);
    header.set_mode(0o755);
    tar.append_data(&mut header, "bin/app", &b"hi"[..]).unwrap();
    let bytes = tar.into_inner().unwrap().finish().unwrap();
    let files = Files::new();
    assert_eq!(files.unpack(&bytes, CAREFUL).unwrap().files, 1);
    assert!(files.folder().join("bin/app").is_file());
}

/// A folder `depth` folders of 100 bytes deep, open; a path this long can only be gone step by step.
fn deep(root: &Path, depth: usize) -> std::os::fd::OwnedFd {
    use rustix::fs::{Mode, OFlags, mkdirat, openat};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut folder = rustix::fs::open(root, flags, Mode::empty()).unwrap();
    for _ in 0..depth {
        let name = "d".repeat(100);
        mkdirat(&folder, &name, Mode::RWXU).unwrap();
        folder = openat(&folder, &name, flags, Mode::empty()).unwrap();
    }
    folder
}

fn put_empty(folder: &std::os::fd::OwnedFd, name: &str) {
    use rustix::fs::{Mode, OFlags, openat};
    openat(folder, name, OFlags::WRONLY | OFlags::CREATE, Mode::RUSR | Mode::WUSR).unwrap();
}

fn everything_in(root: &Path) -> Result<FileList, WalkError> {
    archive::walk(&[PackSource::Globs {
        root: root.to_owned(),
        globs: meant(&["**"]),
    }])
}

#[test]
fn long_names_are_refused_in_words_and_never_held() {
    let tree = tempfile::tempdir().unwrap();
    put_empty(&deep(tree.path(), 45), "file");
    let refused = everything_in(tree.path()).unwrap_err().to_string();
    assert!(
        refused.contains("more than 4096 bytes") && refused.len() < 300,
        "{refused}"
    );

    let tree = tempfile::tempdir().unwrap();
    let folder = deep(tree.path(), 38);
    for number in 0..18_000 {
        put_empty(&folder, &number.to_string());
    }
    let refused = everything_in(tree.path()).unwrap_err().to_string();
    assert!(refused.contains("more than 64 MiB"), "{refused}");
}
