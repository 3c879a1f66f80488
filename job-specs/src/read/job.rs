//! One cell of a job: everything but `needs` and `matrix`, which are known before.

use std::collections::BTreeMap;

use crate::codes;
use crate::env::matrix_variable;
use crate::keys::{JOB, RESOURCES};
use crate::matrix::Cell;
use crate::model::{Env, JobSpec, Resources};
use crate::placed::{JobSource, Need};
use crate::problems::Problem;
use crate::reader::{Fields, Reader, Slot};
use crate::source::Place;
use crate::yaml::{Entry, Node, Value};

/// Reads one cell. Fields that are wrong, or not known yet, get a default: what is made then is thrown away.
pub(crate) fn read_job<'a>(
    reader: &mut Reader<'a>,
    file_env: Option<&Node>,
    job: &'a JobSource,
    cell: &'a Cell,
) -> JobSpec {
    let mut spec = skeleton(job, cell);
    spec.env = read_env(reader, file_env);
    reader.scope.waits = job.matrix_from.is_some();
    reader.scope.cell = Some(cell);
    reader.scope.axes = &job.axes;
    reader.scope.values = &job.values;
    reader.scope.needs = &job.needs;
    reader.scope.axes_unknown = job.axes_unknown();
    let matrix = cell
        .values
        .iter()
        .map(|value| (matrix_variable(&value.axis), Some(value.value.clone())));
    reader.remember(matrix.collect(), &mut spec.env);
    let owner = format!("job `{}`", job.name);
    if let Some(fields) = reader.fields(Slot::of("the job", &job.node), &JOB, &owner) {
        reader.job_fields(&fields, &owner, job.place, &mut spec);
        let skipped = spec.skip.is_some();
        reader.unless(skipped, |reader| {
            spec.services = reader.services(&fields, &owner, file_env);
        });
    }
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
    fn job_fields(&mut self, fields: &Fields<'_>, owner: &str, place: Place, spec: &mut JobSpec) {
        if let Some(env) = fields.get("env") {
            let env = self.env_map(env);
            self.remember(env, &mut spec.env);
        }
        if let Some(slot) = fields.get("when") {
            let when = self.when(slot, owner);
            (spec.when, spec.skip) = (when.status, when.skip);
        }
        self.unless(spec.skip.is_some(), |reader| {
            reader.own_fields(fields, owner, place, spec);
        });
    }

    /// Everything but `env` and `when`.
    fn own_fields(&mut self, fields: &Fields<'_>, owner: &str, place: Place, spec: &mut JobSpec) {
        let image = if needs_image(fields) {
            self.require(fields, "image", owner, place)
        } else {
            fields.get("image")
        };
        spec.image = image.and_then(|slot| self.image(slot)).unwrap_or_default();
        self.run_fields(fields, owner, spec);
        self.kept_fields(fields, owner, spec);
        if let Some(slot) = fields.get("timeout") {
            spec.timeout_secs = self.duration_secs(slot).unwrap_or(spec.timeout_secs);
        }
        if let Some(slot) = fields.get("allow_failure") {
            spec.allow_failure |= self.flag(slot).unwrap_or(false);
        }
        if let Some(slot) = fields.get("resources") {
            spec.resources = self.resources(slot, owner);
        }
        if let Some(slot) = self.require(fields, "steps", owner, place) {
            spec.steps = self.steps(slot, owner, &spec.image);
        }
    }

    /// Where and how often it runs.
    fn run_fields(&mut self, fields: &Fields<'_>, owner: &str, spec: &mut JobSpec) {
        if let Some(slot) = fields.get("retry") {
            spec.retry = self.retry(slot, owner);
        }
        let hold = fields.get("hold_on_failure");
        spec.hold_on_failure_secs = hold.and_then(|slot| self.bounded_secs(slot, (1, "1s"), (24 * 3600, "24h")));
        if let Some(slot) = fields.get("runs_on") {
            spec.runs_on = self.agent_labels(slot);
        }
        let idempotent = fields.get("idempotent").and_then(|slot| self.flag(slot));
        spec.idempotent = idempotent.unwrap_or(true);
        let network = fields.get("network").and_then(|slot| self.choice(slot, &["none"]));
        spec.network_none = network.is_some();
    }

    fn kept_fields(&mut self, fields: &Fields<'_>, owner: &str, spec: &mut JobSpec) {
        if let Some(slot) = fields.get("cache") {
            spec.caches = self.caches(slot, owner);
        }
        if let Some(slot) = fields.get("artifacts") {
            spec.artifacts = self.artifacts(slot, owner);
        }
        if let Some(slot) = fields.get("reports") {
            spec.reports = self.reports(slot, owner);
        }
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
        let Some(entries) = slot.node.entries() else {
            let message = format!("{} takes a map, found {}", slot.name(), slot.node.found());
            self.add(
                Problem::at(&codes::WRONG_TYPE, slot.place(), message).help("write `NAME: value`, one on each line"),
            );
            return Vec::new();
        };
        for entry in entries {
            self.check_variable_name(&entry.key.text, entry.key.place);
        }
        entries
            .iter()
            .map(|entry| (entry.key.text.to_string(), self.env_value(entry)))
            .collect()
    }

    /// The value of one variable, as it is written.
    pub(crate) fn env_value(&mut self, entry: &Entry) -> Option<String> {
        let name = &*entry.key.text;

        if entry.node.is_null() {
            let problem = Problem::at(&codes::WRONG_TYPE, entry.key.place, format!("`{name}` has no value"));
            self.add(problem.help(format!(
                "write `{name}: \"\"` for an empty one; nothing is taken from the agent's host"
            )));
            return None;
        }
        let slot = Slot::of(name, &entry.node);
        self.scalar(slot, "a text, a number or true/false")
            .map(|scalar| scalar.text)
    }

    /// The name of an image.
    pub(crate) fn image(&mut self, slot: Slot<'_>) -> Option<String> {
        let name = self.text(slot)?;
        if let Some(fault) = crate::images::fault(&name) {
            let problem = self.bad_value(slot, &codes::BAD_IMAGE, format!("`{name}` is not an image's name"));
            self.add(problem.label(fault));
            return None;
        }
        if crate::images::is_reserved(&name) {
            let problem = self.bad_value(
                slot,
                &codes::BAD_IMAGE,
                format!("`{name}` is a name of the agents' own"),
            );
            self.add(problem.help("give the image a name that does not begin with `drover/`"));
            return None;
        }
        Some(name)
    }

    /// `user`, `uid` or `uid:gid`.
    pub(crate) fn user(&mut self, slot: Slot<'_>) -> Option<String> {
        let mut user = self.given_text(slot)?;
        if self.in_compose(slot.place()) {
            // `"${UID:-}:${GID:-}"` without values
            user = user.trim_end_matches(':').to_owned();
            if user.is_empty() {
                return None;
            }
        }
        let fine = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        };
        if user.split(':').count() <= 2 && user.split(':').all(fine) {
            return Some(user);
        }
        let problem = self.bad_value(slot, &codes::BAD_VALUE, format!("`{user}` is not a user"));
        self.add(problem.label("expected `user`, `uid` or `uid:gid`"));
        None
    }

    /// A duration in whole seconds, rounded up.
    pub(crate) fn duration_secs(&mut self, slot: Slot<'_>) -> Option<u64> {
        self.duration_ms(slot).map(|ms| ms.div_ceil(1000))
    }

    fn resources(&mut self, slot: Slot<'_>, owner: &str) -> Resources {
        let Some(fields) = self.fields(slot, &RESOURCES, &format!("`resources` of {owner}")) else {
            return Resources::default();
        };
        Resources {
            cpu_millis: fields.get("cpus").and_then(|slot| self.cpu_millis(slot)),
            memory_bytes: fields.get("memory").and_then(|slot| self.size_bytes(slot)),
            pids: fields
                .get("pids")
                .and_then(|slot| self.count(slot, 4_194_304))
                .map(u64::from),
        }
    }
}
