//! The reader itself, and how it reads a text: substitution of `${{ }}`, and what to say when that cannot be done.

use crate::codes;
use crate::problems::{Problem, Problems};
use crate::read::Slot;
use crate::source::Place;
use crate::sources::Sources;
use crate::substitute::{Found, Piece, Scope, Template, github, has_template, pieces, variable_of};
use crate::suggest::{listed, nearest};
use crate::yaml::{Plain, Scalar, Value};

/// Bytes that `${{ }}` may add in one reading of all files.
const MAX_SUBSTITUTED: usize = 16 * 1024 * 1024;

/// Reads values at one place of the file: with one scope, into one collector.
pub(crate) struct Reader<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) scope: Scope<'a>,
    pub(crate) problems: &'a mut Problems,
    /// Bytes substituted so far, over all cells.
    pub(crate) substituted: &'a mut usize,
}

/// Which templates a text may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Templates {
    /// All.
    All,
    /// Only what stands in the file itself: the text is run by a shell.
    MatrixOnly,
}

impl Reader<'_> {
    /// Adds a finding.
    pub(crate) fn add(&mut self, problem: Problem) {
        self.problems.add(problem);
    }

    /// "`x` takes …, found …".
    pub(crate) fn wrong_type(&mut self, slot: Slot<'_>, takes: &str) {
        let message = format!("{} takes {takes}, found {}", slot.name(), slot.node.found());
        self.add(Problem::at(&codes::WRONG_TYPE, slot.place(), message).label(format!("expected {takes}")));
    }

    /// "`x` …", about a value that has the right form.
    pub(crate) fn bad_value(&mut self, slot: Slot<'_>, code: &'static codes::Code, message: String) -> Problem {
        let problem = Problem::at(code, slot.place(), message);
        match self.scope.cell {
            Some(cell) if slot.has_template() && !cell.values.is_empty() => {
                problem.note(format!("in the cell {}", cell.title())).once_per_place()
            }
            _ => problem,
        }
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
        self.scalar_with(slot, "a text", Templates::MatrixOnly)
            .map(|scalar| scalar.text)
    }

    /// A name that has to be written out.
    pub(crate) fn literal(&mut self, slot: Slot<'_>) -> Option<String> {
        let Value::Scalar(scalar) = &slot.node.value else {
            self.wrong_type(slot, "a name");
            return None;
        };
        if scalar.plain == Plain::Null {
            self.wrong_type(slot, "a name");
            return None;
        }
        self.no_template(slot, &scalar.text)?;
        Some(scalar.text.clone())
    }

    /// Refuses `${{ }}` in a value that is read before the cells exist.
    pub(crate) fn no_template(&mut self, slot: Slot<'_>, text: &str) -> Option<()> {
        if !has_template(text) {
            return Some(());
        }
        let message = format!("`${{{{ }}}}` cannot be used in {}", slot.name());
        let place = self.inner(slot, "${{", 0);
        let problem = Problem::at(&codes::TEMPLATE_NOT_HERE, place, message);
        self.add(problem.help("write the value out; it is read before the matrix has cells"));
        None
    }

    fn scalar_with(&mut self, slot: Slot<'_>, takes: &str, templates: Templates) -> Option<Scalar> {
        match &slot.node.value {
            Value::Scalar(scalar) if scalar.plain == Plain::Null => {
                self.wrong_type(slot, takes);
                None
            }
            Value::Scalar(scalar) if has_template(&scalar.text) => {
                self.substitute(slot, &scalar.text, templates).map(Scalar::unquoted)
            }
            Value::Scalar(scalar) => Some(scalar.clone()),
            Value::List(_) | Value::Map(_) => {
                self.wrong_type(slot, takes);
                None
            }
        }
    }

    /// The text with its templates replaced. Every bad template is reported; `None` when one has no value.
    pub(crate) fn substitute(&mut self, slot: Slot<'_>, text: &str, templates: Templates) -> Option<String> {
        let mut filled = Some(String::new());
        for piece in pieces(text) {
            let value = match piece {
                Piece::Text(text) => Some(text.to_owned()),
                Piece::Broken(whole) => {
                    self.broken(slot, text, whole);
                    None
                }
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
            Found::Later => None,
            Found::Nothing => {
                self.no_value(slot, template);
                None
            }
        }
    }

    fn counted(&mut self, slot: Slot<'_>, text: String) -> Option<String> {
        let before = *self.substituted;
        *self.substituted += text.len();
        if *self.substituted <= MAX_SUBSTITUTED {
            return Some(text);
        }
        if before <= MAX_SUBSTITUTED {
            let message = "the values of `${{ }}` make more than 16 MiB";
            self.add(Problem::at(&codes::TOO_MUCH_EXPANSION, slot.place(), message).label("reached here"));
        }
        None
    }

    /// The place of `needle` inside a value, as far as it stands there as written.
    pub(crate) fn inner(&self, slot: Slot<'_>, needle: &str, nth: usize) -> Place {
        let place = slot.place();
        let span = self.sources[place.file].find(place.span, needle, nth);
        Place { span, ..place }
    }

    fn broken(&mut self, slot: Slot<'_>, text: &str, whole: &str) {
        let place = self.inner(slot, whole, 0);
        let problem = if !whole.ends_with("}}") {
            Problem::at(
                &codes::BAD_TEMPLATE,
                self.inner(slot, "${{", nth_open(text)),
                "`${{` is never closed",
            )
            .help("write `${{ matrix.x }}`; a text that shall keep `${{` is not possible here")
        } else if whole.contains("hash(") {
            Problem::at(&codes::NOT_YET, place, "`hash()` is not supported yet")
        } else {
            Problem::at(
                &codes::BAD_TEMPLATE,
                place,
                format!("`{whole}` is not the name of a value"),
            )
            .help("there is no expression language; write one name: `${{ matrix.x }}`, `${{ git.branch }}`")
        };
        self.add(problem);
    }

    fn no_value(&mut self, slot: Slot<'_>, template: Template<'_>) {
        let Template { whole, root, name } = template;
        let place = self.inner(slot, whole, 0);
        let at_name = |reader: &Self| {
            let span = reader.sources[place.file].find(place.span, if name.is_empty() { root } else { name }, 0);
            Place { span, ..place }
        };
        let problem = match root {
            "inputs" | "needs" => Problem::at(&codes::NOT_YET, place, format!("`{whole}` is not supported yet")),
            "secrets" | "secret" => Problem::at(&codes::NO_VALUE, place, "secrets are not pasted into fields").help(
                format!("name it in the step, `secrets: [{name}]`, and read `${name}` in the script"),
            ),
            "matrix" if self.scope.cell.is_none() => {
                Problem::at(&codes::NO_VALUE, place, "`matrix` is only known inside a job")
            }
            "matrix" if self.scope.axes.is_empty() => {
                Problem::at(&codes::NO_VALUE, place, format!("`{whole}` has no value")).label("this job has no matrix")
            }
            "matrix" | "git" | "env" => {
                let problem = Problem::at(&codes::NO_VALUE, at_name(self), format!("`{whole}` has no value"));
                self.known_names(problem, root, name)
            }
            _ => {
                let problem = Problem::at(&codes::NO_VALUE, at_name(self), format!("`{whole}` has no value"));
                match github(name).filter(|_| root == "github") {
                    Some((ours, _)) => problem.label(format!("did you mean `{ours}`?")),
                    None => problem.help("values are `matrix.<axis>`, `git.<fact>` and `env.<NAME>`"),
                }
            }
        };
        self.add(problem);
    }

    fn known_names(&self, problem: Problem, root: &str, name: &str) -> Problem {
        let names = self.scope.names(root);
        let kind = match root {
            "matrix" => "axes",
            "git" => "facts",
            _ => "names",
        };
        let known = format!("{kind}: {}", listed(names.iter().copied()));
        match nearest(name, names.iter().copied()) {
            Some(meant) => problem.label(format!("did you mean `{meant}`?")).note(known),
            None => problem.note(known),
        }
    }

    fn in_shell_text(&mut self, slot: Slot<'_>, template: Template<'_>) {
        if self.in_compose(slot.place()) {
            let name = template.name;
            let place = self.inner(slot, name, 0);
            let problem = Problem::at(
                &codes::TEMPLATE_IN_RUN,
                place,
                format!("`${name}` in a text that a shell runs"),
            );
            let help = format!("set it in the service's `environment` and write `$${name}`: it must never become code");
            self.add(
                problem
                    .note("its value comes from outside of the repository")
                    .help(help),
            );
            return;
        }
        let message = format!("`{}` in a text that a shell runs", template.whole);
        let place = self.inner(slot, template.whole, 0);
        let help = match variable_of(template) {
            Some(variable) => {
                format!("set it in the environment and write `${variable}`; a value must never become code")
            }
            None => "only `${{ matrix.x }}` can stand here; a value from outside must never become code".to_owned(),
        };
        self.add(Problem::at(&codes::TEMPLATE_IN_RUN, place, message).help(help));
    }
}

/// How many `${{` stand before the last one.
fn nth_open(text: &str) -> usize {
    text.matches("${{").count().saturating_sub(1)
}
