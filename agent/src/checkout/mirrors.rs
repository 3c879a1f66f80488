//! The bare mirrors that the agent keeps, one per repository: a job at a commit that was seen before needs no network
//! and no process. A fetch only adds objects; running jobs have them mounted. Builds that are not trusted have mirrors
//! of their own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use git_cli::{Address, Exit, Git, PROTOCOLS, reason, without_credentials};
use protocol::work::Source;
use sha2::{Digest, Sha256};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::fetch::{Fetch, git};
use super::{CheckoutError, Progress, blocking, io, mend};
use crate::files::make_private;
use crate::lock::lock;

/// The global configuration of our git calls, beside the mirrors.
const CONFIG: &str = "gitconfig";
/// One call of git may take this long.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// All mirrors of one agent.
#[derive(Debug, Clone)]
pub struct Mirrors {
    root: PathBuf,
    locks: Arc<Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>>,
}

/// The mirror of one repository, for one build.
#[derive(Debug, Clone)]
pub struct Mirror {
    /// The bare repository.
    pub folder: PathBuf,
    /// Where the repository is.
    pub address: Address,
    /// How git is called for it.
    pub git: Git,
    /// The build's code is trusted.
    pub trusted: bool,
}

/// What to bring into a mirror.
pub struct Wanted<'a> {
    /// From where.
    pub address: &'a Address,
    /// How git is called.
    pub git: &'a Git,
    /// The commit.
    pub commit: &'a str,
    /// Where it had been.
    pub reference: &'a str,
    /// Under which name its branches and tags are kept: `refs`.
    pub space: &'a str,
}

impl Mirrors {
    /// Mirrors under `root`, which is made when it is first needed.
    pub fn new(root: PathBuf) -> Mirrors {
        Mirrors {
            root,
            locks: Arc::default(),
        }
    }

    /// The mirror of the source; made when it is not there yet.
    pub(super) async fn open(&self, source: &Source, trusted: bool) -> Result<Mirror, CheckoutError> {
        let config = self.root.join(CONFIG);
        let git = match source.protocols.as_slice() {
            [] => Git::new(config.clone(), &PROTOCOLS.map(str::to_owned), LIMIT),
            given => Git::new(config.clone(), given, LIMIT),
        };
        let address = check(source, git.protocols())?;
        let mirror = Mirror {
            folder: self.folder(source, trusted),
            address,
            git,
            trusted,
        };
        if !mirror.folder.join("HEAD").is_file() {
            let lock = self.lock_of(&mirror.folder);
            let _one_at_a_time = lock.lock().await;
            self.prepare(&mirror.folder, is_long(&source.commit)).await?;
        }
        mirror.git.configure().await.map_err(io("write", &config))?;
        Ok(mirror)
    }

    fn folder(&self, source: &Source, trusted: bool) -> PathBuf {
        let mut digest = Sha256::new();
        digest.update(source.git.as_bytes());
        if !trusted {
            digest.update(b"\0not trusted");
        }
        if is_long(&source.commit) {
            digest.update(b"\0sha256");
        }
        self.root.join(hex::encode(&digest.finalize()[..12]))
    }

    /// Brings the commit, unless it is there.
    pub(super) async fn bring(
        &self,
        mirror: &Path,
        wanted: &Wanted<'_>,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<(), CheckoutError> {
        if has_commit(mirror, wanted.commit).await? {
            return Ok(());
        }
        let _one_at_a_time = self.turn(mirror, cancel).await?;
        if has_commit(mirror, wanted.commit).await? {
            return Ok(());
        }
        match fetch(mirror, wanted, progress, cancel).await {
            Err(CheckoutError::References(message)) => {
                progress(format!("references of the mirror are mended: {message}"));
                let of = mirror.to_owned();
                blocking(move || mend::references(&of).map_err(io("mend", &of))).await?;
                fetch(mirror, wanted, progress, cancel).await
            }
            other => other,
        }
    }

    /// Makes a mirror anew that turned out to be broken, or seems so: what git says of a broken repository of the other
    /// side reads the same. Containers of running jobs have its objects mounted, so the folder of the objects stays
    /// the same one, and of the packs those that are whole.
    pub(super) async fn remake(
        &self,
        mirror: &Path,
        wanted: &Wanted<'_>,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<(), CheckoutError> {
        let _one_at_a_time = self.turn(mirror, cancel).await?;
        let of = mirror.to_owned();
        blocking(move || mend::all_but_packs(&of).map_err(io("empty", &of))).await?;
        self.prepare(mirror, is_long(wanted.commit)).await?;
        let of = mirror.to_owned();
        let packs = blocking(move || mend::packs(&of).map_err(io("look through", &of))).await?;
        for index in packs {
            let verify = ["verify-pack".as_ref(), index.as_os_str()];
            let what = ("verifying what the mirror has", progress);
            if let Exit::Failure(why) = git(wanted.git, mirror, &verify, what, cancel).await? {
                tracing::warn!(pack = %index.display(), why = reason(&why), "a pack of a mirror is broken and removed");
                mend::remove_pack(&index).map_err(io("remove", &index))?;
            }
        }
        // the commit may be there, and something that belongs to it not
        fetch(mirror, wanted, progress, cancel).await
    }

    /// Waits until nobody else writes in the mirror.
    async fn turn(&self, mirror: &Path, cancel: &CancellationToken) -> Result<OwnedMutexGuard<()>, CheckoutError> {
        tokio::select! {
            guard = self.lock_of(mirror).lock_owned() => Ok(guard),
            () = cancel.cancelled() => Err(CheckoutError::Cancelled),
        }
    }

