//! The way from text to a checked [`JobFile`]: limits, tree, reading, checks, and a trial reading of every cell, so
//! that whatever is wrong with a file is known before a build is made of it.

use std::sync::Arc;

use crate::check;
use crate::codes;
use crate::diagnostics::{Diagnostic, Severity};
use crate::file::{JobFile, Part, inputs};
use crate::limits::{MAX_ALL_CELLS, MAX_FILE_BYTES, MAX_FILES, MAX_JOBS, MAX_READ_BYTES, MAX_READ_NODES};
use crate::located::JobSource;
use crate::problems::Problems;
use crate::read::{read_env, read_file, read_job};
use crate::reader::{Reader, Slot, Spent};
use crate::repository::{NoRepository, Reach, Repository};
use crate::source::Source;
use crate::sources::Sources;
use crate::substitute::Scope;
use crate::{SourceFile, yaml};

/// What [`parse`] found.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The file; `None` if and only if an error is among the diagnostics.
    pub file: Option<JobFile>,
    /// Everything there is to say, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
    /// Every file that a diagnostic can be about: those that were given, and those of the repository that they refer
    /// to. For [`crate::render()`].
    pub sources: Vec<SourceFile>,
}

/// [`parse_with`] without a repository: whatever refers to one of its files is an error.
pub fn parse(files: &[SourceFile]) -> Parsed {
    parse_with(files, &NoRepository)
}

/// Reads `.drover.yml`, or several `.drover/*.yml`, as one, with the files that they refer to. Never panics and never
/// takes long, whatever the text is.
pub fn parse_with(files: &[SourceFile], repository: &dyn Repository) -> Parsed {
    let mut problems = Problems::default();
    let sources = Arc::new(Sources::new(files.iter().map(source).collect()));
    let parts = read_parts(files, &sources, &mut problems);
    if check_size(&parts, &mut problems) {
        check::triggers(&parts, &mut problems);
        check::needs(&parts, &mut problems);
        try_cells(&parts, &sources, repository, &mut problems);
        check::paths(&parts, repository, &mut problems);
    }
    let diagnostics = problems.into_diagnostics(|at| sources.get(at));
    let is_wrong = diagnostics.iter().any(|found| found.severity == Severity::Error);
    Parsed {
        sources: sources.files(),
        file: (!is_wrong).then_some(JobFile { sources, parts }),
        diagnostics,
    }
}

/// The source of a file; of one that is too big only the name.
fn source(file: &SourceFile) -> Source {
    let is_read = file.text.len() <= MAX_FILE_BYTES;
    Source::new(&file.name, if is_read { &file.text } else { "" })
}

fn read_parts(files: &[SourceFile], sources: &Sources, problems: &mut Problems) -> Vec<Part> {
    if files.is_empty() {
        problems.add(codes::NO_JOB_FILE.in_file(0, "there is no job file").help(NO_FILE_HELP));
    }
    if files.len() > MAX_FILES {
        let message = format!("there are {} job files; at most {MAX_FILES} are read", files.len());
        problems.add(codes::TOO_MANY_JOBS.in_file(MAX_FILES, message));
    }
    let mut parts = Vec::new();
    let mut spent = Spent::default();
    for (at, file) in files.iter().enumerate().take(MAX_FILES) {
        if file.text.len() > MAX_FILE_BYTES {
            let kib = file.text.len().div_ceil(1024);
            let message = format!("the file has {kib} KiB; at most 256 KiB are read");
            let help = "move scripts into files of the repository, and run those";
            problems.add(codes::FILE_TOO_BIG.in_file(at, message).help(help));
            continue;
        }
        let before = problems.errors();
        let Some(root) = yaml::read(at, &sources[at], problems).filter(|root| !root.is_null()) else {
            if problems.errors() == before {
                problems.add(codes::NO_JOB_FILE.in_file(at, "the file is empty").help(NO_FILE_HELP));
            }
            continue;
        };
        let mut reader = Reader::new(sources, Scope::default(), problems, &mut spent);
        parts.push(read_file(&mut reader, &root));
    }
    parts
}

const NO_FILE_HELP: &str = "a small one: `jobs: {test: {image: busybox, steps: [echo hello]}}`";

/// Whether all cells together are few and small enough to be read.
fn check_size(parts: &[Part], problems: &mut Problems) -> bool {
    let jobs: Vec<&JobSource> = parts.iter().flat_map(|part| &part.jobs).collect();
    if let Some(one_too_many) = jobs.get(MAX_JOBS) {
        let message = format!("there are {} jobs; at most {MAX_JOBS} are allowed", jobs.len());
        problems.add(codes::TOO_MANY_JOBS.at(one_too_many.location, message));
        return false;
    }
    let (mut cells, mut nodes, mut bytes) = (0, 0, 0);
    for job in jobs {
        cells += job.cells.len();
        nodes += job.cells.len() * job.node.weight.nodes;
        bytes += job.cells.len() * job.node.weight.bytes;
        if cells > MAX_ALL_CELLS {
            let message = format!("the matrices of all jobs make more than {MAX_ALL_CELLS} cells");
            problems.add(codes::TOO_MANY_JOBS.at(job.location, message).label("reached here"));
            return false;
        }
        if nodes > MAX_READ_NODES || bytes > MAX_READ_BYTES {
            let message = "the jobs are too big for so many cells";
            let help = "a job's text counts once for each cell; move scripts into files of the repository";
            let problem = codes::TOO_MUCH_EXPANSION.at(job.location, message);
            problems.add(problem.label("reached here").help(help));
            return false;
        }
    }
    true
}

/// Reads every cell as a build would, with nothing known about the build.
fn try_cells(parts: &[Part], sources: &Sources, repository: &dyn Repository, problems: &mut Problems) {
    let mut spent = Spent::default();
    let inputs = inputs(parts);
    for part in parts {
        let scope = || Scope {
            inputs: &inputs,
            repository: Reach(Some(repository)),
            ..Scope::default()
        };
        if let Some(concurrency) = &part.concurrency {
            let mut reader = Reader::new(sources, scope(), problems, &mut spent);
            read_env(&mut reader, part.env.as_deref());
            reader.concurrency(Slot::of("concurrency", concurrency));
        }
        for job in &part.jobs {
            for cell in &job.cells {
                let mut reader = Reader::new(sources, scope(), problems, &mut spent);
                let spec = read_job(&mut reader, part.env.as_deref(), job, cell);
                check::localhost(&job.node, &spec.services, sources, problems);
            }
        }
    }
}
