//! GitLab CI: stages become `needs`, `rules` and `only` become `when`, `extends` is written out.

mod files;
mod job;
mod parallel;
mod rules;

use std::collections::BTreeSet;
use std::sync::Arc;

use self::job::Importer;
use job_specs::yaml::{Entry, Node};

use super::draft::{Draft, Job};
use super::notes::{Answer, Notes, about};
use super::shell::Names;
use crate::names::job_name;
use crate::system::System;

const GLOBAL: &[&str] = &[
    "stages",
    "image",
    "services",
    "variables",
    "before_script",
    "after_script",
    "cache",
    "default",
    "include",
    "workflow",
    "spec",
    "types",
];
const JOB_KEYS: &[&str] = &[
    "stage",
    "image",
    "services",
    "script",
    "before_script",
    "after_script",
    "variables",
    "rules",
    "only",
    "except",
    "when",
    "parallel",
    "cache",
    "artifacts",
    "needs",
    "retry",
    "timeout",
    "allow_failure",
    "extends",
    "dependencies",
    "interruptible",
    "coverage",
];
const ANSWERS: &[Answer] = &[
    about("trigger").say("has no counterpart; call the other repository's `drover trigger` from a step"),
    about("tags").say("choose runners; here labels of agents do: `runs_on: {label: value}`"),
    about("environment").say("has no counterpart yet; the steps run, but nothing is recorded as deployed"),
    about("resource_group").say("has no counterpart in a job: see `concurrency` of the file"),
    about("release").say("has no counterpart: call your forge's API from a step"),
    about("secrets").say("comes from a vault: store the values by `drover secret set` and name them in the steps"),
    about("id_tokens").say("has no counterpart"),
    about("inherit").say("has no counterpart: what is inherited has been written out"),
    about("pages").say("has no counterpart: the pages are an artifact"),
];

/// The whole file, for questions about one job.
pub(super) struct File<'a> {
    roots: &'a [Arc<Node>],
}

impl File<'_> {
    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.roots.iter().flat_map(|root| root.entries().unwrap_or_default())
    }

    fn global(&self, key: &str) -> Option<&Arc<Node>> {
        self.entries()
            .find(|entry| &*entry.key.text == key)
            .map(|entry| &entry.node)
    }

    /// The value of a key of a job: its own, that of what it extends, the default.
    fn get(&self, job: &Node, key: &str) -> Option<Arc<Node>> {
        let own = self.own(job, key, 0);
        let default = || self.global("default").and_then(|default| default.get(key)).cloned();
        let inherited = matches!(key, "image" | "services" | "before_script" | "after_script" | "cache");
        let global = || self.global(key).filter(|_| inherited).cloned();
        own.or_else(default).or_else(global)
    }

    fn own(&self, job: &Node, key: &str, depth: usize) -> Option<Arc<Node>> {
        if let Some(node) = job.get(key) {
            return Some(Arc::clone(node));
        }
        let parents = job.texts_of("extends");
        let mut parents = parents.iter().rev().filter(|_| depth < 11);
        parents.find_map(|name| self.own(self.global(name)?, key, depth + 1))
    }

    /// Variables of a job with those of what it extends, the nearest last.
    fn variables(&self, job: &Node, depth: usize) -> Vec<(String, String)> {
        let mut all = Vec::new();
        let parents = job.texts_of("extends");
        let parents = parents.iter().filter(|_| depth < 11);
        for parent in parents.filter_map(|name| self.global(name)) {
            all.extend(self.variables(parent, depth + 1));
        }
        all.extend(pairs(job.get("variables")));
        let mut kept: Vec<(String, String)> = Vec::new();
        for (name, value) in all {
            kept.retain(|(known, _)| *known != name);
            kept.push((name, value));
        }
        kept
    }
}

/// Names and values of `variables`; a map with `value` counts as that.
fn pairs(node: Option<&Arc<Node>>) -> Vec<(String, String)> {
    let Some(node) = node else { return Vec::new() };
    let pairs = node.pairs().into_iter();
    let mut pairs: Vec<(String, String)> = pairs.map(|(name, _, value)| (name, value)).collect();
    for entry in node.entries().unwrap_or_default() {
        if let Some(value) = entry.node.text_of("value") {
            pairs.push((entry.key.text.to_string(), value.to_owned()));
        }
    }
    pairs
}

