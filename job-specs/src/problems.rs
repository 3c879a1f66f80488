//! The collector: every finding of every phase lands here, so that a file's errors are all shown at once. It drops
//! repetitions (a job is read once per matrix cell), sorts by place and cuts the list at a bound.

use std::collections::HashSet;

use crate::codes::{self, Code};
use crate::diagnostics::{Diagnostic, Edit, Label, Severity, Span};
use crate::source::{Location, Source};
use crate::suggest::{is_only, listed, nearest};

/// No file needs more findings than this at once; the rest is only counted.
const MAX_KEPT: usize = 200;

/// One finding on its way into the collector.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    code: &'static Code,
    location: Option<Location>,
    file: usize,
    message: String,
    label: Option<String>,
    related: Vec<(Location, String)>,
    notes: Vec<String>,
    help: Option<String>,
    fixes: Vec<(Span, String)>,
    once: bool,
}

impl Code {
    /// A finding about a place.
    pub(crate) fn at(&'static self, location: Location, message: impl Into<String>) -> Problem {
        Problem {
            location: Some(location),
            ..self.in_file(location.file, message)
        }
    }

    /// A finding about a whole file.
    pub(crate) fn in_file(&'static self, file: usize, message: impl Into<String>) -> Problem {
        Problem {
            code: self,
            location: None,
            file,
            message: message.into(),
            label: None,
            related: Vec::new(),
            notes: Vec::new(),
            help: None,
            fixes: Vec::new(),
            once: false,
        }
    }
}

impl Problem {
    /// What to write under the caret.
    pub(crate) fn label(mut self, text: impl Into<String>) -> Problem {
        self.label = Some(text.into());
        self
    }

    /// The concrete edit that mends it.
    pub(crate) fn help(mut self, text: impl Into<String>) -> Problem {
        self.help = Some(text.into());
        self
    }

    /// A fact that explains it.
    pub(crate) fn note(mut self, text: impl Into<String>) -> Problem {
        self.notes.push(text.into());
        self
    }

    /// Another place that matters.
    pub(crate) fn related(mut self, location: Location, text: impl Into<String>) -> Problem {
        self.related.push((location, text.into()));
        self
    }

    /// What was probably meant by the name at its place; putting it there mends it.
    pub(crate) fn meant(self, name: &str) -> Problem {
        let label = format!("did you mean `{name}`?");
        match self.location {
            Some(location) => self.label(label).fix(location.span, name),
            None => self.label(label),
        }
    }

    /// The names that there are instead of `given`: all of them as a note, the nearest one as a label.
    pub(crate) fn known<'n>(self, given: &str, what: &str, names: impl Iterator<Item = &'n str> + Clone) -> Problem {
        let problem = self.note(format!("{what}: {}", listed(names.clone())));
        problem.nearest(given, names)
    }

    /// The nearest of these names as a label, if one is near.
    pub(crate) fn nearest<'n>(self, given: &str, names: impl Iterator<Item = &'n str>) -> Problem {
        match nearest(given, names) {
            Some(name) => self.label(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// The same; when no other name is as near, putting it there mends it.
    pub(crate) fn nearest_mends<'n>(self, given: &str, names: impl Iterator<Item = &'n str> + Clone) -> Problem {
        match nearest(given, names.clone()) {
            Some(name) if is_only(given, name, names.clone()) => self.meant(name),
            _ => self.nearest(given, names),
        }
    }

    /// What to do when no label says it.
    pub(crate) fn or_help(self, text: impl Into<String>) -> Problem {
        match self.label {
            Some(_) => self,
            None => self.help(text),
        }
    }

    /// A change in its file that mends it without a doubt.
    pub(crate) fn fix(mut self, span: Span, replacement: impl Into<String>) -> Problem {
        self.fixes.push((span, replacement.into()));
        self
    }

    /// One finding of this code is enough for this place, whatever its words (they differ from cell to cell).
    pub(crate) fn once_per_location(mut self) -> Problem {
        self.once = true;
        self
    }
}

/// The collector.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    kept: Vec<Problem>,
    seen: HashSet<(&'static str, usize, usize, String)>,
    explained: HashSet<(usize, usize)>,
    not_kept: usize,
    errors: usize,
}

impl Problems {
    /// Keeps the finding, which explains everything that could still be wrong at its place.
    pub(crate) fn add_last_word(&mut self, problem: Problem) {
        let location = problem.location;
        self.add(problem);
        location.into_iter().for_each(|location| self.explain(location));
    }

    /// Nothing more needs to be said about what begins at this place.
    pub(crate) fn explain(&mut self, location: Location) {
        self.explained.insert((location.file, location.span.start));
    }

    /// Keeps the finding unless it is already there.
    pub(crate) fn add(&mut self, problem: Problem) {
        let span = problem.location.map(|location| location.span);
        let (start, end) = span.map_or((0, 0), |span| (span.start, span.end));
        if problem.location.is_some() && self.explained.contains(&(problem.file, start)) {
            return;
        }
        let words = match problem.once {
            true => end.to_string(),
            false => problem.message.clone(),
        };
        if self.is_full() {
            self.not_kept += 1;
        } else if !self.seen.insert((problem.code.id, problem.file, start, words)) {
            return;
        }
        self.errors += usize::from(problem.code.severity == Severity::Error);
        if !self.is_full() {
            self.kept.push(problem);
        }
    }

    /// Whether more findings would only be counted; costly suggestions are skipped then.
    pub(crate) fn is_full(&self) -> bool {
        self.kept.len() >= MAX_KEPT
    }

    /// How many errors there are so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// The findings as data, sorted by place; `source` has the files by their numbers.
    pub(crate) fn into_diagnostics<'a>(mut self, source: impl Fn(usize) -> Option<&'a Source>) -> Vec<Diagnostic> {
        self.kept.sort_by_key(|problem| {
            let start = problem.location.map_or(0, |location| location.span.start);
            (problem.file, start, problem.code.id)
        });
        if self.not_kept > 0 && self.errors > 0 {
            let file = self.kept.last().map_or(0, |problem| problem.file);
            let message = format!("and {} more problems, which are not listed", self.not_kept);
            self.kept.push(codes::TOO_MANY_PROBLEMS.in_file(file, message));
        }
        let kept = self.kept.into_iter();
        kept.map(|problem| diagnostic(problem, &source)).collect()
    }
}

fn diagnostic<'a>(problem: Problem, source: impl Fn(usize) -> Option<&'a Source>) -> Diagnostic {
    let clipped = |location: Location| source(location.file).map_or(location.span, |source| source.clip(location.span));
    let name = |file: usize| source(file).map_or(".drover.yml", |source| &source.name);
    let mut notes = problem.notes;
    let mut related = Vec::new();
    for (location, text) in problem.related {
        if location.file == problem.file {
            let span = clipped(location);
            related.push(Label { span, text });
        } else {
            let Span { line, column, .. } = location.span;
            notes.push(format!("{text}: {}:{line}:{column}", name(location.file)));
        }
    }
    Diagnostic {
        code: problem.code.id.to_owned(),
        severity: problem.code.severity,
        message: problem.message,
        file: name(problem.file).to_owned(),
        span: problem.location.map(clipped),
        label: problem.label,
        related,
        notes,
        help: problem.help,
        fixes: problem.fixes.into_iter().map(edit).collect(),
    }
}

fn edit((span, replacement): (Span, String)) -> Edit {
    Edit { span, replacement }
}
