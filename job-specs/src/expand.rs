//! From a checked file to the jobs of one build: each cell is read with the facts of the build.

use std::collections::BTreeMap;

use crate::diagnostics::{Diagnostic, Severity};
use crate::env::Facts;
use crate::file::{JobFile, Part};
use crate::model::JobSpec;
use crate::problems::Problems;
use crate::read::{Reader, Spent, read_job};
use crate::substitute::Scope;
use crate::triggers::Concurrency;

/// What one build is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion {
    /// Its jobs, skipped and deferred ones included.
    pub jobs: Vec<JobSpec>,
    /// How it shares the road with other builds.
    pub concurrency: Option<Concurrency>,
}

/// Outputs of jobs that have ended: job name to (output name to value), all cells merged.
pub type Outputs = BTreeMap<String, BTreeMap<String, String>>;

/// The cells of one deferred job, once the jobs that it needs have ended. Never deferred again.
///
/// # Errors
/// What is wrong with the job for these outputs: one that is missing, a matrix that is no JSON.
pub fn expand_job(
    file: &JobFile,
    facts: &Facts,
    job: &str,
    outputs: &Outputs,
) -> Result<Vec<JobSpec>, Vec<Diagnostic>> {
    let _ = outputs;
    let mut jobs = expand(file, facts)?.jobs;
    jobs.retain(|spec| spec.name == job);
    Ok(jobs)
}

/// One [`JobSpec`] for each cell, in the order of the files, cells in the order of their axes. Of several files those
/// count that want the event; when none wants it, all do, because the caller goes on in spite of
/// [`JobFile::wants`].
///
/// # Errors
/// What is wrong with the file for these facts: a branch's name that is no tag of an image, for instance.
pub fn expand(file: &JobFile, facts: &Facts) -> Result<Expansion, Vec<Diagnostic>> {
    let mut problems = Problems::default();
    let mut spent = Spent::default();
    let mut jobs = Vec::new();
    for part in parts_for(file, &facts.event) {
        for job in &part.jobs {
            for cell in &job.cells {
                let scope = Scope {
                    facts: Some(facts),
                    ..Scope::default()
                };
                let mut reader = Reader {
                    sources: &file.sources,
                    scope,
                    problems: &mut problems,
                    spent: &mut spent,
                };
                jobs.push(read_job(&mut reader, part.env.as_deref(), job, cell));
            }
        }
    }
    let mut diagnostics = problems.into_diagnostics(&file.sources);
    diagnostics.retain(|diagnostic| diagnostic.severity == Severity::Error);
    if diagnostics.is_empty() {
        Ok(Expansion {
            jobs,
            concurrency: None,
        })
    } else {
        Err(diagnostics)
    }
}

fn parts_for<'f>(file: &'f JobFile, event: &str) -> Vec<&'f Part> {
    let wanted: Vec<&Part> = file.parts.iter().filter(|part| part.wants(event)).collect();
    if wanted.is_empty() {
        file.parts.iter().collect()
    } else {
        wanted
    }
}
