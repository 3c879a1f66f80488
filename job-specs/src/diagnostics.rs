//! What is wrong with a job file, as data: one object that the command line, the page and `--json` all render.

use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file cannot run.
    Error,
    /// The file runs; something in it is probably not meant.
    Warning,
}

/// A place in a file: 1-based line and column (in characters), byte range `start..end` of the whole text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// 1-based line.
    pub line: usize,
    /// 1-based column, in characters.
    pub column: usize,
    /// First byte in the text.
    pub start: usize,
    /// One past the last byte in the text.
    pub end: usize,
}

/// A second place that a diagnostic points at ("first here").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What stands there.
    pub text: String,
}

/// A change of the file that mends it: the bytes of `span` become `replacement`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// What goes.
    pub span: Span,
    /// What comes.
    pub replacement: String,
}

/// One finding about a job file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// `DRV0001`…; stable for ever, one page in the reference each.
    pub code: String,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, lower case, no full stop.
    pub message: String,
    /// The file it is in, as the user named it.
    pub file: String,
    /// Where; `None` when the whole file is meant.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub span: Option<Span>,
    /// What to write under the caret.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label: Option<String>,
    /// Other places that matter.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub related: Vec<Label>,
    /// Facts that explain it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
    /// The concrete edit that mends it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub help: Option<String>,
    /// Changes that mend it without a doubt; `drover lint --fix` makes them, all or none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub fixes: Vec<Edit>,
}
