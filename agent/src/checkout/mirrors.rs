//! The bare mirrors that the agent keeps, one per repository: a job at a commit that was seen before needs no network
//! and no process. A fetch only adds objects; running jobs have them mounted.

use std::collections::HashMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::lease::Source;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::git_cli::{Fetch, without_credentials};
use super::{CheckoutError, Say, blocking, io};

/// The global configuration of our git calls, beside the mirrors.
const CONFIG: &str = "gitconfig";

/// All mirrors of one agent.
#[derive(Debug, Clone)]
pub struct Mirrors {
    root: PathBuf,
    locks: Arc<Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>>,
}

impl Mirrors {
    /// Mirrors under `root`, which is made when it is first needed.
    pub fn new(root: PathBuf) -> Mirrors {
        Mirrors {
            root,
            locks: Arc::default(),
        }
    }

    /// The mirror of that repository, there or not.
    pub fn folder(&self, url: &str) -> PathBuf {
        let digest = Sha256::digest(url.as_bytes());
        self.root.join(hex::encode(&digest[..12]))
    }

    /// The mirror of the source; made when it is not there yet.
    pub(super) async fn open(&self, source: &Source) -> Result<PathBuf, CheckoutError> {
        check(source)?;
        let mirror = self.folder(&source.git);
        if !mirror.join("HEAD").is_file() {
            let lock = self.lock_of(&mirror);
            let _one_at_a_time = lock.lock().await;
            self.prepare(&mirror).await?;
        }
        Ok(mirror)
    }

    /// The mirror of the source, with its commit in it.
    pub(super) async fn with_commit(
        &self,
        source: &Source,
        say: Say,
        cancel: &CancellationToken,
    ) -> Result<PathBuf, CheckoutError> {
        let mirror = self.open(source).await?;
        if has_commit(&mirror, &source.commit).await? {
            return Ok(mirror);
        }
        let lock = self.lock_of(&mirror);
        let _one_at_a_time = tokio::select! {
            guard = lock.lock() => guard,
            () = cancel.cancelled() => return Err(CheckoutError::Cancelled),
        };
        if has_commit(&mirror, &source.commit).await? {
            return Ok(mirror);
        }
        self.fetch(&mirror, source, &say, cancel).await?;
        Ok(mirror)
    }

    fn lock_of(&self, mirror: &Path) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.entry(mirror.to_owned()).or_default().clone()
    }

    /// Branches and tags first (the usual case, and later commits profit), then the reference, then the commit itself.
    async fn fetch(
        &self,
        mirror: &Path,
        source: &Source,
        say: &Say,
        cancel: &CancellationToken,
    ) -> Result<(), CheckoutError> {
        let config = self.root.join(CONFIG);
        let url = without_credentials(&source.git);
        say(format!("fetching {url}"));
        let tries = [
            vec!["+refs/heads/*:refs/heads/*".into(), "+refs/tags/*:refs/tags/*".into()],
            vec![format!("+{0}:{0}", source.reference)],
            vec![format!("+{0}:refs/drover/{0}", source.commit)],
        ];
        for (nth, refspecs) in tries.iter().enumerate() {
            let fetch = Fetch {
                mirror,
                url: &source.git,
                refspecs,
                config: &config,
            };
            match fetch.run(say, cancel).await {
                // Only the first tells of the repository; the others may just not find what they ask for.
                Err(CheckoutError::Unreachable { .. }) if nth > 0 => {}
                other => other?,
            }
            if has_commit(mirror, &source.commit).await? {
                return Ok(());
            }
        }
        Err(CheckoutError::UnknownCommit {
            commit: source.commit.clone(),
            url,
            reference: source.reference.clone(),
        })
    }

    /// Makes the mirror and the configuration of its git calls.
    async fn prepare(&self, mirror: &Path) -> Result<(), CheckoutError> {
        let (root, mirror) = (self.root.clone(), mirror.to_owned());
        blocking(move || {
            // Its parent in the containers is another folder; on the host the code is the agent's alone.
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&root)
                .map_err(io("make", &root))?;
            let config = root.join(CONFIG);
            // A repository on this machine may belong to another user; the administrator named it.
            let text = "[include]\n\tpath = ~/.gitconfig\n[safe]\n\tdirectory = *\n[gc]\n\tauto = 0\n";
            std::fs::write(&config, text).map_err(io("write", &config))?;
            let mut options = git2::RepositoryInitOptions::new();
            // 0644: steps of any user read the objects.
            options
                .bare(true)
                .external_template(false)
                .mode(git2::RepositoryInitMode::from_bits_retain(0o755));
            let repository = git2::Repository::init_opts(&mirror, &options)?;
            repository.config()?.set_str("core.sharedRepository", "0644")?;
            Ok(())
        })
        .await
    }
}

/// Whether the mirror is there and has the commit.
async fn has_commit(mirror: &Path, commit: &str) -> Result<bool, CheckoutError> {
    let (mirror, commit) = (mirror.to_owned(), commit.to_owned());
    blocking(move || {
        let repository = git2::Repository::open_bare(&mirror)?;
        Ok(repository.odb()?.exists(git2::Oid::from_str(&commit)?))
    })
    .await
}

/// Refuses what git could take for an option, a helper program, or something that is no commit.
fn check(source: &Source) -> Result<(), CheckoutError> {
    let bad = |what: String| Err(CheckoutError::BadSource(what));
    let hex = source
        .commit
        .bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !hex || !matches!(source.commit.len(), 40 | 64) {
        return bad(format!("`{}` is not a full commit id", source.commit));
    }
    if !source.reference.starts_with("refs/") || !git2::Reference::is_valid_name(&source.reference) {
        return bad(format!(
            "`{}` is not a reference such as refs/heads/main",
            source.reference
        ));
    }
    if source.git.is_empty()
        || source.git.starts_with('-')
        || names_a_helper(&source.git)
        || source.git.chars().any(char::is_control)
    {
        return bad("the repository's address is not one that git may be given".into());
    }
    Ok(())
}

/// `ext::sh -c …`: git would start the program `git-remote-ext`.
fn names_a_helper(url: &str) -> bool {
    url.split_once("::")
        .is_some_and(|(helper, _)| !helper.is_empty() && helper.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(git: &str, commit: &str, reference: &str) -> Source {
        Source {
            git: git.into(),
            commit: commit.into(),
            reference: reference.into(),
        }
    }

    #[test]
    fn nothing_that_git_could_misread_gets_through() {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        assert!(check(&source("https://git.example/a.git", sha, "refs/heads/main")).is_ok());
        assert!(check(&source("http://[::1]:3000/a.git", sha, "refs/heads/main")).is_ok());
        assert!(check(&source("git@git.example:a.git", sha, "refs/pull/1/head")).is_ok());
        for (git, commit, reference) in [
            ("--upload-pack=touch /tmp/x", sha, "refs/heads/main"),
            ("ext::sh -c id", sha, "refs/heads/main"),
            ("/srv/a\nb", sha, "refs/heads/main"),
            ("/srv/a", "--help", "refs/heads/main"),
            ("/srv/a", "0123", "refs/heads/main"),
            ("/srv/a", sha, "--upload-pack=x"),
            ("/srv/a", sha, "refs/heads/../../x"),
            ("/srv/a", sha, "main"),
        ] {
            assert!(
                check(&source(git, commit, reference)).is_err(),
                "{git} {commit} {reference}"
            );
        }
    }
}
