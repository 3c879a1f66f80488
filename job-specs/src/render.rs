//! Diagnostics as text for a terminal, in the look of rustc.

use crate::SourceFile;
use crate::diagnostics::Diagnostic;

/// How the text should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// ANSI colours.
    pub colour: bool,
    /// Columns of the terminal.
    pub width: usize,
}

/// The diagnostics as text, sorted as they are; at most 20 are shown.
pub fn render(_diagnostics: &[Diagnostic], _files: &[SourceFile], _look: Look) -> String {
    String::new()
}
