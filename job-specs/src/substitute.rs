//! `${{ matrix.x | git.x | env.X | inputs.x | needs.j.outputs.x | hash('glob') }}`: finding them in a text and looking
//! their values up. There is no expression language on purpose: a template is a name, nothing else.

use std::collections::BTreeMap;

use crate::env::{FACTS, Facts, git_variable, github_fact, input_variable, matrix_variable};
use crate::located::Need;
use crate::matrix::Cell;
use crate::model::Outputs;
use crate::names::is_made_of;
use crate::repository::Reach;
use crate::triggers::Input;

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// As it is.
    Text(&'a str),
    /// `${{ root.name }}`.
    Name(Template<'a>),
    /// `${{ hash('glob') }}`.
    Hash {
        /// With its braces, as written.
        whole: &'a str,
        /// What stands between the parentheses.
        arguments: &'a str,
    },
    /// Anything else between `${{` and `}}`, or `${{` without its end.
    Broken(&'a str),
}

/// A complete template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Template<'a> {
    /// With its braces, as written.
    pub(crate) whole: &'a str,
    /// Before the first point.
    pub(crate) root: &'a str,
    /// After it; empty without a point.
    pub(crate) name: &'a str,
}

/// Whether a text has anything to substitute.
pub(crate) fn has_template(text: &str) -> bool {
    text.contains("${{")
}

/// The parts of a text, in order.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${{") {
        if at > 0 {
            pieces.push(Piece::Text(&rest[..at]));
        }
        let Some(end) = rest[at..].find("}}").map(|end| at + end + 2) else {
            pieces.push(Piece::Broken(&rest[at..]));
            return pieces;
        };
        pieces.push(template(&rest[at..end]));
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

fn template(whole: &str) -> Piece<'_> {
    let inner = whole.trim_start_matches("${{").trim_end_matches("}}").trim();
    let call = inner.strip_prefix("hash").map(str::trim_start);
    let hash = call.and_then(|rest| rest.strip_prefix('('));
    if let Some(arguments) = hash.and_then(|rest| rest.strip_suffix(')')) {
        let arguments = arguments.trim();
        return Piece::Hash { whole, arguments };
    }
    let (root, name) = inner.split_once('.').unwrap_or((inner, ""));
    if !is_made_of(root, "_-.") || !(name.is_empty() || is_made_of(name, "_-.")) {
        return Piece::Broken(whole);
    }
    Piece::Name(Template { whole, root, name })
}

/// Where values come from at one place of the file.
#[derive(Debug, Default, Clone)]
pub(crate) struct Scope<'a> {
    /// The cell; `None` outside of a job.
    pub(crate) cell: Option<&'a Cell>,
    /// Every name of the job's matrix.
    pub(crate) axes: &'a [String],
    /// For each of them the values that the cells have.
    pub(crate) values: &'a [Vec<String>],
    /// The matrix itself is wrong, or not known yet, so any axis may have any value.
    pub(crate) axes_unknown: bool,
    /// The repository, while files of it can be read.
    pub(crate) repository: Reach<'a>,
    /// The build; `None` while a file is only checked.
    pub(crate) facts: Option<&'a Facts>,
    /// What builds by hand are asked, by any of the files.
    pub(crate) inputs: &'a [Input],
    /// The jobs whose outputs can be used.
    pub(crate) needs: &'a [Need],
    /// What they gave; `None`: they have not ended yet.
    pub(crate) outputs: Option<&'a Outputs>,
    /// An output was used that is not known yet.
    pub(crate) waits: bool,
    /// Environment set so far; `None`: it depends on facts that are not known yet.
    pub(crate) env: BTreeMap<String, Option<String>>,
}

/// What a name is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// This.
    Value(String),
    /// Known once a build is made.
    Later,
    /// There is no such name.
    Nothing,
}

