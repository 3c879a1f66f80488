//! What a service's process finds: `environment`, `env_file`, `labels`, and other maps that can be lists.

use std::collections::BTreeMap;

use crate::codes;
use crate::compose::Variables;
use crate::keys::ENV_FILE;
use crate::model::Env;
use crate::problems::Problem;
use crate::reader::{Fields, Reader, Slot};
use crate::source::Place;
use crate::yaml::{Entry, Node, Scalar, Value};

impl Reader<'_> {
    /// `environment` over `env_file`.
    pub(crate) fn service_environment(&mut self, fields: &Fields<'_>, owner: &str, variables: &Variables) -> Env {
        let mut env = Env::new();
        if let Some(files) = fields.get("env_file") {
            for item in self.one_or_many(files) {
                self.env_file(item, owner, variables, &mut env);
            }
        }
        if let Some(slot) = fields.get("environment") {
            env.extend(self.environment(slot));
        }
        env
    }

    /// Compose's two forms of `environment`.
    fn environment(&mut self, slot: Slot<'_>) -> Env {
        match &slot.node.value {
            Value::List(items) => items
                .iter()
                .filter_map(|item| self.environment_item(slot.inside(item)))
                .collect(),
            Value::Map(entries) => {
                entries
                    .iter()
                    .for_each(|entry| self.warn_of_variables(Slot::of("environment", &entry.node)));
                entries
                    .iter()
                    .filter_map(|entry| self.environment_entry(entry))
                    .collect()
            }
            Value::Scalar(_) => {
                self.wrong_type(slot, "a map, or a list of NAME=value");
                Env::new()
            }
        }
    }

    fn environment_entry(&mut self, entry: &Entry) -> Option<(String, String)> {
        self.check_environment_name(&entry.key.text, entry.key.place)?;
        Some((entry.key.text.to_string(), self.env_value(entry)?))
    }

    fn environment_item(&mut self, item: Slot<'_>) -> Option<(String, String)> {
        self.warn_of_variables(item);
        let text = self.text(item)?;
        let Some((name, value)) = text.split_once('=') else {
            let message = format!("`{text}` has no value");
            let help = "write `NAME=value`; nothing is taken from the agent's host";
            self.add(Problem::at(&codes::WRONG_TYPE, item.place(), message).help(help));
            return None;
        };
        self.check_environment_name(name, item.place())?;
        Some((name.to_owned(), value.to_owned()))
    }

    /// `$$` is Compose's way to write one `$`.
    pub(crate) fn warn_of_escape(&mut self, slot: Slot<'_>) {
        let Value::Scalar(scalar) = &slot.node.value else {
            return;
        };
        if scalar.text.contains("$$") && !self.in_compose(slot.place()) {
            let place = self.inner(slot, "$$", 0);
            let problem = Problem::at(&codes::COMPOSE_VARIABLE, place, "`$$` stays `$$` here");
            self.add(
                problem
                    .label("Compose reads it as one `$`")
                    .help("write one `$`; job files need no escape"),
            );
        }
    }

    fn warn_of_variables(&mut self, slot: Slot<'_>) {
        if self.in_compose(slot.place()) {
            return;
        }
        self.warn_of_escape(slot);
        let Value::Scalar(scalar) = &slot.node.value else {
            return;
        };
        let plain = scalar.text.replace("${{", "");
        let variable = plain
            .find("${")
            .map(|at| &plain[at..])
            .and_then(|rest| Some(&rest[..=rest.find('}')?]));
        if let Some(variable) = variable {
            let place = self.inner(slot, variable, 0);
            let problem = Problem::at(
                &codes::COMPOSE_VARIABLE,
                place,
                format!("`{variable}` stays as it is written"),
            );
            self.add(problem.help("write the value, or `${{ env.NAME }}` for a name of the job's `env`"));
        }
    }

    /// One of `env_file`: a path, or a map with it.
    fn env_file(&mut self, item: Slot<'_>, owner: &str, variables: &Variables, env: &mut Env) -> Option<()> {
        let (slot, required, raw) = match &item.node.value {
            Value::Map(_) => {
                let fields = self.fields(item, &ENV_FILE, &format!("`env_file` of {owner}"))?;
                let slot = self.require(&fields, "path", &format!("`env_file` of {owner}"), item.place())?;
                let required = self.take(&fields, "required", Self::flag).unwrap_or(true);
                let format = self.take(&fields, "format", |reader, slot| {
                    reader.choice(slot, &["raw"]).map(str::to_owned)
                });
                (slot, required, format.is_some())
            }
            Value::Scalar(_) | Value::List(_) => (item, true, false),
        };
        let path = self.known_path(slot)?;
        let file = match required {
            true => self.repository_file(&path, slot.place())?,
            false => self.optional_file(&path, slot.place())?,
        };
        for (name, value, place) in self.env_of_file(file, variables, raw) {
            let node = Node::scalar(place, Scalar::quoted(value));
            if let Some(value) = self.text(Slot::of("env_file", &node)) {
                env.insert(name, value);
            }
        }
        Some(())
    }

    /// Compose's `labels`, without ours.
    pub(crate) fn labels(&mut self, slot: Slot<'_>) -> Option<BTreeMap<String, String>> {
        let pairs = self.pairs(slot, "a map, or a list of name=value")?;
        let mut labels = BTreeMap::new();
        for (name, value, place) in pairs {
            if name == "drover" || name.starts_with("drover.") {
                let message = format!("the label `{name}` is set by Drover itself");
                self.add(Problem::at(&codes::BAD_NAME, place, message).help("choose a name without `drover.`"));
            } else {
                labels.insert(name, value);
            }
        }
        Some(labels)
    }

    /// A map from names to values, or a list of `name=value`; a name alone has an empty value. With places.
    pub(crate) fn pairs(&mut self, slot: Slot<'_>, takes: &str) -> Option<Vec<(String, String, Place)>> {
        let mut pairs = Vec::new();
        match &slot.node.value {
            Value::Map(entries) => {
                for entry in entries {
                    let value = match entry.node.is_null() {
                        true => Some(String::new()),
                        false => self.text(Slot::of(&entry.key.text, &entry.node)),
                    };
                    pairs.extend(value.map(|value| (entry.key.text.to_string(), value, entry.key.place)));
                }
            }
            Value::List(items) => {
                for item in items {
                    let Some(text) = self.text(slot.inside(item)) else {
                        continue;
                    };
                    let (name, value) = text.split_once('=').unwrap_or((&text, ""));
                    pairs.push((name.to_owned(), value.to_owned(), item.place));
                }
            }
            Value::Scalar(_) => {
                self.wrong_type(slot, takes);
                return None;
            }
        }
        Some(pairs)
    }
}
