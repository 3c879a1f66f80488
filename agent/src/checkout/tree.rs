//! A copy of a working tree as it is now, for `drover run`: uncommitted changes are in it, ignored files are not. It is
//! a repository too, with the same head, references and index, so that git says inside what it says outside.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, FileTimes};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::local::LocalRepository;
use super::shell::{FOLDER_MODE, Shell, chmod, empty, objects_mount, put};
use super::{CheckoutError, ObjectsMount, io};

/// More files than this are copied by several threads.
const MANY_FILES: usize = 200;
/// So many threads.
const THREADS: usize = 4;
/// Files of a repository that say what git sees beside the index: where history ends, what is ignored, what is being
/// merged or rebased.
const FILES: [&str; 18] = [
    "shallow",
    "info/exclude",
    "info/attributes",
    "info/sparse-checkout",
    "info/grafts",
    "MERGE_HEAD",
    "MERGE_MODE",
    "MERGE_MSG",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "BISECT_LOG",
    "BISECT_START",
    "rebase-merge/head-name",
    "rebase-merge/onto",
    "rebase-merge/interactive",
    "rebase-merge/git-rebase-todo",
    "rebase-merge/done",
    "rebase-apply/head-name",
];

/// A working tree with the repositories in it.
struct Tree {
    /// The repository of the tree, then its submodules.
    repositories: Vec<LocalRepository>,
    /// Where the objects of all of them are.
    stores: Vec<PathBuf>,
}

impl Tree {
    fn of(from: &Path) -> Tree {
        let top = LocalRepository::of(from);
        let submodules = top.iter().flat_map(LocalRepository::submodules);
        let repositories: Vec<_> = top.clone().into_iter().chain(submodules).collect();
        let mut stores = Vec::new();
        for store in repositories.iter().flat_map(LocalRepository::stores) {
            if !stores.contains(&store) {
                stores.push(store);
            }
        }
        Tree { repositories, stores }
    }

    /// Copies a folder: the top, a submodule, or a repository that is no submodule.
    fn copy(&self, from: &Path, to: &Path) -> Result<(), CheckoutError> {
        self.copy_files(from, to, &files(from)?)?;
        match self.repositories.iter().find(|known| known.root == from) {
            Some(repository) => write_repository(repository, self.stores.len(), to),
            None => Ok(()),
        }
    }

