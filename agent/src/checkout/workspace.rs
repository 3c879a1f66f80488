//! Fills a workspace with a commit of a mirror, by libgit2: no process, and only the files of the commit are written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use git2::build::CheckoutBuilder;
use git2::{ObjectType, Oid, Repository};
use protocol::lease::Source;

use super::git_cli::without_credentials;
use super::shell::{FOLDER_MODE, Shell, chmod, empty};
use super::{CheckoutError, io};

/// Empties `workspace`, then puts the commit and its repository there.
pub fn fill(mirror: &Path, source: &Source, workspace: &Path) -> Result<(), CheckoutError> {
    empty(workspace)?;
    let commit = Oid::from_str(&source.commit)?;
    let bare = Repository::open_bare(mirror)?;
    let origin = without_credentials(&source.git);
    let shell = Shell {
        head: commit,
        references: references(&bare, source, commit)?,
        origin: Some(&origin),
    };
    shell.write(workspace)?;
    let repository = Repository::open(workspace)?;
    let objects = mirror.join("objects");
    repository.odb()?.add_disk_alternate(&objects.to_string_lossy())?;
    let tree = repository.find_object(commit, None)?.peel(ObjectType::Tree)?;
    repository.checkout_tree(&tree, Some(CheckoutBuilder::new().force()))?;
    open_to_all(&repository, workspace)
}

/// Tags as they are, branches as those of `origin`, and the reference that was built under its own name.
fn references(bare: &Repository, source: &Source, commit: Oid) -> Result<Vec<(String, Oid)>, CheckoutError> {
    let mut found = Vec::new();
    for reference in bare.references()? {
        let reference = reference?;
        let (Ok(name), Some(id)) = (reference.name(), reference.target()) else {
            continue;
        };
        if name.starts_with("refs/tags/") {
            found.push((name.to_owned(), id));
        } else if let Some(branch) = name.strip_prefix("refs/heads/") {
            found.push((format!("refs/remotes/origin/{branch}"), id));
        }
    }
    let own = !source.reference.starts_with("refs/heads/") && !source.reference.starts_with("refs/tags/");
    if own {
        found.push((source.reference.clone(), commit));
    }
    Ok(found)
}

/// Steps run as any user: files become writable for all, folders too; the executable bit stays.
fn open_to_all(repository: &Repository, workspace: &Path) -> Result<(), CheckoutError> {
    let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
    for entry in repository.index()?.iter() {
        let path = PathBuf::from(String::from_utf8_lossy(&entry.path).into_owned());
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
