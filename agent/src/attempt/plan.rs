//! What a step's container is and what its gate is told, pure. The container's configuration names no variable of
//! the job: environment and secrets travel in the *go* message only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use job_specs::model::{Env, JobSpec, Resources, SecretInto, Shell, StepAction, StepSpec};
use protocol::work::SecretValue;

use super::AttemptInput;
use crate::checkout::ObjectsMount;
use crate::engine::labels::{self, Labels};
use crate::engine::plan::Bind;
use crate::engine::{ContainerPlan, Limits, Network};
use crate::gate;

pub use crate::checkout::WORKSPACE;
/// The label that says which step a container is for, from 0.
pub const STEP_LABEL: &str = "drover.step";

/// The label that says for which try of the step it is, from 1.
pub const TRY_LABEL: &str = "drover.try";
/// The label of the container in which people look around after a failure.
pub const RETAINED_LABEL: &str = "drover.retained";
/// How much the secret files of a step may have together; they are in memory.
const SECRETS_SIZE: &str = "2m";

/// Where the folders of a step are on the host.
#[derive(Debug, Clone)]
pub struct StepPaths<'a> {
    /// The gate program.
    pub gate: &'a Path,
    /// The gate's folder.
    pub run: &'a Path,
    /// The code.
    pub workspace: &'a Path,
    /// Where the objects of the code's repository are, if it is one.
    pub objects: &'a [ObjectsMount],
}

/// The container of a step; `image` is the id of an image that is here.
pub fn container(
    step: &StepSpec,
    image: String,
    resources: &Resources,
    paths: &StepPaths<'_>,
    network: Network,
) -> ContainerPlan {
    let mut binds = vec![
        Bind::read_only(paths.gate, "/.drover/gate"),
        Bind::writable(paths.run, gate::FOLDER),
        Bind::writable(paths.workspace, WORKSPACE),
    ];
    let objects = paths.objects.iter();
    binds.extend(objects.map(|objects| Bind::read_only(&objects.host, &objects.inside)));
    let tmpfs = match secret_files(step).next() {
        Some(_) => [(
            gate::SECRETS.to_owned(),
            format!("rw,nosuid,nodev,noexec,mode=1777,size={SECRETS_SIZE}"),
        )]
        .into(),
        None => BTreeMap::new(),
    };
    ContainerPlan {
        entrypoint: Some(vec!["/.drover/gate".into(), "step".into()]),
        user: step.user.clone(),
        workdir: Some(WORKSPACE.into()),
        binds,
        tmpfs,
        network,
        limits: limits(resources),
        ..ContainerPlan::of(image)
    }
}

/// The labels of a step's container, besides those of its sandbox.
pub fn step_labels(attempt: &str, index: usize, expires: i64) -> Labels {
    Labels::from([
        (labels::ATTEMPT.to_owned(), attempt.to_owned()),
        (labels::ROLE.to_owned(), labels::ROLE_STEP.to_owned()),
        (labels::EXPIRES.to_owned(), expires.to_string()),
        (STEP_LABEL.to_owned(), index.to_string()),
    ])
}

/// What a container or a build of the job may use.
pub fn limits(resources: &Resources) -> Limits {
    Limits {
        memory_bytes: resources.memory_bytes,
        cpu_millis: resources.cpu_millis,
        pids: resources.pids,
        ..Limits::default()
    }
}

/// What the gate of that step is told to run.
pub fn go(input: &AttemptInput, index: usize, log_limit: u64) -> gate::Go {
    let step = &input.spec.steps[index];
    let (argv, script) = match &step.action {
        StepAction::Entrypoint(argv) => (argv.clone(), None),
        StepAction::Image(_) => (vec!["false".into()], None),
        StepAction::Run { script, shell } => {
            let shell: &[&str] = match shell {
                Shell::Sh => &["/bin/sh", "-e"],
                Shell::Bash => &["bash", "-e", "-o", "pipefail"],
            };
            let file = format!("{}/{}", gate::FOLDER, gate::SCRIPT);
            let argv = shell.iter().map(|&word| word.to_owned()).chain([file]).collect();
            (argv, Some(script.clone().into_bytes()))
        }
    };
    gate::Go {
        argv,
        env: environment(input, index).into_iter().collect(),
        cwd: Some(working_folder(step.workdir.as_deref())),
        script,
        files: secret_file_contents(step, &input.secrets),
        log_limit,
        ..gate::Go::default()
    }
}

