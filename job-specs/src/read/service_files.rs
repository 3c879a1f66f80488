//! Compose's `configs` and `secrets`: files that are there when a service starts.

use crate::codes;
use crate::compose::Variables;
use crate::model::{FileContent, FileMount};
use crate::names::is_variable;
use crate::read::service_entry::{Around, Making};
use crate::read::service_mounts::MODE;
use crate::reader::keys::Foreign::{Ignored, Means};
use crate::reader::keys::{Kind as Value, Others, Shape, Table, With, key, kind, required};
use crate::reader::kinds::{LOCATED_NAME, NAME, TEXT};
use crate::reader::{Reader, Slot};
use crate::source::Location;
use crate::suggest::listed;
use crate::yaml::{Entry, Node, Scalar};

/// Names of configs or secrets, or maps that say where they go.
const FILES: Shape = Shape::List(&Shape::AnyOf(&[Shape::Name, Shape::Object(&FILE_MOUNT)]));
/// `configs` of a service.
pub(crate) const CONFIGS: With<Making> = (FILES, |reader, slot, making| {
    reader.service_files(Kind::Config, slot, making);
});
/// `secrets` of a service.
pub(crate) const SECRETS: With<Making> = (FILES, |reader, slot, making| {
    reader.service_files(Kind::Secret, slot, making);
});

/// A file of a service, as far as it is read.
#[derive(Default)]
struct Mount {
    source: Option<(String, Location)>,
    target: Option<String>,
    uid: u32,
    gid: u32,
    mode: Option<u32>,
}

/// The long form of `configs` and `secrets` of a service.
static FILE_MOUNT: Table<Mount> = Table {
    what: "`configs` or `secrets`",
    about: "A file that is there when the service starts.",
    keys: &[
        required("source")
            .about("The name of the config or secret.")
            .set(&(LOCATED_NAME, |file, source| file.source = Some(source))),
        key("target")
            .about("Where. Default: /NAME, or /run/secrets/NAME.")
            .set(&(TEXT, |file, target| file.target = Some(target))),
        key("uid")
            .about("Its owner. Default: 0.")
            .set(&(ID, |file, uid| file.uid = uid)),
        key("gid")
            .about("Its group. Default: 0.")
            .set(&(ID, |file, gid| file.gid = gid)),
        key("mode")
            .about("Permission bits, in octal. Default: 0444.")
            .set(&(MODE, |file, mode| file.mode = Some(mode))),
    ],
    foreign: &[Means("target").answers(&["path"]), Means("source").answers(&["name"])],
    others: Others::Extensions,
};

/// The number of a user or group.
const ID: Value<u32> = kind(Shape::Scalar, |reader, slot, _| reader.user_number(slot));

/// What a definition says.
#[derive(Default)]
pub(crate) struct Definition {
    contents: Vec<Content>,
    is_external: bool,
    name: Option<String>,
}

/// Where the content of a definition comes from.
enum Content {
    File(String, Location),
    Text(String),
    Variable(String, Location),
}

/// One of `configs` or `secrets` of a Compose file or of a job.
pub(crate) static FILE_DEFINITION: Table<Definition> = Table {
    what: "config or secret",
    about: "What a file of services holds: one of file, content, environment and, for secrets, external.",
    keys: &[
        key("file")
            .about("A file of the repository.")
            .set(&(FILE, |made, content| made.contents.push(content))),
        key("content")
            .about("The text itself.")
            .set(&(TEXT, |made, text| made.contents.push(Content::Text(text)))),
        key("environment")
            .about("The value of this variable of the job's `env`.")
            .set(&(VARIABLE, |made, content| made.contents.push(content))),
        key("external")
            .about("true: the repository's secret of that name.")
            .with(&(Shape::Flag, |reader, slot, made| reader.external(slot, made))),
        key("name")
            .about("The name of the repository's secret. Default: its key.")
            .set(&(NAME_OF_SECRET, |made, name| made.name = Some(name))),
    ],
    foreign: &[
        Ignored("nothing reads them here").answers(&["labels"]),
        Ignored("secrets come from the repository's secrets").answers(&["driver", "driver_opts"]),
        Ignored("a file is used as it is").answers(&["template_driver"]),
    ],
    others: Others::Extensions,
};

