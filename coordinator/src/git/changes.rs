//! Which paths differ between a commit and what was there before. Trees are compared, not histories: of what was
//! before a push one commit is enough. Only a pull request needs history, for the commit where it left its base; as
//! much of it is fetched as is needed.

use std::path::Path;

use git2::Repository;
use tokio::task::spawn_blocking;

use super::mirror::{Mirrors, kept_as};
use super::{Address, GitError, ObjectId, Reference, oid};

/// More paths than this are not worth a look: everything counts as changed.
const MAX_PATHS: usize = 5_000;
/// How much history is fetched to find where two branches meet, in steps.
const DEPTHS: [&str; 3] = ["--depth=50", "--depth=1000", "--unshallow"];

/// What a commit is compared with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Compare {
    /// With nothing: it is not known, or nobody asks.
    #[default]
    Nothing,
    /// With the commit that the branch pointed at before.
    Before(ObjectId),
    /// With the commit where it left this branch.
    Base(Reference),
    /// With the commit where it left the default branch.
    DefaultBranch,
}

/// The two sides.
#[derive(Debug, Clone)]
pub struct Comparison<'a> {
    /// Our id of the repository.
    pub repository: &'a str,
    /// Where the repository is.
    pub address: &'a Address,
    /// Where the commit was found.
    pub reference: &'a Reference,
    /// The commit; it is in the mirror.
    pub commit: &'a ObjectId,
    /// With what.
    pub with: &'a Compare,
}

impl Mirrors {
    /// The paths that differ, sorted. `None`: nothing to compare with, or too much.
    ///
    /// # Errors
    /// When the repository cannot be reached, or the mirror is broken.
    pub async fn changed(&self, what: Comparison<'_>) -> Result<Option<Vec<String>>, GitError> {
        let before = match what.with {
            Compare::Nothing => None,
            Compare::Before(id) => self.one_commit(&what, id).await?,
            Compare::Base(base) => self.meeting_point(&what, base).await?,
            Compare::DefaultBranch => {
                let base = self.default_branch(what.repository, what.address).await?;
                match base == *what.reference {
                    true => None,
                    false => self.meeting_point(&what, &base).await?,
                }
            }
        };
        let Some(before) = before else {
            return Ok(None);
        };
        let (mirror, after) = (self.path(what.repository), what.commit.clone());
        let compared = spawn_blocking(move || differing(&mirror, &before, &after)).await;
        compared.map_err(|error| GitError::Mirror(error.to_string()))?
    }

    /// Brings the commit that was there before. `None`: the repository does not have it any more.
    async fn one_commit(&self, what: &Comparison<'_>, id: &ObjectId) -> Result<Option<ObjectId>, GitError> {
        let busy = self.lock_of(what.repository);
        let _one_at_a_time = busy.lock().await;
        let mirror = self.open(what.repository, what.address).await?;
        if has(&mirror, id).await? {
            return Ok(Some(id.clone()));
        }
        let kept = kept_as(&format!("before {}", what.reference.as_str()));
        let refspec = format!("+{}:{kept}", id.as_str());
        match self
            .bring_refs(&mirror, what.address, (&["--depth=1"], &[refspec]))
            .await?
        {
            Ok(_) => Ok(Some(id.clone())),
            // A push that replaced commits may have left none of them.
            Err(_) => Ok(None),
        }
    }

    /// Where the commit left `base`. `None`: they have nothing in common.
    async fn meeting_point(&self, what: &Comparison<'_>, base: &Reference) -> Result<Option<ObjectId>, GitError> {
        let busy = self.lock_of(what.repository);
        let _one_at_a_time = busy.lock().await;
        let mirror = self.open(what.repository, what.address).await?;
        let (kept_base, kept) = (kept_as(base.as_str()), kept_as(what.reference.as_str()));
        let refspecs = [
            format!("+{}:{kept_base}", base.as_str()),
            format!("+{}:{kept}", what.commit.as_str()),
        ];
        for depth in DEPTHS {
            match self.bring_refs(&mirror, what.address, (&[depth], &refspecs)).await? {
                Ok(_) => {}
                Err(said) if said.contains("--unshallow on a complete repository") => {}
                Err(_) => return Ok(None),
            }
            let ask = ["merge-base", what.commit.as_str(), kept_base.as_str()];
            if let Ok(id) = self.git(&mirror, &ask).await?
                && let Ok(id) = ObjectId::parse(id.trim())
            {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}

async fn has(mirror: &Path, id: &ObjectId) -> Result<bool, GitError> {
    let (mirror, id) = (mirror.to_owned(), id.clone());
    let look = move || {
        let repository = Repository::open_bare(mirror)?;
        Ok(repository.find_commit(oid(&id)?).is_ok())
    };
    let looked = spawn_blocking(look).await;
    looked
        .map_err(|error| GitError::Mirror(error.to_string()))?
        .map_err(|error: git2::Error| GitError::Mirror(error.message().to_owned()))
}

fn differing(mirror: &Path, before: &ObjectId, after: &ObjectId) -> Result<Option<Vec<String>>, GitError> {
    let paths = || {
        let repository = Repository::open_bare(mirror)?;
        let tree = |id: &ObjectId| repository.find_object(oid(id)?, None)?.peel_to_commit()?.tree();
        let diff = repository.diff_tree_to_tree(Some(&tree(before)?), Some(&tree(after)?), None)?;
        let mut paths = Vec::new();
        for delta in diff.deltas() {
            for file in [delta.old_file(), delta.new_file()] {
                let path = file.path_bytes().map(|path| String::from_utf8_lossy(path).into_owned());
                paths.extend(path);
            }
        }
        paths.sort();
        paths.dedup();
        Ok((paths.len() <= MAX_PATHS).then_some(paths))
    };
    paths().map_err(|error: git2::Error| GitError::Mirror(error.message().to_owned()))
}
