//! A terminal in a job; the view behind `/jobs/{id}/shell`.

use serde::Serialize;

use super::Micros;

/// The page of a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShellPage {
    /// The build.
    pub build: i64,
    /// The job's id.
    pub job: String,
    /// `test (postgres=15)`
    pub title: String,
    /// The service that is entered; `None`: the step that runs or is retained.
    pub service: Option<String>,
    /// All services of the job.
    pub services: Vec<String>,
    /// It is over, and stays until then.
    pub retained_until: Option<Micros>,
}
