//! Fills a folder of the workspace with a commit of a mirror, by libgit2: no process, and only the files of the commit
//! are written.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use git_cli::{Address, without_credentials};
use git2::build::CheckoutBuilder;
use git2::{IndexEntry, ObjectType, Oid, Repository};

use super::lfs::{self, Pointer};
use super::mirrors::oid;
use super::shell::{FOLDER_MODE, Shell, chmod, empty};
use super::{CheckoutError, io};

/// A commit to put into a folder.
pub struct Origin<'a> {
    /// The bare repository that has it.
    pub mirror: &'a Path,
    /// Where it comes from.
    pub address: &'a Address,
    /// The commit.
    pub commit: &'a str,
    /// A reference that is neither branch nor tag, and is to stand in the repository.
    pub reference: Option<&'a str>,
    /// Under which name the mirror keeps branches and tags: `refs`.
    pub space: &'a str,
}

/// What a commit has beside its own files.
#[derive(Debug, Default)]
pub struct Filled {
    /// Submodules: path and commit.
    pub submodules: Vec<(PathBuf, Oid)>,
    /// Files whose content is elsewhere.
    pub pointers: Vec<Pointer>,
}

/// Empties the folder, then puts the commit and its repository there.
pub fn fill(from: &Origin<'_>, folder: &Path) -> Result<Filled, CheckoutError> {
    empty(folder)?;
    let commit = oid(from.commit)?;
    let bare = Repository::open_bare(from.mirror)?;
    let origin = without_credentials(from.address.as_str());
    let shell = Shell {
        head: format!("{commit}\n").into_bytes(),
        references: references(&bare, from, commit)?,
        config: format!(
            "[remote \"origin\"]\n\turl = {}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n",
            super::shell::quoted(&origin)
        ),
        long_ids: commit.object_format() == git2::ObjectFormat::Sha256,
        stores: 1,
    };
    shell.write(folder)?;
    let repository = Repository::open(folder)?;
    let objects = from.mirror.join("objects");
    repository.odb()?.add_disk_alternate(&objects.to_string_lossy())?;
    let tree = repository.find_object(commit, None)?.peel(ObjectType::Tree)?;
    repository.checkout_tree(&tree, Some(CheckoutBuilder::new().force()))?;
    let entries: Vec<IndexEntry> = repository.index()?.iter().collect();
    open_to_all(&entries, folder)?;
    Ok(Filled {
        pointers: lfs::pointers(&repository, &entries, folder)?,
        submodules: entries
            .iter()
            .filter(|entry| entry.mode == 0o160_000)
            .map(|entry| (path(entry), entry.id))
            .collect(),
    })
}

/// A path as git has it: any bytes.
pub fn path(entry: &IndexEntry) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(&entry.path))
}

/// Tags as they are, branches as those of `origin`, and the reference that was built under its own name.
fn references(bare: &Repository, from: &Origin<'_>, commit: Oid) -> Result<Vec<(Vec<u8>, Oid)>, CheckoutError> {
    let (heads, tags) = (format!("{}/heads/", from.space), format!("{}/tags/", from.space));
    let mut found = Vec::new();
    for reference in bare.references()? {
        let reference = reference?;
        let (name, Some(id)) = (reference.name_bytes(), reference.target()) else {
            continue;
        };
        if let Some(tag) = name.strip_prefix(tags.as_bytes()) {
            found.push(([b"refs/tags/", tag].concat(), id));
        } else if let Some(branch) = name.strip_prefix(heads.as_bytes()) {
            found.push(([b"refs/remotes/origin/", branch].concat(), id));
        }
    }
    let own = from
        .reference
        .filter(|name| !name.starts_with("refs/heads/") && !name.starts_with("refs/tags/"));
    found.extend(own.map(|name| (name.as_bytes().to_vec(), commit)));
    Ok(found)
}

/// Steps run as any user: files become writable for all, folders too; the executable bit stays.
fn open_to_all(entries: &[IndexEntry], workspace: &Path) -> Result<(), CheckoutError> {
    let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
    for entry in entries {
        let path = path(entry);
        folders.extend(path.ancestors().skip(1).map(Path::to_owned));
        match entry.mode {
            0o100_755 => chmod(&workspace.join(&path), 0o777)?,
            0o100_644 => chmod(&workspace.join(&path), 0o666)?,
            0o160_000 => {
                let submodule = workspace.join(&path);
                std::fs::create_dir_all(&submodule).map_err(io("make", &submodule))?;
                folders.insert(path);
            }
            _ => {}
        }
    }
    for folder in folders {
        chmod(&workspace.join(folder), FOLDER_MODE)?;
    }
    let index = workspace.join(".git/index");
    if index.exists() { chmod(&index, 0o666) } else { Ok(()) }
}