impl Scope<'_> {
    /// The value of a template.
    pub(crate) fn look_up(&self, template: Template<'_>) -> Found {
        match template.root {
            "matrix" => self.axis(template.name),
            "git" => self.fact(template.name),
            "env" => self.variable(template.name),
            "inputs" => self.input(template.name),
            "needs" => self.output(template.name),
            _ => Found::Nothing,
        }
    }

    fn axis(&self, name: &str) -> Found {
        if self.axes_unknown {
            return Found::Later;
        }
        let Some(cell) = self.cell else { return Found::Nothing };
        match cell.value(name) {
            Some(value) => Found::Value(value.to_owned()),
            None if self.axes.iter().any(|axis| axis == name) => Found::Value(String::new()),
            None => Found::Nothing,
        }
    }

    fn fact(&self, name: &str) -> Found {
        match (FACTS.iter().find(|fact| fact.name == name), self.facts) {
            (None, _) => Found::Nothing,
            (Some(_), None) => Found::Later,
            (Some(fact), Some(facts)) => Found::Value((fact.value)(facts).unwrap_or_default()),
        }
    }

    fn input(&self, name: &str) -> Found {
        let Some(input) = self.inputs.iter().find(|input| input.name == name) else {
            return Found::Nothing;
        };
        let Some(facts) = self.facts else { return Found::Later };
        let value = facts.inputs.get(name).or(input.default.as_ref());
        Found::Value(value.cloned().unwrap_or_default())
    }

    fn output(&self, name: &str) -> Found {
        let needed = output_of(name).filter(|(job, _)| self.needs.iter().any(|need| need.name == *job));
        let (Some((job, output)), Some(_)) = (needed, self.cell) else {
            return Found::Nothing;
        };
        let Some(outputs) = self.outputs else {
            return Found::Later;
        };
        let value = outputs.get(job).and_then(|given| given.get(output));
        value.cloned().map_or(Found::Nothing, Found::Value)
    }

    fn variable(&self, name: &str) -> Found {
        if let Some(value) = self.env.get(name) {
            return value.clone().map_or(Found::Later, Found::Value);
        }
        if let Some(fact) = FACTS.iter().find(|fact| fact.variable == name) {
            return self.fact(fact.name);
        }
        if self.axes_unknown && name.starts_with("MATRIX_") {
            return Found::Later;
        }
        if let Some(input) = self.inputs.iter().find(|input| input_variable(&input.name) == name) {
            return self.input(&input.name);
        }
        let axis = self.axes.iter().find(|axis| matrix_variable(axis) == name);
        match (name, axis) {
            ("DROVER" | "CI", _) => Found::Value("true".to_owned()),
            (_, Some(axis)) => self.axis(axis),
            (_, None) => Found::Nothing,
        }
    }

    /// The names after a root, for "did you mean".
    pub(crate) fn names(&self, root: &str) -> Vec<&str> {
        match root {
            "matrix" => self.axes.iter().map(String::as_str).collect(),
            "git" => FACTS.iter().map(|fact| fact.name).collect(),
            "env" => {
                let facts = FACTS.iter().map(|fact| fact.variable);
                self.env.keys().map(String::as_str).chain(facts).collect()
            }
            _ => vec!["matrix", "git", "env", "inputs", "needs", "hash"],
        }
    }
}

/// The environment variable that a script reads instead of a template; `None` when there is none.
pub(crate) fn variable_of(template: Template<'_>) -> Option<String> {
    match template.root {
        "matrix" if !template.name.is_empty() => Some(matrix_variable(template.name)),
        "git" => git_variable(template.name).map(str::to_owned),
        "inputs" if !template.name.is_empty() => Some(input_variable(template.name)),
        "env" | "secrets" if !template.name.is_empty() => Some(template.name.to_owned()),
        "github" => github_fact(template.name).and_then(git_variable).map(str::to_owned),
        _ => None,
    }
}

/// Job and output of `plan.outputs.cells`, the name after `needs.`.
pub(crate) fn output_of(name: &str) -> Option<(&str, &str)> {
    let (job, rest) = name.split_once('.')?;
    let output = rest.strip_prefix("outputs.")?;
    (!job.is_empty() && !output.is_empty() && !output.contains('.')).then_some((job, output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_its_templates() {
        let found = pieces("postgres:${{ matrix.pg }}-${{env.X}}!");
        assert_eq!(found.len(), 5);
        assert!(matches!(
            found[1],
            Piece::Name(Template {
                root: "matrix",
                name: "pg",
                ..
            })
        ));
        assert!(matches!(
            found[3],
            Piece::Name(Template {
                root: "env",
                name: "X",
                ..
            })
        ));
    }

    #[test]
    fn what_is_not_a_name_is_broken() {
        for text in [
            "${{ }}",
            "${{ a || b }}",
            "${{ matrix.a",
            "${{ hash('x' }}",
            "${{ a b }}",
        ] {
            assert!(matches!(pieces(text)[..], [Piece::Broken(_)]), "{text}");
        }
        assert!(matches!(
            pieces("${{ hash( 'x' ) }}")[..],
            [Piece::Hash { arguments: "'x'", .. }]
        ));
        assert_eq!(pieces("plain $HOME ${X}"), [Piece::Text("plain $HOME ${X}")]);
    }
}
