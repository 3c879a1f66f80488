//! A job file that has been read and found correct. It keeps the tree, not the jobs: a job is read anew for each cell
//! when a build is made, with the build's facts.

use std::collections::HashSet;
use std::sync::Arc;

use crate::diagnostics::Diagnostic;
use crate::env::Facts;
use crate::events::Trigger;
use crate::hash::{self, HashCall};
use crate::located::{JobSource, On};
use crate::repository::Repository;
use crate::sources::Sources;
use crate::triggers::{Input, Schedule};
use crate::yaml::{Node, Value};

/// One or more job files, checked as one.
#[derive(Debug, Clone)]
pub struct JobFile {
    pub(crate) sources: Arc<Sources>,
    pub(crate) parts: Vec<Part>,
}

/// What one file holds.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The events that it wants, its schedules and its inputs.
    pub(crate) on: On,
    /// Its `on`, as it is written.
    pub(crate) on_node: Option<Arc<Node>>,
    /// Its `concurrency`.
    pub(crate) concurrency: Option<Arc<Node>>,
    /// Its `env`.
    pub(crate) env: Option<Arc<Node>>,
    /// Its jobs, in order.
    pub(crate) jobs: Vec<JobSource>,
}

impl JobFile {
    /// Whether a file wants a build for this event, branch, tag and changed paths.
    ///
    /// # Errors
    /// Why none does, in one sentence.
    pub fn wants(&self, facts: &Facts) -> Result<(), String> {
        let mut faults: Vec<String> = Vec::new();
        for part in &self.parts {
            match part.fault(facts) {
                None => return Ok(()),
                Some(fault) if !faults.contains(&fault) => faults.push(fault),
                Some(_) => {}
            }
        }
        let no_event = no_event(&facts.event);
        if faults.len() > 1 {
            faults.retain(|fault| *fault != no_event);
        }
        Err(faults.join(", and "))
    }

    /// Whether any `on` or `when` asks for changed paths: only then they need to be known.
    pub fn needs_changed_paths(&self) -> bool {
        let asks = |job: &JobSource| {
            let mut steps = job.node.list_of("steps").iter();
            asks_for_paths(&job.node) || steps.any(|step| asks_for_paths(step))
        };
        let mut parts = self.parts.iter();
        parts.any(|part| part.on.triggers.iter().any(Trigger::needs_paths) || part.jobs.iter().any(asks))
    }

    /// Every `on.schedule`.
    pub fn schedules(&self) -> Vec<Schedule> {
        let located = self.parts.iter().flat_map(|part| &part.on.schedules);
        located.map(|located| located.schedule.clone()).collect()
    }

    /// Every input of builds that are started by hand.
    pub fn inputs(&self) -> Vec<Input> {
        inputs(&self.parts)
    }

    /// The globs of every `hash('…')`; [`crate::env::Facts::hashes`] must know them before expansion, which
    /// [`crate::fill_hashes`] sees to.
    pub fn hash_globs(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        let arguments = hash_calls(&self.parts).into_iter().map(|call| call.arguments);
        arguments.filter(|arguments| seen.insert(arguments.clone())).collect()
    }

    /// The names of all jobs, in the order of the files.
    pub fn job_names(&self) -> impl Iterator<Item = &str> {
        let jobs = self.parts.iter().flat_map(|part| &part.jobs);
        jobs.map(|job| job.name.as_str())
    }
}

impl Part {
    /// Whether this file wants the event, for some branch, tag or path.
    pub(crate) fn wants(&self, event: &str) -> bool {
        self.on.triggers.iter().any(|trigger| trigger.event == event)
    }

    /// Every event that it wants, each once.
    pub(crate) fn events(&self) -> Vec<&'static str> {
        let mut events = Vec::new();
        for trigger in &self.on.triggers {
            if !events.contains(&trigger.event) {
                events.push(trigger.event);
            }
        }
        events
    }

    /// Why it does not want this build; `None`: it does.
    pub(crate) fn fault(&self, facts: &Facts) -> Option<String> {
        let mut first = None;
        for trigger in self.on.triggers.iter().filter(|trigger| trigger.event == facts.event) {
            let fault = trigger.fault(facts)?;
            first = first.or(Some(fault));
        }
        Some(first.unwrap_or_else(|| no_event(&facts.event)))
    }
}

fn no_event(event: &str) -> String {
    format!("the job file is not for {event} events")
}

/// The inputs that these files declare.
pub(crate) fn inputs(parts: &[Part]) -> Vec<Input> {
    let located = parts.iter().flat_map(|part| &part.on.inputs);
    located.map(|located| located.input.clone()).collect()
}

/// Puts the value of every `hash('…')` of a file into the facts. One that matches no file is empty.
///
/// # Returns
/// What there is to say: a warning for each that matches nothing, an error when the files cannot be listed.
pub fn fill_hashes(file: &JobFile, repository: &dyn Repository, facts: &mut Facts) -> Vec<Diagnostic> {
    let problems = hash::fill(&hash_calls(&file.parts), repository, facts);
    problems.into_diagnostics(|at| file.sources.get(at))
}

/// Every `hash('…')` of these files.
pub(crate) fn hash_calls(parts: &[Part]) -> Vec<HashCall> {
    let mut calls = Vec::new();
    for part in parts {
        let file = part.env.iter().chain(&part.concurrency);
        for node in file.chain(part.jobs.iter().map(|job| &job.node)) {
            hash::calls_in(node, &mut calls);
        }
    }
    calls
}

fn asks_for_paths(node: &Node) -> bool {
    match node.get("when").map(|when| &when.value) {
        Some(Value::List(clauses)) => clauses.iter().any(|clause| clause.get("paths").is_some()),
        Some(Value::Map(entries)) => entries.iter().any(|entry| &*entry.key.text == "paths"),
        _ => false,
    }
}
