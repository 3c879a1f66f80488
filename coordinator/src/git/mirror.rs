//! The bare mirrors, one per repository: a cache that may be deleted at any time. Only tips are kept (depth 1), each
//! under a reference of ours, so that a later fetch says what it has and gets little.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use git_cli::{Exit, Fault, Git, Watch, fault, reason};
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use super::commit::{self, Commit, JobFiles};
use super::{Address, CommitTree, GitError, ObjectId, Reference};
use crate::config;

/// Every mirror, under one folder.
#[derive(Clone)]
pub struct Mirrors {
    folder: PathBuf,
    git: Git,
    busy: Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>,
}

/// What to bring.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Our id of the repository: the mirror's name.
    pub repository: &'a str,
    /// Where the repository is.
    pub address: &'a Address,
    /// The branch or tag.
    pub reference: &'a Reference,
    /// The commit or tag object; `None`: whatever the reference points at.
    pub id: Option<&'a ObjectId>,
}

impl Mirrors {
    /// Mirrors under `folder`; nothing is made until it is needed.
    pub fn new(folder: PathBuf, settings: &config::Git) -> Mirrors {
        let limit = Duration::from_secs(settings.timeout_secs);
        Mirrors {
            git: Git::new(folder.join("gitconfig"), &settings.protocols, limit),
            folder,
            busy: Arc::default(),
        }
    }

    /// Brings a commit into the mirror, unless it is there, and reads it.
    ///
    /// # Errors
    /// See [`GitError`]; some of them pass with time.
    pub async fn fetch(&self, wanted: Wanted<'_>) -> Result<(Commit, JobFiles), GitError> {
        let busy = self.lock_of(wanted.repository);
        let _one_at_a_time = busy.lock().await;
        match self.fetch_once(&wanted).await {
            Err(GitError::Mirror(why)) => {
                tracing::warn!(
                    repository.id = wanted.repository,
                    why,
                    "a mirror is broken and made anew"
                );
                remove(&self.path(wanted.repository)).await?;
                self.fetch_once(&wanted).await
            }
            other => other,
        }
    }

    async fn fetch_once(&self, wanted: &Wanted<'_>) -> Result<(Commit, JobFiles), GitError> {
        let mirror = self.open(wanted.repository, wanted.address).await?;
        if let Some(id) = wanted.id
            && let Some(found) = self.read(&mirror, id.clone()).await?
        {
            return Ok(found);
        }
        let kept = kept_as(wanted.reference.as_str());
        self.bring(&mirror, wanted, &kept).await?;
        let tip = spawn_blocking(move || tip(&mirror, &kept).map(|id| (mirror, id)));
        let (mirror, tip) = tip.await.map_err(|error| GitError::Mirror(error.to_string()))??;
        let found = self.read(&mirror, tip).await?;
        found.ok_or_else(|| GitError::Mirror("what was fetched is not there".into()))
    }

    /// A commit as libgit2 reads it; git translates what it says from another encoding.
    async fn read(&self, mirror: &Path, id: ObjectId) -> Result<Option<(Commit, JobFiles)>, GitError> {
        let of = mirror.to_owned();
        let read = spawn_blocking(move || commit::read(&of, &id)).await;
        let mut read = read.map_err(|error| GitError::Mirror(error.to_string()))??;
        if let Some((commit, _)) = read.as_mut().filter(|(commit, _)| !commit.is_utf8) {
            let format = "--format=%an%x00%B";
            let ask = [
                "log",
                "-1",
                "--encoding=UTF-8",
                "--no-show-signature",
                format,
                &commit.sha,
            ];
            if let Ok(Ok(said)) = self.git(mirror, &ask).await
                && let Some((author, message)) = said.split_once('\0')
            {
                commit.say(author, message);
            }
        }
        Ok(read)
    }

    /// The branch that the repository's `HEAD` names.
    ///
    /// # Errors
    /// When the repository cannot be reached, or is empty.
    pub async fn default_branch(&self, repository: &str, address: &Address) -> Result<Reference, GitError> {
        let busy = self.lock_of(repository);
        let _one_at_a_time = busy.lock().await;
        let mirror = self.open(repository, address).await?;
        let list = ["ls-remote", "--symref", "--end-of-options", address.as_str(), "HEAD"];
        let said = self.git(&mirror, &list).await?;
        let said = said.map_err(|said| GitError::Unreachable(reason(&said)))?;
        let named = said
            .lines()
            .find_map(|line| line.strip_prefix("ref: ")?.split_whitespace().next());
        let branch = named.and_then(|name| Reference::parse(name).ok());
        branch.ok_or_else(|| GitError::NoSuchReference("default branch".into()))
    }

