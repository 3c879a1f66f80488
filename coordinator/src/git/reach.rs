//! Where a commit is in its repository as it is now: whether its reference points at it, which branch or tag it can be
//! reached from, and which of other commits come before and after it. Apart from the mirror's own work because trust and
//! order depend on it: what is asked here is asked of the repository, never of what was fetched before.

use std::collections::HashMap;
use std::path::Path;

use git_cli::{Fault, fault, reason};

use super::mirror::{Mirrors, remove};
use super::{Address, GitError, ObjectId, Reference};

/// How much history is fetched to find a commit in it, in steps.
const DEPTHS: [&str; 3] = ["--depth=50", "--depth=1000", "--unshallow"];
/// Where the branches and tags are kept while a commit is looked for in them.
const KEPT: &str = "refs/drover-reach/";

/// A commit that is in the mirror, and what to find out about it.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// Our id of the repository.
    pub repository: &'a str,
    /// Where the repository is.
    pub address: &'a Address,
    /// Where the commit is said to be.
    pub reference: &'a Reference,
    /// A branch that it is said to be on, too: that of a pull request.
    pub branch: Option<&'a Reference>,
    /// The commit.
    pub commit: &'a ObjectId,
    /// Whether to look for it on every branch and tag.
    pub search: bool,
    /// Commits that it may come before or after.
    pub others: &'a [String],
}

/// Where a commit is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitPosition {
    /// What the reference points at now. `None`: there is no such reference.
    pub tip: Option<String>,
    /// A branch or tag that the commit can be reached from, the named ones first. `None`: there is none, or nobody asked.
    pub on: Option<Reference>,
    /// Of the others, those that it is an ancestor of.
    pub before: Vec<String>,
    /// Of the others, those that are ancestors of it.
    pub after: Vec<String>,
}

impl Mirrors {
    /// Finds a commit in its repository.
    ///
    /// # Errors
    /// When the repository cannot be reached, or the mirror is broken.
    pub async fn position(&self, asked: &Asked<'_>) -> Result<CommitPosition, GitError> {
        let busy = self.lock_of(asked.repository);
        let _one_at_a_time = busy.lock().await;
        let mirror = self.open(asked.repository, asked.address).await?;
        let named: Vec<&Reference> = [Some(asked.reference), asked.branch].into_iter().flatten().collect();
        let tips = self.tips(&mirror, asked.address, &named).await?;
        let is_own = |reference: &&Reference| reference.branch().is_some() || reference.tag().is_some();
        let commit = asked.commit.as_str();
        let mut named_own = named.iter().copied().filter(is_own);
        let mut position = CommitPosition {
            tip: tips.get(asked.reference.as_str()).cloned(),
            on: named_own
                .find(|reference| tips.get(reference.as_str()).is_some_and(|tip| tip == commit))
                .cloned(),
            ..CommitPosition::default()
        };
        if position.on.is_none() && asked.search {
            position.on = self.search(&mirror, asked, &named).await?;
        }
        // Where the reference points tells what comes last; of the rest history may tell more.
        let is_known = |other: &String| other == commit || position.tip.as_ref() == Some(other);
        let is_last = position.tip.as_deref() == Some(commit);
        if !is_last && position.tip.is_some() && !asked.others.iter().all(is_known) {
            self.order(&mirror, asked, &mut position).await?;
        }
        Ok(position)
    }

    /// What a reference points at now. `None`: there is no such reference.
    ///
    /// # Errors
    /// When the repository cannot be reached, or the mirror is broken.
    pub async fn tip(
        &self,
        repository: &str,
        address: &Address,
        reference: &Reference,
    ) -> Result<Option<String>, GitError> {
        let busy = self.lock_of(repository);
        let _one_at_a_time = busy.lock().await;
        let mirror = self.open(repository, address).await?;
        Ok(self
            .tips(&mirror, address, &[reference])
            .await?
            .remove(reference.as_str()))
    }

