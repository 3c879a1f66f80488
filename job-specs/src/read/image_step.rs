//! A step that builds an image: `image` is a map, and nothing runs in a container of the step's own.

use std::collections::BTreeMap;

use crate::codes;
use crate::model::{ImageBuild, RegistryLogin};
use crate::names::is_made_of;
use crate::read::build::BUILD;
use crate::read::secrets::SECRET_NAME;
use crate::reader::keys::Foreign::{Hint, Means};
use crate::reader::keys::{Kind, Others, Shape, Table, key, kind, required};
use crate::reader::kinds::FLAG;
use crate::reader::{Reader, Slot};

/// Names of one image.
const MAX_TAGS: usize = 50;

/// The map form of a step's `image`: it builds one.
pub(crate) static IMAGE: Table<ImageBuild> = Table {
    what: "`image`",
    about: "An image that the step builds, names and perhaps pushes.",
    keys: &[
        required("build")
            .about("From what: a folder of the workspace, or a map as in Compose.")
            .set(&(BUILD, |image, build| image.build = build)),
        required("tags")
            .about("Its names, with the registry: `registry.example/app:1.2`.")
            .set(&(TAGS, |image, tags| image.tags = tags)),
        key("push")
            .about("Pushes every name to its registry. Default: false.")
            .set(&(FLAG, |image, push| image.push = push)),
        key("login")
            .about("Who pushes.")
            .set(&(LOGIN, |image, login| image.login = Some(login))),
    ],
    foreign: &[
        Means("tags").answers(&["tag", "name", "repo"]),
        Means("build").answers(&["context"]),
        Means("login").answers(&["credentials"]),
        Hint("write `build: {context: ., dockerfile: …}`").answers(&["dockerfile"]),
        Hint("write `build: {context: ., args: {…}}`").answers(&["args"]),
    ],
    others: Others::Refused,
};

const TAGS: Kind<Vec<String>> = kind(Shape::OneOrMany(&Shape::Text), |reader, slot, _| {
    let mut tags = Vec::new();
    reader.some(slot);
    for item in reader.at_most(slot, MAX_TAGS) {
        let tag = reader.image(item);
        tags.extend(tag.filter(|tag| !tags.contains(tag)));
    }
    Some(tags)
});
/// Who pushes an image.
const LOGIN: Kind<RegistryLogin> = Kind {
    shape: Shape::Object(&LOGIN_KEYS),
    read: |reader, slot, _| {
        let (given, _) = reader.map(slot, &LOGIN_KEYS)?;
        Some(RegistryLogin {
            user: given.user?,
            secret: given.secret?,
        })
    },
};

/// Credentials, as far as they are read.
#[derive(Default)]
struct Login {
    user: Option<String>,
    secret: Option<String>,
}

static LOGIN_KEYS: Table<Login> = Table {
    what: "`login`",
    about: "Credentials of a registry.",
    keys: &[
        required("user")
            .about("The user's name.")
            .set(&(USER, |login, user| login.user = Some(user))),
        required("secret")
            .about("The secret that holds the password or token.")
            .set(&(SECRET_NAME, |login, secret| login.secret = Some(secret))),
    ],
    foreign: &[
        Means("user").answers(&["username", "name"]),
        Means("secret").answers(&["password", "token"]),
    ],
    others: Others::Refused,
};

const USER: Kind<String> = kind(Shape::Text, |reader, slot, _| reader.line(slot, 256));

/// Labels of an agent.
pub(crate) const LABELS: Kind<BTreeMap<String, String>> =
    kind(Shape::Map(&Shape::Scalar), |reader, slot, _| reader.agent_labels(slot));

impl Reader<'_> {
    fn agent_labels(&mut self, slot: Slot<'_>) -> Option<BTreeMap<String, String>> {
        let entries = self.entries(slot, "a map from names to values")?;
        let mut labels = BTreeMap::new();
        for entry in entries {
            let name = &*entry.key.text;
            if name.len() > 128 || !is_made_of(name, "._-/") {
                let message = format!("`{name}` is not a name for a label");
                let problem = codes::BAD_NAME.at(entry.key.location, message);
                self.add(problem.label("letters, digits and `._-/` only"));
                continue;
            }
            let value = self.scalar(Slot::of(name, &entry.node), "a text, a number or true/false");
            labels.extend(value.map(|value| (name.to_owned(), value.text)));
        }
        Some(labels)
    }
}
