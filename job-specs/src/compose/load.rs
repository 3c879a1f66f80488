//! One Compose file, and all that it refers to, as a model: its services with `extends` and `include` followed, and its
//! definitions.

use std::collections::HashMap;
use std::sync::Arc;

use super::edit::map_like;
use super::merge::settled;
use super::paths;
use super::unset::without_unset;
use super::variables::Variables;
use crate::codes;
use crate::limits::{MAX_DEFINED_SERVICES, MAX_IMPORT_DEPTH};
use crate::reader::keys::Foreign::{Ignored, Means};
use crate::reader::keys::{Names, Others};
use crate::reader::{Reader, Slot, folder_of};
use crate::source::Location;
use crate::yaml::{self, Entry, Node, Value};

/// A Compose file's top level.
static COMPOSE_FILE: Names = Names {
    what: "Compose file",
    names: &[
        "name", "version", "services", "networks", "volumes", "configs", "secrets", "include",
    ],
    foreign: &[
        Ignored("models are not run here").answers(&["models"]),
        Means("services").answers(&["service"]),
        Means("volumes").answers(&["volume"]),
        Means("networks").answers(&["network"]),
    ],
    others: Others::Extensions,
};

/// What Compose files hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) services: Vec<Entry>,
    pub(crate) networks: Vec<Entry>,
    pub(crate) volumes: Vec<Entry>,
    pub(crate) configs: Vec<Entry>,
    pub(crate) secrets: Vec<Entry>,
}

/// A file that is to be read.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// From the repository's root.
    pub(crate) path: String,
    /// Where it is named.
    pub(crate) location: Location,
}

impl Wanted {
    /// A file that a value names.
    pub(crate) fn at(slot: Slot<'_>, path: String) -> Wanted {
        let location = slot.location();
        Wanted { path, location }
    }
}

/// Reads Compose files, one inside another.
pub(crate) struct Loader<'l, 'r> {
    pub(crate) reader: &'l mut Reader<'r>,
    /// Files that are being read, the outermost first.
    pub(crate) open: Vec<String>,
    /// Services of files that `extends` names, by path; variables are those of the file that names them.
    pub(crate) bases: HashMap<String, Option<Arc<[Entry]>>>,
}