    /// What references point at, by name; tags by the commit that they name.
    async fn tips(
        &self,
        mirror: &Path,
        address: &Address,
        named: &[&Reference],
    ) -> Result<HashMap<String, String>, GitError> {
        // A name that is not UTF-8 where it is cannot be asked for: then all are listed.
        let all = named
            .iter()
            .any(|name| name.as_str().contains(char::REPLACEMENT_CHARACTER));
        let patterns = named
            .iter()
            .filter(|_| !all)
            .flat_map(|name| [name.as_str().to_owned(), format!("{}^{{}}", name.as_str())]);
        let mut list = vec![
            "ls-remote".to_owned(),
            "--end-of-options".into(),
            address.as_str().into(),
        ];
        list.extend(patterns);
        let said = self.git(mirror, &list).await?;
        let said = said.map_err(|said| GitError::Unreachable(reason(&said)))?;
        let mut tips = HashMap::new();
        for (id, name) in said.lines().filter_map(|line| line.split_once('\t')) {
            // The line of the commit follows that of its tag.
            tips.insert(name.strip_suffix("^{}").unwrap_or(name).to_owned(), id.to_owned());
        }
        Ok(tips)
    }

    /// Looks for the commit on every branch and tag as they are now, with ever more of their history.
    async fn search(
        &self,
        mirror: &Path,
        asked: &Asked<'_>,
        named: &[&Reference],
    ) -> Result<Option<Reference>, GitError> {
        let all = [
            format!("+refs/heads/*:{KEPT}heads/*"),
            format!("+refs/tags/*:{KEPT}tags/*"),
        ];
        for depth in DEPTHS {
            self.deepen(mirror, asked, (&[depth, "--prune"], &all)).await?;
            let containing = ["for-each-ref".to_owned(), "--format=%(refname)".into()];
            let which = [format!("--contains={}", asked.commit.as_str()), KEPT.into()];
            let Ok(said) = self.git(mirror, &[containing, which].concat()).await? else {
                continue;
            };
            let names = said.lines().filter_map(|name| name.strip_prefix(KEPT));
            let found = names.filter_map(|name| Reference::parse(&format!("refs/{name}")).ok());
            let found: Vec<Reference> = found.collect();
            let first = named.iter().copied().find(|name| found.contains(name));
            // It may be on the named one, too, a little deeper.
            let other = found.first().filter(|_| depth != DEPTHS[0]);
            if let Some(reference) = first.or(other) {
                return Ok(Some(reference.clone()));
            }
        }
        Ok(None)
    }

    /// Which of the others the commit comes before and after; what history does not tell stays open.
    async fn order(&self, mirror: &Path, asked: &Asked<'_>, position: &mut CommitPosition) -> Result<(), GitError> {
        let kept = format!("+{}:{KEPT}tip", asked.reference.as_str());
        self.deepen(mirror, asked, (&[DEPTHS[0]], &[kept])).await?;
        let commit = asked.commit.as_str();
        for other in asked.others.iter().filter(|other| *other != commit) {
            if self.is_ancestor(mirror, commit, other).await? {
                position.before.push(other.clone());
            } else if self.is_ancestor(mirror, other, commit).await? {
                position.after.push(other.clone());
            }
        }
        Ok(())
    }

    async fn is_ancestor(&self, mirror: &Path, first: &str, second: &str) -> Result<bool, GitError> {
        let ask = ["merge-base", "--is-ancestor", first, second];
        Ok(self.git(mirror, &ask).await?.is_ok())
    }

    async fn deepen(
        &self,
        mirror: &Path,
        asked: &Asked<'_>,
        (options, refspecs): (&[&str], &[String]),
    ) -> Result<(), GitError> {
        match self.bring_refs(mirror, asked.address, (options, refspecs)).await? {
            Ok(_) => Ok(()),
            Err(said) if said.contains("--unshallow on a complete repository") => Ok(()),
            // The next try makes the mirror anew.
            Err(said) if fault(&said) != Fault::Remote => {
                remove(mirror).await?;
                Err(GitError::Mirror(reason(&said)))
            }
            Err(said) => Err(GitError::Unreachable(reason(&said))),
        }
    }
}
