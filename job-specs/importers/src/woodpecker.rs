//! Woodpecker: one workflow file becomes one job, its `when` the file's `on`.

use std::sync::Arc;

use job_specs::yaml::Node;

use crate::conditions::{Clause, any_of, on};
use crate::draft::{Draft, Job};
use crate::names::{job_name, stem};
use crate::notes::{Answer, Notes, about};
use crate::out::{Map, Out};
use crate::pipes::Pipe;
use crate::shell::Names;
use crate::system::System;

const KEYS: &[&str] = &[
    "when",
    "steps",
    "services",
    "matrix",
    "labels",
    "variables",
    "runs_on",
    "skip_clone",
    "branches",
];
const ANSWERS: &[Answer] = &[
    about("clone").say("is not needed: the workspace holds the commit"),
    about("workspace").say("has no counterpart: the workspace is /workspace"),
    about("depends_on").say("names workflows of other files: import those too, and name their jobs in `needs`"),
    about("platform").say("is old: write `runs_on: {arch: …}`"),
    about("pipeline").say("is an old name of `steps`: rename it and import again"),
];

pub(crate) fn import(documents: &[Arc<Node>], file: &str, notes: &mut Notes) -> Draft {
    let mut draft = Draft::default();
    for root in documents {
        notes.rest(root, KEYS, ANSWERS);
        let mut job = Job {
            name: name_of(file),
            runs_on: labels(root, notes),
            ..Job::default()
        };
        let axes = matrix(root, &mut job);
        let names = Names {
            system: System::Woodpecker,
            axes: &axes,
            env: &[],
        };
        let mut pipe = Pipe { names, notes };
        pipe.fill(&mut job, root, "steps");
        if let Some(when) = root.get("when") {
            let clauses = pipe.clauses(when);
            place_when(&mut draft, &mut job, &clauses);
        }
        draft.jobs.push(job);
    }
    draft
}

/// `.woodpecker/test.yml` is `test`; a single file is `ci`.
fn name_of(file: &str) -> String {
    match stem(file) {
        "woodpecker" => "ci".to_owned(),
        name => job_name(name),
    }
}

fn labels(root: &Node, notes: &mut Notes) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    for (label, node, value) in root.get("labels").map(Node::pairs).unwrap_or_default() {
        match (label.as_str(), value.split_once('/')) {
            ("platform", Some((_, arch))) => labels.push(("arch".to_owned(), arch.to_owned())),
            ("platform" | "backend" | "repo", _) => {
                notes.add(node.location, format!("the label `{label}` has no counterpart"))
            }
            _ => labels.push((label, value)),
        }
    }
    if let Some(runs_on) = root.get("runs_on") {
        let text = "`runs_on` names states of other workflows: write `when: {status: …}` in the job";
        notes.add(runs_on.location, text);
    }
    labels
}

/// Puts the matrix into the job; the names of its axes. Scripts find their values under the names that they know.
fn matrix(root: &Node, job: &mut Job) -> Vec<String> {
    let Some(matrix) = root.get("matrix") else {
        return Vec::new();
    };
    let (mut out, mut axes) = (Map::default(), Vec::<String>::new());
    let entries = matrix.entries().unwrap_or_default().iter();
    for entry in entries.filter(|entry| &*entry.key.text != "include") {
        out.put(&entry.key.text, Out::texts(entry.node.texts()));
        axes.push(entry.key.text.to_string());
    }
    let mut cells = Vec::new();
    for cell in matrix.items_of("include") {
        let mut map = Map::default();
        for (axis, _, value) in cell.pairs() {
            map.put(&axis, Out::text(value));
            if !axes.contains(&axis) {
                axes.push(axis);
            }
        }
        cells.push(Out::Flow(map));
    }
    out.put_list("include", cells);
    job.matrix = Some(Out::Map(out));
    let variable = |axis: &String| (axis.clone(), format!("${{{{ matrix.{axis} }}}}"));
    job.env = axes.iter().map(variable).collect();
    axes
}

/// Conditions of the whole workflow: plain events with branches and paths are the file's `on`; anything else is the
/// job's `when`.
fn place_when(draft: &mut Draft, job: &mut Job, clauses: &[Clause]) {
    let filters = |clause: &Clause, event: &str| {
        let mut map = Map::default();
        if matches!(event, "push" | "pull_request") {
            map.put_texts("branches", &clause.branches);
            map.put_texts("paths", &clause.paths);
        }
        map
    };
    let mut events: Vec<(&str, Map)> = Vec::new();
    let simple = clauses.iter().all(|clause| {
        clause.matrix.is_empty() && clause.tags.is_empty() && clause.status.is_empty() && !clause.events.is_empty()
    });
    for clause in clauses.iter().filter(|_| simple) {
        for event in &clause.events {
            match event.as_str() {
                "schedule" => {}
                known if events.iter().any(|(other, _)| *other == known) => {
                    job.when = any_of(clauses);
                    return;
                }
                known => events.push((known, filters(clause, known))),
            }
        }
    }
    draft.on = on(events);
    if draft.on.is_none() {
        job.when = any_of(clauses);
    }
}
