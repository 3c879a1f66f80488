//! The text of the job files and the places in it. Every node of the tree and every diagnostic points at one
//! [`Location`], so that a message can always show the bytes that it is about.

use std::ops::Range;

use crate::diagnostics::Span;

/// One job file, as found in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path, as the user knows it: `.drover.yml`.
    pub name: String,
    /// Its whole text.
    pub text: String,
}

/// A range of bytes in one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Index of the file.
    pub file: usize,
    /// Where in it.
    pub span: Span,
}

/// One file with its lines counted.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
    line_starts: Vec<usize>,
}

impl Source {
    pub(crate) fn new(name: &str, text: &str) -> Source {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Source {
            name: name.to_owned(),
            text: text.to_owned(),
            line_starts: std::iter::once(0).chain(after_breaks).collect(),
        }
    }

    /// The span of a byte range; its ends are moved to character borders inside the text.
    pub(crate) fn span(&self, range: Range<usize>) -> Span {
        let start = self.border(range.start);
        let end = self.border(range.end.max(start));
        let line = self.line_starts.partition_point(|from| *from <= start);
        let line_start = self.line_starts[line - 1];
        Span {
            line,
            column: self.text[line_start..start].chars().count() + 1,
            start,
            end,
        }
    }

    /// The same span, ended where its first line ends: carets under more than one line help nobody.
    pub(crate) fn clip(&self, span: Span) -> Span {
        let text = &self.text[span.start..span.end];
        let line = text.split(['\n', '\r']).next().unwrap_or_default();
        let length = if line.trim_end().is_empty() {
            line.len()
        } else {
            line.trim_end().len()
        };
        Span {
            end: span.start + length,
            ..span
        }
    }

    /// The bytes that a span covers.
    pub(crate) fn slice(&self, span: Span) -> &str {
        &self.text[span.start..span.end]
    }

    /// The whole line around a byte, without its line break.
    pub(crate) fn line_around(&self, at: usize) -> Range<usize> {
        let at = at.min(self.text.len());
        let start = self.line_starts[self.line_starts.partition_point(|from| *from <= at) - 1];
        let length = self.text[start..].find('\n').unwrap_or(self.text.len() - start);
        start..start + self.text[start..start + length].trim_end_matches('\r').len()
    }

    /// The place of the `nth` occurrence of `needle` inside `span`; the whole span when it is not there as written
    /// (an escape inside a quoted text, a folded line).
    pub(crate) fn find(&self, span: Span, needle: &str, nth: usize) -> Span {
        match self.slice(span).match_indices(needle).nth(nth) {
            Some((at, found)) => self.span(span.start + at..span.start + at + found.len()),
            None => span,
        }
    }

    fn border(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("a.yml", text)
    }

    #[test]
    fn columns_count_characters_and_offsets_count_bytes() {
        let source = source("a: é\nb: ü x\n");
        let at = source.text.find('x').unwrap();
        let span = source.span(at..at + 1);
        assert_eq!((span.line, span.column, span.start), (2, 6, at));
    }

    #[test]
    fn a_span_is_clipped_to_its_first_line() {
        let source = source("run: |\r\n  one\r\n");
        let clipped = source.clip(source.span(5..source.text.len()));
        assert_eq!(source.slice(clipped), "|");
    }

    #[test]
    fn ranges_outside_the_text_are_moved_inside() {
        let source = source("é");
        assert_eq!(source.span(1..9).start, 0);
        assert_eq!(source.line_around(99), 0..2);
    }
}
