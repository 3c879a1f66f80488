//! The variables of Compose files: the job's environment, then `.env` files, then what Compose itself sets. A value that
//! comes from outside of the repository (a branch's name) stays a name until a field is read, so that it can become
//! neither code nor a path.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::env::FACTS;
use crate::substitute::{Found, Piece, Scope, Template, has_template, pieces};
use crate::yaml::{Node, Value};

/// What a name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Variable {
    /// This text, which stands in the repository.
    Is(String),
    /// A value of the build: a text with `${{ }}` that the reader of a field fills in.
    OfBuild {
        /// `${{ env.NAME }}`
        text: String,
        /// It is known by now, and it is empty.
        is_empty: bool,
    },
    /// There is no such variable.
    Unset,
}

/// Where the variables of one Compose file come from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    /// Names of the job's environment whose values are the build's.
    of_build: BTreeSet<String>,
    /// From `.env` files.
    files: BTreeMap<String, Variable>,
    /// What Compose sets.
    own: BTreeMap<String, Variable>,
    /// Names whose absence has been said.
    warned: RefCell<BTreeSet<String>>,
}

impl Variables {
    /// Those of a job with these `env` maps, later ones over earlier ones.
    pub(crate) fn of_job(env: &[Option<&Node>]) -> Variables {
        let mut variables = Variables::default();
        for entry in env.iter().flatten().filter_map(|node| node.entries()).flatten() {
            let name = entry.key.text.to_string();
            match &entry.node.value {
                Value::Scalar(scalar) if is_of_build(&scalar.text) => variables.of_build.insert(name),
                _ => variables.of_build.remove(&name),
            };
        }
        variables
    }

    /// Adds a variable of a file; what is there already stays.
    pub(crate) fn add(&mut self, name: String, text: String) {
        let variable = match has_template(&text) {
            true => Variable::OfBuild { text, is_empty: false },
            false => Variable::Is(text),
        };
        self.files.entry(name).or_insert(variable);
    }

    /// Sets one of Compose's own.
    pub(crate) fn set_own(&mut self, name: &str, value: &str) {
        self.own.insert(name.to_owned(), Variable::Is(value.to_owned()));
    }

    /// Whether the absence of a variable has not been said yet.
    pub(crate) fn warn_of(&self, name: &str) -> bool {
        self.warned.borrow_mut().insert(name.to_owned())
    }

    /// The variable of that name.
    pub(crate) fn look_up(&self, scope: &Scope<'_>, name: &str) -> Variable {
        let template = Template {
            whole: "",
            root: "env",
            name,
        };
        let of_build = self.of_build.contains(name) || FACTS.iter().any(|fact| fact.variable == name);
        match scope.look_up(template) {
            Found::Value(value) if of_build => named(name, value.is_empty()),
            Found::Value(value) => Variable::Is(value),
            Found::Later => named(name, false),
            Found::Nothing => {
                let known = self.files.get(name).or_else(|| self.own.get(name));
                known.cloned().unwrap_or(Variable::Unset)
            }
        }
    }
}

fn named(name: &str, is_empty: bool) -> Variable {
    Variable::OfBuild {
        text: format!("${{{{ env.{name} }}}}"),
        is_empty,
    }
}

/// Whether a text holds a value that no file of the repository holds.
fn is_of_build(text: &str) -> bool {
    let outside = |piece: Piece<'_>| match piece {
        Piece::Text(_) => false,
        Piece::Name(template) => template.root != "matrix",
        Piece::Hash { .. } | Piece::Broken(_) => true,
    };
    pieces(text).into_iter().any(outside)
}
