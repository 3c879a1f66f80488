//! Jobs whose definition needs outputs of other jobs: what they are once those have ended.

use super::outputs::Seen;
use crate::Facts;
use crate::diagnostics::Diagnostic;
use crate::expand::expand_job;
use crate::file::JobFile;
use crate::model::JobSpec;

/// What became of a deferred job whose needs have ended.
#[derive(Debug)]
pub enum Expanded {
    /// These are the cells of all deferred jobs of its name.
    Cells(Vec<JobSpec>),
    /// It cannot be expanded.
    Refused {
        /// Why, in one sentence.
        sentence: String,
        /// The same, with places in the job file.
        diagnostics: Vec<Diagnostic>,
    },
}

impl Expanded {
    /// It cannot be expanded for a reason that is in no file.
    pub fn refused(sentence: &str) -> Expanded {
        Expanded::Refused {
            sentence: sentence.to_owned(),
            diagnostics: Vec::new(),
        }
    }
}

/// Expands the job of that name by what it sees of its needs' outputs.
pub fn expand(file: &JobFile, facts: &Facts, name: &str, seen: &Seen) -> Expanded {
    match expand_job(file, facts, name, &seen.outputs) {
        Ok(cells) => Expanded::Cells(cells),
        Err(diagnostics) => Expanded::Refused {
            sentence: sentence(&diagnostics, &seen.disagreements),
            diagnostics,
        },
    }
}

/// What is wrong, in one sentence. Cells that disagree about an output are likely why it is missing.
fn sentence(diagnostics: &[Diagnostic], disagreements: &[String]) -> String {
    if let Some(disagreement) = disagreements.first() {
        return disagreement.clone();
    }
    match diagnostics {
        [] => "the job cannot be expanded".to_owned(),
        [only] => only.message.clone(),
        [first, rest @ ..] => format!("{} (and {} more)", first.message, rest.len()),
    }
}

/// Of all cells of the job those that this placeholder stands for: its own one, if it is a cell itself.
pub fn cells_of(placeholder: &JobSpec, mut cells: Vec<JobSpec>) -> Vec<JobSpec> {
    if !placeholder.matrix.is_empty() {
        cells.retain(|cell| cell.matrix == placeholder.matrix);
    }
    cells
}
