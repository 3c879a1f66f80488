//! The parser's complaints in the words of somebody who wants to mend the file. The kinds that people meet have their
//! own sentence and help; the rest keep the parser's words.

use std::ops::Range;

use serde_yaml::granit_parser::ErrorKind as Kind;
use serde_yaml::granit_parser::ScanError;

use super::tabs;
use super::tree::MAX_DEPTH;
use crate::codes;
use crate::problems::Problem;
use crate::source::{Location, Source};

const QUOTE_OR_BLOCK: &str = "quote the whole value, or write it as a block: `run: |` and the text below, indented";
const CHECK_INDENT: &str = "check the indentation of this line and of the lines above it";

/// The words for one kind of error.
#[derive(Debug, Clone, Default)]
struct Words {
    message: String,
    label: Option<&'static str>,
    help: Option<&'static str>,
}

/// The diagnostic for a syntax error.
pub(crate) fn explain(file: usize, source: &Source, error: &ScanError) -> Problem {
    let at = offset(source, error);
    let location = |range: Range<usize>| Location {
        file,
        span: source.span(range),
    };
    if let Some(tabs) = tab_in_indent(source, at) {
        let label = if tabs.len() == 1 {
            "this is a tab".to_owned()
        } else {
            format!("{} tabs", tabs.len())
        };
        let problem = codes::TAB_INDENT
            .at(location(tabs.clone()), "a tab is used for indentation")
            .label(label)
            .help("YAML forbids tabs here; use spaces");
        let edits = tabs::to_spaces(&source.text, tabs.start);
        return edits.into_iter().fold(problem, |problem, (range, spaces)| {
            problem.fix(source.span(range), spaces)
        });
    }
    if *error.kind() == Kind::RecursionLimitExceeded {
        return too_deep(location(at..at + 1));
    }
    let words = by_line(source, at, error.kind()).unwrap_or_else(|| by_kind(error.kind()));
    let letter = source.text[at..].chars().next().filter(|letter| !letter.is_control());
    let problem = codes::YAML_SYNTAX.at(location(at..at + letter.map_or(0, char::len_utf8)), words.message);
    let problem = match template_at(source, at).and_then(|at| quoted_template(source, at)) {
        Some((range, text)) => problem.fix(source.span(range), text),
        None => problem,
    };
    let problem = words.label.into_iter().fold(problem, Problem::label);
    words.help.into_iter().fold(problem, Problem::help)
}

/// The diagnostic for a file that is nested too deep.
pub(crate) fn too_deep(location: Location) -> Problem {
    codes::TOO_DEEP.at(
        location,
        format!("maps and lists are nested more than {MAX_DEPTH} deep"),
    )
}

fn offset(source: &Source, error: &ScanError) -> usize {
    let marker = error.marker();
    let by_chars = || source.text.char_indices().nth(marker.index()).map(|(at, _)| at);
    let at = marker.byte_offset().or_else(by_chars).unwrap_or(source.text.len());
    source.span(at..at).start
}

/// The tabs in the indentation of the line, or of the next one: a text may have gone on until there.
fn tab_in_indent(source: &Source, at: usize) -> Option<Range<usize>> {
    let line = source.line_around(at);
    let next = source.text[line.end..]
        .find('\n')
        .map(|newline| source.line_around(line.end + newline + 1));
    std::iter::once(line).chain(next).find_map(|line| {
        let text = &source.text[line.clone()];
        let indent = text.len() - text.trim_start_matches([' ', '\t']).len();
        let first = text[..indent].find('\t')?;
        let count = text[first..indent].bytes().take_while(|byte| *byte == b'\t').count();
        Some(line.start + first..line.start + first + count)
    })
}

/// What the lines around the place tell beyond the parser's kind of error.
fn by_line(source: &Source, at: usize, kind: &Kind) -> Option<Words> {
    let line = source.line_around(at);
    let before = &source.text[line.start..at.clamp(line.start, line.end.max(line.start))];
    let above = source.text[..line.start]
        .trim_end()
        .lines()
        .next_back()
        .unwrap_or_default();
    let found = |message: &str, label, help| {
        Some(Words {
            message: message.to_owned(),
            label: Some(label),
            help: Some(help),
        })
    };
    match kind {
        Kind::SimpleKeyExpected if above.ends_with(['|', '>']) || above.ends_with("|-") || above.ends_with(">-") => {
            found(
                "the text of a block is not indented",
                "deeper than the key above it",
                "indent the lines below `|` or `>` by two more spaces",
            )
        }
        Kind::ExpectedFlowMappingSeparator
        | Kind::ExpectedFlowSequenceSeparator
        | Kind::UnclosedFlowCollection { .. }
            if template_at(source, at).is_some() =>
        {
            found(
                "`${{ }}` has to be quoted inside `{ }` and `[ ]`",
                "YAML reads this brace as its own",
                "write `\"${{ … }}\"`, or the map or list as lines of its own",
            )
        }
        Kind::MappingValueNotAllowed if !before.trim_end_matches(':').contains(": ") => found(
            "this line begins a map inside a value",
            "the value above goes on until here",
            "is a `:` missing on the line above?",
        ),
        Kind::ExpectedBlockMappingKey if !before.trim_start_matches([' ', '-']).is_empty() => found(
            "text follows after the end of the value",
            "the value ended before this",
            QUOTE_OR_BLOCK,
        ),
        _ => None,
    }
}

