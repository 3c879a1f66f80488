//! The job language of Drover, pure: parse a job file, check it, expand its matrix into jobs, and the one state
//! machine that a job's life follows. It is separate so that the coordinator, the laptop (`drover run`, `drover
//! lint`) and the web pages share one reading of a file; it does no I/O and knows no async runtime.
//!
//! Data flows one way: text -> [`parse`] -> checked [`file::JobFile`] -> [`expand`] -> [`model::JobSpec`] per cell.

pub mod diagnostics;
pub mod env;
pub mod file;
pub mod model;
pub mod render;
pub mod status;

pub use diagnostics::Diagnostic;
pub use env::{Facts, builtin_env};
pub use model::JobSpec;
pub use render::{Look, render};

/// One job file, as found in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path, as the user knows it: `.drover.yml`.
    pub name: String,
    /// Its whole text.
    pub text: String,
}

/// What [`parse`] found.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The file; `None` if and only if an error is among the diagnostics.
    pub file: Option<file::JobFile>,
    /// Everything there is to say, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads `.drover.yml`, or several `.drover/*.yml`, as one.
pub fn parse(_files: &[SourceFile]) -> Parsed {
    Parsed {
        file: Some(file::JobFile {}),
        diagnostics: Vec::new(),
    }
}

/// One [`JobSpec`] per matrix cell, in the order of the file.
pub fn expand(_file: &file::JobFile, _facts: &Facts) -> Result<Vec<JobSpec>, Vec<Diagnostic>> {
    Ok(Vec::new())
}

/// The JSON Schema (draft-07) of the job file, for editors.
pub fn schema() -> serde_json::Value {
    serde_json::json!({"$schema": "http://json-schema.org/draft-07/schema#"})
}
