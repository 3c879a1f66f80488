//! A job file that has been read and found correct.

/// One or more job files, checked as one.
#[derive(Debug, Clone)]
pub struct JobFile {}

impl JobFile {
    /// Whether the files want a build for this event (`push`, `tag`, `pull_request`, `schedule`, `manual`).
    pub fn wants(&self, _event: &str) -> bool {
        true
    }
}
