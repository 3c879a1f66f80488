//! Job files out of what a project has already: its kind of build, its Compose file, or the file of another CI system.
//! The common subset is carried over; the rest is told, each with its line, because a silent loss would be found out
//! in the first broken deployment. Pure: the caller reads files and writes the result. A crate of its own, because only
//! `drover init` needs it and nothing of the language depends on it.

mod compose;
mod conditions;
mod detect;
mod draft;
mod drone;
mod github;
mod gitlab;
mod names;
mod notes;
mod out;
mod pipes;
mod shell;
mod system;
mod variables;
mod woodpecker;

use std::sync::Arc;

use job_specs::SourceFile;
use job_specs::diagnostics::Diagnostic;
use job_specs::limits::MAX_JOBS;
use job_specs::yaml::{self, Node};

use crate::names::{job_name, stem};

pub use notes::Note;
pub use system::{System, compose_file};

/// A job file, and what a person has to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The text of the new file.
    pub text: String,
    /// What could not be carried over, in the order of the foreign file.
    pub notes: Vec<Note>,
}

/// The URL of the JSON Schema that a new file names for editors, when the caller knows no better one.
pub const SCHEMA_URL: &str = "http://127.0.0.1:7878/schema/v1.json";

/// A job file for a project with these files in its folder.
pub fn detect(names: &[String], schema: &str) -> Imported {
    Imported {
        text: detect::job_file(names, schema),
        notes: Vec::new(),
    }
}

/// Makes a job file of the file of another system. `names` are the names of the files in the project's folder: they
/// tell its language; `schema` is the URL for editors.
///
/// # Errors
/// What is wrong with `file` as YAML.
pub fn import(system: System, file: &SourceFile, names: &[String], schema: &str) -> Result<Imported, Vec<Diagnostic>> {
    let mut all = import_all(system, std::slice::from_ref(file), names, schema)?;
    Ok(all.swap_remove(0))
}

/// The same for several files that are one whole; a job whose name is taken already gets its file's name before it.
///
/// # Errors
/// What is wrong with the files as YAML.
pub fn import_all(
    system: System,
    files: &[SourceFile],
    names: &[String],
    schema: &str,
) -> Result<Vec<Imported>, Vec<Diagnostic>> {
    let mut taken = Vec::new();
    let mut all = Vec::new();
    for file in files {
        let documents = yaml::documents(file)?;
        let mut notes = notes::Notes::of(file);
        let mut draft = draft(system, &documents, file, names, &mut notes);
        draft.avoid(&mut taken, &job_name(stem(&file.name)));
        let from = match system {
            System::Compose => format!("With the services of {}.", file.name),
            other => format!("Made from {} ({}).", file.name, other.title()),
        };
        all.push(Imported {
            text: draft.write(schema, &from),
            notes: notes.into_sorted(),
        });
    }
    Ok(all)
}

fn draft(
    system: System,
    documents: &[Arc<Node>],
    file: &SourceFile,
    names: &[String],
    notes: &mut notes::Notes,
) -> draft::Draft {
    let mut draft = match system {
        System::Compose => compose::import(documents, &file.name, names, notes),
        System::Woodpecker => woodpecker::import(documents, &file.name, notes),
        System::Gitlab => gitlab::import(documents, notes),
        System::Github => github::import(documents, notes),
        System::Drone => drone::import(documents, notes),
    };
    if draft.jobs.len() > MAX_JOBS {
        let left_out = draft.jobs.len() - MAX_JOBS;
        draft.jobs.truncate(MAX_JOBS);
        if let Some(document) = documents.first() {
            let text = format!("{left_out} jobs are left out: the files of a repository may define {MAX_JOBS}");
            notes.add(document.location, text);
        }
    }
    variables::explain(system, &mut draft);
    if draft.jobs.is_empty() {
        draft.jobs.push(draft::Job {
            name: "test".to_owned(),
            ..draft::Job::default()
        });
    }
    draft
}
