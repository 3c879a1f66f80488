//! Reading the files of other systems: their documents as trees, small questions to a node, and the notes about what
//! could not be carried over.

use std::sync::Arc;

use crate::codes;
use crate::diagnostics::{Diagnostic, Severity};
use crate::problems::Problems;
use crate::source::{Place, Source};
use crate::sources::Sources;
use crate::yaml::{self, Node, Plain, Value};
use crate::{SourceFile, words};

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

/// The notes of one import.
#[derive(Debug)]
pub(super) struct Notes {
    file: String,
    notes: Vec<Note>,
    more: usize,
}

impl Notes {
    /// None yet.
    pub(super) fn of(file: &SourceFile) -> Notes {
        Notes {
            file: file.name.clone(),
            notes: Vec::new(),
            more: 0,
        }
    }

    /// One sentence about a place; the same one is kept once a line.
    pub(super) fn add(&mut self, place: Place, text: impl Into<String>) {
        if self.notes.len() >= MAX_NOTES {
            self.more += 1;
            return;
        }
        let note = Note {
            file: self.file.clone(),
            line: place.span.line,
            text: text.into(),
        };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// The keys of a map that nobody read.
    pub(super) fn rest(&mut self, node: &Node, known: &[&str], answers: &[(&str, &str)]) {
        for entry in node.entries().unwrap_or_default() {
            let key = &*entry.key.text;
            if known.contains(&key) || key.starts_with("x-") {
                continue;
            }
            let answer = answers.iter().find(|(name, _)| *name == key).map(|(_, answer)| *answer);
            self.add(
                entry.key.place,
                format!("`{key}` {}", answer.unwrap_or("has no counterpart")),
            );
        }
    }

    /// All of them, in the order of the file.
    pub(super) fn into_sorted(mut self) -> Vec<Note> {
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

/// The documents of a file, each a map. Tags that mean nothing here are left to the importer. Errors: it is no YAML.
pub(super) fn documents(file: &SourceFile) -> Result<Vec<Arc<Node>>, Vec<Diagnostic>> {
    let mut roots = Vec::new();
    for text in divided(&file.text) {
        let source = Source::new(&SourceFile {
            name: file.name.clone(),
            text,
        });
        let mut problems = Problems::default();
        let root = yaml::read(0, &source, &mut problems);
        let sources = Sources::new(vec![source]);
        let mut found = problems.into_diagnostics(&sources);
        found.retain(|found| found.severity == Severity::Error && found.code != codes::TAG_OR_ALIAS.id);
        if !found.is_empty() {
            return Err(found);
        }
        roots.extend(root.filter(|root| !root.is_null()));
    }
    Ok(roots)
}

/// One text for each YAML document, all others blanked out, so that lines keep their numbers.
fn divided(text: &str) -> Vec<String> {
    let is_border = |line: &str| line.trim_end() == "---" || line.starts_with("--- ");
    let mut starts = vec![0];
    for (number, line) in text.split('\n').enumerate() {
        if is_border(line) {
            starts.push(number + 1);
        }
    }
    let lines: Vec<&str> = text.split('\n').collect();
    let part = |(at, start): (usize, &usize)| {
        let end = starts.get(at + 1).map_or(lines.len(), |next| next - 1);
        let kept = lines[..end].iter().enumerate();
        let kept = kept.map(|(number, line)| if number < *start { "" } else { line });
        kept.collect::<Vec<_>>().join("\n")
    };
    starts.iter().enumerate().map(part).collect()
}

impl Node {
    /// The text of a scalar that is written.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) if scalar.plain != Plain::Null => Some(&scalar.text),
            _ => None,
        }
    }

    /// The text of a key's scalar.
    pub(super) fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    /// Whether it is `true`.
    pub(super) fn is_true(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.plain == Plain::Bool(true))
    }

    /// The items of a list; a single value is a list of one.
    pub(super) fn items(self: &Arc<Node>) -> Vec<Arc<Node>> {
        match &self.value {
            Value::List(items) => items.clone(),
            _ if self.is_null() => Vec::new(),
            _ => vec![Arc::clone(self)],
        }
    }

    /// The scalars among the items.
    pub(super) fn texts(self: &Arc<Node>) -> Vec<String> {
        self.items()
            .iter()
            .filter_map(|item| item.text().map(str::to_owned))
            .collect()
    }

    /// The scalars under a key: one or a list.
    pub(super) fn texts_of(&self, key: &str) -> Vec<String> {
        self.get(key).map(Node::texts).unwrap_or_default()
    }

    /// Names and values of a map, or of a list of `NAME=value`; those that are no scalars are left out.
    pub(super) fn pairs(self: &Arc<Node>) -> Vec<(String, Arc<Node>, String)> {
        if let Some(entries) = self.entries() {
            let pair = |entry: &yaml::Entry| {
                let value = match &entry.node.value {
                    Value::Scalar(scalar) => scalar.text.clone(),
                    _ => return None,
                };
                Some((entry.key.text.to_string(), Arc::clone(&entry.node), value))
            };
            return entries.iter().filter_map(pair).collect();
        }
        let pair = |item: &Arc<Node>| {
            let (name, value) = item.text()?.split_once('=')?;
            Some((name.trim().to_owned(), Arc::clone(item), value.to_owned()))
        };
        self.items().iter().filter_map(pair).collect()
    }
}

/// A command line as its words, when it can be split.
pub(super) fn split(text: &str) -> Vec<String> {
    words::split(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_document_keeps_its_lines() {
        assert_eq!(divided("a\n---\nb\n---\nc"), ["a", "\n\nb", "\n\n\n\nc"]);
        assert_eq!(divided("---\na\n"), ["", "\na\n"]);
    }
}
