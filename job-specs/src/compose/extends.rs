//! `extends`: a service built upon another one, of the same file or of another.

use std::collections::HashMap;
use std::sync::Arc;

use super::load::{Loader, Wanted, without_extends};
use super::variables::Variables;
use crate::codes;
use crate::limits::MAX_IMPORT_DEPTH;
use crate::reader::keys::{Names, Others};
use crate::reader::{Reader, Slot, folder_of, joined};
use crate::source::Location;
use crate::yaml::{Entry, Node};

/// The services of one file, in which names are looked up.
#[derive(Clone, Copy)]
struct File<'a> {
    path: &'a str,
    folder: &'a str,
    services: &'a [Entry],
    variables: &'a Variables,
}

/// The map form of `extends`.
static EXTENDS: Names = Names {
    what: "`extends`",
    names: &["service", "file"],
    foreign: &[],
    others: Others::Refused,
};

/// What `extends` names.
struct Target {
    service: String,
    file: Option<String>,
    location: Location,
}

/// Services that are done, by file and name.
type Done = HashMap<(String, String), Option<Arc<Node>>>;

impl Loader<'_, '_> {
    /// The services with what they extend below them. `bases` are all that can be extended by name.
    pub(crate) fn extended_all(
        &mut self,
        services: Vec<Entry>,
        bases: &[Entry],
        path: &str,
        folder: &str,
        variables: &Variables,
    ) -> Vec<Entry> {
        let file = File {
            path,
            folder,
            services: bases,
            variables,
        };
        let mut done = Done::new();
        let mut extended = Vec::new();
        for entry in services {
            if entry.node.get("extends").is_none() {
                extended.push(entry);
                continue;
            }
            let node = self.extended(&entry, file, &mut Vec::new(), &mut done);
            if node.is_none() {
                // What it lacks now, its base may have.
                self.reader.problems.explain(entry.key.location);
            }
            extended.push(entry.with(node.unwrap_or_else(|| without_extends(&entry.node))));
        }
        extended
    }

    /// `None` when what it extends is wrong, which has been said.
    fn extended(
        &mut self,
        entry: &Entry,
        file: File<'_>,
        chain: &mut Vec<(String, String)>,
        done: &mut Done,
    ) -> Option<Arc<Node>> {
        let Some(extends) = entry.node.get("extends") else {
            return Some(Arc::clone(&entry.node));
        };
        let this = (file.path.to_owned(), entry.key.text.to_string());
        if let Some(known) = done.get(&this) {
            return known.clone();
        }
        self.may_follow(&this, chain, extends.location)?;
        chain.push(this.clone());
        let target = self.reader.extends_target(extends, &this.1);
        let base = target.and_then(|target| self.base(&target, file, chain, done));
        chain.pop();
        let own = without_extends(&entry.node);
        let node = base.map(|base| self.reader.merged("service", &base, &own));
        done.insert(this, node.clone());
        node
    }

    fn may_follow(&mut self, this: &(String, String), chain: &[(String, String)], location: Location) -> Option<()> {
        let problem = if let Some(at) = chain.iter().position(|open| open == this) {
            let circle: Vec<&str> = chain[at..]
                .iter()
                .chain([this])
                .map(|(_, name)| name.as_str())
                .collect();
            let message = format!("services extend each other: {}", circle.join(" → "));
            codes::BAD_EXTENDS
                .at(location, message)
                .help("remove one of these `extends`")
        } else if chain.len() >= MAX_IMPORT_DEPTH {
            let message = format!("services extend each other more than {MAX_IMPORT_DEPTH} deep");
            codes::BAD_EXTENDS.at(location, message)
        } else {
            return Some(());
        };
        self.reader.reject(problem)
    }

    fn base(
        &mut self,
        target: &Target,
        file: File<'_>,
        chain: &mut Vec<(String, String)>,
        done: &mut Done,
    ) -> Option<Arc<Node>> {
        let Some(name) = &target.file else {
            let entry = self.named(target, file)?;
            return self.extended(&entry, file, chain, done);
        };
        let Ok(path) = joined(file.folder, name) else {
            let message = format!("`{name}` is outside of the repository");
            return self.reader.reject(codes::OUTSIDE.at(target.location, message));
        };
        if path == file.path {
            let entry = self.named(target, file)?;
            return self.extended(&entry, file, chain, done);
        }
        let wanted = Wanted {
            path: path.clone(),
            location: target.location,
        };
        let services = self.services_of(&wanted, file.variables)?;
        let other = File {
            path: &path,
            folder: folder_of(&path),
            services: &services,
            variables: file.variables,
        };
        let entry = self.named(target, other)?;
        self.extended(&entry, other, chain, done)
    }

    /// The services of another file, read once.
    fn services_of(&mut self, wanted: &Wanted, variables: &Variables) -> Option<Arc<[Entry]>> {
        if let Some(known) = self.bases.get(&wanted.path) {
            return known.clone();
        }
        let root = self.root(wanted, variables);
        let services = root.map(|root| self.services(&root, folder_of(&wanted.path), variables).into());
        self.bases.insert(wanted.path.clone(), services.clone());
        services
    }

    fn named(&mut self, target: &Target, file: File<'_>) -> Option<Entry> {
        let found = file.services.iter().find(|entry| *entry.key.text == *target.service);
        if found.is_none() {
            let message = format!("there is no service `{}` in `{}`", target.service, file.path);
            let names = file.services.iter().map(|entry| &*entry.key.text);
            let problem = codes::BAD_EXTENDS.at(target.location, message);
            self.reader.add(problem.known(&target.service, "its services", names));
        }
        found.cloned()
    }
}

impl Reader<'_> {
    /// `extends: name`, or `{service, file}`.
    fn extends_target(&mut self, node: &Node, name: &str) -> Option<Target> {
        let slot = Slot::of("extends", node);
        if !Self::is_map(slot) {
            return Some(Target {
                service: self.literal(slot)?,
                file: None,
                location: node.location,
            });
        }
        let fields = self.fields(slot, &EXTENDS, format!("`extends` of service `{name}`"))?;
        self.missing(&fields, "service", node.location);
        let service = fields.get("service")?;
        let file = match fields.get("file") {
            Some(slot) => Some(self.literal(slot)?),
            None => None,
        };
        Some(Target {
            service: self.literal(service)?,
            file,
            location: fields.get("file").unwrap_or(service).location(),
        })
    }
}
