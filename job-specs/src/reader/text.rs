//! The reader itself, and how it reads a text: substitution of `${{ }}`, and what to say when that cannot be done.

use crate::codes;
use crate::globs::Globs;
use crate::hash::globs_of;
use crate::problems::{Problem, Problems};
use crate::reader::Slot;
use crate::source::Location;
use crate::sources::Sources;
use crate::substitute::{Found, Piece, Scope, Template, has_template, pieces};
use crate::yaml::Scalar;

/// Bytes that `${{ }}` may add in one reading of all files.
const MAX_SUBSTITUTED: usize = 16 * 1024 * 1024;

/// Reads values at one place of the file: with one scope, into one collector.
pub(crate) struct Reader<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) scope: Scope<'a>,
    pub(crate) problems: &'a mut Problems,
    /// What has been used up so far, over all cells.
    pub(crate) spent: &'a mut Spent,
    /// What has the keys that are being read, for messages.
    pub(crate) owner: String,
}

/// What one reading of all files may not use without end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    /// Bytes substituted.
    pub(crate) substituted: usize,
    /// Globs read.
    pub(crate) globs: usize,
    /// Schedules read.
    pub(crate) schedules: usize,
}

/// Which templates a text may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Templates {
    /// All.
    All,
    /// Only what stands in the file itself: the text is run by a shell.
    MatrixOnly,
}

impl<'a> Reader<'a> {
    /// A reader outside of everything.
    pub(crate) fn new(
        sources: &'a Sources,
        scope: Scope<'a>,
        problems: &'a mut Problems,
        spent: &'a mut Spent,
    ) -> Reader<'a> {
        Reader {
            sources,
            scope,
            problems,
            spent,
            owner: String::new(),
        }
    }
}

