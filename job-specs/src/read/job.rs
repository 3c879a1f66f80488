//! One cell of a job: everything but `needs` and `matrix`, which are known before.

use std::collections::BTreeMap;

use crate::codes;
use crate::env::matrix_variable;
use crate::located::{JobSource, Need, OutputName};
use crate::matrix::{Cell, Matrix};
use crate::model::{AxisValue, Env, JobSpec};
use crate::names::is_made_of;
use crate::read::foreign;
use crate::read::image_step::LABELS;
use crate::read::kept::{ARTIFACTS, CACHES, REPORTS};
use crate::read::matrix::MATRIX;
use crate::read::needs::NEEDS;
use crate::read::resources::RESOURCES;
use crate::read::retry::RETRY;
use crate::read::services::{COMPOSE, CONFIGS, SECRETS, SERVICES, ServiceKeys};
use crate::read::step::STEPS;
use crate::read::when::{WHEN, When};
use crate::reader::keys::{Kind, Others, Shape, Table, key, kind, required};
use crate::reader::kinds::{FLAG, SECONDS, choice};
use crate::reader::{Fields, Reader, Slot};
use crate::yaml::{Entry, Node, Value};

/// A job that is being read.
#[derive(Default)]
pub(crate) struct Making {
    pub(crate) spec: JobSpec,
    pub(crate) needs: Vec<Need>,
    pub(crate) matrix: Option<Matrix>,
    pub(crate) matrix_from: Option<OutputName>,
    services: ServiceKeys,
}

/// A job.
pub(crate) static JOB: Table<Making> = Table {
    what: "job",
    about: "Steps that run one after the other beside their services, once for each cell of the matrix.",
    keys: &[
        key("image")
            .about("The image of every step that names none. Required unless every step has its own.")
            .set(&(IMAGE, |job, image| job.spec.image = image)),
        key("needs")
            .about("Jobs that must end before this one starts; `when` says how.")
            .set(&(NEEDS, |job, needs| job.needs = needs)),
        key("matrix")
            .about(
                "The job runs once for each cell of this matrix. It may be an output of a job that it needs: \
                 `${{ needs.plan.outputs.cells }}`, in JSON.",
            )
            .with(&MATRIX),
        key("when")
            .about("When it runs; else it is shown as skipped. `status` is about the jobs that it needs.")
            .set(&(WHEN, |job, When { status, skip }| {
                (job.spec.when, job.spec.skip) = (status, skip)
            })),
        key("env")
            .about("Environment of every step, over the file's.")
            .with(&(ENV, |reader, slot, job| {
                let env = reader.env_map(slot);
                reader.remember(env, &mut job.spec.env);
            })),
        key("services")
            .about("Containers that run beside the steps, by host name, in Compose's words.")
            .set(&(SERVICES, |job, services| job.services.own = services)),
        key("compose")
            .about("A Compose file of the repository, whose services run beside the steps; `services` goes over them.")
            .set(&(COMPOSE, |job, import| job.services.import = Some(import))),
        key("configs")
            .about("Files that services name under their `configs`.")
            .set(&(CONFIGS, |job, configs| job.services.configs = configs)),
        key("secrets")
            .about("Files that services name under their `secrets`. Steps name the repository's secrets themselves.")
            .set(&(SECRETS, |job, secrets| job.services.secrets = secrets)),
        required("steps")
            .about("What runs, in order. A text is a script.")
            .with(&STEPS),
        key("timeout")
            .about("The job may take this long, steps and services together. Default: 1h.")
            .set(&(SECONDS, |job, secs| job.spec.timeout_secs = secs)),
        key("resources")
            .about("Limits of each step's container.")
            .set(&(RESOURCES, |job, resources| job.spec.resources = resources)),
        key("allow_failure")
            .about("A failure of this job does not fail the build.")
            .set(&(FLAG, |job, allowed| job.spec.allow_failure |= allowed)),
        key("cache")
            .about("Folders that are kept from one build to the next.")
            .set(&(CACHES, |job, caches| job.spec.caches = caches)),
        key("artifacts")
            .about("Files that are kept with the build.")
            .set(&(ARTIFACTS, |job, artifacts| job.spec.artifacts = artifacts)),
        key("reports")
            .about("Test reports that are read when the steps are over.")
            .set(&(REPORTS, |job, reports| job.spec.reports = reports)),
        key("retry")
            .about("How often the job is attempted again; without `on` after `infrastructure` alone.")
            .set(&(RETRY, |job, retry| job.spec.retry = retry)),
        key("hold_on_failure")
            .about(
                "After a failure, containers and services stay for this time, at most 24h, so that \
                 `drover shell` can enter.",
            )
            .set(&(HOLD, |job, secs| job.spec.hold_on_failure_secs = Some(secs))),
        key("runs_on")
            .about("Labels that its agent must have: `{arch: arm64}`.")
            .set(&(LABELS, |job, labels| job.spec.runs_on = labels)),
        key("idempotent")
            .about("With false the job is never attempted again by itself. Default: true.")
            .set(&(FLAG, |job, idempotent| job.spec.idempotent = idempotent)),
        key("network")
            .about("With none its steps reach no network at all, services included.")
            .set(&(choice(&["none"]), |job, _| job.spec.network_none = true)),
    ],
    foreign: foreign::IN_A_JOB,
    others: Others::Refused,
};

