//! Diagnostics as text for a terminal, in the look of rustc: what, where, the line with a caret, what to do.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level, Message, Origin, Renderer, Snippet, normalize_untrusted_str,
};

use crate::SourceFile;
use crate::diagnostics::{Diagnostic, Severity, Span};

/// Diagnostics shown at most; the rest is counted.
const MAX_SHOWN: usize = 20;
/// Narrower terminals are treated as this.
const MIN_WIDTH: usize = 40;
/// Columns before the text of a note: `  = help: `, with room for line numbers.
const NOTE_INDENT: usize = 14;

/// How the text should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// ANSI colours.
    pub colour: bool,
    /// Columns of the terminal.
    pub width: usize,
}

/// The diagnostics as text, in their order. At most 20 are shown, and then how many more there are; the last line
/// counts errors and warnings. Empty when there are none.
pub fn render(diagnostics: &[Diagnostic], files: &[SourceFile], look: Look) -> String {
    let width = look.width.max(MIN_WIDTH);
    let renderer = match look.colour {
        true => Renderer::styled(),
        false => Renderer::plain(),
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(width);
    let mut text = String::new();
    for diagnostic in diagnostics.iter().take(MAX_SHOWN) {
        let file = files.iter().find(|file| file.name == diagnostic.file);
        text.push_str(&renderer.render(&[group(diagnostic, file, width)]));
        text.push_str("\n\n");
    }
    if diagnostics.len() > MAX_SHOWN {
        text.push_str(&format!("… and {} more\n\n", diagnostics.len() - MAX_SHOWN));
    }
    if !diagnostics.is_empty() {
        text.push_str(&summary(diagnostics));
        text.push('\n');
    }
    text
}

/// `2 errors, 1 warning`
fn summary(diagnostics: &[Diagnostic]) -> String {
    let all = diagnostics.iter();
    let count = |severity| all.clone().filter(|found| found.severity == severity).count();
    let counted = |count, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    match (count(Severity::Error), count(Severity::Warning)) {
        (errors, 0) => counted(errors, "error"),
        (0, warnings) => counted(warnings, "warning"),
        (errors, warnings) => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
    }
}

fn group<'a>(diagnostic: &'a Diagnostic, file: Option<&'a SourceFile>, width: usize) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code.as_str());
    let group = match (diagnostic.span, file) {
        (Some(span), Some(file)) => Group::with_title(title).element(snippet(diagnostic, span, file)),
        _ => Group::with_title(title).element(Origin::path(normalize_untrusted_str(&diagnostic.file))),
    };
    let notes = diagnostic.notes.iter().map(|note| footer(Level::NOTE, note, width));
    let help = diagnostic.help.iter().map(|help| footer(Level::HELP, help, width));
    group.elements(notes).elements(help)
}

fn footer<'a>(level: Level<'a>, text: &str, width: usize) -> Message<'a> {
    let width = width.saturating_sub(NOTE_INDENT);
    level.message(wrapped(&normalize_untrusted_str(text), width))
}

/// One snippet for the lines around every place of a diagnostic. Only the lines from the first to the last place are
/// given to the renderer, so that a long file costs no more than a short one.
fn snippet<'a>(diagnostic: &'a Diagnostic, span: Span, file: &'a SourceFile) -> Snippet<'a, Annotation<'a>> {
    let spans = || std::iter::once(span).chain(diagnostic.related.iter().map(|label| label.span));
    let starts = spans().map(|span| line_start(&file.text, span.start));
    let start = starts.min().unwrap_or(0);
    let ends = spans().map(|span| line_end(&file.text, span.end));
    let end = ends.max().unwrap_or(file.text.len());
    let first_line = spans().map(|span| span.line).min().unwrap_or(1);
    let inside = |span: Span| clamp(span, start, end);
    let primary = AnnotationKind::Primary
        .span(inside(span))
        .label(diagnostic.label.as_deref());
    let related = diagnostic.related.iter().map(|label| {
        AnnotationKind::Context
            .span(inside(label.span))
            .label(label.text.as_str())
    });
    Snippet::source(file.text.get(start..end).unwrap_or_default())
        .line_start(first_line)
        .path(normalize_untrusted_str(&file.name))
        .annotation(primary)
        .annotations(related)
}

fn clamp(span: Span, start: usize, end: usize) -> Range<usize> {
    let from = span.start.clamp(start, end) - start;
    let to = span.end.clamp(start, end) - start;
    from..to.max(from)
}

fn line_start(text: &str, at: usize) -> usize {
    let newline = text.get(..at).and_then(|before| before.rfind('\n'));
    newline.map_or(0, |newline| newline + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    let newline = text.get(at..).and_then(|after| after.find('\n'));
    newline.map_or(text.len(), |newline| at + newline)
}

/// Breaks a text into lines of at most `width` characters, between words.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}
