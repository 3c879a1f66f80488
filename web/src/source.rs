//! Diagnostics in the source that they speak of: the lines around each finding, what is meant marked, a caret with
//! the label under it, and the message with its help below, as `drover lint` prints it.

use job_specs::diagnostics::{Diagnostic, Severity, Span};

use crate::views::{Diagnosis, SourceText};

/// A file of so many lines is shown whole.
const WHOLE: usize = 60;
/// Lines before and after a finding in a longer one.
const CONTEXT: usize = 4;

/// A file with its findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceView<'a> {
    /// As the user named it.
    pub name: &'a str,
    /// Findings about the whole file.
    pub general: Vec<&'a Diagnostic>,
    /// Lines, gaps and findings, downwards.
    pub rows: Vec<Row<'a>>,
}

/// One row of a source view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row<'a> {
    /// A line, in pieces.
    Line { number: usize, pieces: Vec<Piece<'a>> },
    /// Lines that are not shown.
    Gap(usize),
    /// A finding about the line above.
    Finding {
        indent: String,
        carets: String,
        diagnostic: &'a Diagnostic,
    },
    /// What another finding says about the line above.
    Note {
        indent: String,
        carets: String,
        text: &'a str,
    },
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The text.
    pub text: &'a str,
    /// `fail`, `warn` or `note`, when a finding means it; else empty.
    pub class: &'static str,
}

/// `error` or `warning`.
pub fn word(diagnostic: &Diagnostic) -> &'static str {
    match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// `fail` or `warn`.
pub fn tone(diagnostic: &Diagnostic) -> &'static str {
    match diagnostic.severity {
        Severity::Error => "fail",
        Severity::Warning => "warn",
    }
}

/// The shape beside the word.
pub fn shape(diagnostic: &Diagnostic) -> &'static str {
    match diagnostic.severity {
        Severity::Error => "failed",
        Severity::Warning => "warning",
    }
}

/// Every file that a finding is about, in the order of the findings.
pub fn views(diagnosis: &Diagnosis) -> Vec<SourceView<'_>> {
    let mut names: Vec<&str> = Vec::new();
    for diagnostic in &diagnosis.diagnostics {
        if !names.contains(&diagnostic.file.as_str()) {
            names.push(&diagnostic.file);
        }
    }
    names.into_iter().map(|name| view(name, diagnosis)).collect()
}

fn view<'a>(name: &'a str, diagnosis: &'a Diagnosis) -> SourceView<'a> {
    let mine = || {
        diagnosis
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.file == name)
    };
    let lines: Vec<Line<'a>> = match diagnosis.files.iter().find(|file| file.name == name) {
        Some(file) => split(file),
        None => Vec::new(),
    };
    let is_placed = |diagnostic: &&Diagnostic| {
        diagnostic
            .span
            .is_some_and(|span| (1..=lines.len()).contains(&span.line))
    };
    let marks: Vec<Mark<'a>> = mine()
        .filter(|diagnostic| is_placed(diagnostic))
        .flat_map(marks)
        .collect();
    SourceView {
        name,
        general: mine().filter(|diagnostic| !is_placed(diagnostic)).collect(),
        rows: if marks.is_empty() {
            Vec::new()
        } else {
            rows(&lines, &marks)
        },
    }
}

struct Line<'a> {
    start: usize,
    text: &'a str,
}

struct Mark<'a> {
    span: Span,
    class: &'static str,
    says: Says<'a>,
}

#[derive(Clone, Copy)]
enum Says<'a> {
    Finding(&'a Diagnostic),
    Note(&'a str),
}

fn split(file: &SourceText) -> Vec<Line<'_>> {
    let mut start = 0;
    file.text
        .split_inclusive('\n')
        .map(|whole| {
            let line = Line {
                start,
                text: whole.trim_end_matches(['\n', '\r']),
            };
            start += whole.len();
            line
        })
        .collect()
}

fn marks(diagnostic: &Diagnostic) -> Vec<Mark<'_>> {
    let main = diagnostic.span.map(|span| Mark {
        span,
        class: tone(diagnostic),
        says: Says::Finding(diagnostic),
    });
    let related = diagnostic.related.iter().map(|label| Mark {
        span: label.span,
        class: "note",
        says: Says::Note(&label.text),
    });
    main.into_iter().chain(related).collect()
}

