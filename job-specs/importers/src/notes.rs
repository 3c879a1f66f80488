//! The notes about what could not be carried over.

use job_specs::SourceFile;
use job_specs::source::Location;
use job_specs::yaml::Node;

/// Nobody reads more notes than this; the rest is only counted.
const MAX_NOTES: usize = 300;

/// Something that a person has to look at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Note {
    /// The foreign file.
    pub file: String,
    /// 1-based line in it.
    pub line: usize,
    /// What could not be carried over and what to do, in one sentence.
    pub text: String,
}

/// What is said about something of another system that has no counterpart.
pub(crate) struct Answer {
    name: &'static str,
    text: &'static str,
}

/// An answer to a key, or to an action: `about("clone").say("is not needed")`.
pub(crate) const fn about(name: &'static str) -> Answer {
    Answer { name, text: "" }
}

impl Answer {
    /// What is said, after the name.
    pub(crate) const fn say(self, text: &'static str) -> Answer {
        Answer { text, ..self }
    }
}

/// What is said about a name, if it is among these.
pub(crate) fn answer(answers: &[Answer], name: &str) -> Option<&'static str> {
    let found = answers.iter().find(|answer| answer.name == name)?;
    Some(found.text)
}

/// The notes of one import.
#[derive(Debug)]
pub(crate) struct Notes {
    file: String,
    notes: Vec<Note>,
    more: usize,
}

impl Notes {
    /// None yet.
    pub(crate) fn of(file: &SourceFile) -> Notes {
        Notes {
            file: file.name.clone(),
            notes: Vec::new(),
            more: 0,
        }
    }

    /// One sentence about a place; the same one is kept once a line.
    pub(crate) fn add(&mut self, location: Location, text: impl Into<String>) {
        if self.notes.len() >= MAX_NOTES {
            self.more += 1;
            return;
        }
        let note = Note {
            file: self.file.clone(),
            line: location.span.line,
            text: text.into(),
        };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// The keys of a map that nobody read.
    pub(crate) fn rest(&mut self, node: &Node, known: &[&str], answers: &[Answer]) {
        for entry in node.entries().unwrap_or_default() {
            let key = &*entry.key.text;
            if known.contains(&key) || key.starts_with("x-") {
                continue;
            }
            let answer = answer(answers, key).unwrap_or("has no counterpart");
            self.add(entry.key.location, format!("`{key}` {answer}"));
        }
    }

    /// All of them, in the order of the file.
    pub(crate) fn into_sorted(mut self) -> Vec<Note> {
        self.notes.sort_by_key(|note| note.line);
        if self.more > 0 {
            self.notes.push(Note {
                line: self.notes.last().map_or(1, |note| note.line),
                text: format!("and {} more, which are not listed", self.more),
                file: self.file,
            });
        }
        self.notes
    }
}
