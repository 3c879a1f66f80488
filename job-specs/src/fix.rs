//! `drover lint --fix`: makes the changes that diagnostics are sure of, and reads again, until nothing is left to change.
//! Everything else in a file stays as it is, byte for byte.

use crate::SourceFile;
use crate::diagnostics::{Diagnostic, Edit, Severity};
use crate::parse::{Parsed, parse_with};
use crate::repository::Repository;

/// Readings at most: a mended line can show the next mistake (after a tab, say), but not without end.
const MAX_ROUNDS: usize = 10;

/// What [`fix`] did.
#[derive(Debug, Clone)]
pub struct Fixed {
    /// The files as they are now.
    pub files: Vec<SourceFile>,
    /// What was changed, in the order of doing.
    pub changes: Vec<Change>,
    /// The reading of `files`.
    pub parsed: Parsed,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// In which file.
    pub file: String,
    /// 1-based line, at the time of the change.
    pub line: usize,
    /// The code of what it mended.
    pub code: String,
    /// What stood there.
    pub before: String,
    /// What stands there now.
    pub after: String,
}

/// Mends what can be mended without a doubt. A round that would leave more errors than it found is not made.
pub fn fix(files: &[SourceFile], repository: &dyn Repository) -> Fixed {
    let mut fixed = Fixed {
        files: files.to_vec(),
        changes: Vec::new(),
        parsed: parse_with(files, repository),
    };
    for _ in 0..MAX_ROUNDS {
        let (files, changes) = round(&fixed.files, &fixed.parsed.diagnostics);
        if changes.is_empty() {
            break;
        }
        let parsed = parse_with(&files, repository);
        let hidden = fixed.parsed.diagnostics.iter().any(hides_the_rest);
        if !hidden && errors(&parsed) > errors(&fixed.parsed) {
            break;
        }
        fixed.files = files;
        fixed.changes.extend(changes);
        fixed.parsed = parsed;
    }
    fixed
}

/// A file with such an error is not read any further, so mending it can only bring more errors to light.
fn hides_the_rest(diagnostic: &Diagnostic) -> bool {
    let hiding = [&crate::codes::YAML_SYNTAX, &crate::codes::TAB_INDENT];
    hiding.iter().any(|code| code.id == diagnostic.code)
}

fn errors(parsed: &Parsed) -> usize {
    let all = parsed.diagnostics.iter();
    all.filter(|found| found.severity == Severity::Error).count()
}

/// Every change that meets no other one, made from the end of each file to its beginning.
fn round(files: &[SourceFile], diagnostics: &[Diagnostic]) -> (Vec<SourceFile>, Vec<Change>) {
    let mut files = files.to_vec();
    let mut changes = Vec::new();
    for file in &mut files {
        let mut wanted: Vec<(&Diagnostic, &[Edit])> = Vec::new();
        let is_of_file = |found: &&Diagnostic| found.file == file.name && !found.fixes.is_empty();
        for found in diagnostics.iter().filter(is_of_file) {
            let taken = wanted.iter().flat_map(|(_, edits)| *edits);
            if fits(&found.fixes, file, taken) {
                wanted.push((found, &found.fixes));
            }
        }
        let edits = wanted
            .iter()
            .flat_map(|(found, all)| all.iter().map(move |edit| (*found, edit)));
        let mut edits: Vec<(&Diagnostic, &Edit)> = edits.collect();
        edits.sort_by_key(|(_, edit)| edit.span.start);
        let change = |(found, edit): &(&Diagnostic, &Edit)| Change {
            file: file.name.clone(),
            line: edit.span.line,
            code: found.code.clone(),
            before: file.text[edit.span.start..edit.span.end].to_owned(),
            after: edit.replacement.clone(),
        };
        changes.extend(edits.iter().map(change));
        for (_, edit) in edits.iter().rev() {
            let range = edit.span.start..edit.span.end;
            file.text.replace_range(range, &edit.replacement);
        }
    }
    (files, changes)
}

/// Whether edits lie inside the text and touch none of those that are taken; one that changes nothing never fits.
fn fits<'a>(edits: &[Edit], file: &SourceFile, taken: impl Iterator<Item = &'a Edit> + Clone) -> bool {
    let apart = |edit: &Edit, other: &Edit| edit.span.end <= other.span.start || other.span.end <= edit.span.start;
    edits.iter().all(|edit| {
        let text = file.text.get(edit.span.start..edit.span.end);
        let empty_here = |other: &&Edit| other.span.start == edit.span.start;
        text.is_some_and(|text| text != edit.replacement)
            && taken.clone().all(|other| apart(edit, other))
            && !taken.clone().any(|other| empty_here(&other))
    })
}
