//! The file's own keys: `on`, `env`, and the jobs with what must be known before they have cells (`needs`, `matrix`).

use std::sync::Arc;

use crate::codes;
use crate::file::Part;
use crate::keys::{EVENTS, FILE, JOB, ON};
use crate::problems::Problem;
use crate::read::job::{JobSource, Need};
use crate::read::{Fields, Reader, Slot};
use crate::suggest::did_you_mean;
use crate::yaml::{Entry, Node, Value};

/// Events of a file without `on`: all but the schedule.
const DEFAULT_EVENTS: [&str; 4] = ["push", "pull_request", "tag", "manual"];

/// Reads one file as far as it can be read without a cell.
pub(crate) fn read_file(reader: &mut Reader<'_>, root: &Arc<Node>) -> Part {
    let mut part = Part {
        events: DEFAULT_EVENTS.to_vec(),
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
        part.events = reader.events(on);
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

    fn events(&mut self, on: Slot<'_>) -> Vec<&'static str> {
        let mut events = Vec::new();
        match &on.node.value {
            Value::Map(_) => {
                let Some(fields) = self.fields(on, &ON, "`on`") else {
                    return events;
                };
                for event in EVENTS.iter().copied() {
                    if let Some(filter) = fields.get(event) {
                        events.push(event);
                        self.no_filter(filter);
                    }
                }
            }
            Value::Scalar(_) | Value::List(_) => {
                for slot in self.one_or_many(on) {
                    events.extend(self.event(slot));
                }
            }
        }
        if events.is_empty() && matches!(&on.node.value, Value::List(items) if items.is_empty()) {
            let problem = Problem::at(
                &codes::BAD_VALUE,
                on.place(),
                "`on` names no event, so nothing would ever run",
            );
            self.add(problem.help("remove `on`, or name an event"));
        }
        events
    }

    /// The name of an event.
    pub(crate) fn event(&mut self, slot: Slot<'_>) -> Option<&'static str> {
        let name = self.literal(slot)?;
        let known = EVENTS.iter().copied().find(|event| *event == name);
        if known.is_none() {
            let problem = Problem::at(&codes::UNKNOWN_EVENT, slot.place(), format!("unknown event `{name}`"));
            let problem = problem.note(format!("events: {}", EVENTS.join(", ")));
            self.add(match did_you_mean(&name, EVENTS.iter().copied()) {
                Some(label) => problem.label(label),
                None => problem,
            });
        }
        known
    }

    fn no_filter(&mut self, filter: Slot<'_>) {
        if filter.node.is_null() || filter.node.entries().is_some_and(<[Entry]>::is_empty) {
            return;
        }
        let message = format!("filters of {} are not supported yet", filter.name());
        let help = "write the event alone: `on: [push, tag]`";
        self.add(Problem::at(&codes::NOT_YET, filter.place(), message).help(help));
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
            let before = self.problems.errors();
            let read = self.matrix(matrix, &owner);
            job.matrix_is_wrong = self.problems.errors() > before;
            if !job.matrix_is_wrong {
                job.set_matrix(read);
            }
        }
        job
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

    fn needs(&mut self, slot: Slot<'_>) -> Vec<Need> {
        let mut needs: Vec<Need> = Vec::new();
        for item in self.one_or_many(slot) {
            let Some(name) = self.literal(item) else { continue };
            let place = item.place();
            match needs.iter().find(|need| need.name == name) {
                Some(first) => {
                    let first = first.place;
                    let problem = Problem::at(&codes::DUPLICATE, place, format!("`needs` names `{name}` twice"));
                    self.add(problem.label("again").related(first, "first here"));
                }
                None => needs.push(Need { name, place }),
            }
        }
        needs
    }
}
