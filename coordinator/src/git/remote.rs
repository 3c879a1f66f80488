//! What a repository says of itself without giving objects: its references and the algorithm of its ids; and the mirror
//! brought in line with that.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use git_cli::{OUTPUT_LIMIT, reason};
use git2::{ObjectFormat, Repository};
use tokio::task::spawn_blocking;

use super::mirror::{Mirrors, kept_as};
use super::{Address, GitError, ObjectId, Reference, oid};

impl Mirrors {
    /// By which algorithm the ids of the repository are made. One without any commit has SHA-1 until it says more.
    pub(super) async fn format_of(&self, folder: &Path, address: &Address) -> Result<ObjectFormat, GitError> {
        let names = self.references_of(folder, address).await?;
        let is_long = names.first().is_some_and(|(id, _)| id.len() == 64);
        Ok(if is_long {
            ObjectFormat::Sha256
        } else {
            ObjectFormat::Sha1
        })
    }

    /// Every reference of the repository with its id.
    pub(super) async fn references_of(
        &self,
        folder: &Path,
        address: &Address,
    ) -> Result<Vec<(String, String)>, GitError> {
        let list = ["ls-remote", "--end-of-options", address.as_str()];
        let said = self.git(folder, &list).await?;
        let said = said.map_err(|said| GitError::Unreachable(reason(&said)))?;
        let lines = said.lines().filter_map(|line| line.split_once('\t'));
        Ok(lines.map(|(id, name)| (id.to_owned(), name.to_owned())).collect())
    }

    /// The ids of the repository's branches and tags by their full names; of an annotated tag, the id of the tag object.
    /// The repository alone is asked, so nobody waits for its mirror. Names of which nobody could make a build because
    /// they are too long are left out; of names that differ only in bytes that are not UTF-8, the first counts.
    ///
    /// # Errors
    /// When it cannot be reached, or says more than is read.
    pub async fn branches_and_tags(&self, address: &Address) -> Result<BTreeMap<String, String>, GitError> {
        let list = [
            "ls-remote",
            "--refs",
            "--heads",
            "--tags",
            "--end-of-options",
            address.as_str(),
        ];
        let said = self.git(self.root().await?, &list).await?;
        let said = said.map_err(|said| GitError::Unreachable(reason(&said)))?;
        // Past its limit, what git prints is cut: the rest would look as if it were gone.
        if said.len() as u64 >= OUTPUT_LIMIT {
            return Err(GitError::TooManyReferences);
        }
        let mut found = BTreeMap::new();
        for (id, name) in said.lines().filter_map(|line| line.split_once('\t')) {
            let is_ours = name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
            if is_ours
                && name.len() <= Reference::LONGEST
                && let Ok(id) = ObjectId::parse(id)
            {
                found.entry(name.to_owned()).or_insert_with(|| id.as_str().to_owned());
            }
        }
        Ok(found)
    }

    /// Drops the tips of references that the repository does not have any more. One that does not answer is left.
    pub(super) async fn prune(&self, mirror: &Path, address: &Address) {
        let Ok(references) = self.references_of(mirror, address).await else {
            return;
        };
        let names = references.iter().map(|(_, name)| name);
        let wanted: HashSet<String> = names
            .flat_map(|name| [kept_as(name), kept_as(&format!("before {name}"))])
            .collect();
        let mirror = mirror.to_owned();
        let dropped = spawn_blocking(move || drop_others(&mirror, &wanted)).await;
        if let Ok(Err(error)) = dropped {
            tracing::warn!(%error, "old tips of a mirror cannot be dropped");
        }
    }

    /// Refuses an id that the mirror cannot have. A repository that was made again with other ids gets another mirror.
    pub(super) async fn check_format(&self, mirror: &Path, address: &Address, id: &ObjectId) -> Result<(), GitError> {
        let broken = |error: git2::Error| GitError::Mirror(error.message().to_owned());
        let wanted = oid(id).map_err(broken)?.object_format();
        if Repository::open_bare(mirror).map_err(broken)?.object_format() == wanted {
            return Ok(());
        }
        if self.format_of(mirror, address).await? == wanted {
            return Err(GitError::Mirror("the repository has ids of another kind now".into()));
        }
        Err(GitError::NoSuchCommit(id.short().to_owned()))
    }
}

/// Drops every reference of ours that is not wanted.
fn drop_others(mirror: &Path, wanted: &HashSet<String>) -> Result<(), git2::Error> {
    let repository = Repository::open_bare(mirror)?;
    for reference in repository.references_glob("refs/drover/*")? {
        let mut reference = reference?;
        if !reference.name().is_ok_and(|name| wanted.contains(name)) {
            reference.delete()?;
        }
    }
    Ok(())
}