/// A map from names to values.
pub(crate) const ENV: Shape = Shape::Map(&Shape::Scalar);
/// The name of an image.
pub(crate) const IMAGE: Kind<String> = kind(Shape::Text, |reader, slot, _| reader.image(slot));
/// `user`, `uid` or `uid:gid`.
pub(crate) const USER: Kind<String> = kind(Shape::Scalar, |reader, slot, _| reader.user(slot));
/// How long containers stay after a failure.
const HOLD: Kind<u64> = kind(Shape::Duration, |reader, slot, _| {
    reader.bounded_secs(slot, (1, "1s"), (24 * 3600, "24h"))
});

/// Reads one cell. Fields that are wrong, or not known yet, get a default: what is made then is thrown away.
pub(crate) fn read_job<'a>(
    reader: &mut Reader<'a>,
    file_env: Option<&Node>,
    job: &'a JobSource,
    cell: &'a Cell,
) -> JobSpec {
    let mut making = Making {
        spec: skeleton(job, cell),
        ..Making::default()
    };
    making.spec.env = read_env(reader, file_env);
    reader.scope.waits = job.matrix_from.is_some();
    reader.scope.cell = Some(cell);
    reader.scope.axes = &job.axes;
    reader.scope.values = &job.values;
    reader.scope.needs = &job.needs;
    reader.scope.axes_unknown = job.axes_unknown();
    let variable = |value: &AxisValue| (matrix_variable(&value.axis), Some(value.value.clone()));
    reader.remember(cell.values.iter().map(variable).collect(), &mut making.spec.env);
    let owner = format!("job `{}`", job.name);
    if let Some(fields) = reader.fields(Slot::of("the job", &job.node), &JOB, owner.clone()) {
        reader.job_fields(fields, &owner, job, file_env, &mut making);
    }
    let mut spec = making.spec;
    spec.deferred = reader.scope.waits && spec.skip.is_none();
    spec
}

/// Reads the file's environment, and leaves the reader outside of any job.
pub(crate) fn read_env(reader: &mut Reader<'_>, file_env: Option<&Node>) -> Env {
    reader.scope.cell = None;
    reader.scope.axes = &[];
    reader.scope.values = &[];
    reader.scope.needs = &[];
    reader.scope.axes_unknown = false;
    reader.scope.env = BTreeMap::new();
    let mut known = Env::new();
    if let Some(env) = file_env {
        let env = reader.env_map(Slot::of("env", env));
        reader.remember(env, &mut known);
    }
    known
}

/// Whether a step relies on the job's image.
fn needs_image(fields: &Fields<'_>) -> bool {
    match fields.get("steps").map(|steps| &steps.node.value) {
        Some(Value::List(steps)) => steps.is_empty() || steps.iter().any(|step| step.get("image").is_none()),
        _ => true,
    }
}