/// Where the `${{` begins that the place is at, or right behind the first braces of.
fn template_at(source: &Source, at: usize) -> Option<usize> {
    let behind = source.text[..at].trim_end_matches('{');
    let found = behind.ends_with('$') && source.text[behind.len()..].starts_with("{{");
    found.then(|| behind.len() - 1)
}

/// The value around a `${{ }}` inside `{ }` or `[ ]`, and the same in quotes.
fn quoted_template(source: &Source, at: usize) -> Option<(Range<usize>, String)> {
    let line = source.line_around(at);
    let text = &source.text[line.clone()];
    let template = at - line.start;
    let before = &text[..template];
    let start = before.rfind([',', '[', '{']).map_or(0, |at| at + 1);
    let start = before[start..].rfind(": ").map_or(start, |at| start + at + 2);
    let start = start + text[start..].len() - text[start..].trim_start().len();
    let mut end = template;
    while let Some(next) = text[end..]
        .find("${{")
        .filter(|next| !text[end..end + next].contains([',', ']', '}']))
    {
        end += next + text[end + next..].find("}}")? + 2;
    }
    end += text[end..].find([',', ']', '}']).unwrap_or(text.len() - end);
    let value = text[start..end].trim_end();
    if value.contains(['"', '\\', '\'']) {
        return None;
    }
    Some((
        line.start + start..line.start + start + value.len(),
        format!("\"{value}\""),
    ))
}

/// The kinds that people meet: message, label, help.
static KNOWN: &[(Kind, &str, Option<&str>, Option<&str>)] = &[
    (
        Kind::MappingValueNotAllowed,
        "mapping values are not allowed here",
        Some("a second `: ` on this line ends the value"),
        Some(QUOTE_OR_BLOCK),
    ),
    (
        Kind::InvalidColonPlacement,
        "mapping values are not allowed here",
        None,
        Some(QUOTE_OR_BLOCK),
    ),
    (
        Kind::UnclosedQuotedScalar,
        "a quote is opened and never closed",
        None,
        Some("close it; inside double quotes a quote is written `\\\"`, inside single quotes `''`"),
    ),
    (
        Kind::InvalidQuotedScalarIndent,
        "a quoted text goes on over this line",
        Some("not indented as a part of that text"),
        Some("is the closing quote missing, on a line above?"),
    ),
    (
        Kind::InvalidTrailingSingleQuotedScalar,
        "text follows after the closing quote",
        Some("the value ended before this"),
        Some(QUOTE_OR_BLOCK),
    ),
    (
        Kind::InvalidTrailingDoubleQuotedScalar,
        "text follows after the closing quote",
        Some("the value ended before this"),
        Some(QUOTE_OR_BLOCK),
    ),
    (
        Kind::SimpleKeyExpected,
        "a key without its `:`",
        Some("expected `key: value`"),
        Some("is a `:` missing, or the indentation wrong?"),
    ),
    (
        Kind::ExpectedBlockMappingKey,
        "expected a key here",
        Some("the keys of one map must begin in the same column"),
        Some(CHECK_INDENT),
    ),
    (
        Kind::ExpectedBlockSequenceEntry,
        "expected `- ` here",
        Some("the items of one list must begin in the same column"),
        Some(CHECK_INDENT),
    ),
    (
        Kind::BlockSequenceEntryNotAllowed,
        "a list cannot begin on the line of its key",
        None,
        Some("begin it on the next line, write it as `[a, b]`, or quote the value if `- ` is meant as text"),
    ),
    (
        Kind::InvalidIndentation,
        "the indentation does not fit",
        None,
        Some(CHECK_INDENT),
    ),
    (
        Kind::InvalidBlockScalarIndent,
        "the indentation does not fit",
        None,
        Some(CHECK_INDENT),
    ),
    (
        Kind::ExpectedFlowMappingSeparator,
        "a `{` map is not complete",
        Some("expected `,` or `}`"),
        Some("close the map, or quote a text that begins with `{`"),
    ),
    (
        Kind::ExpectedFlowSequenceSeparator,
        "a `[` list is not complete",
        Some("expected `,` or `]`"),
        Some("close the list, or quote a text that begins with `[`"),
    ),
    (
        Kind::UnknownQuotedScalarEscape,
        "an escape that YAML does not know",
        Some("in double quotes `\\` begins an escape"),
        Some("write `\\\\` for a backslash, or use single quotes"),
    ),
    (
        Kind::MissingAnchorOrAliasName,
        "`*` and `&` begin an alias or an anchor",
        None,
        Some("quote a text that begins with `*` or `&`"),
    ),
    (
        Kind::MisplacedFlowCollectionEnd,
        "a bracket is closed that was never opened",
        None,
        Some("remove it, or quote the whole value"),
    ),
];

fn by_kind(kind: &Kind) -> Words {
    if let Some((_, message, label, help)) = KNOWN.iter().find(|(known, ..)| known == kind) {
        return Words {
            message: (*message).to_owned(),
            label: *label,
            help: *help,
        };
    }
    let (message, help) = match kind {
        Kind::UnexpectedCharacter { character } => (
            format!("a value cannot begin with `{character}`"),
            Some("quote the whole value"),
        ),
        Kind::UnclosedFlowCollection { open } => (format!("`{open}` is opened and never closed"), None),
        Kind::MismatchedFlowCollectionEnd { open, close } => (format!("`{open}` is closed by `{close}`"), None),
        kind => (kind.to_string(), None),
    };
    Words {
        message,
        label: None,
        help,
    }
}
