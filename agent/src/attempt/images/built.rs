//! Which names of images in a job mean an image that the job itself builds: the tag of an earlier step, the image of a
//! service with `build`. Such names mean nothing to the engine. Pure, but for what the agent left before its restart.

use std::collections::{BTreeMap, BTreeSet};

use job_specs::images::familiar;
use job_specs::model::{JobSpec, StepAction, StepSpec};

use crate::attempt::AttemptInput;
use crate::attempt::folder::AttemptFolder;
use crate::attempt::report::journal::Journal;
use crate::build::built::{Builder, BuiltImages};
use crate::engine::{Engine, labels};
use crate::gate;

/// The line of a step's outputs that names what it built.
pub const IMAGE_ID: &str = "IMAGE_ID";

/// Whether the step builds an image.
pub fn builds(step: &StepSpec) -> bool {
    matches!(step.action, StepAction::Image(_))
}

/// What builds the image of that step; `None`: a registry has it.
pub fn builder_of(spec: &JobSpec, index: usize) -> Option<Builder> {
    let name = familiar(&spec.steps[index].image);
    let earlier = (0..index)
        .rev()
        .find(|&earlier| tags(spec, earlier).any(|tag| familiar(tag) == name));
    earlier.map(Builder::Step).or_else(|| {
        let mut services = services(spec);
        services
            .any(|image| familiar(image) == name)
            .then_some(Builder::Service(name))
    })
}

/// The images that were built before that step, by their familiar names.
pub fn before(spec: &JobSpec, index: usize, built: &BuiltImages) -> BTreeMap<String, String> {
    let of_services = services(spec).map(|image| (familiar(image), Builder::service(image)));
    let of_steps = (0..index).flat_map(|step| tags(spec, step).map(move |tag| (familiar(tag), Builder::Step(step))));
    let known = of_services
        .chain(of_steps)
        .filter_map(|(name, builder)| Some((name, built.now(builder)?)));
    known.collect()
}

/// Those that a registry has.
pub fn without_own(spec: &JobSpec, mut wanted: BTreeSet<String>) -> BTreeSet<String> {
    let is_wanted = |image: &String| {
        let mut steps = (0..spec.steps.len()).filter(|&index| spec.steps[index].image == *image);
        steps.any(|index| builder_of(spec, index).is_none())
    };
    wanted.retain(is_wanted);
    wanted
}

/// What steps built before the agent was restarted.
pub fn left_by_restart(spec: &JobSpec, folder: &AttemptFolder, journal: &Journal) -> BuiltImages {
    let built = BuiltImages::default();
    for index in 0..spec.steps.len() {
        if journal.step_outcome(index).is_none() {
            continue;
        }
        let outputs = std::fs::read_to_string(folder.step(index).join(gate::OUTPUTS)).unwrap_or_default();
        let id = outputs
            .lines()
            .find_map(|line| line.strip_prefix(IMAGE_ID)?.strip_prefix('='));
        if let Some(id) = id.filter(|_| builds(&spec.steps[index])) {
            built.set(Builder::Step(index), id);
        }
        built.over(Builder::Step(index));
    }
    built
}

/// No service is built from now on: who waits for the image of one that was not built need not wait any longer.
pub fn services_over(spec: &JobSpec, built: &BuiltImages) {
    for image in services(spec) {
        built.over(Builder::service(image));
    }
}

/// Removes what steps of code that is not trusted built. Images of services go with their stack.
pub async fn remove(engine: &Engine, input: &AttemptInput) {
    if input.trusted || !input.spec.steps.iter().any(builds) {
        return;
    }
    let attempt = input.attempt.as_str();
    if let Err(error) = engine.remove_images_of(labels::ATTEMPT, attempt).await {
        tracing::warn!(%error, attempt.id = attempt, "what an attempt built cannot be removed; the sweep will");
    }
}

fn tags(spec: &JobSpec, step: usize) -> impl Iterator<Item = &str> {
    let step = &spec.steps[step];
    let image = match &step.action {
        StepAction::Image(image) if step.skip.is_none() => Some(image),
        _ => None,
    };
    image
        .into_iter()
        .flat_map(|image| image.tags.iter().map(String::as_str))
}

fn services(spec: &JobSpec) -> impl Iterator<Item = &str> {
    let built = spec
        .services
        .iter()
        .filter(|service| service.build.is_some() && !service.image.is_empty());
    built.map(|service| service.image.as_str())
}
