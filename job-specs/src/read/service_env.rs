//! What a service's process finds: `environment`, `env_file`, `labels`, and other maps that can be lists.

use std::collections::BTreeMap;

use crate::codes;
use crate::compose::Variables;
use crate::model::Env;
use crate::read::service_entry::Making;
use crate::reader::keys::Foreign::Means;
use crate::reader::keys::{Kind, Others, Shape, Table, With, key, kind, required};
use crate::reader::kinds::{FLAG, choice};
use crate::reader::{Reader, Slot};
use crate::source::Location;
use crate::yaml::{Entry, Node, Scalar, Value};

/// A map of values, or a list of `NAME=value`.
pub(crate) const PAIRS: Shape = Shape::AnyOf(&[Shape::Map(&Shape::Scalar), Shape::List(&Shape::Text)]);

/// Compose's two forms of `environment`.
pub(crate) const ENVIRONMENT: Kind<Env> = kind(PAIRS, |reader, slot, _| reader.environment(slot));
/// Labels, without ours.
pub(crate) const LABELS: Kind<BTreeMap<String, String>> = kind(PAIRS, |reader, slot, _| reader.labels(slot));
/// Compose's `env_file`, in order; `environment` goes over it.
pub(crate) const ENV_FILES: With<Making> = (
    Shape::OneOrMany(&Shape::AnyOf(&[Shape::Text, Shape::Object(&ENV_FILE)])),
    |reader, slot, making| {
        for item in reader.one_or_many(slot) {
            reader.env_file(item, &making.around.variables, &mut making.service.spec.environment);
        }
    },
);

/// One of `env_file`.
struct EnvFile {
    path: Option<(String, Location)>,
    required: bool,
    raw: bool,
}

/// The long form of `env_file`.
static ENV_FILE: Table<EnvFile> = Table {
    what: "`env_file`",
    about: "A file of NAME=value lines.",
    keys: &[
        required("path")
            .about("A file of the repository.")
            .set(&(PATH, |file, path| file.path = Some(path))),
        key("required")
            .about("false: it may be missing.")
            .set(&(FLAG, |file, required| file.required = required)),
        key("format")
            .about("raw: nothing in it is replaced or unquoted.")
            .set(&(choice(&["raw"]), |file, _| file.raw = true)),
    ],
    foreign: &[Means("path").answers(&["file"])],
    others: Others::Refused,
};

/// A path that is known before there is a build, and where it is written.
const PATH: Kind<(String, Location)> = kind(Shape::Text, |reader, slot, _| {
    Some((reader.known_path(slot)?, slot.location()))
});

