//! The parser's complaints in the words of somebody who wants to mend the file. The kinds that people meet have their
//! own sentence and help; the rest keep the parser's words.

use serde_yaml::granit_parser::{ErrorKind, ScanError};

use super::tree::MAX_DEPTH;
use crate::codes;
use crate::problems::Problem;
use crate::source::{Place, Source};

const QUOTE_OR_BLOCK: &str = "quote the whole value, or write it as a block: `run: |` and the text below, indented";

/// The diagnostic for a syntax error.
pub(crate) fn explain(file: usize, source: &Source, error: &ScanError) -> Problem {
    let at = offset(source, error);
    let place = |start: usize, end: usize| Place {
        file,
        span: source.span(start..end),
    };
    let line = source.line_around(at);
    if let Some(tabs) = tab_in_indent(source, at) {
        let label = if tabs.len() == 1 {
            "this is a tab".to_owned()
        } else {
            format!("{} tabs", tabs.len())
        };
        return Problem::at(
            &codes::TAB_INDENT,
            place(tabs.start, tabs.end),
            "a tab is used for indentation",
        )
        .label(label)
        .help("YAML forbids tabs here; use spaces");
    }
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        return too_deep(place(at, at + 1));
    }
    let (message, label, help) = words(error);
    let end = if at >= line.end {
        at
    } else {
        at + source.text[at..].chars().next().map_or(0, char::len_utf8)
    };
    let problem = Problem::at(&codes::YAML_SYNTAX, place(at, end), message);
    let problem = match label {
        Some(label) => problem.label(label),
        None => problem,
    };
    match help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

/// The diagnostic for a file that is nested too deep.
pub(crate) fn too_deep(place: Place) -> Problem {
    Problem::at(
        &codes::TOO_DEEP,
        place,
        format!("maps and lists are nested more than {MAX_DEPTH} deep"),
    )
}

fn offset(source: &Source, error: &ScanError) -> usize {
    let marker = error.marker();
    let by_chars = || source.text.char_indices().nth(marker.index()).map(|(at, _)| at);
    marker
        .byte_offset()
        .or_else(by_chars)
        .unwrap_or(source.text.len())
        .min(source.text.len())
}

/// The tabs before the first other character of the line, if there are any.
fn tab_in_indent(source: &Source, at: usize) -> Option<std::ops::Range<usize>> {
    let line = source.line_around(at);
    let text = &source.text[line.clone()];
    let indent = text.len() - text.trim_start_matches([' ', '\t']).len();
    let first = text[..indent].find('\t')?;
    let count = text[first..indent].bytes().take_while(|byte| *byte == b'\t').count();
    Some(line.start + first..line.start + first + count)
}

type Words = (String, Option<&'static str>, Option<&'static str>);

fn words(error: &ScanError) -> Words {
    use ErrorKind as K;
    let (message, label, help) = match error.kind() {
        K::MappingValueNotAllowed | K::InvalidColonPlacement => (
            "mapping values are not allowed here",
            Some("a second `: ` on this line ends the value"),
            Some(QUOTE_OR_BLOCK),
        ),
        K::UnclosedQuotedScalar => (
            "a quote is opened and never closed",
            None,
            Some("close it; inside double quotes a quote is written `\\\"`, inside single quotes `''`"),
        ),
        K::InvalidTrailingSingleQuotedScalar | K::InvalidTrailingDoubleQuotedScalar => (
            "text follows after the closing quote",
            Some("the value ended before this"),
            Some(QUOTE_OR_BLOCK),
        ),
        K::SimpleKeyExpected | K::InvalidSimpleKey => (
            "a key without its `:`",
            Some("expected `key: value` before this"),
            Some("is a `:` missing, or the indentation wrong?"),
        ),
        K::ExpectedBlockMappingKey => (
            "expected a key here",
            Some("the keys of one map must begin in the same column"),
            Some("check the indentation of this line and of the lines above it"),
        ),
        K::ExpectedBlockSequenceEntry => (
            "expected `- ` here",
            Some("the items of one list must begin in the same column"),
            Some("check the indentation of this line and of the lines above it"),
        ),
        K::InvalidIndentation | K::InvalidBlockScalarIndent | K::InvalidQuotedScalarIndent => (
            "the indentation does not fit",
            None,
            Some("lines that belong together must begin in the same column"),
        ),
        K::UnexpectedEofFlowMapping | K::ExpectedFlowMappingSeparator => (
            "a `{` map is not complete",
            Some("expected `,` or `}`"),
            Some("close the map, or quote a text that begins with `{`"),
        ),
        K::UnexpectedEofFlowSequence | K::ExpectedFlowSequenceSeparator => (
            "a `[` list is not complete",
            Some("expected `,` or `]`"),
            Some("close the list, or quote a text that begins with `[`"),
        ),
        K::UnknownQuotedScalarEscape | K::InvalidQuotedScalarHexEscape | K::InvalidUnicodeEscape => (
            "an escape that YAML does not know",
            Some("in double quotes `\\` begins an escape"),
            Some("write `\\\\` for a backslash, or use single quotes"),
        ),
        K::MissingAnchorOrAliasName => (
            "`*` and `&` begin an alias or an anchor",
            None,
            Some("quote a text that begins with `*` or `&`"),
        ),
        K::InvalidDocumentEnd => ("text follows after the end of the document `...`", None, None),
        kind => return other(kind),
    };
    (message.to_owned(), label, help)
}

fn other(kind: &ErrorKind) -> Words {
    match kind {
        ErrorKind::UnexpectedCharacter { character } if matches!(character, '@' | '`' | '%') => (
            format!("a value cannot begin with `{character}`"),
            None,
            Some("quote the whole value"),
        ),
        ErrorKind::UnclosedFlowCollection { open } => (format!("`{open}` is opened and never closed"), None, None),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => (
            format!("`{open}` is closed by `{close}`"),
            Some("the wrong bracket"),
            None,
        ),
        ErrorKind::MisplacedFlowCollectionEnd => ("a bracket is closed that was never opened".to_owned(), None, None),
        kind => (kind.to_string(), None, None),
    }
}
