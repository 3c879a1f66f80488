//! Steps in their containers, started ahead and kept waiting by their gates until it is their turn. After a restart of the
//! agent the containers that are there are taken over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::attempt::images::built;
use crate::attempt::job::{Job, StepPlacement};
use crate::attempt::plan;
use crate::engine::{ContainerId, EngineError};
use crate::gate::{GateClient, GatePhase};

/// A gate answers in milliseconds; a machine that swaps may need longer.
const GATE_ANSWERS: Duration = Duration::from_secs(60);
/// A gate that was left before a restart of the agent answers at once or never.
const LEFT_GATE_ANSWERS: Duration = Duration::from_secs(2);

/// A step in its container, behind its gate.
pub struct HeldStep {
    /// `None`: it is over already and its container is gone.
    pub container: Option<ContainerId>,
    /// Its gate.
    pub gate: GateClient,
}

/// Why there is no held step.
#[derive(Debug)]
pub enum HoldError {
    /// Its image cannot be had.
    Engine(Arc<EngineError>),
    /// It had begun before the agent was restarted, and its container is gone without a word.
    Lost,
}

impl From<EngineError> for HoldError {
    fn from(error: EngineError) -> HoldError {
        HoldError::Engine(Arc::new(error))
    }
}

/// The steps that are being started, or wait for their turn.
pub struct Prestarted {
    job: Arc<Job>,
    placement: Arc<StepPlacement>,
    held: BTreeMap<usize, JoinHandle<Result<HeldStep, HoldError>>>,
}

impl Prestarted {
    /// None yet.
    pub fn new(job: Arc<Job>, placement: Arc<StepPlacement>) -> Prestarted {
        Prestarted {
            job,
            placement,
            held: BTreeMap::new(),
        }
    }

    /// Begins to start these steps, those that are not under way already.
    pub fn start(&mut self, steps: impl Iterator<Item = usize>) {
        for index in steps.filter(|&index| !built::builds(self.job.step(index))) {
            let (job, placement) = (&self.job, &self.placement);
            self.held
                .entry(index)
                .or_insert_with(|| job.context.tasks.spawn(hold(job.clone(), placement.clone(), index)));
        }
    }

    /// Waits until the step is held, and hands it over. It must have been started. Safe to drop half-way: the step is
    /// then still here.
    pub async fn take(&mut self, index: usize) -> Result<HeldStep, HoldError> {
        let held = self.held.get_mut(&index).expect("the step was started before");
        let result = held.await;
        self.held.remove(&index);
        result.unwrap_or_else(|broken| Err(EngineError::other("start a step", broken).into()))
    }

    /// Where their containers go.
    pub fn placement(&self) -> &StepPlacement {
        &self.placement
    }

    /// Those that were never taken: their containers are to be removed.
    pub fn into_rest(self) -> Vec<JoinHandle<Result<HeldStep, HoldError>>> {
        self.held.into_values().collect()
    }
}

/// Takes over the container from before a restart, or makes and starts one.
async fn hold(job: Arc<Job>, placement: Arc<StepPlacement>, index: usize) -> Result<HeldStep, HoldError> {
    if job.resumed
        && let Some(held) = take_over(&job, &placement, index).await?
    {
        return Ok(held);
    }
    let image = job.image_of(index).await.map_err(HoldError::Engine)?;
    let folder = match job.journal.tries(index) {
        1 => job.folder.create_step(index),
        _ => job.folder.renew_step(index),
    };
    let folder = folder.map_err(EngineError::io("make the folder of a step"))?;
    let engine = &job.context.engine;
    let container = engine
        .create(&job.container(index, image.id.clone(), &placement))
        .await?;
    let links = plan::secret_links(job.step(index));
    let gate = async {
        if !links.is_empty() {
            engine.put_links(&container, &links).await?;
        }
        placement.anchor_handle.gate().await?;
        engine.start(&container).await?;
        Ok::<_, EngineError>(GateClient::connect(&folder, GATE_ANSWERS).await?)
    };
    match gate.await {
        Ok(gate) => Ok(HeldStep {
            container: Some(container),
            gate,
        }),
        Err(error) => {
            if let Err(error) = engine.remove_forced(&container).await {
                tracing::warn!(%error, "cannot remove a step that did not start; the sweep will");
            }
            Err(error.into())
        }
    }
}

/// The step as the agent left it before its restart, if it left it usable.
async fn take_over(job: &Job, placement: &StepPlacement, index: usize) -> Result<Option<HeldStep>, HoldError> {
    let number = job.journal.tries(index);
    let left = placement.left.get(&index).filter(|left| left.number == number);
    let container = left.map(|left| left.container.clone());
    let folder = job.folder.step(index);
    // Of a later try nothing is there before its container; what the folder holds then is an earlier try's.
    let begun = match number {
        1 => job.journal.step_started_at(index).is_some(),
        _ => container.is_some(),
    };
    if container.is_some() || begun {
        if let Ok(gate) = GateClient::connect(&folder, LEFT_GATE_ANSWERS).await {
            let is_lost = gate.state().borrow().phase == GatePhase::Lost;
            if !is_lost {
                return Ok(Some(HeldStep { container, gate }));
            }
        }
        if begun && number == 1 {
            return Err(HoldError::Lost);
        }
    }
    if let Some(container) = container {
        job.context.engine.remove_forced(&container).await?;
    }
    Ok(None)
}
