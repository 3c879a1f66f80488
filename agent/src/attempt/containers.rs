//! The containers of an attempt, found by the label that they carry, and their removal. Separate because they are removed
//! without the attempt, too: when the agent was restarted and it is over.

use std::time::Duration;

use futures_util::future::join_all;
use protocol::ids::AttemptId;

use super::AttemptContext;
use super::plan::RETAINED_LABEL;
use crate::engine::{ContainerId, Engine, Owned, OwnedKind, labels};
use crate::sandbox::Reuse;

/// A container whose gate is over is gone after this, or is ended by force.
const ENDS_BY_ITSELF: Duration = Duration::from_secs(2);

/// Removes what an attempt left in the engine, and gives up its sandbox.
pub async fn remove_left(context: &AttemptContext, attempt: &AttemptId) {
    remove_owned(&context.engine, attempt).await;
    if let Some(sandbox) = context.pool.adopt(attempt.as_str()).await {
        context.pool.put_back(sandbox, Reuse::Never);
    }
}

/// Removes every container of the attempt.
pub async fn remove_owned(engine: &Engine, attempt: &AttemptId) {
    let owned = owned_by(engine, attempt).await;
    let containers = owned.into_iter().filter(|owned| owned.kind == OwnedKind::Container);
    remove_all(engine, containers.map(|owned| ContainerId(owned.id)).collect()).await;
}

/// Removes the container that was made for looking around, if one was.
pub async fn remove_retained(engine: &Engine, attempt: &AttemptId) {
    let owned = owned_by(engine, attempt).await;
    let retained = owned
        .into_iter()
        .filter(|owned| owned.labels.contains_key(RETAINED_LABEL));
    remove_all(engine, retained.map(|owned| ContainerId(owned.id)).collect()).await;
}

/// What carries the attempt's label.
pub(crate) async fn owned_by(engine: &Engine, attempt: &AttemptId) -> Vec<Owned> {
    match engine.list_owned().await {
        Ok(owned) => {
            let ours = |owned: &Owned| {
                owned
                    .labels
                    .get(labels::ATTEMPT)
                    .is_some_and(|id| id == attempt.as_str())
            };
            owned.into_iter().filter(ours).collect()
        }
        Err(error) => {
            tracing::warn!(%error, attempt.id = %attempt, "cannot list the containers of an attempt");
            Vec::new()
        }
    }
}

/// Removes containers whose first process is over or will be in a moment. To remove one that still ends costs the
/// engine 90 ms, afterwards 5 ms.
pub async fn remove_ended(engine: &Engine, containers: Vec<ContainerId>) -> bool {
    let ended = join_all(containers.iter().map(|container| engine.wait_exit(container)));
    if tokio::time::timeout(ENDS_BY_ITSELF, ended).await.is_err() {
        tracing::debug!("some containers are ended by force");
    }
    remove_all(engine, containers).await
}

/// Removes them all; false: some are left for the sweep.
async fn remove_all(engine: &Engine, containers: Vec<ContainerId>) -> bool {
    let removed = containers.iter().map(|container| async {
        match engine.remove_forced(container).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, container.id = container.as_str(), "cannot remove a container; the sweep will");
                false
            }
        }
    });
    join_all(removed).await.into_iter().all(|removed| removed)
}
