//! What stays of a job after its failure: its services, and the failed step's container, made once more without secrets
//! and without a command, for people to look around in. Separate from [`super::retained`], which outlives the job.

use std::sync::Arc;

use job_specs::model::StepAction;
use protocol::attempt::{AttemptResult, StepStatus};
use tokio::sync::oneshot;

use crate::attempt::containers;
use crate::attempt::job::{Job, StepPlacement};
use crate::attempt::plan::RETAINED_LABEL;
use crate::attempt::prepare::Prepared;
use crate::attempt::retained::{Decision, RETAINED_FOLDER, RetainEnd};
use crate::engine::{ContainerId, EngineError};
use crate::gate;
use crate::sandbox::open_folder;

/// Whether what the job leaves is to be retained, and what each use is to give it.
pub fn retain_secs(job: &Job, result: &AttemptResult) -> Option<u64> {
    let secs = job.input.spec.hold_on_failure_secs?;
    if !job.context.retained.is_due(result) {
        return None;
    }
    let claimed = match job.input.trusted {
        true => job.context.retained.claim(&job.input.attempt, &job.input.repository),
        false => Err("its code is not trusted".to_owned()),
    };
    if let Err(why) = claimed {
        job.job_log
            .write_line(format!("containers and services are not retained: {why}"));
        return None;
    }
    Some(secs)
}

/// Retains what a failed job leaves, if that is decided and as long as it is; then removes it.
pub async fn stay(job: Arc<Job>, prepared: Prepared, decision: oneshot::Receiver<Decision>) {
    let retained = &job.context.retained;
    match retained.wait(&job.input.attempt, &job.folder, decision).await {
        RetainEnd::Over => prepared.remove(job).await,
        RetainEnd::HandedOver => job.context.retained.leave_behind(prepared),
    }
}

/// Makes the container of the step that failed once more.
pub async fn add_step(job: &Job, prepared: &mut Prepared) {
    match step_container(job, failed_step(job), prepared.prestarted.placement()).await {
        Ok(container) => prepared.used.push(container),
        Err(error) => {
            tracing::warn!(%error, attempt.id = %job.input.attempt, "a failed step cannot be made once more")
        }
    }
}

/// The step to look at when the job failed: the first that ended badly, or else the first of all.
fn failed_step(job: &Job) -> usize {
    let steps = 0..job.input.spec.steps.len();
    let is_bad = |index: &usize| {
        let outcome = job.journal.step_outcome(*index);
        outcome.is_some_and(|outcome| matches!(outcome.status, StepStatus::Failed | StepStatus::TimedOut))
    };
    let bad: Vec<usize> = steps.filter(is_bad).collect();
    let counts = bad.iter().find(|&&index| !job.step(index).allow_failure);
    counts.or(bad.first()).copied().unwrap_or(0)
}

/// Makes and starts the container of a step once more, for people to look around in: no secret, no command, the script
/// beside the gate.
async fn step_container(job: &Job, index: usize, placement: &StepPlacement) -> Result<ContainerId, EngineError> {
    let engine = &job.context.engine;
    if job.resumed {
        // The agent may have been killed while it made it.
        containers::remove_retained(engine, &job.input.attempt).await;
    }
    let io = |source| EngineError::Io {
        what: "make the folder of a retained step",
        source,
    };
    let run = job.folder.path().join(RETAINED_FOLDER);
    open_folder(&run).map_err(io)?;
    if let StepAction::Run { script, .. } = &job.step(index).action {
        std::fs::write(run.join(gate::SCRIPT), script).map_err(io)?;
    }
    let image = job.image_of(index).await.map_err(|error| EngineError::Other {
        what: "find the image of a retained step",
        detail: error.to_string(),
    })?;
    let mut plan = job.container_in(&run, index, image.id.clone(), placement);
    plan.labels.insert(RETAINED_LABEL.to_owned(), "true".to_owned());
    plan.tmpfs.clear();
    let container = engine.create(&plan).await?;
    placement.anchor_handle.gate().await?;
    engine.start(&container).await?;
    Ok(container)
}
