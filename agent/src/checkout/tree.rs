//! A copy of a working tree as it is now, for `drover run`: uncommitted changes are in it, ignored files are not.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, FileTimes};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use git2::Repository;

use super::shell::{FOLDER_MODE, Shell, chmod, empty};
use super::{CheckoutError, io};

/// More files than this are copied by several threads.
const MANY_FILES: usize = 200;
/// So many threads.
const THREADS: usize = 4;

/// Copies it; see [`super::tree()`].
pub fn copy(from: &Path, workspace: &Path) -> Result<(), CheckoutError> {
    empty(workspace)?;
    chmod(workspace, FOLDER_MODE)?;
    copy_folder(from, workspace)?;
    write_repository(from, workspace)
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), CheckoutError> {
    copy_files(from, to, &files(from)?)
}

/// The files that a copy has, relative to the folder; some may be gone by the time they are read.
pub fn files(from: &Path) -> Result<Vec<PathBuf>, CheckoutError> {
    match listed_by_git(from) {
        Some(files) => Ok(files),
        None => all_files(from),
    }
}

/// The objects of the repository whose root `from` is, if a container can use them as they are.
pub fn objects(from: &Path) -> Option<PathBuf> {
    let repository = Repository::open(from).ok()?;
    let objects = repository.commondir().join("objects");
    // Objects that are in yet another place could not be found from inside a container.
    let whole = !objects.join("info/alternates").exists() && !repository.is_shallow() && repository.head().is_ok();
    whole.then(|| objects.canonicalize().ok()).flatten()
}

/// Gives the copy a repository: the same commit and index, so that `git describe` and `git status` say what they say
/// outside.
fn write_repository(from: &Path, workspace: &Path) -> Result<(), CheckoutError> {
    if objects(from).is_none() {
        return Ok(());
    }
    let repository = Repository::open(from)?;
    let mut references = Vec::new();
    for reference in repository.references()? {
        let reference = reference?;
        if let (Ok(name), Some(id)) = (reference.name(), reference.target()) {
            references.push((name.to_owned(), id));
        }
    }
    let shell = Shell {
        head: repository.head()?.peel_to_commit()?.id(),
        references,
        origin: None,
    };
    shell.write(workspace)?;
    let (index, copy) = (repository.path().join("index"), workspace.join(".git/index"));
    if index.exists() {
        fs::copy(&index, &copy).map_err(io("copy", &index))?;
        chmod(&copy, 0o666)?;
    }
    Ok(())
}

/// Tracked files, and untracked ones that are not ignored; `None` when git does not know the folder.
fn listed_by_git(from: &Path) -> Option<Vec<PathBuf>> {
    let output = Command::new("git")
        .args([
            "-c",
            "core.fsmonitor=false",
            "ls-files",
            "-co",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(from)
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| {
        let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        names.map(|name| PathBuf::from(OsStr::from_bytes(name))).collect()
    })
}

/// Every file under the folder, relative to it.
fn all_files(from: &Path) -> Result<Vec<PathBuf>, CheckoutError> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let here = from.join(&folder);
        for entry in fs::read_dir(&here).map_err(io("read", &here))? {
            let entry = entry.map_err(io("read", &here))?;
            let path = folder.join(entry.file_name());
            match entry.file_type().map_err(io("read", &here))?.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    Ok(files)
}

fn copy_files(from: &Path, to: &Path, files: &[PathBuf]) -> Result<(), CheckoutError> {
    let folders: BTreeSet<&Path> = files.iter().flat_map(|file| file.ancestors().skip(1)).collect();
    for folder in folders {
        let folder = to.join(folder);
        fs::create_dir_all(&folder).map_err(io("make", &folder))?;
        chmod(&folder, FOLDER_MODE)?;
    }
    let copy_all = |files: &[PathBuf]| {
        files
            .iter()
            .try_for_each(|file| copy_one(&from.join(file), &to.join(file)))
    };
    if files.len() <= MANY_FILES {
        return copy_all(files);
    }
    std::thread::scope(|scope| {
        let parts: Vec<_> = files
            .chunks(files.len().div_ceil(THREADS))
            .map(|part| scope.spawn(move || copy_all(part)))
            .collect();
        parts
            .into_iter()
            .try_for_each(|part| part.join().expect("copying does not panic"))
    })
}

/// One entry; sockets and the like are left out, and so is what is gone by now (a tracked file that was deleted).
fn copy_one(from: &Path, to: &Path) -> Result<(), CheckoutError> {
    let metadata = match fs::symlink_metadata(from) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(io("read", from))?,
    };
    if metadata.is_symlink() {
        let target = fs::read_link(from).map_err(io("read", from))?;
        return std::os::unix::fs::symlink(target, to).map_err(io("make", to));
    }
    if metadata.is_dir() {
        // A submodule, or a repository inside the repository.
        fs::create_dir_all(to).map_err(io("make", to))?;
        chmod(to, FOLDER_MODE)?;
        return copy_folder(from, to);
    }
    if !metadata.is_file() {
        return Ok(());
    }
    let mut source = fs::File::open(from).map_err(io("read", from))?;
    let mut copy = fs::File::create(to).map_err(io("write", to))?;
    std::io::copy(&mut source, &mut copy).map_err(io("copy", from))?;
    let executable = metadata.permissions().mode() & 0o100 != 0;
    let mode = if executable { 0o777 } else { 0o666 };
    copy.set_permissions(fs::Permissions::from_mode(mode))
        .map_err(io("change the mode of", to))?;
    let modified = metadata.modified().map_err(io("read", from))?;
    copy.set_times(FileTimes::new().set_modified(modified))
        .map_err(io("change the time of", to))
}