impl Reader<'_> {
    /// Adds a finding.
    pub(crate) fn add(&mut self, problem: Problem) {
        self.problems.add(problem);
    }

    /// Adds a finding that leaves no value.
    pub(crate) fn reject<T>(&mut self, problem: Problem) -> Option<T> {
        self.add(problem);
        None
    }

    /// "`x` takes …, found …".
    pub(crate) fn wrong_type<T>(&mut self, slot: Slot<'_>, takes: &str) -> Option<T> {
        self.reject(takes_another(slot, takes).label(format!("expected {takes}")))
    }

    /// The same, with what to do.
    pub(crate) fn wrong_form<T>(&mut self, slot: Slot<'_>, takes: &str, help: impl Into<String>) -> Option<T> {
        self.reject(takes_another(slot, takes).help(help))
    }

    /// "`x` …", about a value that has the right form.
    pub(crate) fn bad_value(&self, slot: Slot<'_>, code: &'static codes::Code, message: impl Into<String>) -> Problem {
        let problem = code.at(slot.location(), message);
        match self.scope.cell {
            Some(cell) if slot.has_template() && !cell.values.is_empty() => problem
                .note(format!("in the cell {}", cell.title()))
                .once_per_location(),
            _ => problem,
        }
    }

    /// The same, about a value that is none of those that are allowed.
    pub(crate) fn not_allowed(&self, slot: Slot<'_>, message: impl Into<String>) -> Problem {
        self.bad_value(slot, &codes::BAD_VALUE, message)
    }

    /// A text, a number or true/false as it is written, with `${{ }}` substituted. `None` when it is another form, or
    /// cannot be known yet.
    pub(crate) fn scalar(&mut self, slot: Slot<'_>, takes: &str) -> Option<Scalar> {
        self.scalar_with(slot, takes, Templates::All)
    }

    /// The same as a text.
    pub(crate) fn text(&mut self, slot: Slot<'_>) -> Option<String> {
        self.scalar(slot, "a text").map(|scalar| scalar.text)
    }

    /// A text that a shell will run: only `${{ matrix.x }}` is substituted.
    pub(crate) fn shell_text(&mut self, slot: Slot<'_>) -> Option<String> {
        Some(self.scalar_with(slot, "a text", Templates::MatrixOnly)?.text)
    }

    /// A name that has to be written out.
    pub(crate) fn literal(&mut self, slot: Slot<'_>) -> Option<String> {
        let Some(text) = slot.node.text() else {
            return self.wrong_type(slot, "a name");
        };
        self.no_template(slot, text)?;
        Some(text.to_owned())
    }

    /// Refuses `${{ }}` in a value that is read before the cells exist.
    pub(crate) fn no_template(&mut self, slot: Slot<'_>, text: &str) -> Option<()> {
        if !has_template(text) {
            return Some(());
        }
        let message = format!("`${{{{ }}}}` cannot be used in {}", slot.name());
        let location = self.inner(slot, "${{", 0);
        let problem = codes::TEMPLATE_NOT_HERE.at(location, message);
        self.reject(problem.help("write the value out; it is read before the matrix has cells"))
    }

    fn scalar_with(&mut self, slot: Slot<'_>, takes: &str, templates: Templates) -> Option<Scalar> {
        match slot.node.written() {
            Some(scalar) if has_template(&scalar.text) => {
                self.substitute(slot, &scalar.text, templates).map(Scalar::unquoted)
            }
            Some(scalar) => Some(scalar.clone()),
            None => self.wrong_type(slot, takes),
        }
    }

    /// The text with its templates replaced. Every bad template is reported; `None` when one has no value.
    pub(crate) fn substitute(&mut self, slot: Slot<'_>, text: &str, templates: Templates) -> Option<String> {
        let mut filled = Some(String::new());
        for piece in pieces(text) {
            let value = match piece {
                Piece::Text(text) => Some(text.to_owned()),
                Piece::Broken(whole) => self.broken(slot, text, whole),
                Piece::Hash { whole, arguments } => self.hash(slot, whole, arguments),
                Piece::Name(template) => self.value(slot, template, templates),
            };
            match (value, &mut filled) {
                (Some(value), Some(filled)) => filled.push_str(&value),
                _ => filled = None,
            }
        }
        self.counted(slot, filled?)
    }

    fn value(&mut self, slot: Slot<'_>, template: Template<'_>, templates: Templates) -> Option<String> {
        if templates == Templates::MatrixOnly && template.root != "matrix" {
            self.in_shell_text(slot, template);
            return None;
        }
        match self.scope.look_up(template) {
            Found::Value(value) => Some(value),
            Found::Later => {
                self.scope.waits |= template.root == "needs";
                None
            }
            Found::Nothing => {
                self.no_value(slot, template);
                None
            }
        }
    }

    /// The hash of files: hex digits, so it can stand anywhere. Empty when no file matches.
    fn hash(&mut self, slot: Slot<'_>, whole: &str, arguments: &str) -> Option<String> {
        let globs = globs_of(arguments).map_err(str::to_owned);
        if let Err(fault) = globs.and_then(Globs::new) {
            let message = format!("`{whole}` is not understood: {fault}");
            let problem = codes::BAD_HASH.at(self.inner(slot, whole, 0), message);
            return self.reject(problem.help("write `${{ hash('Cargo.lock') }}` or `${{ hash('a/**', 'b.lock') }}`"));
        }
        let hashes = &self.scope.facts?.hashes;
        Some(hashes.get(arguments).cloned().unwrap_or_default())
    }

    fn counted(&mut self, slot: Slot<'_>, text: String) -> Option<String> {
        let before = self.spent.substituted;
        self.spent.substituted += text.len();
        if self.spent.substituted <= MAX_SUBSTITUTED {
            return Some(text);
        }
        if before <= MAX_SUBSTITUTED {
            let message = "the values of `${{ }}` make more than 16 MiB";
            let problem = codes::TOO_MUCH_EXPANSION.at(slot.location(), message);
            self.add(problem.label("reached here"));
        }
        None
    }

    /// The place of `needle` inside a value, as far as it stands there as written.
    pub(crate) fn inner(&self, slot: Slot<'_>, needle: &str, nth: usize) -> Location {
        self.sources.within(slot.location(), needle, nth)
    }

    fn broken(&mut self, slot: Slot<'_>, text: &str, whole: &str) -> Option<String> {
        if !whole.ends_with("}}") {
            let location = self.inner(slot, "${{", nth_open(text));
            let problem = codes::BAD_TEMPLATE.at(location, "`${{` is never closed");
            let help = "write `${{ matrix.x }}`; a text that shall keep `${{` is not possible here";
            return self.reject(problem.help(help));
        }
        let message = format!("`{whole}` is not the name of a value");
        let problem = codes::BAD_TEMPLATE.at(self.inner(slot, whole, 0), message);
        let help = "there is no expression language; write one name: `${{ matrix.x }}`, `${{ git.branch }}`";
        self.reject(problem.help(help))
    }
}

fn takes_another(slot: Slot<'_>, takes: &str) -> Problem {
    let message = format!("{} takes {takes}, found {}", slot.name(), slot.node.found());
    codes::WRONG_TYPE.at(slot.location(), message)
}

/// How many `${{` stand before the last one.
fn nth_open(text: &str) -> usize {
    text.matches("${{").count().saturating_sub(1)
}
