//! Values of Compose files: interpolation of a tree and of env files, with what to say when it cannot be done, and the
//! meter that bounds what all of it costs.

use std::sync::Arc;

use super::edit::changed;
use super::env_lines::EnvLine;
use super::interpolate::{Fault, interpolate};
use super::variables::{Variable, Variables};
use crate::codes;
use crate::env::matrix_variable;
use crate::problems::Problem;
use crate::reader::Reader;
use crate::source::Location;
use crate::substitute::{Piece, has_template, pieces, variable_of};
use crate::yaml::{Node, Plain, Scalar, Value};

/// What Compose files and env files may cost in one reading of all cells, in bytes.
const MAX_SPENT: usize = 16 * 1024 * 1024;
/// Bytes that one text may grow to.
const MAX_TEXT: usize = 256 * 1024;
/// What one value costs besides its text.
const VALUE_COST: usize = 16;

impl Reader<'_> {
    /// Counts bytes; `false` when there were too many, which has been said.
    pub(crate) fn spend(&mut self, bytes: usize, location: Location) -> bool {
        let before = self.spent.substituted;
        self.spent.substituted = before.saturating_add(bytes);
        if before <= MAX_SPENT && self.spent.substituted > MAX_SPENT {
            let message = "the Compose files are too big for so many cells";
            let help = "a file counts once for each cell; take fewer services, or make the matrix smaller";
            self.add(codes::TOO_MUCH_IMPORTED.at(location, message).help(help));
        }
        self.spent.substituted <= MAX_SPENT
    }

    /// Counts a value with all that is in it.
    pub(crate) fn spend_node(&mut self, node: &Node) -> bool {
        let bytes = node
            .weight
            .nodes
            .saturating_mul(VALUE_COST)
            .saturating_add(node.weight.bytes);
        self.spend(bytes, node.location)
    }

    /// A text of a Compose file or of an env file with its variables replaced; `None` when that is not possible, which
    /// has been said.
    pub(crate) fn interpolated(&mut self, location: Location, text: &str, variables: &Variables) -> Option<String> {
        let scope = &self.scope;
        let filled = interpolate(text, MAX_TEXT.max(text.len()), &|name| variables.look_up(scope, name));
        match filled {
            Ok(filled) => {
                for name in &filled.unset {
                    self.warn_of_unset(location, name, variables);
                }
                self.spend(filled.text.len(), location).then_some(filled.text)
            }
            Err(fault) => {
                let problem = self.cannot_interpolate(location, text, fault);
                self.add(problem);
                self.problems.explain(location);
                None
            }
        }
    }

    /// The tree with every text interpolated; one that cannot be stays as it is.
    pub(crate) fn interpolated_tree(&mut self, node: &Arc<Node>, variables: &Variables) -> Arc<Node> {
        match &node.value {
            Value::Scalar(scalar) if scalar.text.contains('$') => {
                let Some(text) = self.interpolated(node.location, &scalar.text, variables) else {
                    return Arc::clone(node);
                };
                let mut scalar = Scalar::unquoted(text);
                if scalar.plain == Plain::Null {
                    scalar.plain = Plain::Text;
                }
                Arc::new(Node {
                    merge: node.merge,
                    ..Node::scalar(node.location, scalar)
                })
            }
            Value::Scalar(_) => Arc::clone(node),
            Value::List(_) | Value::Map(_) => changed(node, |_, value| Some(self.interpolated_tree(value, variables))),
        }
    }

    /// The value of a line of an env file, with `${{ }}` for values of the build; `None` when it has none.
    pub(crate) fn env_line_value(
        &mut self,
        line: &EnvLine,
        location: Location,
        variables: &Variables,
        raw: bool,
    ) -> Option<String> {
        let Some(value) = &line.value else {
            return match variables.look_up(&self.scope, &line.name) {
                Variable::Is(text) | Variable::OfBuild { text, .. } => Some(text),
                Variable::Unset => None,
            };
        };
        if line.interpolated && !raw {
            return self.interpolated(location, value, variables);
        }
        if has_template(value) {
            let problem = self.cannot_interpolate(location, value, Fault::Template);
            return self.reject(problem);
        }
        Some(value.clone())
    }

    fn warn_of_unset(&mut self, location: Location, name: &str, variables: &Variables) {
        if !variables.warn_of(name) {
            return;
        }
        let at = self.within(location, name);
        let message = format!("variable `{name}` is not set, so it is empty here");
        let problem = codes::UNSET_VARIABLE.at(at, message);
        let help = format!("set it in the job's `env`, or write a default: `${{{name}:-…}}`");
        let axes: Vec<String> = self.scope.axes.iter().map(|axis| matrix_variable(axis)).collect();
        let names = self.scope.names("env").into_iter();
        let problem = problem.nearest(name, names.chain(axes.iter().map(String::as_str)));
        self.add(problem.help(help));
    }

    fn cannot_interpolate(&mut self, location: Location, text: &str, fault: Fault) -> Problem {
        match fault {
            Fault::Unknown(what) => {
                let at = self.within(location, &what);
                let problem = codes::BAD_VARIABLE.at(at, format!("`{what}` is not a variable of Compose"));
                problem.help(format!("one `$` is written `$$` there: `${what}`"))
            }
            Fault::Template => {
                let at = self.within(location, "${{");
                let problem = codes::TEMPLATE_IN_COMPOSE.at(at, "`${{ }}` cannot be used in a Compose file");
                let variable = pieces(text).into_iter().find_map(|piece| match piece {
                    Piece::Name(template) => variable_of(template),
                    Piece::Text(_) | Piece::Hash { .. } | Piece::Broken(_) => None,
                });
                let variable = variable.unwrap_or_else(|| "MATRIX_POSTGRES".to_owned());
                let help = format!("write `${{{variable}}}`: Compose's own form, which Compose can read too");
                problem.help(help)
            }
            Fault::Required { name, message } => {
                let at = self.within(location, &name);
                let problem = codes::REQUIRED_VARIABLE.at(at, format!("variable `{name}` must have a value"));
                let problem = problem.help(format!("set it in the job's `env`: `env: {{{name}: …}}`"));
                match message.trim() {
                    "" => problem,
                    message => problem.note(format!("the Compose file says: {message}")),
                }
            }
            Fault::TooMuch => {
                let message = "the variables make more than 256 KiB of one text";
                codes::TOO_MUCH_IMPORTED.at(location, message)
            }
        }
    }

    fn within(&self, location: Location, needle: &str) -> Location {
        self.sources.within(location, needle, 0)
    }
}
