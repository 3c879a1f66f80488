//! Compose's `configs` and `secrets`: files that are there when a service starts.

use crate::codes;
use crate::compose::Variables;
use crate::keys::{FILE_DEFINITION, FILE_MOUNT};
use crate::model::{FileContent, FileMount, ServiceSpec};
use crate::problems::Problem;
use crate::read::Around;
use crate::reader::{Fields, Reader, Slot};
use crate::source::Place;
use crate::suggest::{did_you_mean, listed};
use crate::yaml::Entry;

/// Which of the two keys is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Config,
    Secret,
}

impl Kind {
    fn key(self) -> &'static str {
        match self {
            Kind::Config => "configs",
            Kind::Secret => "secrets",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Kind::Config => "config",
            Kind::Secret => "secret",
        }
    }

    /// Where a file goes when its target is no absolute path.
    fn target(self, name: &str) -> String {
        match self {
            Kind::Config => format!("/{name}"),
            Kind::Secret => format!("/run/secrets/{name}"),
        }
    }
}

impl Reader<'_> {
    /// Both keys.
    pub(crate) fn service_files(
        &mut self,
        fields: &Fields<'_>,
        owner: &str,
        around: Around<'_>,
        spec: &mut ServiceSpec,
    ) {
        for kind in [Kind::Config, Kind::Secret] {
            let items = fields
                .get(kind.key())
                .and_then(|slot| self.items(slot, "a list of names"));
            for item in items.into_iter().flatten() {
                if let Some(file) = self.file_mount(kind, item, owner, around) {
                    spec.files.retain(|other| other.target != file.target);
                    spec.files.push(file);
                }
            }
        }
    }

    fn file_mount(&mut self, kind: Kind, item: Slot<'_>, owner: &str, around: Around<'_>) -> Option<FileMount> {
        if !Self::is_map(item) {
            let name = self.literal(item)?;
            let content = self.file_content(kind, &name, item.place(), around)?;
            return Some(mount(kind.target(&name), content));
        }
        let owner = format!("`{}` of {owner}", kind.key());
        let fields = self.fields(item, &FILE_MOUNT, &owner)?;
        let source = self.require(&fields, "source", &owner, item.place())?;
        let name = self.literal(source)?;
        let content = self.file_content(kind, &name, source.place(), around)?;
        let target = match self.take(&fields, "target", Self::text) {
            Some(target) if target.starts_with('/') => target,
            Some(target) => kind.target(&target),
            None => kind.target(&name),
        };
        if target.split('/').any(|part| part == "..") || target.ends_with('/') {
            let problem = self.bad_value(item, &codes::BAD_VALUE, format!("`{target}` is not a path for a file"));
            self.add(problem.label("expected /etc/app.conf, …"));
        }
        let mut file = mount(target, content);
        file.mode = self.take(&fields, "mode", Self::mode).unwrap_or(file.mode);
        file.uid = self.take(&fields, "uid", Self::number_of).unwrap_or(file.uid);
        file.gid = self.take(&fields, "gid", Self::number_of).unwrap_or(file.gid);
        Some(file)
    }

    fn number_of(&mut self, slot: Slot<'_>) -> Option<u32> {
        let text = self.text(slot)?;
        let number = text.parse().ok();
        if number.is_none() {
            let problem = self.bad_value(
                slot,
                &codes::BAD_VALUE,
                format!("`{text}` is not a number of a user or group"),
            );
            self.add(problem.label("expected 0, 1000, …"));
        }
        number
    }

    fn file_content(&mut self, kind: Kind, name: &str, place: Place, around: Around<'_>) -> Option<FileContent> {
        let definitions = match kind {
            Kind::Config => &around.definitions.configs,
            Kind::Secret => &around.definitions.secrets,
        };
        match definitions.iter().find(|entry| &*entry.key.text == name) {
            Some(entry) => self.defined_content(kind, entry, around.variables),
            None if kind == Kind::Secret && !self.in_compose(place) => self.repository_secret(name, place),
            None => {
                let message = format!("the {} `{name}` is not defined", kind.word());
                let problem = Problem::at(&codes::NO_SUCH_DEFINITION, place, message);
                let names = || definitions.iter().map(|entry| &*entry.key.text);
                let problem = problem.note(format!("{}: {}", kind.key(), listed(names())));
                self.add(match did_you_mean(name, names()) {
                    Some(label) => problem.label(label),
                    None => problem.help(format!("define it: `{}: {{{name}: {{file: ./{name}}}}}`", kind.key())),
                });
                None
            }
        }
    }

    /// The repository's secret of that name.
    fn repository_secret(&mut self, name: &str, place: Place) -> Option<FileContent> {
        let fine = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if fine && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) {
            return Some(FileContent::Secret(name.to_owned()));
        }
        let message = format!("`{name}` is not a name for a secret of the repository");
        let problem = Problem::at(&codes::BAD_NAME, place, message);
        let help = "name the repository's secret: `secrets: {…: {external: true, name: DB_PASSWORD}}`";
        self.add(problem.label("letters, digits and `_` only, no digit first").help(help));
        None
    }

    fn defined_content(&mut self, kind: Kind, entry: &Entry, variables: &Variables) -> Option<FileContent> {
        let owner = format!("{} `{}`", kind.word(), entry.key.text);
        let fields = self.fields(Slot::of("the definition", &entry.node), &FILE_DEFINITION, &owner)?;
        let given: Vec<&str> = ["file", "content", "environment"]
            .into_iter()
            .filter(|key| fields.get(key).is_some())
            .collect();
        if self.is_external(&fields) {
            return self.external_content(kind, &fields, entry);
        }
        match given.as_slice() {
            ["file"] => self.file_text(fields.get("file")?),
            ["content"] => self.take(&fields, "content", Self::text).map(FileContent::Text),
            ["environment"] => self.variable_text(fields.get("environment")?, variables),
            [] => {
                let problem = Problem::at(&codes::MISSING_KEY, entry.key.place, format!("{owner} has no content"));
                let mut help = "write `file:`, `content:` or `environment:`".to_owned();
                if kind == Kind::Secret {
                    help.push_str(", or `external: true` for a secret of the repository");
                }
                self.add(problem.help(help));
                None
            }
            _ => {
                let message = format!("{owner} has {}", listed(given.iter().copied()));
                self.add(Problem::at(&codes::BAD_VALUE, entry.key.place, message).help("keep one of them"));
                None
            }
        }
    }

    /// `external: true`, or the old form `external: {name: x}`.
    fn is_external(&mut self, fields: &Fields<'_>) -> bool {
        match fields.get("external") {
            Some(slot) if Self::is_map(slot) => true,
            Some(slot) => self.flag(slot).unwrap_or(false),
            None => false,
        }
    }

    fn external_content(&mut self, kind: Kind, fields: &Fields<'_>, entry: &Entry) -> Option<FileContent> {
        if kind == Kind::Config {
            let message = format!("the external config `{}` is refused", entry.key.text);
            let problem = Problem::at(&codes::REFUSED, entry.key.place, message);
            self.add(
                problem
                    .note("nothing outside of the repository holds configs")
                    .help("write `file:` or `content:`"),
            );
            return None;
        }
        let old = fields.get("external").and_then(|slot| slot.node.get("name"));
        let name = match (fields.get("name"), old) {
            (Some(slot), _) => self.literal(slot)?,
            (None, Some(node)) => self.literal(Slot::of("name", node))?,
            (None, None) => entry.key.text.to_string(),
        };
        self.repository_secret(&name, entry.key.place)
    }

    fn file_text(&mut self, slot: Slot<'_>) -> Option<FileContent> {
        let path = self.known_path(slot)?;
        let file = self.repository_file(&path, slot.place())?;
        let text = self.sources[file].text.clone();
        self.spend(text.len(), slot.place()).then_some(FileContent::Text(text))
    }

    /// The value of a variable.
    fn variable_text(&mut self, slot: Slot<'_>, variables: &Variables) -> Option<FileContent> {
        let name = self.literal(slot)?;
        let text = format!("${{{name}}}");
        let text = self.interpolated(slot.place(), &text, variables)?;
        let node = crate::yaml::Node::scalar(slot.place(), crate::yaml::Scalar::quoted(text));
        self.text(Slot::of("environment", &node)).map(FileContent::Text)
    }
}

fn mount(target: String, content: FileContent) -> FileMount {
    FileMount {
        target,
        content,
        mode: 0o444,
        uid: 0,
        gid: 0,
    }
}