impl<'r> Loader<'_, 'r> {
    /// Several files as one project: later ones over earlier ones, paths relative to `folder`.
    pub(crate) fn project(&mut self, files: &[Wanted], folder: &str, variables: &Variables) -> Option<Model> {
        let mut project: Option<Model> = None;
        let mut failed = false;
        for file in files {
            let Some(model) = self.file(file, folder, variables) else {
                failed = true;
                continue;
            };
            project = Some(match project {
                None => model,
                Some(base) => self.merged_models(base, &model, file.location),
            });
        }
        project.filter(|_| !failed)
    }

    fn merged_models(&mut self, base: Model, over: &Model, location: Location) -> Model {
        let mut merge = |base, over: &[Entry]| self.reader.merge_entries(base, over, location);
        Model {
            services: merge(base.services, &over.services),
            networks: merge(base.networks, &over.networks),
            volumes: merge(base.volumes, &over.volumes),
            configs: merge(base.configs, &over.configs),
            secrets: merge(base.secrets, &over.secrets),
        }
    }

    fn file(&mut self, file: &Wanted, folder: &str, variables: &Variables) -> Option<Model> {
        self.may_open(file)?;
        let root = self.root(file, variables)?;
        self.open.push(file.path.clone());
        let model = self.model(&root, file, folder, variables);
        self.open.pop();
        Some(model)
    }

    /// The file is not open already, and not too deep inside others.
    fn may_open(&mut self, file: &Wanted) -> Option<()> {
        let problem = if let Some(at) = self.open.iter().position(|open| *open == file.path) {
            let circle: Vec<&str> = self.open[at..].iter().chain([&file.path]).map(String::as_str).collect();
            let message = format!("Compose files include each other: {}", circle.join(" → "));
            codes::INCLUDE_CIRCLE
                .at(file.location, message)
                .help("remove one of these")
        } else if self.open.len() >= MAX_IMPORT_DEPTH {
            let message = format!("Compose files are included more than {MAX_IMPORT_DEPTH} deep");
            codes::INCLUDE_CIRCLE.at(file.location, message)
        } else {
            return Some(());
        };
        self.reader.reject(problem)
    }

    /// The interpolated tree of a file.
    pub(crate) fn root(&mut self, file: &Wanted, variables: &Variables) -> Option<Arc<Node>> {
        let number = self.reader.repository_file(&file.path, file.location)?;
        let sources = self.reader.sources;
        if !sources.has_tree(number) && !self.reader.spend(sources[number].text.len(), file.location) {
            return None;
        }
        let problems = &mut *self.reader.problems;
        let tree = sources.tree(number, |source| {
            let before = problems.errors();
            let tree = yaml::read_compose(number, source, problems).filter(|root| !root.is_null());
            if tree.is_none() && problems.errors() == before {
                problems.add(codes::NO_SUCH_FILE.in_file(number, "the Compose file is empty"));
            }
            tree
        });
        let tree = tree?;
        if !self.reader.spend_node(&tree) {
            return None;
        }
        if tree.entries().is_none() {
            let message = format!("a Compose file is a map with `services`, found {}", tree.found());
            return self.reader.reject(codes::WRONG_TYPE.at(tree.location, message));
        }
        Some(self.reader.interpolated_tree(&tree, variables))
    }

    fn model(&mut self, root: &Arc<Node>, file: &Wanted, folder: &str, variables: &Variables) -> Model {
        self.reader.fields(
            Slot::of("the file", root),
            &COMPOSE_FILE,
            format!("the Compose file `{}`", file.path),
        );
        let included = root
            .get("include")
            .filter(|node| !node.is_null())
            .map(|node| self.included(node, folder, variables))
            .unwrap_or_default();
        let mut services = self.services(root, folder, variables);
        let bases: Vec<Entry> = services.iter().chain(&included.services).cloned().collect();
        services = self.extended_all(services, &bases, &file.path, folder, variables);
        let own = Model {
            services,
            networks: self.section(root, "networks"),
            volumes: self.section(root, "volumes"),
            configs: self.files(root, "configs", folder),
            secrets: self.files(root, "secrets", folder),
        };
        self.with_included(own, included)
    }

    /// The services as they are written in a file, each key in one form, paths from the repository's root.
    pub(crate) fn services(&mut self, root: &Node, folder: &str, variables: &Variables) -> Vec<Entry> {
        let mut services = Vec::new();
        let written = self.section(root, "services");
        if let Some(one_too_many) = written.get(MAX_DEFINED_SERVICES) {
            let count = written.len();
            let message = format!("the Compose file has {count} services; at most {MAX_DEFINED_SERVICES} are read");
            self.reader
                .add(codes::TOO_MANY_SERVICES.at(one_too_many.key.location, message));
        }
        for entry in written.into_iter().take(MAX_DEFINED_SERVICES) {
            let node = self.reader.canonical_service(&entry.node, variables);
            services.push(entry.with(paths::of_service(&node, folder)));
        }
        services
    }

    fn files(&mut self, root: &Node, key: &'static str, folder: &str) -> Vec<Entry> {
        let defined = |entry: &Entry| entry.with(paths::of_definition(&entry.node, folder));
        self.section(root, key).iter().map(defined).collect()
    }

    fn section(&mut self, root: &Node, key: &'static str) -> Vec<Entry> {
        let Some(node) = root.get(key) else { return Vec::new() };
        match &node.value {
            Value::Map(entries) if key == "services" => entries.clone(),
            Value::Map(entries) => {
                let settled = |entry: &Entry| entry.with(without_unset(key, &entry.node));
                entries.iter().map(settled).collect()
            }
            Value::Scalar(_) if node.is_null() => Vec::new(),
            Value::Scalar(_) | Value::List(_) => {
                self.reader.wrong_type(Slot::of(key, node), "a map").unwrap_or_default()
            }
        }
    }
}

impl Model {
    /// Without what merging leaves behind when there was nothing to merge with.
    pub(crate) fn settled(mut self) -> Model {
        for entry in &mut self.services {
            entry.node = settled(&entry.node);
        }
        self.services.retain(|entry| entry.node.merge == yaml::Merge::Usual);
        self
    }
}

/// The folder of a Compose file, as paths in it are relative to it.
pub(crate) fn folder_of_first(files: &[Wanted]) -> String {
    files
        .first()
        .map_or(String::new(), |file| folder_of(&file.path).to_owned())
}

/// A service without its `extends`.
pub(crate) fn without_extends(node: &Node) -> Arc<Node> {
    let entries = node.entries().into_iter().flatten();
    map_like(
        node,
        entries.filter(|entry| &*entry.key.text != "extends").cloned().collect(),
    )
}
