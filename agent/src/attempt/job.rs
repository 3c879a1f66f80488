//! What the parts of one running attempt share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use job_specs::model::StepSpec;
use protocol::attempt::{EventKind, StepOutcome, StepStatus};

use super::folder::AttemptFolder;
use super::images::{Images, Pulled, Pulls, built, logins};
use super::report::activity::Activity;
use super::report::job_log::JobLog;
use super::report::journal::Journal;
use super::report::streams::Streams;
use super::{AttemptContext, AttemptInput, Code, cache_paths, plan, retained};
use crate::build::built::{Builder, BuiltImages};
use crate::checkout::{self, CheckoutError, ObjectsMount};
use crate::engine::labels::Labels;
use crate::engine::{self, ContainerId, ContainerPlan, EngineError, ImageRequest, Network, NetworkId};
use crate::logs::mask::Masker;
use crate::sandbox::AnchorHandle;

/// One attempt while it runs.
pub struct Job {
    pub context: AttemptContext,
    pub input: AttemptInput,
    /// Hides its secrets in whatever is told of it.
    pub masker: Arc<Masker>,
    pub folder: AttemptFolder,
    pub journal: Journal,
    pub job_log: JobLog,
    pub images: Images,
    /// What it builds itself.
    pub built: BuiltImages,
    pub pulls: Arc<Pulls>,
    pub streams: Streams,
    /// What it is at besides its steps.
    pub activity: Activity,
    /// The network of its sandbox, once it has one.
    pub network: OnceLock<NetworkId>,
    /// The agent began this attempt before its restart.
    pub resumed: bool,
}

/// Where the containers of the steps go.
pub struct StepPlacement {
    /// The anchor's network namespace.
    pub network: Network,
    /// The anchor, which must stand before a container in its namespace is started.
    pub anchor_handle: AnchorHandle,
    /// The sandbox's labels.
    pub labels: Labels,
    /// Where the objects of the code's repository are, if it is one.
    pub objects: Vec<ObjectsMount>,
    /// Containers of steps that the agent left before its restart, by step.
    pub left: BTreeMap<usize, LeftContainer>,
}

/// The container of a step that the agent left before its restart.
pub struct LeftContainer {
    /// Which.
    pub container: ContainerId,
    /// For which try of the step.
    pub number: u32,
}

impl Job {
    /// The step at that place.
    pub fn step(&self, index: usize) -> &StepSpec {
        &self.input.spec.steps[index]
    }

    /// The image of a step: what the job built under that name, else what a registry has. Not when the step that builds
    /// it ran in vain: what a registry has under the name is another image.
    pub async fn image_of(&self, index: usize) -> Pulled {
        let engine = &self.context.engine;
        let image = &self.step(index).image;
        if let Some(builder) = built::builder_of(&self.input.spec, index) {
            if let Some(id) = self.built.get(builder.clone()).await {
                return engine.image(&id).await.map_err(Arc::new);
            }
            if let Builder::Step(builds) = builder
                && self.has_not_built(builds)
            {
                let (image, name) = (image.clone(), &self.step(builds).name);
                let detail = format!("step `{name}`, which builds it, did not pass");
                return Err(Arc::new(EngineError::ImageNotFound { image, detail }));
            }
        }
        if let Some(pulled) = self.images.get(image).await {
            return pulled;
        }
        let login = logins(&self.input).of(image).cloned();
        let request = ImageRequest::of(image);
        let who = self.input.who();
        let image = engine.image_for(&who, &request, login.as_ref(), |_| ()).await;
        image.map_err(Arc::new)
    }

    fn has_not_built(&self, step: usize) -> bool {
        let outcome = self.journal.step_outcome(step);
        outcome.is_some_and(|outcome| !matches!(outcome.status, StepStatus::Passed | StepStatus::Skipped))
    }

    /// Where the objects of the code's repository are on the host.
    pub async fn objects(&self) -> Result<Vec<ObjectsMount>, CheckoutError> {
        match &self.input.code {
            Code::Git(source) => checkout::objects_of_commit(&self.context.mirrors, source, self.input.trusted)
                .await
                .map(|mount| vec![mount]),
            Code::Tree(tree) => checkout::objects_of_tree(tree, self.folder.path().join("nothing")).await,
        }
    }

    /// The plan of a step's container, of an image that is here.
    pub fn container(&self, index: usize, image: String, placement: &StepPlacement) -> ContainerPlan {
        self.container_in(&self.folder.step(index), index, image, placement)
    }

    /// The plan of a step's container, its gate in that folder.
    pub fn container_in(&self, run: &Path, index: usize, image: String, placement: &StepPlacement) -> ContainerPlan {
        let gate = self.context.engine.gate_file();
        let workspace = self.folder.workspace();
        let paths = plan::StepPaths {
            gate,
            run,
            workspace: &workspace,
            objects: &placement.objects,
        };
        let spec = &self.input.spec;
        let mut container = plan::container(
            self.step(index),
            image,
            &spec.resources,
            &paths,
            placement.network.clone(),
        );
        container.binds.extend(cache_paths::binds(&self.folder, spec));
        container.labels = placement.labels.clone();
        container
            .labels
            .extend(plan::step_labels(self.input.attempt.as_str(), index, self.expires()));
        container
            .labels
            .insert(plan::TRY_LABEL.to_owned(), self.journal.tries(index).to_string());
        container
    }

    /// Unix seconds from when anybody may remove what this attempt made; what is retained of it included.
    pub fn expires(&self) -> i64 {
        let hour = Duration::from_secs(3600).as_secs();
        let retained = self
            .input
            .spec
            .hold_on_failure_secs
            .map_or(0, |_| retained::AT_MOST.as_secs());
        let secs = self
            .input
            .spec
            .timeout_secs
            .saturating_add(hour)
            .saturating_add(retained);
        crate::clock::now_secs() + i64::try_from(secs).unwrap_or(i64::MAX / 2)
    }

    /// The memory that a step may use, bytes.
    pub fn memory_limit(&self) -> Option<u64> {
        let defaults: engine::Limits = self.context.engine.config().limits;
        self.input.spec.resources.memory_bytes.or(defaults.memory_bytes)
    }

    /// When something happened before the first step, to follow `cancelled` or `was stopped`.
    pub fn before_steps(&self) -> String {
        self.activity.before_steps(&self.pulls.under_way())
    }

    /// Reports that a phase begins or ends.
    pub fn phase(&self, phase: &str, begin: bool) {
        self.activity.note(phase, begin);
        self.journal.record_now(EventKind::Phase {
            phase: phase.to_owned(),
            begin,
        });
    }

    /// Notes how a step ended.
    pub fn finish_step(&self, step: usize, at: i64, outcome: StepOutcome) {
        self.journal.record(at, EventKind::StepFinished { step, outcome });
        self.built.over(Builder::Step(step));
    }
}
