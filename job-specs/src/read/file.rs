//! The file's own keys, and the jobs with what must be known before they have cells (`needs`, `matrix`).

use std::sync::Arc;

use crate::codes;
use crate::file::Part;
use crate::located::{JobSource, On};
use crate::names::is_made_of;
use crate::read::concurrency::CONCURRENCY;
use crate::read::job::{ENV, JOB, Making};
use crate::read::on::ON;
use crate::reader::keys::Foreign::{Hint, Means};
use crate::reader::keys::{Others, Shape, Table, key, required};
use crate::reader::{Reader, Slot};
use crate::yaml::{Entry, Node};

/// The file itself. `concurrency` and `env` are read when a build is made.
pub(crate) static FILE: Table<Part> = Table {
    what: "file",
    about: "A job file of Drover: `.drover.yml`, or one of `.drover/*.yml`.",
    keys: &[
        key("on")
            .about("The events that make a build. Without it: push, pull_request, tag and manual.")
            .set(&(ON, |part, on| part.on = on)),
        key("concurrency")
            .about("Builds of one group share the road. A text is the group.")
            .with(&(CONCURRENCY, |_, _, _| ())),
        key("env")
            .about("Environment of every step of every job.")
            .with(&(ENV, |_, _, _| ())),
        required("jobs")
            .about("The jobs, by name.")
            .with(&(Shape::Map(&Shape::Object(&JOB)), |reader, slot, part| {
                part.jobs = reader.jobs(slot)
            })),
    ],
    foreign: &[
        Hint("inputs belong to builds by hand: `on: {manual: {inputs: {…}}}`").answers(&["inputs"]),
        Means("env").answers(&["environment", "variables"]),
        Hint("steps belong to a job: `jobs: {test: {image: …, steps: […]}}`").answers(&["steps", "pipeline"]),
        Hint("services belong to a job: `jobs: {test: {image: …, services: {…}}}`").answers(&["services"]),
        Hint("a matrix belongs to a job: `jobs: {test: {image: …, matrix: {…}}}`").answers(&["matrix"]),
        Hint("an image belongs to a job or a step: `jobs: {test: {image: …}}`").answers(&["image"]),
        Hint("there are no stages: a job starts the moment its own `needs` have passed").answers(&["stages"]),
        Hint("write the events under `on:`").answers(&["workflow", "when"]),
        Hint("remove it; the file needs no version").answers(&["version"]),
        Hint("remove it; a build is named by its repository and number").answers(&["name"]),
        Hint("set `image` and `env` in the job; an anchor (`&name`, `*name`) saves repetition").answers(&["defaults"]),
        Hint("put several files into the folder `.drover/`; they are read as one").answers(&["include"]),
    ],
    others: Others::Extensions,
};

/// Reads one file as far as it can be read without a cell.
pub(crate) fn read_file(reader: &mut Reader<'_>, root: &Arc<Node>) -> Part {
    let mut part = Part {
        on: On::by_default(),
        on_node: root.get("on").cloned(),
        concurrency: root.get("concurrency").cloned(),
        env: root.get("env").cloned(),
        jobs: Vec::new(),
    };
    let slot = Slot::of("the file", root);
    if root.entries().is_none() {
        let message = format!("a job file is a map with `jobs`, found {}", root.found());
        reader.add(codes::WRONG_TYPE.at(root.location, message));
        return part;
    }
    if let Some(mut fields) = reader.fields(slot, &FILE, "the file".to_owned()) {
        if fields.get("jobs").is_none() {
            let help = "write `jobs: {test: {image: busybox, steps: [echo hello]}}`";
            let problem = codes::MISSING_KEY.in_file(root.location.file, "the file has no `jobs`");
            reader.add(problem.help(help));
            fields.leave_out(&["jobs"]);
        }
        reader.rest(&mut fields, &FILE, root.location, &mut part);
    }
    part
}

impl Reader<'_> {
    fn jobs(&mut self, slot: Slot<'_>) -> Vec<JobSource> {
        let help = "jobs are a map from name to job: `jobs: {test: {image: busybox, steps: [echo hello]}}`";
        let entries = slot.node.entries().or_else(|| self.wrong_form(slot, "a map", help));
        let Some(entries) = entries else { return Vec::new() };
        if entries.is_empty() {
            self.add(codes::MISSING_KEY.at(slot.location(), "`jobs` is empty"));
        }
        entries.iter().map(|entry| self.job_source(entry)).collect()
    }

    fn job_source(&mut self, entry: &Entry) -> JobSource {
        let name = entry.key.text.to_string();
        let owner = format!("job `{name}`");
        self.check_job_name(entry);
        let mut job = JobSource::new(name, entry);
        let Some(mut fields) = self.fields(Slot::of("the job", &entry.node), &JOB, owner) else {
            return job;
        };
        let mut making = Making::default();
        self.early(&mut fields, &JOB, "needs", &mut making);
        self.early(&mut fields, &JOB, "matrix", &mut making);
        job.needs = making.needs;
        job.matrix_from = making.matrix_from;
        job.matrix_is_wrong = fields.get("matrix").is_some() && making.matrix.is_none() && job.matrix_from.is_none();
        if let Some(matrix) = making.matrix {
            job.set_matrix(matrix);
        }
        job
    }

    fn check_job_name(&mut self, entry: &Entry) {
        let name = &*entry.key.text;
        if name.len() <= 64 && is_made_of(name, "-_") && !name.starts_with('-') {
            return;
        }
        let message = if name.len() > 64 {
            "a job's name is longer than 64 characters".to_owned()
        } else {
            format!("`{name}` is not a name for a job")
        };
        let problem = codes::BAD_NAME.at(entry.key.location, message);
        self.add(problem.label("letters, digits, `-` and `_` only"));
    }
}
