//! A job file that has been read and found correct. It keeps the tree, not the jobs: a job is read anew for each cell
//! when a build is made, with the build's facts.

use std::sync::Arc;

use crate::env::Facts;
use crate::read::JobSource;
use crate::sources::Sources;
use crate::triggers::{Input, Schedule};
use crate::yaml::Node;

/// One or more job files, checked as one.
#[derive(Debug, Clone)]
pub struct JobFile {
    pub(crate) sources: Arc<Sources>,
    pub(crate) parts: Vec<Part>,
}

/// What one file holds.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The events that it wants.
    pub(crate) events: Vec<&'static str>,
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
        match self.parts.iter().any(|part| part.wants(&facts.event)) {
            true => Ok(()),
            false => Err(format!("the job file is not for {} events", facts.event)),
        }
    }

    /// Whether any `on` or `when` asks for changed paths: only then they need to be known.
    pub fn needs_changed_paths(&self) -> bool {
        false
    }

    /// Every `on.schedule`.
    pub fn schedules(&self) -> Vec<Schedule> {
        Vec::new()
    }

    /// Every input of builds that are started by hand.
    pub fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    /// The globs of every `hash('…')`; [`crate::env::Facts::hashes`] must know them before expansion.
    pub fn hash_globs(&self) -> Vec<String> {
        Vec::new()
    }

    /// The names of all jobs, in the order of the files.
    pub fn job_names(&self) -> impl Iterator<Item = &str> {
        self.parts
            .iter()
            .flat_map(|part| &part.jobs)
            .map(|job| job.name.as_str())
    }
}

impl Part {
    /// Whether this file wants the event.
    pub(crate) fn wants(&self, event: &str) -> bool {
        self.events.contains(&event)
    }
}
