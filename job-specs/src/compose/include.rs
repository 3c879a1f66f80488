//! `include`: further Compose files that belong to one, each with its own folder and its own variables.

use std::sync::Arc;

use super::edit::same;
use super::load::{Loader, Model, Wanted, folder_of_first};
use super::variables::Variables;
use crate::codes;
use crate::reader::keys::Foreign::Means;
use crate::reader::keys::{Names, Others};
use crate::reader::{Reader, Slot, joined};
use crate::yaml::{Entry, Node};

/// The map form of one item of `include`.
static INCLUDE: Names = Names {
    what: "`include`",
    names: &["path", "env_file", "project_directory"],
    foreign: &[Means("path").answers(&["file"])],
    others: Others::Refused,
};

/// One item of `include`.
struct Include {
    files: Vec<Wanted>,
    env_files: Option<Vec<Wanted>>,
    /// What its paths are relative to.
    folder: String,
}

impl Loader<'_, '_> {
    /// Everything that `include` brings.
    pub(crate) fn included(&mut self, node: &Arc<Node>, folder: &str, variables: &Variables) -> Model {
        let mut all = Model::default();
        for item in self.reader.one_or_many(Slot::of("include", node)) {
            let Some(include) = self.reader.include_item(item, folder) else {
                continue;
            };
            let mut variables = variables.clone();
            match &include.env_files {
                Some(files) => {
                    for file in files {
                        self.reader.add_env_file(file, &mut variables);
                    }
                }
                None => {
                    let location = item.location();
                    self.reader.add_dot_env(&include.folder, location, &mut variables);
                }
            }
            // Its variables are its own, and so are the files that its `extends` has read with them.
            let bases = std::mem::take(&mut self.bases);
            let model = self.project(&include.files, &include.folder, &variables);
            self.bases = bases;
            if let Some(model) = model {
                all = self.with_included(all, model);
            }
        }
        all
    }

    /// A model with what an included one brings; both must not define the same thing differently.
    pub(crate) fn with_included(&mut self, own: Model, included: Model) -> Model {
        Model {
            services: self.joined_entries("service", own.services, included.services),
            configs: self.joined_entries("config", own.configs, included.configs),
            secrets: self.joined_entries("secret", own.secrets, included.secrets),
            networks: self.reader.merge_quietly(included.networks, own.networks),
            volumes: self.reader.merge_quietly(included.volumes, own.volumes),
        }
    }

    fn joined_entries(&mut self, what: &str, mut own: Vec<Entry>, included: Vec<Entry>) -> Vec<Entry> {
        for entry in included {
            let Some(other) = own.iter().find(|other| other.key.text == entry.key.text) else {
                own.push(entry);
                continue;
            };
            if self.reader.spend_node(&entry.node) && !same(&other.node, &entry.node) {
                let message = format!("{what} `{}` is also defined by an included file", entry.key.text);
                let problem = codes::DEFINED_TWICE.at(other.key.location, message);
                let problem = problem.related(entry.key.location, "the included one");
                let help = "use `extends`, or name both files: `compose: {file: [one.yml, other.yml]}`";
                self.reader.add(problem.help(help));
            }
        }
        own
    }
}

impl Reader<'_> {
    fn include_item(&mut self, item: Slot<'_>, folder: &str) -> Option<Include> {
        if !Self::is_map(item) {
            let files = vec![self.wanted_file(item, folder)?];
            return Some(Include {
                folder: folder_of_first(&files),
                files,
                env_files: None,
            });
        }
        let fields = self.fields(item, &INCLUDE, "`include`".to_owned())?;
        self.missing(&fields, "path", item.location());
        let files = self.wanted_files(fields.get("path")?, folder)?;
        let env_files = match fields.get("env_file") {
            Some(slot) => Some(self.wanted_files(slot, folder)?),
            None => None,
        };
        let folder = match fields.get("project_directory") {
            Some(slot) => self.wanted_file(slot, folder)?.path,
            None => folder_of_first(&files),
        };
        Some(Include {
            folder: if folder == "." { String::new() } else { folder },
            files,
            env_files,
        })
    }

    fn wanted_files(&mut self, slot: Slot<'_>, folder: &str) -> Option<Vec<Wanted>> {
        let items = self.one_or_many(slot);
        items.into_iter().map(|item| self.wanted_file(item, folder)).collect()
    }

    /// A path that a Compose file names, relative to a folder.
    fn wanted_file(&mut self, slot: Slot<'_>, folder: &str) -> Option<Wanted> {
        let text = self.literal(slot)?;
        let Ok(path) = joined(folder, &text) else {
            self.inside(slot, &text);
            return None;
        };
        Some(Wanted::at(slot, path))
    }

    /// The variables of an env file; those that are there already stay.
    fn add_env_file(&mut self, file: &Wanted, variables: &mut Variables) {
        let number = self.repository_file(&file.path, file.location);
        self.add_variables(number, variables);
    }

    fn add_variables(&mut self, file: Option<usize>, variables: &mut Variables) {
        let Some(file) = file else { return };
        for (name, value, _) in self.env_of_file(file, variables, false) {
            variables.add(name, value);
        }
    }

    /// The variables of `.env` in a folder, if it is there.
    pub(crate) fn add_dot_env(&mut self, folder: &str, location: crate::source::Location, variables: &mut Variables) {
        let Ok(path) = joined(folder, ".env") else { return };
        let number = self.optional_file(&path, location);
        self.add_variables(number, variables);
    }

    fn merge_quietly(&mut self, base: Vec<Entry>, over: Vec<Entry>) -> Vec<Entry> {
        let mut merged = base;
        for entry in over {
            match merged.iter_mut().find(|other| other.key.text == entry.key.text) {
                Some(other) => *other = entry,
                None => merged.push(entry),
            }
        }
        merged
    }
}
