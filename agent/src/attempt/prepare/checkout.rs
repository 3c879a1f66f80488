//! The code of a job, put into its workspace, and what belongs beside it. It goes on whoever waits for it: services that
//! mount some of the code wait for it as the first step does.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use protocol::attempt::AttemptResult;
use tokio_util::sync::CancellationToken;

use super::restore;
use crate::attempt::Code;
use crate::attempt::job::Job;
use crate::attempt::report::reasons;
use crate::checkout::{self, CheckoutError};
use crate::stack::Workspace;

/// The checkout under way; ends with its owner.
pub struct Checkout {
    done: Shared<BoxFuture<'static, Result<(), AttemptResult>>>,
    stop: CancellationToken,
}

impl Checkout {
    /// Begins to put the code into the workspace, and then what belongs beside it: caches and needed artifacts.
    pub fn begin(job: &Arc<Job>) -> Checkout {
        let stop = CancellationToken::new();
        let (owner, stopped) = (job.clone(), stop.clone());
        let checkout = job
            .context
            .tasks
            .spawn(async move { check_out(&owner, &stopped).await });
        let code = async move {
            let done = checkout.await.map_err(CheckoutError::Broken);
            done.and_then(|done| done).map_err(|error| reasons::of_checkout(&error))
        };
        let (owner, stopped) = (job.clone(), stop.clone());
        // Spawned: it goes on whoever waits for it.
        let restored = job
            .context
            .tasks
            .spawn(async move { restore::all(&owner, &stopped, code).await });
        let done = async move { restored.await.unwrap_or_else(|error| Err(reasons::broken(error))) };
        Checkout {
            done: done.boxed().shared(),
            stop,
        }
    }

    /// Waits until it is done. Errors: the result of the attempt.
    pub async fn done(&self) -> Result<(), AttemptResult> {
        self.done.clone().await
    }

    /// Where it is, once it is complete.
    pub fn workspace(&self, job: &Job) -> Workspace {
        let (done, folder) = (self.done.clone(), job.folder.workspace());
        async move { done.await.is_ok().then_some(folder) }.boxed().shared()
    }

    /// Gives it up; afterwards nothing more is written.
    pub async fn end(self) {
        self.stop.cancel();
        if self.done.await.is_err() {
            tracing::debug!("a checkout was given up");
        }
    }
}

async fn check_out(job: &Job, stop: &CancellationToken) -> Result<(), CheckoutError> {
    if job.folder.is_checked_out() {
        return Ok(());
    }
    job.phase("checkout", true);
    let workspace = job.folder.workspace();
    match &job.input.code {
        Code::Git(source) => {
            let job_log = job.job_log.clone();
            let progress: checkout::Progress = Arc::new(move |words| job_log.write_line(words));
            let build = checkout::Build {
                source,
                trusted: job.input.trusted,
                workspace: &workspace,
            };
            checkout::commit(&job.context.mirrors, build, progress, stop).await?;
            let short = source.commit.get(..12).unwrap_or(&source.commit);
            job.job_log
                .write_line(format!("checked out {short} ({})", source.reference));
        }
        Code::Tree(tree) => checkout::tree(tree, &workspace).await?,
    }
    job.folder.set_checked_out().map_err(|source| CheckoutError::Io {
        action: "write",
        path: job.folder.path().display().to_string(),
        source,
    })?;
    job.phase("checkout", false);
    Ok(())
}
