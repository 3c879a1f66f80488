//! Which container a shell goes into. A sentence says what to do when there is none.

use std::path::PathBuf;

use job_specs::model::{Env, JobSpec};
use protocol::shell::ShellTarget;

use crate::attempt::folder::AttemptFolder;
use crate::attempt::plan::{self, STEP_LABEL, TRY_LABEL};
pub use crate::attempt::plan::{RETAINED_LABEL, WORKSPACE};
use crate::attempt::report::journal;
use crate::attempt::retained::RETAINED_FOLDER;
use crate::attempt::{AttemptContext, AttemptInput, containers};
use crate::engine::labels::{self, Labels};
use crate::engine::{ContainerId, Owned, OwnedKind};

/// A container to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellContainer {
    /// Which.
    pub container: ContainerId,
    /// The folder of its gate on the host.
    pub gate: PathBuf,
    /// The environment of what runs there, without secrets.
    pub env: Env,
    /// Where it works; `None`: where its image says.
    pub workdir: Option<String>,
    /// For people: `step 2 (./it.sh)`, `service db`.
    pub title: String,
}

/// There is no such container: why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoShellContainer(pub String);

/// A container of the attempt, as its labels tell.
struct Candidate {
    container: ContainerId,
    labels: Labels,
}

/// Finds the container. Secrets of `input` are left out: nobody gets them by a shell.
pub async fn find(
    context: &AttemptContext,
    input: &AttemptInput,
    target: &ShellTarget,
) -> Result<ShellContainer, NoShellContainer> {
    let owned = containers::owned_by(&context.engine, &input.attempt).await;
    let containers = owned.into_iter().filter(|owned| owned.kind == OwnedKind::Container);
    let candidates: Vec<Candidate> = containers
        .map(|Owned { id, labels, .. }| Candidate {
            container: ContainerId(id),
            labels,
        })
        .collect();
    let folder = AttemptFolder::of(&context.attempts, &input.attempt);
    match target {
        ShellTarget::Service(name) => service(input, &folder, &candidates, name),
        ShellTarget::Job => {
            let step = retained_step(&candidates).or_else(|| journal::running_step(&folder.events()));
            let step = step
                .ok_or_else(|| NoShellContainer("no step of this job runs just now; try again in a moment".into()))?;
            step_room(input, &folder, &candidates, step)
        }
        ShellTarget::Step(name) => {
            let step = step_named(&input.spec, name)?;
            let open = [retained_step(&candidates), journal::running_step(&folder.events())];
            if !open.contains(&Some(step)) {
                let running = open.into_iter().flatten().next();
                let instead =
                    running.map_or_else(String::new, |step| format!("; {} can be entered", title(input, step)));
                return Err(NoShellContainer(format!(
                    "step `{name}` does not run just now{instead}"
                )));
            }
            step_room(input, &folder, &candidates, step)
        }
    }
}

/// The step whose container was made for looking around, if one was.
fn retained_step(candidates: &[Candidate]) -> Option<usize> {
    let retained = candidates
        .iter()
        .find(|found| found.labels.contains_key(RETAINED_LABEL))?;
    retained.labels.get(STEP_LABEL)?.parse().ok()
}

fn step_named(spec: &JobSpec, name: &str) -> Result<usize, NoShellContainer> {
    let by_name = spec.steps.iter().position(|step| step.name == name);
    let by_number = || {
        name.parse::<usize>()
            .ok()?
            .checked_sub(1)
            .filter(|&step| step < spec.steps.len())
    };
    by_name.or_else(by_number).ok_or_else(|| {
        let names: Vec<String> = spec.steps.iter().map(|step| format!("`{}`", step.name)).collect();
        NoShellContainer(format!("there is no step `{name}`; there are {}", names.join(", ")))
    })
}

fn title(input: &AttemptInput, step: usize) -> String {
    format!("step {} ({})", step + 1, input.spec.steps[step].name)
}

fn step_room(
    input: &AttemptInput,
    folder: &AttemptFolder,
    candidates: &[Candidate],
    step: usize,
) -> Result<ShellContainer, NoShellContainer> {
    let wanted = step.to_string();
    let of_step = candidates
        .iter()
        .filter(|found| found.labels.get(STEP_LABEL) == Some(&wanted));
    let rank = |found: &&Candidate| {
        let number = found.labels.get(TRY_LABEL).and_then(|text| text.parse::<u32>().ok());
        (found.labels.contains_key(RETAINED_LABEL), number)
    };
    let found = of_step
        .max_by_key(rank)
        .ok_or_else(|| NoShellContainer(format!("{} has no container", title(input, step))))?;
    let retained = found.labels.contains_key(RETAINED_LABEL);
    Ok(ShellContainer {
        container: found.container.clone(),
        gate: if retained {
            folder.path().join(RETAINED_FOLDER)
        } else {
            folder.step(step)
        },
        env: plan::environment(&without_secrets(input), step),
        workdir: Some(plan::working_folder(input.spec.steps[step].workdir.as_deref())),
        title: title(input, step),
    })
}

fn without_secrets(input: &AttemptInput) -> AttemptInput {
    AttemptInput {
        secrets: Default::default(),
        ..input.clone()
    }
}

fn service(
    input: &AttemptInput,
    folder: &AttemptFolder,
    candidates: &[Candidate],
    name: &str,
) -> Result<ShellContainer, NoShellContainer> {
    let spec = input.spec.services.iter().find(|service| service.name == name);
    let spec = spec.ok_or_else(|| {
        let names: Vec<String> = input
            .spec
            .services
            .iter()
            .map(|service| format!("`{}`", service.name))
            .collect();
        match names.is_empty() {
            true => NoShellContainer(format!("there is no service `{name}`: this job has none")),
            false => NoShellContainer(format!("there is no service `{name}`; there are {}", names.join(", "))),
        }
    })?;
    let found = candidates
        .iter()
        .find(|found| found.labels.get(labels::SERVICE).is_some_and(|service| service == name));
    let found = found.ok_or_else(|| NoShellContainer(format!("service `{name}` does not run")))?;
    let stream = protocol::ids::StreamId::service(name);
    Ok(ShellContainer {
        container: found.container.clone(),
        gate: folder.path().join(stream.as_str()),
        env: spec.environment.clone(),
        workdir: None,
        title: format!("service {name}"),
    })
}

/// What a shell is told to run: the command, or the best shell there is.
pub fn command(wanted: &[String]) -> Vec<String> {
    if !wanted.is_empty() {
        return wanted.to_vec();
    }
    let best = "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi";
    ["/bin/sh", "-c", best].map(str::to_owned).to_vec()
}
