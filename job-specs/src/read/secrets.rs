//! `secrets` of a step: names, or maps that say where the step finds them.

use crate::codes;
use crate::model::{SecretInto, SecretUse};
use crate::read::globs::Within;
use crate::reader::keys::Foreign::Means;
use crate::reader::keys::{Kind, Others, Shape, Table, key, kind, required};
use crate::reader::{Reader, Slot};
use crate::source::Location;

/// Secrets of one step.
const MAX_SECRETS: usize = 100;

/// Names of secrets, or maps that say where the step finds them; each variable and each file once.
pub(crate) const SECRETS: Kind<Vec<SecretUse>> = Kind {
    shape: Shape::OneOrMany(&Shape::AnyOf(&[Shape::Name, Shape::Object(&SECRET)])),
    read: |reader, slot, _| Some(reader.secrets(slot)),
};

/// A secret, as far as it is read.
#[derive(Default)]
struct Given {
    name: Option<String>,
    into: Option<SecretInto>,
}

/// The map form of an item of `secrets`.
static SECRET: Table<Given> = Table {
    what: "`secrets`",
    about: "A secret, and how the step gets it: as an environment variable of its own name unless it says otherwise.",
    keys: &[
        required("name")
            .about("The secret's name in the repository.")
            .set(&(SECRET_NAME, |secret, name| secret.name = Some(name))),
        key("env")
            .about("The environment variable that has it.")
            .set(&(SECRET_NAME, |secret, name| secret.into = Some(SecretInto::Env(name)))),
        key("file")
            .about(
                "The file that has it: an absolute path. Only the step's user can read it, and it is never on a disk.",
            )
            .set(&(SECRET_FILE, |secret, path| secret.into = Some(SecretInto::File(path)))),
    ],
    foreign: &[
        Means("name").answers(&["source", "secret", "from_secret"]),
        Means("env").answers(&["target", "as"]),
        Means("file").answers(&["path", "mount"]),
    ],
    others: Others::Refused,
};

/// A name that is also one for an environment variable.
pub(crate) const SECRET_NAME: Kind<String> = kind(Shape::Name, |reader, slot, _| reader.secret_name(slot));
const SECRET_FILE: Kind<String> = kind(Shape::Name, |reader, slot, _| reader.secret_file(slot));

impl Reader<'_> {
    fn secrets(&mut self, slot: Slot<'_>) -> Vec<SecretUse> {
        let mut found: Vec<(SecretUse, Location)> = Vec::new();
        for item in self.at_most(slot, MAX_SECRETS) {
            let secret = match Self::is_map(item) {
                true => self.secret_map(item),
                false => self.secret_name(item).map(SecretUse::env),
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
                    let problem = codes::SECRET_USE.at(item.location(), message);
                    self.add(problem.label("again").related(*first, "first here"));
                }
                None => found.push((secret, item.location())),
            }
        }
        found.into_iter().map(|(secret, _)| secret).collect()
    }

    fn secret_map(&mut self, slot: Slot<'_>) -> Option<SecretUse> {
        let (given, fields) = self.map(slot, &SECRET)?;
        if let (Some(_), Some(file)) = (fields.get("env"), fields.key_location("file")) {
            let message = "a secret is given as a variable or as a file, not as both";
            let problem = codes::SECRET_USE.at(file, message);
            return self.reject(problem.help("write two items of `secrets`"));
        }
        let name = given.name?;
        let into = given.into.unwrap_or_else(|| SecretInto::Env(name.clone()));
        Some(SecretUse { name, into })
    }

    fn secret_name(&mut self, slot: Slot<'_>) -> Option<String> {
        let name = self.literal(slot)?;
        self.check_variable_name(&name, slot.location()).then_some(name)
    }

    fn secret_file(&mut self, slot: Slot<'_>) -> Option<String> {
        let written = self.literal(slot)?;
        let path = self.path(slot, Within::Container)?;
        if path.starts_with('/') && !written.ends_with('/') {
            return Some(path);
        }
        let message = format!("`{written}` is not a file for a secret");
        let problem = codes::BAD_PATH.at(slot.location(), message);
        let reason = "not in the workspace, where other steps and artifacts could take it along";
        self.reject(
            problem
                .label("expected an absolute path, `/run/secrets/name`")
                .note(reason),
        )
    }
}
