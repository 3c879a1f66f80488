//! From a checked file to the jobs of one build: each cell is read with the facts of the build.

use crate::diagnostics::{Diagnostic, Severity};
use crate::env::Facts;
use crate::file::{JobFile, Part};
use crate::located::JobSource;
use crate::model::{JobSpec, Outputs};
use crate::problems::Problems;
use crate::read::{cells_of_output, read_env, read_job};
use crate::reader::{Reader, Slot, Spent};
use crate::substitute::Scope;
use crate::triggers::{Concurrency, Input};

/// What one build is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion {
    /// Its jobs, skipped and deferred ones included.
    pub jobs: Vec<JobSpec>,
    /// How it shares the road with other builds.
    pub concurrency: Option<Concurrency>,
}

/// One [`JobSpec`] for each cell, in the order of the files, cells in the order of their axes. Of several files those
/// count that want this build ([`JobFile::wants`]); when none does, those that want the event for other branches or
/// paths, and when there is none of those either, all, because the caller goes on in spite of it.
///
/// # Errors
/// What is wrong with the file for these facts: a branch's name that is no tag of an image, for instance.
pub fn expand(file: &JobFile, facts: &Facts) -> Result<Expansion, Vec<Diagnostic>> {
    let mut making = Making::new(file, facts, None);
    let mut expansion = Expansion {
        jobs: Vec::new(),
        concurrency: None,
    };
    for part in parts_for(file, facts) {
        let concurrency = making.concurrency(part);
        expansion.concurrency = expansion.concurrency.or(concurrency);
        for job in &part.jobs {
            making.cells(part, job, &mut expansion.jobs);
        }
    }
    making.problems(file)?;
    Ok(expansion)
}

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
    let mut making = Making::new(file, facts, Some(outputs));
    let mut jobs = Vec::new();
    for part in &file.parts {
        for source in part.jobs.iter().filter(|source| source.name == job) {
            if source.matrix_from.is_none() {
                making.cells(part, source, &mut jobs);
            } else if let Some(source) = making.with_matrix(source) {
                making.cells(part, &source, &mut jobs);
            }
        }
    }
    making.problems(file)?;
    Ok(jobs)
}

/// Jobs in the making: one reading of a file with the facts of one build.
struct Making<'f> {
    file: &'f JobFile,
    facts: &'f Facts,
    inputs: Vec<Input>,
    outputs: Option<&'f Outputs>,
    found: Problems,
    spent: Spent,
}

impl<'f> Making<'f> {
    fn new(file: &'f JobFile, facts: &'f Facts, outputs: Option<&'f Outputs>) -> Making<'f> {
        Making {
            file,
            facts,
            inputs: file.inputs(),
            outputs,
            found: Problems::default(),
            spent: Spent::default(),
        }
    }

    fn cells(&mut self, part: &Part, job: &JobSource, jobs: &mut Vec<JobSpec>) {
        for cell in &job.cells {
            let mut reader = self.reader();
            jobs.push(read_job(&mut reader, part.env.as_deref(), job, cell));
        }
    }

    fn concurrency(&mut self, part: &Part) -> Option<Concurrency> {
        let node = part.concurrency.as_ref()?;
        let mut reader = self.reader();
        read_env(&mut reader, part.env.as_deref());
        reader.concurrency(Slot::of("concurrency", node))
    }

    /// The job with the matrix that it gets from an output.
    fn with_matrix(&mut self, job: &JobSource) -> Option<JobSource> {
        let from = job.matrix_from.as_ref()?;
        let given = self
            .outputs
            .and_then(|outputs| outputs.get(&from.job)?.get(&from.output));
        let Some(text) = given else {
            let mut reader = self.reader();
            reader.missing_output(from.location, &from.job, &from.output);
            return None;
        };
        cells_of_output(job, from, text, &self.file.sources, &mut self.found)
    }

    fn reader<'r>(&'r mut self) -> Reader<'r> {
        let scope = Scope {
            facts: Some(self.facts),
            inputs: &self.inputs,
            outputs: self.outputs,
            ..Scope::default()
        };
        Reader::new(&self.file.sources, scope, &mut self.found, &mut self.spent)
    }

    fn problems(self, file: &JobFile) -> Result<(), Vec<Diagnostic>> {
        let mut diagnostics = self.found.into_diagnostics(|at| file.sources.get(at));
        diagnostics.retain(|diagnostic| diagnostic.severity == Severity::Error);
        if diagnostics.is_empty() {
            Ok(())
        } else {
            Err(diagnostics)
        }
    }
}

fn parts_for<'f>(file: &'f JobFile, facts: &Facts) -> Vec<&'f Part> {
    let those =
        |wanted: &dyn Fn(&Part) -> bool| -> Vec<&'f Part> { file.parts.iter().filter(|part| wanted(part)).collect() };
    let ways = [
        those(&|part| part.fault(facts).is_none()),
        those(&|part| part.wants(&facts.event)),
    ];
    let found = ways.into_iter().find(|parts| !parts.is_empty());
    found.unwrap_or_else(|| file.parts.iter().collect())
}
