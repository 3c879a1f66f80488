//! Every document of a file that is not one of ours.

use std::sync::Arc;

use super::{Node, read};
use crate::codes;
use crate::diagnostics::{Diagnostic, Severity};
use crate::problems::Problems;
use crate::source::{Source, SourceFile};

/// The documents of a file, the empty ones left out. Tags mean nothing and are no error.
///
/// # Errors
/// What is wrong with the file as YAML.
pub fn documents(file: &SourceFile) -> Result<Vec<Arc<Node>>, Vec<Diagnostic>> {
    let mut roots = Vec::new();
    for text in divided(&file.text) {
        let source = Source::new(&file.name, &text);
        let mut problems = Problems::default();
        let root = read(0, &source, &mut problems);
        let mut found = problems.into_diagnostics(|_| Some(&source));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_document_keeps_its_lines() {
        assert_eq!(divided("a\n---\nb\n---\nc"), ["a", "\n\nb", "\n\n\n\nc"]);
        assert_eq!(divided("---\na\n"), ["", "\na\n"]);
    }
}
