//! Who may read what is kept: nobody but the user that Drover runs as, whatever the umask was, and whoever made the data
//! folder with whichever mode. What an earlier version left readable is closed at the start.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, bail};

/// Bits of the group and of others.
const THEIRS: u32 = 0o077;
/// Others may write.
const OTHERS_WRITE: u32 = 0o002;
/// Only owners may remove what is in the folder.
const STICKY: u32 = 0o1000;

/// What we keep in the data folder; the folder itself may have been made for more than us.
const OURS: [&str; 11] = [
    "drover.db",
    "drover.db-wal",
    "drover.db-shm",
    "admin.token",
    "agent.token",
    "secrets.key",
    "url",
    "logs",
    "blobs",
    "git",
    "agent",
];
/// Containers use what is in it by modes of its own; nobody reaches them but through it.
const CLOSED_AT_THE_TOP: &str = "agent";

/// Makes the data folder for us alone, or closes what is in one that is there.
///
/// # Errors
/// It cannot be made, others may write in it, or something in it cannot be closed.
pub fn data_folder(folder: &Path) -> anyhow::Result<()> {
    make_folder(folder).with_context(|| format!("make the data folder {}", folder.display()))?;
    let mode = fs::metadata(folder).context("look at the data folder")?.mode();
    if mode & OTHERS_WRITE != 0 && mode & STICKY == 0 {
        bail!(
            "everybody may write in the data folder {0} (mode {1:04o}), and so exchange what is in it: chmod o-w {0}",
            folder.display(),
            mode & 0o7777
        );
    }
    for name in OURS {
        let deep = name != CLOSED_AT_THE_TOP;
        close(&folder.join(name), deep)?;
    }
    Ok(())
}

/// Makes what a coordinator keeps in the data folder, and its SQLite database wherever it is, for us alone.
///
/// # Errors
/// Something cannot be made or closed.
pub(crate) fn of_coordinator(folder: &Path, database_url: &str) -> anyhow::Result<()> {
    for name in ["logs", "blobs", "git"] {
        let folder = folder.join(name);
        make_folder(&folder).with_context(|| format!("make {}", folder.display()))?;
    }
    let Some(file) = database_url.strip_prefix("sqlite:") else {
        return Ok(());
    };
    let file = file.trim_start_matches("//");
    for end in ["", "-wal", "-shm"] {
        close(Path::new(&format!("{file}{end}")), false)?;
    }
    // SQLite makes the files beside it with its mode. Where it cannot be made, SQLite says so in its own words.
    let _ = OpenOptions::new().create(true).append(true).mode(0o600).open(file);
    Ok(())
}

/// Makes a folder that only its owner can read, unless it is there.
///
/// # Errors
/// It cannot be made.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Opens a file that only its owner can read, empty.
///
/// # Errors
/// It cannot be made or emptied.
pub fn make_file(file: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(file)
}

/// Takes the rights of others from a file or a folder, and with `deep` from all in it. Only once: what is in a closed
/// folder cannot be reached.
fn close(path: &Path, deep: bool) -> anyhow::Result<()> {
    let Some(found) = open_to_others(path).with_context(|| format!("look at {}", path.display()))? else {
        return Ok(());
    };
    take_rights(path, &found)?;
    if deep && found.is_dir() {
        close_below(path)?;
    }
    tracing::warn!(
        path = %path.display(),
        mode = format!("{:04o}", found.mode() & 0o7777),
        "others could read this; now only its owner can"
    );
    Ok(())
}

fn close_below(folder: &Path) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("look into {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("look into {}", folder.display()))?.path();
        let found = fs::symlink_metadata(&path).with_context(|| format!("look at {}", path.display()))?;
        if found.is_dir() || found.is_file() {
            take_rights(&path, &found)?;
        }
        if found.is_dir() {
            close_below(&path)?;
        }
    }
    Ok(())
}

/// What is there, when the group or others have rights to it.
fn open_to_others(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() || found.mode() & THEIRS == 0 => Ok(None),
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn take_rights(path: &Path, found: &Metadata) -> anyhow::Result<()> {
    let mode = found.mode() & 0o7777 & !THEIRS;
    if mode == found.mode() & 0o7777 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).with_context(|| {
        format!(
            "others can read {0} (mode {1:04o}) and it is not ours to change: chmod go-rwx {0}",
            path.display(),
            found.mode() & 0o7777
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    fn put(path: &Path, mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_was_readable_is_closed_and_what_is_not_ours_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        set(folder.path(), 0o755);
        for name in [
            "drover.db",
            "drover.db-wal",
            "logs/a/b.log",
            "git/r/hook",
            "somebodys/file",
        ] {
            put(&at(name), 0o644);
        }
        set(&at("logs"), 0o755);
        put(&at("git/r/hook"), 0o755);
        set(&at("git"), 0o755);
        std::os::unix::fs::symlink("/etc", at("git/link")).unwrap();
        let etc = mode(Path::new("/etc"));
        data_folder(folder.path()).unwrap();
        assert_eq!(mode(folder.path()), 0o755, "it may have been made for more than us");
        for name in ["drover.db", "drover.db-wal", "logs/a/b.log"] {
            assert_eq!(mode(&at(name)), 0o600, "{name}");
        }
        assert_eq!((mode(&at("logs")), mode(&at("git/r/hook"))), (0o700, 0o700));
        assert_eq!((mode(&at("somebodys/file")), mode(Path::new("/etc"))), (0o644, etc));
        data_folder(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_in_which_everybody_may_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        set(folder.path(), 0o777);
        let error = data_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("chmod o-w") && error.contains("0777"), "{error}");
        set(folder.path(), 0o1777);
        data_folder(folder.path()).unwrap();
    }

    #[test]
    fn a_new_folder_is_ours_alone() {
        let folder = tempfile::tempdir().unwrap();
        data_folder(&folder.path().join("a/b")).unwrap();
        assert_eq!(mode(&folder.path().join("a/b")), 0o700);
    }

    #[test]
    fn a_database_elsewhere_is_closed_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ci.db");
        put(&file, 0o644);
        let other = folder.path().join("new.db");
        for file in [&file, &other] {
            of_coordinator(folder.path(), &format!("sqlite://{}", file.display())).unwrap();
            assert_eq!(mode(file), 0o600);
        }
        of_coordinator(folder.path(), "postgres://host/name").unwrap();
        assert_eq!(mode(&folder.path().join("logs")), 0o700);
    }
}
