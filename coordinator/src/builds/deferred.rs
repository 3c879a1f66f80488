//! Expanding jobs that waited for outputs. What is due stands in the store, so it does not matter which coordinator
//! does it, or when the last one died.

use std::time::Duration;

use job_specs::dag::{self, Expanded};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::spawn_blocking;

use super::read;
use crate::app::App;
use crate::store::deferred::{self, Due};
use crate::store::{Change, StoreError};

/// How often to look without being woken.
const LOOK: Duration = Duration::from_secs(2);

/// Expands jobs as they become due; ends with the coordinator.
pub(crate) fn expand_forever(app: &App) {
    let app = app.clone();
    app.tasks.clone().spawn(async move {
        let mut changes = app.store.changes();
        loop {
            if let Err(error) = expand_due(&app).await {
                tracing::error!(%error, "jobs that waited for outputs cannot be expanded");
            }
            let woken = async {
                while !matches!(
                    changes.recv().await,
                    Ok(Change::Queue | Change::All) | Err(RecvError::Lagged(_) | RecvError::Closed)
                ) {}
            };
            tokio::select! {
                () = app.stop.cancelled() => return,
                () = woken => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    });
}

/// Expands every job that is due now.
///
/// # Errors
/// The store.
async fn expand_due(app: &App) -> Result<(), StoreError> {
    for due in deferred::due(&app.store).await? {
        let (job, build) = (due.job.clone(), due.build);
        let expanded = spawn_blocking(move || expand(due)).await.unwrap_or_else(|error| {
            tracing::error!(build, %error, "a job cannot be expanded");
            Expanded::refused("drover could not expand the job; the coordinator's log says why")
        });
        deferred::expand(&app.store, &job, expanded).await?;
    }
    Ok(())
}

fn expand(due: Due) -> Expanded {
    let Some(origin) = due.origin else {
        return Expanded::refused("the job file of this build is not kept: push a new commit");
    };
    let parsed = read::parse_kept(&origin.files);
    match parsed.file {
        Some(file) => dag::expand(&file, &origin.facts, &due.name, &due.seen),
        None => Expanded::Refused {
            sentence: "the job file of this build cannot be read any more: push a new commit".to_owned(),
            diagnostics: parsed.diagnostics,
        },
    }
}