/// The path of a file.
const FILE: Value<Content> = kind(Shape::Text, |reader, slot, _| {
    Some(Content::File(reader.known_path(slot)?, slot.location()))
});
/// The name of a variable.
const VARIABLE: Value<Content> = kind(Shape::Text, |reader, slot, _| {
    Some(Content::Variable(reader.literal(slot)?, slot.location()))
});
/// The name of a secret of the repository.
const NAME_OF_SECRET: Value<String> = Value {
    shape: Shape::Text,
    ..NAME
};

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
    fn service_files(&mut self, kind: Kind, slot: Slot<'_>, making: &mut Making) {
        for item in self.items(slot, "a list of names").into_iter().flatten() {
            if let Some(file) = self.file_mount(kind, item, &making.around) {
                let files = &mut making.service.spec.files;
                files.retain(|other| other.target != file.target);
                files.push(file);
            }
        }
    }

    fn file_mount(&mut self, kind: Kind, item: Slot<'_>, around: &Around) -> Option<FileMount> {
        let mut given = Mount::default();
        match Self::is_map(item) {
            true => drop(self.level(item, &FILE_MOUNT, self.part(kind.key()), &mut given)),
            false => given.source = self.literal(item).map(|name| (name, item.location())),
        }
        let (name, location) = given.source?;
        let content = self.file_content(kind, &name, location, around)?;
        let target = match given.target {
            Some(target) if target.starts_with('/') => target,
            target => kind.target(&target.unwrap_or(name)),
        };
        if target.split('/').any(|part| part == "..") || target.ends_with('/') {
            let problem = self.not_allowed(item, format!("`{target}` is not a path for a file"));
            self.add(problem.label("expected /etc/app.conf, …"));
        }
        Some(FileMount {
            target,
            content,
            mode: given.mode.unwrap_or(0o444),
            uid: given.uid,
            gid: given.gid,
        })
    }

    fn user_number(&mut self, slot: Slot<'_>) -> Option<u32> {
        let text = self.text(slot)?;
        text.parse().ok().or_else(|| {
            let problem = self.not_allowed(slot, format!("`{text}` is not a number of a user or group"));
            self.reject(problem.label("expected 0, 1000, …"))
        })
    }

    fn file_content(&mut self, kind: Kind, name: &str, location: Location, around: &Around) -> Option<FileContent> {
        let definitions = match kind {
            Kind::Config => &around.definitions.configs,
            Kind::Secret => &around.definitions.secrets,
        };
        match definitions.iter().find(|entry| &*entry.key.text == name) {
            Some(entry) => self.defined_content(kind, entry, &around.variables),
            None if kind == Kind::Secret && !self.in_compose(location) => self.repository_secret(name, location),
            None => {
                let message = format!("the {} `{name}` is not defined", kind.word());
                let problem = codes::NO_SUCH_DEFINITION.at(location, message);
                let names = definitions.iter().map(|entry| &*entry.key.text);
                let help = format!("define it: `{}: {{{name}: {{file: ./{name}}}}}`", kind.key());
                self.reject(problem.known(name, kind.key(), names).or_help(help))
            }
        }
    }

    /// The repository's secret of that name.
    fn repository_secret(&mut self, name: &str, location: Location) -> Option<FileContent> {
        if is_variable(name) {
            return Some(FileContent::Secret(name.to_owned()));
        }
        let message = format!("`{name}` is not a name for a secret of the repository");
        let problem = codes::BAD_NAME.at(location, message);
        let help = "name the repository's secret: `secrets: {…: {external: true, name: DB_PASSWORD}}`";
        self.reject(problem.label("letters, digits and `_` only, no digit first").help(help))
    }

    fn defined_content(&mut self, kind: Kind, entry: &Entry, variables: &Variables) -> Option<FileContent> {
        let owner = format!("{} `{}`", kind.word(), entry.key.text);
        let mut made = Definition::default();
        let slot = Slot::of("the definition", &entry.node);
        let fields = self.level(slot, &FILE_DEFINITION, owner.clone(), &mut made)?;
        if made.is_external {
            return self.external_content(kind, made.name, entry);
        }
        let given = ["file", "content", "environment"];
        let given: Vec<&str> = given.into_iter().filter(|key| fields.get(key).is_some()).collect();
        if given.len() > 1 {
            let message = format!("{owner} has {}", listed(given.iter().copied()));
            let problem = codes::BAD_VALUE.at(entry.key.location, message);
            return self.reject(problem.help("keep one of them"));
        }
        if given.is_empty() {
            let problem = codes::MISSING_KEY.at(entry.key.location, format!("{owner} has no content"));
            let mut help = "write `file:`, `content:` or `environment:`".to_owned();
            if kind == Kind::Secret {
                help.push_str(", or `external: true` for a secret of the repository");
            }
            self.add(problem.help(help));
        }
        match made.contents.pop()? {
            Content::File(path, location) => self.file_text(&path, location),
            Content::Text(text) => Some(FileContent::Text(text)),
            Content::Variable(name, location) => self.variable_text(&name, location, variables),
        }
    }

    /// `external: true`, or the old form `external: {name: x}`.
    fn external(&mut self, slot: Slot<'_>, made: &mut Definition) {
        if !Self::is_map(slot) {
            made.is_external = self.flag(slot).unwrap_or(false);
            return;
        }
        made.is_external = true;
        if let Some(name) = slot.node.get("name") {
            made.name = self.literal(Slot::of("name", name));
        }
    }

    fn external_content(&mut self, kind: Kind, name: Option<String>, entry: &Entry) -> Option<FileContent> {
        if kind == Kind::Config {
            let message = format!("the external config `{}` is refused", entry.key.text);
            let problem = codes::REFUSED.at(entry.key.location, message);
            let problem = problem.note("nothing outside of the repository holds configs");
            return self.reject(problem.help("write `file:` or `content:`"));
        }
        let name = name.unwrap_or_else(|| entry.key.text.to_string());
        self.repository_secret(&name, entry.key.location)
    }

    fn file_text(&mut self, path: &str, location: Location) -> Option<FileContent> {
        let file = self.repository_file(path, location)?;
        let text = self.sources[file].text.clone();
        self.spend(text.len(), location).then_some(FileContent::Text(text))
    }

    /// The value of a variable.
    fn variable_text(&mut self, name: &str, location: Location, variables: &Variables) -> Option<FileContent> {
        let text = self.interpolated(location, &format!("${{{name}}}"), variables)?;
        let node = Node::scalar(location, Scalar::quoted(text));
        self.text(Slot::of("environment", &node)).map(FileContent::Text)
    }
}
