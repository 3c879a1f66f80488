//! Job files out of what a project has already: its kind of build, its Compose file, or the file of another CI system.
//! The common subset is carried over; the rest is told, each with its line, because a silent loss would be found out
//! in the first broken deployment. Pure: the caller reads files and writes the result.

mod compose;
mod conditions;
mod detect;
mod draft;
mod drone;
mod github;
mod gitlab;
mod notes;
mod out;
mod pipes;
mod shell;
mod variables;
mod woodpecker;

use std::sync::Arc;

use crate::SourceFile;
use crate::diagnostics::Diagnostic;
use crate::limits::MAX_JOBS;
use crate::yaml::Node;

pub use detect::{compose_file, detect};
pub use notes::Note;

/// Whose file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// A Compose file: its services run beside the jobs.
    Compose,
    /// Woodpecker CI: `.woodpecker.yml`, or one of `.woodpecker/*.yml`.
    Woodpecker,
    /// GitLab CI: `.gitlab-ci.yml`.
    Gitlab,
    /// GitHub Actions: one of `.github/workflows/*.yml`.
    Github,
    /// Drone: `.drone.yml`.
    Drone,
}

impl System {
    /// How people call it.
    pub fn title(self) -> &'static str {
        match self {
            System::Compose => "Compose",
            System::Woodpecker => "Woodpecker",
            System::Gitlab => "GitLab CI",
            System::Github => "GitHub Actions",
            System::Drone => "Drone",
        }
    }

    /// Where its files are, relative to the repository; a name that ends in `/` is a folder of `.yml` files.
    pub fn places(self) -> &'static [&'static str] {
        match self {
            System::Compose => detect::COMPOSE_FILES,
            System::Woodpecker => &[".woodpecker.yml", ".woodpecker.yaml", ".woodpecker/"],
            System::Gitlab => &[".gitlab-ci.yml"],
            System::Github => &[".github/workflows/"],
            System::Drone => &[".drone.yml"],
        }
    }
}

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
        let documents = notes::documents(file)?;
        let mut notes = notes::Notes::of(file);
        let mut draft = draft(system, &documents, file, names, &mut notes);
        draft.avoid(&mut taken, &job_name(stem(&file.name)));
        let from = match system {
            System::Compose => format!("With the services of {}.", file.name),
            other => format!("Made from {} ({}).", file.name, other.title()),
        };
        all.push(Imported {
            text: draft.write(&head(schema, &from)),
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
            notes.add(document.place, text);
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

/// `.github/workflows/ci.yml` is `ci`, `.drone.yml` is `drone`.
fn stem(file: &str) -> &str {
    let last = file.rsplit('/').next().unwrap_or_default();
    last.split('.').find(|part| !part.is_empty()).unwrap_or("ci")
}

/// The lines above every file that is made here.
fn head(schema: &str, about: &str) -> Vec<String> {
    vec![
        format!("yaml-language-server: $schema={schema}"),
        about.to_owned(),
        "Check it with `drover lint`; run it here and now with `drover run`.".to_owned(),
    ]
}

/// A name for a job: letters, digits, `-` and `_`.
fn job_name(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = name.chars().map(letter).take(60).collect();
    let name = name.trim_matches('-').to_owned();
    if name.is_empty() { "job".to_owned() } else { name }
}

/// A name for a service: a host name.
fn host_name(name: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' || c == '_' {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let name: String = name.chars().map(letter).take(60).collect();
    name.trim_matches(['-', '.']).to_owned()
}
