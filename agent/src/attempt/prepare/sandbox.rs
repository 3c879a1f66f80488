//! The sandbox of a job, and where the containers of its steps go in it. After a restart of the agent it is the one that the
//! attempt had, with the containers that stand in it.

use std::collections::BTreeMap;

use protocol::attempt::AttemptResult;

use crate::attempt::containers::{owned_by, remove_owned};
use crate::attempt::interrupt::Interrupts;
use crate::attempt::job::{Job, LeftContainer, StepPlacement};
use crate::attempt::plan::{RETAINED_LABEL, STEP_LABEL, TRY_LABEL};
use crate::attempt::report::reasons;
use crate::engine::labels::Labels;
use crate::engine::{ContainerId, Network, Owned, OwnedKind};
use crate::sandbox::{Sandbox, SandboxRequest};

/// A sandbox, and where the containers of the steps go in it.
pub async fn placement(job: &Job, interrupts: &Interrupts) -> Result<(Sandbox, StepPlacement), AttemptResult> {
    let objects = job.objects().await.map_err(|error| reasons::of_checkout(&error))?;
    job.phase("sandbox", true);
    let (sandbox, left) = sandbox(job, interrupts).await?;
    job.network.get_or_init(|| sandbox.network().clone());
    job.phase("sandbox", false);
    let placement = StepPlacement {
        network: if job.input.spec.network_none {
            Network::None
        } else {
            sandbox.join()
        },
        anchor_handle: sandbox.anchor_handle().clone(),
        labels: sandbox.labels(Labels::new()),
        objects,
        left,
    };
    Ok((sandbox, placement))
}

/// The sandbox and, after a restart, the steps' containers that stand in it.
async fn sandbox(
    job: &Job,
    interrupts: &Interrupts,
) -> Result<(Sandbox, BTreeMap<usize, LeftContainer>), AttemptResult> {
    let (pool, holder) = (&job.context.pool, job.input.attempt.as_str());
    if job.resumed {
        if let Some(sandbox) = pool.adopt(holder).await {
            return Ok((sandbox, left_containers(job).await));
        }
        let steps = 0..job.input.spec.steps.len();
        if steps
            .into_iter()
            .any(|step| job.journal.step_started_at(step).is_some())
        {
            return Err(reasons::broken(
                "the agent was restarted, and the network of this job did not outlive it",
            ));
        }
        remove_owned(&job.context.engine, &job.input.attempt).await;
    }
    let request = SandboxRequest {
        holder: holder.to_owned(),
        repository: job.input.repository.clone(),
        trusted: job.input.trusted,
    };
    let sandbox = tokio::select! {
        taken = pool.take_early(&request) => taken.map_err(|error| reasons::broken(format!("sandbox: {error}")))?,
        interrupt = interrupts.next(None) => return Err(interrupt.result(&job.before_steps())),
    };
    Ok((sandbox, BTreeMap::new()))
}

/// The containers of steps that the agent left before its restart; of several tries the last one's.
async fn left_containers(job: &Job) -> BTreeMap<usize, LeftContainer> {
    let owned = owned_by(&job.context.engine, &job.input.attempt).await;
    let is_step = |owned: &Owned| owned.kind == OwnedKind::Container && !owned.labels.contains_key(RETAINED_LABEL);
    let steps = owned.into_iter().filter(is_step);
    let mut found = BTreeMap::<usize, LeftContainer>::new();
    for owned in steps {
        let Some(index) = owned.labels.get(STEP_LABEL).and_then(|text| text.parse().ok()) else {
            continue;
        };
        let number = owned
            .labels
            .get(TRY_LABEL)
            .and_then(|text| text.parse().ok())
            .unwrap_or(1);
        if found.get(&index).is_none_or(|other| other.number < number) {
            let container = ContainerId(owned.id);
            found.insert(index, LeftContainer { container, number });
        }
    }
    found
}