/// The environment of a step: job, then step, then the secrets that it names, then what nobody may change.
pub fn environment(input: &AttemptInput, index: usize) -> Env {
    let (spec, step) = (&input.spec, &input.spec.steps[index]);
    // Files of the workspace may belong to another user than the step's.
    let mut env: Env = [
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "safe.directory"),
        ("GIT_CONFIG_VALUE_0", "*"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    env.extend(spec.env.clone());
    env.extend(step.env.clone());
    env.extend(secrets_of(step, &input.secrets));
    env.extend(matrix(spec));
    env.extend(input.env.clone());
    env.extend(
        [
            ("DROVER_JOB", spec.name.clone()),
            ("DROVER_STEP", step.name.clone()),
            ("DROVER_ATTEMPT", input.number.to_string()),
            ("DROVER_WORKSPACE", WORKSPACE.to_owned()),
            ("DROVER_OUTPUT", format!("{}/{}", gate::FOLDER, gate::OUTPUTS)),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    env
}

/// The `MATRIX_*` variables as expansion made them, so that no step changes what cell it is in.
fn matrix(spec: &JobSpec) -> impl Iterator<Item = (String, String)> {
    spec.matrix.iter().filter_map(|cell| {
        let axis = cell
            .axis
            .to_uppercase()
            .replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let name = format!("MATRIX_{axis}");
        let value = spec.env.get(&name)?.clone();
        Some((name, value))
    })
}

fn secrets_of<'a>(
    step: &'a StepSpec,
    secrets: &'a BTreeMap<String, SecretValue>,
) -> impl Iterator<Item = (String, String)> + 'a {
    step.secrets.iter().filter_map(|secret| match &secret.into {
        SecretInto::Env(variable) => Some((variable.clone(), secrets.get(&secret.name)?.0.clone())),
        SecretInto::File(_) => None,
    })
}

/// The secrets that the step gets as files: each with its path, and where it really stands.
fn secret_files(step: &StepSpec) -> impl Iterator<Item = (&str, &str, String)> {
    let files = step.secrets.iter().filter_map(|secret| match &secret.into {
        SecretInto::File(path) => Some((secret.name.as_str(), path.as_str())),
        SecretInto::Env(_) => None,
    });
    let numbered = files.enumerate();
    numbered.map(|(number, (name, path))| (name, path, format!("{}/{number}", gate::SECRETS)))
}

/// The links by which a step finds its secret files: (where, to what). The files themselves are in memory, made by the
/// gate at *go*; so nothing of them is ever in the container's configuration or on a disk.
pub fn secret_links(step: &StepSpec) -> Vec<(String, String)> {
    let links = secret_files(step).map(|(_, path, place)| (path.to_owned(), place));
    links.collect()
}

fn secret_file_contents(step: &StepSpec, secrets: &BTreeMap<String, SecretValue>) -> Vec<(String, Vec<u8>)> {
    let contents = secret_files(step).filter_map(|(name, _, place)| {
        let value = &secrets.get(name)?.0;
        Some((place, value.clone().into_bytes()))
    });
    contents.collect()
}

/// The secrets that steps name and nobody has: (step, secret), each secret once.
pub fn missing_secrets(input: &AttemptInput) -> Vec<(&str, &str)> {
    let mut missing: Vec<(&str, &str)> = Vec::new();
    for step in input.spec.steps.iter().filter(|step| step.skip.is_none()) {
        for secret in &step.secrets {
            let known = missing.iter().any(|(_, known)| *known == secret.name);
            if !input.secrets.contains_key(&secret.name) && !known {
                missing.push((&step.name, &secret.name));
            }
        }
    }
    missing
}

/// An absolute folder; relative ones are under the workspace.
pub fn working_folder(workdir: Option<&str>) -> String {
    let folder = workdir.map_or_else(|| PathBuf::from(WORKSPACE), |folder| Path::new(WORKSPACE).join(folder));
    folder.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use job_specs::model::{AxisValue, SecretUse};
    use protocol::ids::AttemptId;

    use super::super::Code;
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn input() -> AttemptInput {
        let step = StepSpec {
            name: "deploy".into(),
            action: StepAction::Run {
                script: "./deploy".into(),
                shell: Shell::Bash,
            },
            image: "busybox".into(),
            env: env(&[("WHO", "step"), ("MATRIX_DB", "wrong"), ("DROVER_SHA", "wrong")]),
            secrets: vec![SecretUse::env("TOKEN"), SecretUse::env("GONE")],
            workdir: Some("app".into()),
            ..StepSpec::default()
        };
        let spec = JobSpec {
            name: "ship".into(),
            matrix: vec![AxisValue {
                axis: "db".into(),
                value: "15".into(),
            }],
            image: "busybox".into(),
            env: env(&[("WHO", "job"), ("ALSO", "job"), ("MATRIX_DB", "15")]),
            services: Vec::new(),
            steps: vec![step],
            timeout_secs: 60,
            ..JobSpec::default()
        };
        let secret = |name: &str, value: &str| (name.to_owned(), SecretValue(value.into()));
        AttemptInput {
            attempt: AttemptId("a".into()),
            number: 2,
            repository: "r".into(),
            code: Code::Tree("/src".into()),
            spec,
            env: env(&[("DROVER_SHA", "abc")]),
            secrets: [secret("TOKEN", "t0ken"), secret("OTHER", "0ther")].into(),
            trusted: true,
            blobs: crate::blobs::Blobs::Folder(crate::blobs::Folder::new(
                Path::new("/data"),
                Path::new("/run"),
                "r",
                &JobSpec::default(),
            )),
        }
    }

    #[test]
    fn a_step_gets_its_own_secrets_and_cannot_change_where_it_is() {
        let go = go(&input(), 0, 7);
        let env: Vec<String> = go.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        insta::assert_snapshot!(env.join("\n"), @"
        ALSO=job
        DROVER_ATTEMPT=2
        DROVER_JOB=ship
        DROVER_OUTPUT=/.drover/run/outputs
        DROVER_SHA=abc
        DROVER_STEP=deploy
        DROVER_WORKSPACE=/workspace
        GIT_CONFIG_COUNT=1
        GIT_CONFIG_KEY_0=safe.directory
        GIT_CONFIG_VALUE_0=*
        MATRIX_DB=15
        TOKEN=t0ken
        WHO=step
        ");
        assert_eq!(go.argv.join(" "), "bash -e -o pipefail /.drover/run/script");
        assert_eq!(go.cwd.as_deref(), Some("/workspace/app"));
    }

    #[test]
    fn a_missing_secret_is_named_with_its_step() {
        assert_eq!(missing_secrets(&input()), [("deploy", "GONE")]);
    }
}
