//! `secrets` of a step: names, or maps that say where the step finds them.

use crate::codes;
use crate::model::{SecretInto, SecretUse};
use crate::read::globs::Within;
use crate::reader::keys::Foreign::Means;
use crate::reader::keys::{Kind, Others, Shape, Table, key, kind};
use crate::reader::{Reader, Slot};
use crate::source::Location;

/// The variable of an ID token whose item names none.
const ID_TOKEN_VARIABLE: &str = "DROVER_OIDC_TOKEN";
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
    audience: Option<String>,
    into: Option<SecretInto>,
}

/// The map form of an item of `secrets`.
static SECRET: Table<Given> = Table {
    what: "`secrets`",
    about: "A secret, and how the step gets it: as an environment variable of its own name unless it says otherwise.",
    keys: &[
        key("name")
            .about("The secret's name in the repository.")
            .set(&(SECRET_NAME, |secret, name| secret.name = Some(name))),
        key("id_token")
            .about("Instead of a name: to whom an ID token of the job is shown, which the step then gets as `DROVER_OIDC_TOKEN`.")
            .set(&(AUDIENCE, |secret, audience| secret.audience = Some(audience))),
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
        Means("id_token").answers(&["id_tokens", "aud", "audience", "oidc"]),
        Means("env").answers(&["target", "as"]),
        Means("file").answers(&["path", "mount"]),
    ],
    others: Others::Refused,
};

/// A name that is also one for an environment variable.
pub(crate) const SECRET_NAME: Kind<String> = kind(Shape::Name, |reader, slot, _| reader.secret_name(slot));
const AUDIENCE: Kind<String> = kind(Shape::Name, |reader, slot, _| reader.audience(slot));
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
        let (name, variable) = match (given.name, given.audience) {
            (Some(name), None) => (name.clone(), name),
            (None, Some(audience)) => (SecretUse::id_token(&audience), ID_TOKEN_VARIABLE.to_owned()),
            (Some(_), Some(_)) => {
                let problem = codes::SECRET_USE.at(slot.location(), "an item is a secret or an ID token, not both");
                return self.reject(problem.help("write two items of `secrets`"));
            }
            (None, None) => {
                // What is wrong with an `id_token` has been said.
                if fields.get("id_token").is_none() && !fields.is_misspelt("id_token") {
                    self.missing(&fields, "name", slot.location());
                }
                return None;
            }
        };
        let into = given.into.unwrap_or(SecretInto::Env(variable));
        Some(SecretUse { name, into })
    }

    /// To whom an ID token is shown: any text, most often a URL.
    fn audience(&mut self, slot: Slot<'_>) -> Option<String> {
        let audience = self.literal(slot)?;
        if !audience.is_empty() && audience.len() <= 200 && audience.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Some(audience);
        }
        let message = "an audience has 1 to 200 letters, digits and signs, without spaces";
        let problem = codes::SECRET_USE.at(slot.location(), message);
        self.reject(problem.label("expected a name or a URL, `https://vault.example`"))
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