pub(super) fn import(documents: &[Arc<Node>], notes: &mut Notes) -> Draft {
    let file = File { roots: documents };
    let mut draft = Draft {
        env: pairs(file.global("variables")),
        ..Draft::default()
    };
    if let Some(include) = file.global("include") {
        let text = "`include` is not followed: import those files too, and put them into the folder `.drover/`";
        notes.add(include.location, text);
    }
    if let Some(workflow) = file.global("workflow") {
        draft.on = rules::on(workflow, notes);
    }
    let names: Vec<String> = draft.env.iter().map(|(name, _)| name.clone()).collect();
    templates(&mut draft.env, &names, &[], documents, notes);
    let is_job = |entry: &&Entry| {
        let name = &*entry.key.text;
        !name.starts_with('.') && !GLOBAL.contains(&name) && entry.node.entries().is_some()
    };
    let entries: Vec<&Entry> = file.entries().filter(is_job).collect();
    let stages = stages(&file, &entries);
    for entry in &entries {
        let mut job = Importer {
            file: &file,
            notes: &mut *notes,
            env: draft.env.iter().map(|(name, _)| name.clone()).collect(),
            axes: Vec::new(),
        }
        .job(entry, &draft.env);
        needs(&file, &entries, &stages, entry, &mut job, notes);
        draft.jobs.push(job);
    }
    draft
}

/// Variables inside values become templates; the values themselves are found at the map that holds them.
fn templates(env: &mut [(String, String)], names: &[String], axes: &[String], around: &[Arc<Node>], notes: &mut Notes) {
    let has_variable = |value: &str| value.contains('$') && !value.contains("${{");
    for (name, value) in env.iter_mut().filter(|(_, value)| has_variable(value)) {
        let others: Vec<String> = names.iter().filter(|other| *other != name).cloned().collect();
        let fields = Names {
            system: System::Gitlab,
            axes,
            env: &others,
        };
        if let Some(node) = around.first() {
            let location = node.get("variables").unwrap_or(node).location;
            *value = fields.field(value, location, notes);
        }
    }
}

/// The names of all stages, in order.
fn stages(file: &File<'_>, jobs: &[&Entry]) -> Vec<String> {
    let mut stages = vec![".pre".to_owned()];
    match file.global("stages").or_else(|| file.global("types")) {
        Some(given) => stages.extend(given.texts()),
        None => stages.extend(["build", "test", "deploy"].map(str::to_owned)),
    }
    stages.push(".post".to_owned());
    for job in jobs {
        let stage = stage(file, &job.node);
        if !stages.contains(&stage) {
            stages.insert(stages.len() - 1, stage);
        }
    }
    stages
}

fn stage(file: &File<'_>, job: &Node) -> String {
    let stage = file.get(job, "stage");
    stage
        .as_ref()
        .and_then(|stage| stage.text())
        .unwrap_or("test")
        .to_owned()
}

/// `needs` as written, or all jobs of the stage before.
fn needs(file: &File<'_>, jobs: &[&Entry], stages: &[String], entry: &Entry, job: &mut Job, notes: &mut Notes) {
    let exists = |name: &str| jobs.iter().find(|other| *other.key.text == *name);
    let mut names: Vec<String> = Vec::new();
    let mut without: BTreeSet<String> = BTreeSet::new();
    if let Some(given) = file.get(&entry.node, "needs") {
        for item in given.items() {
            let Some(name) = item.text().or_else(|| item.text_of("job")) else {
                notes.add(item.location, "a need of another pipeline has no counterpart");
                continue;
            };
            if item.get("artifacts").is_some_and(|artifacts| !artifacts.is_true()) {
                without.insert(name.to_owned());
            }
            names.push(name.to_owned());
        }
    } else {
        let position = |stage: &String| stages.iter().position(|other| other == stage);
        let of = |job: &Entry| position(&stage(file, &job.node));
        let mine = of(entry);
        let positions = jobs.iter().filter_map(|other| of(other));
        let before = positions.filter(|at| Some(*at) < mine).max();
        let previous = jobs.iter().filter(|other| before.is_some() && of(other) == before);
        names.extend(previous.map(|other| other.key.text.to_string()));
    }
    let dependencies = file.get(&entry.node, "dependencies").map(|node| node.texts());
    for name in names {
        let Some(other) = exists(&name) else {
            let text = format!("`{name}`, which `{}` needs, is not in this file", entry.key.text);
            notes.add(entry.key.location, text);
            continue;
        };
        let artifacts = file.get(&other.node, "artifacts");
        let keeps = artifacts.is_some_and(|artifacts| artifacts.get("paths").is_some());
        let wanted = dependencies.as_ref().is_none_or(|names| names.contains(&name)) && !without.contains(&name);
        let need = job_name(&name);
        if keeps && wanted {
            job.takes.push(need.clone());
        }
        job.needs.push(need);
    }
}