fn skeleton(job: &JobSource, cell: &Cell) -> JobSpec {
    JobSpec {
        name: job.name.clone(),
        matrix: cell.values.clone(),
        needs: job.needs.iter().map(Need::spec).collect(),
        allow_failure: cell.allow_failure,
        max_parallel: job.matrix.max_parallel,
        fail_fast: job.matrix.fail_fast,
        ..JobSpec::default()
    }
}

impl Reader<'_> {
    /// First the environment, which all others may use, then the condition: a job that will not run is not read.
    fn job_fields(
        &mut self,
        mut fields: Fields<'_>,
        owner: &str,
        job: &JobSource,
        file_env: Option<&Node>,
        making: &mut Making,
    ) {
        self.early(&mut fields, &JOB, "env", making);
        self.early(&mut fields, &JOB, "when", making);
        fields.leave_out(&["needs", "matrix"]);
        self.unless(making.spec.skip.is_some(), |reader| {
            if needs_image(&fields) {
                reader.missing(&fields, "image", job.location);
            }
            reader.rest(&mut fields, &JOB, job.location, making);
            let keys = std::mem::take(&mut making.services);
            making.spec.services = reader.services(&fields, keys, owner, file_env);
        });
    }

    /// Adds variables to the scope, so that what comes after can use them, and to the environment, if known.
    fn remember(&mut self, variables: Vec<(String, Option<String>)>, env: &mut Env) {
        for (name, value) in variables {
            if let Some(value) = &value {
                env.insert(name.clone(), value.clone());
            }
            self.scope.env.insert(name, value);
        }
    }

    /// `env`: a map from names to values. A value that is not known yet is `None`.
    pub(crate) fn env_map(&mut self, slot: Slot<'_>) -> Vec<(String, Option<String>)> {
        let entries = slot.node.entries();
        let entries = entries.or_else(|| self.wrong_form(slot, "a map", "write `NAME: value`, one on each line"));
        let Some(entries) = entries else { return Vec::new() };
        for entry in entries {
            self.check_variable_name(&entry.key.text, entry.key.location);
        }
        let variable = |entry: &Entry| (entry.key.text.to_string(), self.env_value(entry));
        entries.iter().map(variable).collect()
    }

    /// The value of one variable, as it is written.
    pub(crate) fn env_value(&mut self, entry: &Entry) -> Option<String> {
        let name = &*entry.key.text;
        if entry.node.is_null() {
            let problem = codes::WRONG_TYPE.at(entry.key.location, format!("`{name}` has no value"));
            let help = format!("write `{name}: \"\"` for an empty one; nothing is taken from the agent's host");
            return self.reject(problem.help(help));
        }
        let slot = Slot::of(name, &entry.node);
        Some(self.scalar(slot, "a text, a number or true/false")?.text)
    }

    /// The name of an image.
    pub(crate) fn image(&mut self, slot: Slot<'_>) -> Option<String> {
        let name = self.text(slot)?;
        if let Some(fault) = crate::images::fault(&name) {
            let problem = self.bad_value(slot, &codes::BAD_IMAGE, format!("`{name}` is not an image's name"));
            return self.reject(problem.label(fault));
        }
        if crate::images::is_reserved(&name) {
            let message = format!("`{name}` is a name of the agents' own");
            let problem = self.bad_value(slot, &codes::BAD_IMAGE, message);
            return self.reject(problem.help("give the image a name that does not begin with `drover/`"));
        }
        Some(name)
    }

    /// `user`, `uid` or `uid:gid`.
    pub(crate) fn user(&mut self, slot: Slot<'_>) -> Option<String> {
        let mut user = self.given_text(slot)?;
        if self.in_compose(slot.location()) {
            // `"${UID:-}:${GID:-}"` without values
            user = user.trim_end_matches(':').to_owned();
            if user.is_empty() {
                return None;
            }
        }
        if user.split(':').count() <= 2 && user.split(':').all(|part| is_made_of(part, "_.-")) {
            return Some(user);
        }
        let problem = self.not_allowed(slot, format!("`{user}` is not a user"));
        self.reject(problem.label("expected `user`, `uid` or `uid:gid`"))
    }
}