    /// Reads the job files of a commit that was fetched before; `None`: it is not in the mirror any more.
    ///
    /// # Errors
    /// When the mirror is broken.
    pub async fn job_files(&self, repository: &str, sha: &ObjectId) -> Result<Option<JobFiles>, GitError> {
        let mirror = self.path(repository);
        if !mirror.join("HEAD").exists() {
            return Ok(None);
        }
        Ok(self.read(&mirror, sha.clone()).await?.map(|(_, files)| files))
    }

    /// Deletes a repository's mirror.
    ///
    /// # Errors
    /// When files cannot be deleted.
    pub async fn remove(&self, repository: &str) -> std::io::Result<()> {
        let busy = self.lock_of(repository);
        let _one_at_a_time = busy.lock().await;
        match tokio::fs::remove_dir_all(self.path(repository)).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Packs what small fetches left behind and drops tips of branches that are gone; to be called now and then.
    pub async fn tidy(&self, repository: &str, address: &Address) {
        let busy = self.lock_of(repository);
        let _one_at_a_time = busy.lock().await;
        let mirror = self.path(repository);
        if mirror.join("HEAD").exists() {
            self.prune(&mirror, address).await;
            // A mirror that could not be tidied is only larger than it need be.
            let _ = self
                .git(&mirror, &["-c", "gc.auto=2000", "gc", "--auto", "--quiet"])
                .await;
        }
    }

    /// Reads files of a commit that was fetched before, on a blocking thread. `None`: it is not in the mirror.
    ///
    /// # Errors
    /// When the mirror is broken.
    pub async fn read_at<T, F>(&self, repository: &str, sha: &ObjectId, read: F) -> Result<Option<T>, GitError>
    where
        T: Send + 'static,
        F: FnOnce(CommitTree) -> T + Send + 'static,
    {
        let (mirror, sha) = (self.path(repository), sha.clone());
        if !mirror.join("HEAD").exists() {
            return Ok(None);
        }
        let done = spawn_blocking(move || Ok(CommitTree::open(&mirror, &sha)?.map(read)));
        done.await.map_err(|error| GitError::Mirror(error.to_string()))?
    }

    pub(super) fn path(&self, repository: &str) -> PathBuf {
        self.folder.join(format!("{repository}.git"))
    }

    pub(super) fn lock_of(&self, repository: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.entry(repository.to_owned()).or_default().clone()
    }

    pub(super) async fn open(&self, repository: &str, address: &Address) -> Result<PathBuf, GitError> {
        self.root().await?;
        let path = self.path(repository);
        tokio::fs::create_dir_all(&path)
            .await
            .map_err(|error| self.broken(&error))?;
        if tokio::fs::try_exists(path.join("HEAD")).await.unwrap_or(false) {
            return Ok(path);
        }
        let format = match self.format_of(&path, address).await {
            Ok(format) => format,
            Err(error) => {
                // only an empty folder goes; one that stays does no harm
                let _ = tokio::fs::remove_dir(&path).await;
                return Err(error);
            }
        };
        let made = path.clone();
        let made = spawn_blocking(move || {
            let mut options = git2::RepositoryInitOptions::new();
            options.bare(true).external_template(false).object_format(format);
            git2::Repository::init_opts(made, &options).map(|_| ())
        });
        match made.await {
            Ok(Ok(())) => Ok(path),
            Ok(Err(error)) => Err(GitError::Mirror(error.message().to_owned())),
            Err(error) => Err(GitError::Mirror(error.to_string())),
        }
    }

    /// The folder of all mirrors, with the configuration of git in it. It is no repository.
    pub(super) async fn root(&self) -> Result<&Path, GitError> {
        let made = tokio::fs::create_dir_all(&self.folder).await;
        made.map_err(|error| self.broken(&error))?;
        self.git.configure().await.map_err(|error| self.broken(&error))?;
        Ok(&self.folder)
    }

    fn broken(&self, error: &std::io::Error) -> GitError {
        GitError::Mirror(format!("{}: {error}", self.folder.display()))
    }

    async fn bring(&self, mirror: &Path, wanted: &Wanted<'_>, kept: &str) -> Result<(), GitError> {
        let name = wanted.reference.as_str();
        if let Some(id) = wanted.id {
            self.check_format(mirror, wanted.address, id).await?;
        }
        let source = match wanted.id {
            Some(id) => id.as_str().to_owned(),
            // Not UTF-8 where it is, so git does not find it by this name.
            None if name.contains(char::REPLACEMENT_CHARACTER) => {
                let all = self.references_of(mirror, wanted.address).await?;
                let named = all.into_iter().find(|(_, other)| other == name);
                named
                    .ok_or_else(|| GitError::NoSuchReference(wanted.reference.to_string()))?
                    .0
            }
            None => name.to_owned(),
        };
        let refspec = format!("+{source}:{kept}");
        match self
            .bring_refs(mirror, wanted.address, (&["--depth=1"], &[refspec]))
            .await?
        {
            Ok(_) => Ok(()),
            Err(said) => Err(self.explain(mirror, wanted, &said).await),
        }
    }

    /// Runs git in a mirror: what it printed, or what it said when it failed.
    pub(super) async fn git<A: AsRef<OsStr>>(
        &self,
        mirror: &Path,
        arguments: &[A],
    ) -> Result<Result<String, String>, GitError> {
        Ok(match self.git.run(mirror, arguments, Watch::default()).await? {
            Exit::Success(said) => Ok(String::from_utf8_lossy(&said).into_owned()),
            Exit::Failure(said) => Err(said),
        })
    }

    /// Fetches references, with as much history as the options of git say.
    pub(super) async fn bring_refs(
        &self,
        mirror: &Path,
        address: &Address,
        (options, refspecs): (&[&str], &[String]),
    ) -> Result<Result<String, String>, GitError> {
        let mut arguments = vec![
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
        ];
        arguments.extend(options);
        arguments.extend(["--end-of-options", address.as_str()]);
        arguments.extend(refspecs.iter().map(String::as_str));
        self.git(mirror, &arguments).await
    }

    /// Why a fetch failed. A missing commit of a missing branch is told as the missing branch.
    async fn explain(&self, mirror: &Path, wanted: &Wanted<'_>, said: &str) -> GitError {
        if fault(said) != Fault::Remote {
            return GitError::Mirror(reason(said));
        }
        let missing_reference = GitError::NoSuchReference(wanted.reference.to_string());
        if said.contains("couldn't find remote ref") {
            return missing_reference;
        }
        let missing_commit = [
            "not our ref",
            "did not send all necessary objects",
            "unadvertised object",
        ];
        let Some(id) = wanted
            .id
            .filter(|_| missing_commit.iter().any(|sign| said.contains(sign)))
        else {
            return GitError::Unreachable(reason(said));
        };
        let list = [
            "ls-remote",
            "--end-of-options",
            wanted.address.as_str(),
            wanted.reference.as_str(),
        ];
        match self.git(mirror, &list).await {
            Ok(Ok(found)) if found.trim().is_empty() => missing_reference,
            _ => GitError::NoSuchCommit(id.short().to_owned()),
        }
    }
}

/// Removes a mirror, so that the next use makes it.
pub(super) async fn remove(mirror: &Path) -> Result<(), GitError> {
    match tokio::fs::remove_dir_all(mirror).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(GitError::Mirror(format!("{}: {error}", mirror.display())))
        }
        _ => Ok(()),
    }
}

fn tip(mirror: &Path, kept: &str) -> Result<ObjectId, GitError> {
    let id = git2::Repository::open_bare(mirror).and_then(|repository| repository.refname_to_id(kept));
    let id = id.map_err(|error| GitError::Mirror(error.message().to_owned()))?;
    ObjectId::parse(&id.to_string()).map_err(|error| GitError::Mirror(error.to_string()))
}

/// The reference of ours for a reference of theirs: hashed, so that `a` and later `a/b` do not collide.
pub(super) fn kept_as(reference: &str) -> String {
    let hash = hex::encode(Sha256::digest(reference));
    format!("refs/drover/{}", &hash[..32])
}