    fn lock_of(&self, mirror: &Path) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = lock(&self.locks);
        locks.entry(mirror.to_owned()).or_default().clone()
    }

    /// Makes the mirror, and the folder of all mirrors.
    async fn prepare(&self, mirror: &Path, is_long: bool) -> Result<(), CheckoutError> {
        let (root, mirror) = (self.root.clone(), mirror.to_owned());
        blocking(move || {
            // Its parent in the containers is another folder; on the host the code is the agent's alone.
            make_private(&root).map_err(io("make", &root))?;
            let mut options = git2::RepositoryInitOptions::new();
            // 0644: steps of any user read the objects.
            options
                .bare(true)
                .external_template(false)
                .mode(git2::RepositoryInitMode::from_bits_retain(0o755));
            if is_long {
                options.object_format(git2::ObjectFormat::Sha256);
            }
            let repository = git2::Repository::init_opts(&mirror, &options)?;
            repository.config()?.set_str("core.sharedRepository", "0644")?;
            // No branch that may come is the mirror's own.
            let head = mirror.join("HEAD");
            std::fs::write(&head, "ref: refs/drover/none\n").map_err(io("write", &head))
        })
        .await
    }
}

/// Branches and tags first (the usual case, and later commits profit), then the reference, then the commit itself:
/// trouble with one reference does not keep the commit away.
async fn fetch(
    mirror: &Path,
    wanted: &Wanted<'_>,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<(), CheckoutError> {
    let (address, space) = (wanted.address, wanted.space);
    let url = without_credentials(address.as_str());
    progress(format!("fetching {url}"));
    let mut tries = vec![vec![
        format!("+refs/heads/*:{space}/heads/*"),
        format!("+refs/tags/*:{space}/tags/*"),
    ]];
    let kept = wanted.reference.strip_prefix("refs/");
    tries.extend(kept.map(|kept| vec![format!("+{}:{space}/{kept}", wanted.reference)]));
    tries.push(vec![format!("+{0}:refs/drover/{0}", wanted.commit)]);
    let mut first_error = None;
    for (nth, refspecs) in tries.iter().enumerate() {
        let fetch = Fetch {
            git: wanted.git,
            mirror,
            address,
            refspecs,
        };
        match fetch.run(progress, cancel).await {
            Ok(()) => {}
            Err(error @ (CheckoutError::TimedOut { .. } | CheckoutError::Cancelled | CheckoutError::NoGit)) => {
                return Err(error);
            }
            // Only the first tells of the repository; the others may just not find what they ask for.
            Err(error) if nth == 0 => first_error = Some(error),
            Err(_) => {}
        }
        if has_commit(mirror, wanted.commit).await? {
            return Ok(());
        }
    }
    Err(first_error.unwrap_or_else(|| CheckoutError::UnknownCommit {
        commit: wanted.commit.to_owned(),
        url,
        reference: wanted.reference.to_owned(),
    }))
}

/// Whether the mirror has the commit.
async fn has_commit(mirror: &Path, commit: &str) -> Result<bool, CheckoutError> {
    let (mirror, commit) = (mirror.to_owned(), commit.to_owned());
    blocking(move || {
        let repository = git2::Repository::open_bare(&mirror)?;
        Ok(repository.odb()?.exists(oid(&commit)?))
    })
    .await
}

/// An id as libgit2 has it; its length says by which algorithm it was made.
pub fn oid(id: &str) -> Result<git2::Oid, git2::Error> {
    let format = match is_long(id) {
        true => git2::ObjectFormat::Sha256,
        false => git2::ObjectFormat::Sha1,
    };
    git2::Oid::from_str_ext(id, format)
}

/// The id was made by SHA-256.
fn is_long(id: &str) -> bool {
    id.len() == 64
}

/// Refuses what git could take for an option, a helper program, or something that is no commit.
fn check(source: &Source, protocols: &[String]) -> Result<Address, CheckoutError> {
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
    Address::parse(&source.git, protocols).or_else(|error| bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_git_could_misread_gets_through() {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        let refused = |git: &str, commit: &str, reference: &str| {
            let source = Source {
                git: git.into(),
                commit: commit.into(),
                reference: reference.into(),
                protocols: ["https", "ssh", "http"].map(str::to_owned).to_vec(),
            };
            check(&source, &source.protocols).is_err()
        };
        assert!(!refused("https://git.example/a.git", sha, "refs/heads/main"));
        assert!(!refused("http://[::1]:3000/a.git", sha, "refs/heads/main"));
        assert!(!refused("git@git.example:a.git", sha, "refs/pull/1/head"));
        for (git, commit, reference) in [
            ("--upload-pack=touch /tmp/x", sha, "refs/heads/main"),
            ("ext::sh -c id", sha, "refs/heads/main"),
            ("https://a\nb", sha, "refs/heads/main"),
            ("/srv/a", sha, "refs/heads/main"),
            ("https://a/b", "--help", "refs/heads/main"),
            ("https://a/b", "0123", "refs/heads/main"),
            ("https://a/b", sha, "--upload-pack=x"),
            ("https://a/b", sha, "refs/heads/../../x"),
            ("https://a/b", sha, "main"),
        ] {
            assert!(refused(git, commit, reference), "{git} {commit} {reference}");
        }
    }
}