fn rows<'a>(lines: &[Line<'a>], marks: &[Mark<'a>]) -> Vec<Row<'a>> {
    let is_shown =
        |number: usize| lines.len() <= WHOLE || marks.iter().any(|mark| mark.span.line.abs_diff(number) <= CONTEXT);
    let mut rows = Vec::new();
    let mut hidden = 0;
    for (number, line) in (1..).zip(lines) {
        if !is_shown(number) {
            hidden += 1;
            continue;
        }
        if hidden > 0 {
            rows.push(Row::Gap(std::mem::take(&mut hidden)));
        }
        let here: Vec<&Mark> = marks.iter().filter(|mark| mark.span.line == number).collect();
        rows.push(Row::Line {
            number,
            pieces: pieces(line, &here),
        });
        rows.extend(here.iter().map(|mark| below(line, mark)));
    }
    if hidden > 0 {
        rows.push(Row::Gap(hidden));
    }
    rows
}

/// The bytes of the line that a mark means; a span that does not fit its text means nothing.
fn range(line: &Line, span: Span) -> std::ops::Range<usize> {
    let at = |byte: usize| byte.saturating_sub(line.start).min(line.text.len());
    let range = at(span.start)..at(span.end.max(span.start));
    if line.text.get(range.clone()).is_some() {
        range
    } else {
        0..0
    }
}

fn pieces<'a>(line: &Line<'a>, marks: &[&Mark]) -> Vec<Piece<'a>> {
    let mut ranges: Vec<_> = marks.iter().map(|mark| (range(line, mark.span), mark.class)).collect();
    ranges.sort_by_key(|(range, _)| range.start);
    let mut pieces = Vec::new();
    let mut done = 0;
    for (range, class) in ranges {
        if range.start < done || range.is_empty() {
            continue;
        }
        pieces.push(Piece {
            text: &line.text[done..range.start],
            class: "",
        });
        pieces.push(Piece {
            text: &line.text[range.clone()],
            class,
        });
        done = range.end;
    }
    pieces.push(Piece {
        text: &line.text[done..],
        class: "",
    });
    pieces.retain(|piece| !piece.text.is_empty());
    pieces
}

fn below<'a>(line: &Line<'a>, mark: &Mark<'a>) -> Row<'a> {
    let range = range(line, mark.span);
    let indent = line.text[..range.start]
        .chars()
        .map(|c| if c == '\t' { '\t' } else { ' ' })
        .collect();
    let carets = "^".repeat(line.text[range].chars().count().max(1));
    match mark.says {
        Says::Finding(diagnostic) => Row::Finding {
            indent,
            carets,
            diagnostic,
        },
        Says::Note(text) => Row::Note { indent, carets, text },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(text: &str, word: &str) -> Diagnosis {
        let start = text.find(word).expect("the word is in the text");
        let line = text[..start].matches('\n').count() + 1;
        let span = Span {
            line,
            column: 1,
            start,
            end: start + word.len(),
        };
        let diagnostic = Diagnostic {
            code: "DRV0101".into(),
            severity: Severity::Error,
            message: "unknown key".into(),
            file: "a.yml".into(),
            span: Some(span),
            label: None,
            related: Vec::new(),
            notes: Vec::new(),
            help: None,
            fixes: Vec::new(),
        };
        Diagnosis {
            diagnostics: vec![diagnostic],
            files: vec![SourceText {
                name: "a.yml".into(),
                text: text.into(),
            }],
        }
    }

    /// The rows as `drover lint` would print them.
    fn drawn(diagnosis: &Diagnosis) -> String {
        let mut out = String::new();
        for row in &views(diagnosis)[0].rows {
            out += &match row {
                Row::Line { number, pieces } => {
                    let text: String = pieces
                        .iter()
                        .map(|piece| {
                            if piece.class.is_empty() {
                                piece.text.into()
                            } else {
                                format!("[{}]", piece.text)
                            }
                        })
                        .collect();
                    format!("{number:>3} {text}\n")
                }
                Row::Gap(lines) => format!("    … {lines}\n"),
                Row::Finding { indent, carets, .. } | Row::Note { indent, carets, .. } => {
                    format!("    {indent}{carets}\n")
                }
            };
        }
        out
    }

    #[test]
    fn a_finding_is_marked_and_pointed_at() {
        let diagnosis = finding("jobs:\n  é: {imgae: x}\r\n", "imgae");
        insta::assert_snapshot!(drawn(&diagnosis), @r"
          1 jobs:
          2   é: {[imgae]: x}
                  ^^^^^
        ");
    }

    #[test]
    fn a_long_file_is_shown_around_its_findings() {
        let text: String = (1..=100).map(|n| format!("line {n}\n")).collect();
        insta::assert_snapshot!(drawn(&finding(&text, "line 50")), @r"
            … 45
         46 line 46
         47 line 47
         48 line 48
         49 line 49
         50 [line 50]
            ^^^^^^^
         51 line 51
         52 line 52
         53 line 53
         54 line 54
            … 46
        ");
    }

    #[test]
    fn a_span_that_does_not_fit_is_no_panic() {
        let mut diagnosis = finding("é\n", "é");
        diagnosis.diagnostics[0].span = Some(Span {
            line: 1,
            column: 9,
            start: 1,
            end: 900,
        });
        assert_eq!(views(&diagnosis)[0].rows.len(), 2);
        diagnosis.diagnostics[0].span = Some(Span {
            line: 77,
            column: 1,
            start: 0,
            end: 1,
        });
        assert_eq!(views(&diagnosis)[0].general.len(), 1);
        diagnosis.files.clear();
        assert_eq!(views(&diagnosis)[0].general.len(), 1);
    }
}
