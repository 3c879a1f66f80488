//! `secrets` of a step: names, or maps that say where the step finds them.

use crate::codes;
use crate::keys::SECRET;
use crate::model::{SecretInto, SecretUse};
use crate::problems::Problem;
use crate::read::globs::Within;
use crate::reader::{Reader, Slot};
use crate::source::Place;
use crate::yaml::Value;

/// Secrets of one step.
const MAX_SECRETS: usize = 100;

impl Reader<'_> {
    /// The secrets of a step; each variable and each file once.
    pub(crate) fn secrets(&mut self, slot: Slot<'_>, owner: &str) -> Vec<SecretUse> {
        let mut found: Vec<(SecretUse, Place)> = Vec::new();
        for item in self.at_most(slot, MAX_SECRETS) {
            let secret = match &item.node.value {
                Value::Map(_) => self.secret_map(item, owner),
                Value::Scalar(_) | Value::List(_) => self.secret_name(item).map(SecretUse::env),
            };
            let Some(secret) = secret else { continue };
            match found.iter().find(|(other, _)| other.into == secret.into) {
                Some((same, _)) if *same == secret => {}
                Some((other, first)) => {
                    let into = match &secret.into {
                        SecretInto::Env(name) => format!("the variable `{name}`"),
                        SecretInto::File(path) => format!("the file `{path}`"),
                    };
                    let message = format!("{into} would have two secrets, `{}` and `{}`", other.name, secret.name);
                    let problem = Problem::at(&codes::SECRET_USE, item.place(), message);
                    self.add(problem.label("again").related(*first, "first here"));
                }
                None => found.push((secret, item.place())),
            }
        }
        found.into_iter().map(|(secret, _)| secret).collect()
    }

    fn secret_map(&mut self, slot: Slot<'_>, owner: &str) -> Option<SecretUse> {
        let owner = format!("`secrets` of {owner}");
        let fields = self.fields(slot, &SECRET, &owner)?;
        let name = self.require(&fields, "name", &owner, slot.place());
        let name = name.and_then(|slot| self.secret_name(slot));
        let into = match (fields.get("env"), fields.get("file")) {
            (Some(_), Some(file)) => {
                let message = "a secret is given as a variable or as a file, not as both";
                let problem = Problem::at(
                    &codes::SECRET_USE,
                    fields.key_place("file").unwrap_or(file.place()),
                    message,
                );
                self.add(problem.help("write two items of `secrets`"));
                return None;
            }
            (Some(env), None) => SecretInto::Env(self.secret_name(env)?),
            (None, Some(file)) => SecretInto::File(self.secret_file(file)?),
            (None, None) => SecretInto::Env(name.clone()?),
        };
        Some(SecretUse { name: name?, into })
    }

    /// A name that is also one for an environment variable.
    pub(crate) fn secret_name(&mut self, slot: Slot<'_>) -> Option<String> {
        let name = self.literal(slot)?;
        self.check_variable_name(&name, slot.place()).then_some(name)
    }

    fn secret_file(&mut self, slot: Slot<'_>) -> Option<String> {
        let written = self.literal(slot)?;
        let path = self.path(slot, Within::Container)?;
        if path.starts_with('/') && !written.ends_with('/') {
            return Some(path);
        }
        let message = format!("`{written}` is not a file for a secret");
        let problem = Problem::at(&codes::BAD_PATH, slot.place(), message);
        let reason = "not in the workspace, where other steps and artifacts could take it along";
        self.add(
            problem
                .label("expected an absolute path, `/run/secrets/name`")
                .note(reason),
        );
        None
    }
}
