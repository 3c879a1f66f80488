//! The file's own keys, and the jobs with what must be known before they have cells (`needs`, `matrix`).

use std::sync::Arc;

use crate::codes;
use crate::file::Part;
use crate::keys::{FILE, JOB};
use crate::placed::JobSource;
use crate::placed::On;
use crate::problems::Problem;
use crate::reader::{Fields, Reader, Slot};
use crate::yaml::{Entry, Node, Value};

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
        reader.add(Problem::at(&codes::WRONG_TYPE, root.place, message));
        return part;
    }
    let Some(fields) = reader.fields(slot, &FILE, "the file") else {
        return part;
    };
    if let Some(on) = fields.get("on") {
        part.on = reader.on(on);
    }
    if let Some(jobs) = reader.require_jobs(&fields, root) {
        part.jobs = reader.jobs(jobs);
    }
    part
}

impl Reader<'_> {
    fn require_jobs<'n>(&mut self, fields: &Fields<'n>, root: &Node) -> Option<Slot<'n>> {
        let jobs = fields.get("jobs");
        if jobs.is_none() {
            let help = "write `jobs: {test: {image: busybox, steps: [echo hello]}}`";
            self.add(Problem::in_file(&codes::MISSING_KEY, root.place.file, "the file has no `jobs`").help(help));
        }
        jobs
    }

    fn jobs(&mut self, slot: Slot<'_>) -> Vec<JobSource> {
        let Some(entries) = slot.node.entries() else {
            let help = "jobs are a map from name to job: `jobs: {test: {image: busybox, steps: [echo hello]}}`";
            let message = format!("`jobs` takes a map, found {}", slot.node.found());
            self.add(Problem::at(&codes::WRONG_TYPE, slot.place(), message).help(help));
            return Vec::new();
        };
        if entries.is_empty() {
            self.add(Problem::at(&codes::MISSING_KEY, slot.place(), "`jobs` is empty"));
        }
        entries.iter().map(|entry| self.job_source(entry)).collect()
    }

    fn job_source(&mut self, entry: &Entry) -> JobSource {
        let name = entry.key.text.to_string();
        let owner = format!("job `{name}`");
        self.check_job_name(entry);
        let mut job = JobSource::new(name, entry);
        let Some(fields) = self.fields(Slot::of("the job", &entry.node), &JOB, &owner) else {
            return job;
        };
        if let Some(needs) = fields.get("needs") {
            job.needs = self.needs(needs);
        }
        if let Some(matrix) = fields.get("matrix") {
            self.matrix_of(matrix, &owner, &mut job);
        }
        job
    }

    fn matrix_of(&mut self, slot: Slot<'_>, owner: &str, job: &mut JobSource) {
        if matches!(slot.node.value, Value::Scalar(_)) && !slot.node.is_null() {
            job.matrix_from = self.matrix_output(slot, owner, &job.needs);
            job.matrix_is_wrong = job.matrix_from.is_none();
            return;
        }
        let before = self.problems.errors();
        let read = self.matrix(slot, owner);
        job.matrix_is_wrong = self.problems.errors() > before;
        if !job.matrix_is_wrong {
            job.set_matrix(read);
        }
    }

    fn check_job_name(&mut self, entry: &Entry) {
        let name = &*entry.key.text;
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if (1..=64).contains(&name.len()) && name.chars().all(fine) && !name.starts_with('-') {
            return;
        }
        let message = if name.len() > 64 {
            "a job's name is longer than 64 characters".to_owned()
        } else {
            format!("`{name}` is not a name for a job")
        };
        let problem = Problem::at(&codes::BAD_NAME, entry.key.place, message);
        self.add(problem.label("letters, digits, `-` and `_` only"));
    }
}
