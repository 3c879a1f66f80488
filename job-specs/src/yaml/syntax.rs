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

/// The diagnostic for a syntax error.
pub(crate) fn explain(file: usize, source: &Source, error: &ScanError) -> Problem {
    let at = offset(source, error);
    let location = |range: Range<usize>| Location {
        file,
        span: source.span(range),
    };
    if let Some(tabs) = tab_in_indent(source, at) {
        let label = match tabs.len() {
            1 => "this is a tab".to_owned(),
            tabs => format!("{tabs} tabs"),
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
    let letter = source.text[at..].chars().next().filter(|letter| !letter.is_control());
    let location = location(at..at + letter.map_or(0, char::len_utf8));
    let say = |message: &str| codes::YAML_SYNTAX.at(location, message);
    let problem = by_line(source, at, error.kind(), &say).unwrap_or_else(|| by_kind(error.kind(), &say));
    match template_at(source, at).and_then(|at| quoted_template(source, at)) {
        Some((range, text)) => problem.fix(source.span(range), text),
        None => problem,
    }
}

/// The diagnostic for a file that is nested too deep.
pub(crate) fn too_deep(location: Location) -> Problem {
    let message = format!("maps and lists are nested more than {MAX_DEPTH} deep");
    codes::TOO_DEEP.at(location, message)
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
fn by_line(source: &Source, at: usize, kind: &Kind, say: &dyn Fn(&str) -> Problem) -> Option<Problem> {
    let line = source.line_around(at);
    let before = &source.text[line.start..at.clamp(line.start, line.end.max(line.start))];
    let above = source.text[..line.start].trim_end();
    let above = above.lines().next_back().unwrap_or_default();
    Some(match kind {
        Kind::SimpleKeyExpected if above.ends_with(['|', '>']) || above.ends_with("|-") || above.ends_with(">-") => {
            say("the text of a block is not indented")
                .label("deeper than the key above it")
                .help("indent the lines below `|` or `>` by two more spaces")
        }
        Kind::ExpectedFlowMappingSeparator
        | Kind::ExpectedFlowSequenceSeparator
        | Kind::UnclosedFlowCollection { .. }
            if template_at(source, at).is_some() =>
        {
            say("`${{ }}` has to be quoted inside `{ }` and `[ ]`")
                .label("YAML reads this brace as its own")
                .help("write `\"${{ … }}\"`, or the map or list as lines of its own")
        }
        Kind::MappingValueNotAllowed if !before.trim_end_matches(':').contains(": ") => {
            say("this line begins a map inside a value")
                .label("the value above goes on until here")
                .help("is a `:` missing on the line above?")
        }
        Kind::ExpectedBlockMappingKey if !before.trim_start_matches([' ', '-']).is_empty() => {
            say("text follows after the end of the value")
                .label("the value ended before this")
                .help(QUOTE_OR_BLOCK)
        }
        _ => return None,
    })
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

/// What the kind of error tells.
fn by_kind(kind: &Kind, say: &dyn Fn(&str) -> Problem) -> Problem {
    match kind {
        Kind::MappingValueNotAllowed => say("mapping values are not allowed here")
            .label("a second `: ` on this line ends the value")
            .help(QUOTE_OR_BLOCK),
        Kind::InvalidColonPlacement => say("mapping values are not allowed here").help(QUOTE_OR_BLOCK),
        Kind::UnclosedQuotedScalar => say("a quote is opened and never closed")
            .help("close it; inside double quotes a quote is written `\\\"`, inside single quotes `''`"),
        Kind::InvalidQuotedScalarIndent => say("a quoted text goes on over this line")
            .label("not indented as a part of that text")
            .help("is the closing quote missing, on a line above?"),
        Kind::InvalidTrailingSingleQuotedScalar | Kind::InvalidTrailingDoubleQuotedScalar => {
            say("text follows after the closing quote")
                .label("the value ended before this")
                .help(QUOTE_OR_BLOCK)
        }
        Kind::SimpleKeyExpected => say("a key without its `:`")
            .label("expected `key: value`")
            .help("is a `:` missing, or the indentation wrong?"),
        Kind::ExpectedBlockMappingKey => say("expected a key here")
            .label("the keys of one map must begin in the same column")
            .help(CHECK_INDENT),
        Kind::ExpectedBlockSequenceEntry => say("expected `- ` here")
            .label("the items of one list must begin in the same column")
            .help(CHECK_INDENT),
        Kind::BlockSequenceEntryNotAllowed => say("a list cannot begin on the line of its key")
            .help("begin it on the next line, write it as `[a, b]`, or quote the value if `- ` is meant as text"),
        Kind::InvalidIndentation | Kind::InvalidBlockScalarIndent => {
            say("the indentation does not fit").help(CHECK_INDENT)
        }
        Kind::ExpectedFlowMappingSeparator => say("a `{` map is not complete")
            .label("expected `,` or `}`")
            .help("close the map, or quote a text that begins with `{`"),
        Kind::ExpectedFlowSequenceSeparator => say("a `[` list is not complete")
            .label("expected `,` or `]`")
            .help("close the list, or quote a text that begins with `[`"),
        Kind::UnknownQuotedScalarEscape => say("an escape that YAML does not know")
            .label("in double quotes `\\` begins an escape")
            .help("write `\\\\` for a backslash, or use single quotes"),
        Kind::MissingAnchorOrAliasName => {
            say("`*` and `&` begin an alias or an anchor").help("quote a text that begins with `*` or `&`")
        }
        Kind::MisplacedFlowCollectionEnd => {
            say("a bracket is closed that was never opened").help("remove it, or quote the whole value")
        }
        Kind::UnexpectedCharacter { character } => {
            say(&format!("a value cannot begin with `{character}`")).help("quote the whole value")
        }
        Kind::UnclosedFlowCollection { open } => say(&format!("`{open}` is opened and never closed")),
        Kind::MismatchedFlowCollectionEnd { open, close } => say(&format!("`{open}` is closed by `{close}`")),
        kind => say(&kind.to_string()),
    }
}
