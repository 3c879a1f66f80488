//! Calls of the git program for a checkout: what it says becomes an error of the checkout, and a call that takes long says
//! so. libgit2 speaks no protocol v2 and cannot fetch a bare commit id.

use std::ffi::OsStr;
use std::path::Path;

use git_cli::{Address, Exit, Fault, Git, RunError, Watch, fault, reason, without_credentials};
use tokio_util::sync::CancellationToken;

use super::{CheckoutError, Progress};

/// Runs `git <arguments>` in a bare repository. `progress` hears of `what` while it takes long.
///
/// # Errors
/// When git did not end by itself.
pub async fn git<A: AsRef<OsStr>>(
    git: &Git,
    folder: &Path,
    arguments: &[A],
    (what, progress): (&str, &Progress),
    cancel: &CancellationToken,
) -> Result<Exit, CheckoutError> {
    let on_line = |line: &str| progress(format!("{what}: {line}"));
    let watch = Watch {
        cancel: Some(cancel),
        progress: Some(&on_line),
    };
    let exit = git.run(folder, arguments, watch).await;
    exit.map_err(|error| match error {
        RunError::NotInstalled => CheckoutError::NoGit,
        RunError::Io(error) => super::io("run", Path::new("git"))(error),
        RunError::TimedOut(limit) => CheckoutError::TimedOut {
            what: what.to_owned(),
            limit,
        },
        RunError::Cancelled => CheckoutError::Cancelled,
    })
}

/// One fetch into a bare repository.
pub struct Fetch<'a> {
    /// How git is called.
    pub git: &'a Git,
    /// The bare repository.
    pub mirror: &'a Path,
    /// From where.
    pub address: &'a Address,
    /// What.
    pub refspecs: &'a [String],
}

impl Fetch<'_> {
    /// Runs it, and drops what matches the refspecs and is no more; `progress` hears how far it is while it takes long.
    pub async fn run(&self, progress: &Progress, cancel: &CancellationToken) -> Result<(), CheckoutError> {
        let url = self.address.as_str();
        let mut arguments = vec!["-c", "fetch.unpackLimit=1", "fetch", "--force", "--prune", "--no-tags"];
        arguments.extend([
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
        ]);
        arguments.extend(["--progress", "--end-of-options", url]);
        arguments.extend(self.refspecs.iter().map(String::as_str));
        let shown = without_credentials(url);
        let what = format!("fetching {shown}");
        match git(self.git, self.mirror, &arguments, (&what, progress), cancel).await? {
            Exit::Success(_) => Ok(()),
            Exit::Failure(said) => {
                let message = reason(&said).replace(url, &shown);
                Err(match fault(&said) {
                    Fault::Remote => CheckoutError::Unreachable { url: shown, message },
                    Fault::References => CheckoutError::References(message),
                    Fault::Mirror => CheckoutError::Mirror(message),
                })
            }
        }
    }
}