impl Reader<'_> {
    /// Compose's two forms of `environment`.
    fn environment(&mut self, slot: Slot<'_>) -> Option<Env> {
        Some(match &slot.node.value {
            Value::List(_) => {
                let items = self.one_or_many(slot).into_iter();
                items.filter_map(|item| self.environment_item(item)).collect()
            }
            Value::Map(entries) => {
                for entry in entries {
                    self.warn_of_variables(Slot::of("environment", &entry.node));
                }
                let entries = entries.iter();
                entries.filter_map(|entry| self.environment_entry(entry)).collect()
            }
            Value::Scalar(_) => return self.wrong_type(slot, "a map, or a list of NAME=value"),
        })
    }

    /// One of `env_file`: a path, or a map with it.
    fn env_file(&mut self, item: Slot<'_>, variables: &Variables, env: &mut Env) -> Option<()> {
        let mut given = EnvFile {
            path: None,
            required: true,
            raw: false,
        };
        match Self::is_map(item) {
            true => drop(self.level(item, &ENV_FILE, self.part("env_file"), &mut given)),
            false => given.path = self.known_path(item).map(|path| (path, item.location())),
        }
        let (path, location) = given.path?;
        let file = match given.required {
            true => self.repository_file(&path, location)?,
            false => self.optional_file(&path, location)?,
        };
        for (name, value, location) in self.env_of_file(file, variables, given.raw) {
            let node = Node::scalar(location, Scalar::quoted(value));
            if let Some(value) = self.text(Slot::of("env_file", &node)) {
                env.insert(name, value);
            }
        }
        Some(())
    }

    fn environment_entry(&mut self, entry: &Entry) -> Option<(String, String)> {
        self.check_environment_name(&entry.key.text, entry.key.location)?;
        Some((entry.key.text.to_string(), self.env_value(entry)?))
    }

    fn environment_item(&mut self, item: Slot<'_>) -> Option<(String, String)> {
        self.warn_of_variables(item);
        let text = self.text(item)?;
        let Some((name, value)) = text.split_once('=') else {
            let message = format!("`{text}` has no value");
            let help = "write `NAME=value`; nothing is taken from the agent's host";
            return self.reject(codes::WRONG_TYPE.at(item.location(), message).help(help));
        };
        self.check_environment_name(name, item.location())?;
        Some((name.to_owned(), value.to_owned()))
    }

    /// `$$` is Compose's way to write one `$`.
    pub(crate) fn warn_of_escape(&mut self, slot: Slot<'_>) {
        let Value::Scalar(scalar) = &slot.node.value else {
            return;
        };
        if scalar.text.contains("$$") && !self.in_compose(slot.location()) {
            let location = self.inner(slot, "$$", 0);
            let problem = codes::COMPOSE_VARIABLE.at(location, "`$$` stays `$$` here");
            let problem = problem.label("Compose reads it as one `$`");
            self.add(problem.help("write one `$`; job files need no escape"));
        }
    }

    fn warn_of_variables(&mut self, slot: Slot<'_>) {
        if self.in_compose(slot.location()) {
            return;
        }
        self.warn_of_escape(slot);
        let Value::Scalar(scalar) = &slot.node.value else {
            return;
        };
        let plain = scalar.text.replace("${{", "");
        let rest = plain.find("${").map(|at| &plain[at..]);
        if let Some(variable) = rest.and_then(|rest| Some(&rest[..=rest.find('}')?])) {
            let location = self.inner(slot, variable, 0);
            let problem = codes::COMPOSE_VARIABLE.at(location, format!("`{variable}` stays as it is written"));
            self.add(problem.help("write the value, or `${{ env.NAME }}` for a name of the job's `env`"));
        }
    }

    /// Compose's `labels`, without ours.
    fn labels(&mut self, slot: Slot<'_>) -> Option<BTreeMap<String, String>> {
        let pairs = self.pairs(slot, "a map, or a list of name=value")?;
        let mut labels = BTreeMap::new();
        for (name, value, location) in pairs {
            if name == "drover" || name.starts_with("drover.") {
                let message = format!("the label `{name}` is set by Drover itself");
                let problem = codes::BAD_NAME.at(location, message);
                self.add(problem.help("choose a name without `drover.`"));
            } else {
                labels.insert(name, value);
            }
        }
        Some(labels)
    }

    /// A map from names to values, or a list of `name=value`; a name alone has an empty value. With places.
    pub(crate) fn pairs(&mut self, slot: Slot<'_>, takes: &str) -> Option<Vec<(String, String, Location)>> {
        let mut pairs = Vec::new();
        match &slot.node.value {
            Value::Map(entries) => {
                for entry in entries {
                    let value = match entry.node.is_null() {
                        true => Some(String::new()),
                        false => self.text(Slot::of(&entry.key.text, &entry.node)),
                    };
                    pairs.extend(value.map(|value| (entry.key.text.to_string(), value, entry.key.location)));
                }
            }
            Value::List(items) => {
                for item in items {
                    let Some(text) = self.text(slot.inside(item)) else {
                        continue;
                    };
                    let (name, value) = text.split_once('=').unwrap_or((&text, ""));
                    pairs.push((name.to_owned(), value.to_owned(), item.location));
                }
            }
            Value::Scalar(_) => return self.wrong_type(slot, takes),
        }
        Some(pairs)
    }
}