    fn copy_files(&self, from: &Path, to: &Path, files: &[PathBuf]) -> Result<(), CheckoutError> {
        let folders: BTreeSet<&Path> = files.iter().flat_map(|file| file.ancestors().skip(1)).collect();
        // Not those of files that are not there: deleted ones, or beyond a sparse checkout.
        for folder in folders.into_iter().filter(|folder| from.join(folder).is_dir()) {
            let folder = to.join(folder);
            fs::create_dir_all(&folder).map_err(io("make", &folder))?;
            chmod(&folder, FOLDER_MODE)?;
        }
        let copy_all = |files: &[PathBuf]| {
            files
                .iter()
                .try_for_each(|file| self.copy_one(&from.join(file), &to.join(file)))
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
    fn copy_one(&self, from: &Path, to: &Path) -> Result<(), CheckoutError> {
        let metadata = match fs::symlink_metadata(from) {
            // A file that stands where a folder of tracked files was.
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(());
            }
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
            return self.copy(from, to);
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
}

/// Copies it; see [`super::tree()`].
pub fn copy(from: &Path, workspace: &Path) -> Result<(), CheckoutError> {
    empty(workspace)?;
    chmod(workspace, FOLDER_MODE)?;
    let from = from.canonicalize().map_err(io("read", from))?;
    Tree::of(&from).copy(&from, workspace)
}

/// The files that a copy has, relative to the folder; some may be gone by the time they are read.
pub fn files(from: &Path) -> Result<Vec<PathBuf>, CheckoutError> {
    match LocalRepository::of(from).and_then(|repository| repository.files()) {
        Some(files) => Ok(files),
        None => all_files(from),
    }
}

/// The folders of objects that a copy of the tree needs, and where it looks for them. One that borrows from others
/// must not say so inside, where their paths mean nothing: `nothing` is an empty file to stand in for its list.
pub fn objects(from: &Path, nothing: &Path) -> Result<Vec<ObjectsMount>, CheckoutError> {
    let mut mounts = Vec::new();
    let from = from.canonicalize().map_err(io("read", from))?;
    for (number, store) in Tree::of(&from).stores.into_iter().enumerate() {
        let inside = objects_mount(number);
        let borrows = store.join("info/alternates").exists();
        mounts.push(ObjectsMount {
            host: store,
            inside: inside.clone(),
        });
        if borrows {
            fs::write(nothing, "").map_err(io("write", nothing))?;
            chmod(nothing, 0o644)?;
            mounts.push(ObjectsMount {
                host: nothing.to_owned(),
                inside: inside + "/info/alternates",
            });
        }
    }
    Ok(mounts)
}

/// Gives the copy a repository that says what the original says.
fn write_repository(repository: &LocalRepository, stores: usize, to: &Path) -> Result<(), CheckoutError> {
    let Some(head) = repository.head_file() else {
        return Ok(());
    };
    let references = repository.references();
    let shell = Shell {
        head,
        references: references.direct,
        config: repository.settings(),
        long_ids: repository.long_ids,
        stores,
    };
    shell.write(to)?;
    let git = to.join(".git");
    for (name, target) in references.symbolic {
        let content = [b"ref: ", &target[..], b"\n"].concat();
        put_in_folder(&git.join(OsStr::from_bytes(&name)), &content)?;
    }
    for name in FILES {
        let found = [&repository.own, &repository.common].map(|folder| folder.join(name));
        if let Some(Ok(content)) = found.iter().find(|path| path.is_file()).map(fs::read) {
            put_in_folder(&git.join(name), &content)?;
        }
    }
    copy_index(&repository.own, &git)
}

/// The index, and the parts that it shares. Its age counts: git looks again at files that are as old.
fn copy_index(own: &Path, git: &Path) -> Result<(), CheckoutError> {
    for entry in fs::read_dir(own).map_err(io("read", own))? {
        let name = entry.map_err(io("read", own))?.file_name();
        if name != "index" && !name.as_bytes().starts_with(b"sharedindex.") {
            continue;
        }
        let (from, to) = (own.join(&name), git.join(&name));
        fs::copy(&from, &to).map_err(io("copy", &from))?;
        chmod(&to, 0o666)?;
        let modified = fs::metadata(&from).and_then(|metadata| metadata.modified());
        let modified = FileTimes::new().set_modified(modified.map_err(io("read", &from))?);
        let copy = fs::File::options().write(true).open(&to);
        copy.and_then(|copy| copy.set_times(modified))
            .map_err(io("change the time of", &to))?;
    }
    Ok(())
}

/// Writes a file beneath `.git`, with the folders above it.
fn put_in_folder(path: &Path, content: &[u8]) -> Result<(), CheckoutError> {
    let mut missing: Vec<&Path> = path.ancestors().skip(1).take_while(|folder| !folder.exists()).collect();
    while let Some(folder) = missing.pop() {
        fs::create_dir(folder).map_err(io("make", folder))?;
        chmod(folder, FOLDER_MODE)?;
    }
    put(path, content)
}

/// Every file under the folder, relative to it, without a repository that git cannot read.
fn all_files(from: &Path) -> Result<Vec<PathBuf>, CheckoutError> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let here = from.join(&folder);
        for entry in fs::read_dir(&here).map_err(io("read", &here))? {
            let entry = entry.map_err(io("read", &here))?;
            if entry.file_name() == ".git" {
                continue;
            }
            let path = folder.join(entry.file_name());
            match entry.file_type().map_err(io("read", &here))?.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    Ok(files)
}
