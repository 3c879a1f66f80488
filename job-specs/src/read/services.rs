//! A job's services, wherever they come from: its own, those of the Compose files that its `compose:` names, and its own
//! over those.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::check;
use crate::codes;
use crate::compose::{Choice, Loader, Model, Variables, Wanted, chosen, folder_of_first, one_form, without_unset};
use crate::limits::MAX_SERVICES;
use crate::located::{Link, LocatedDependency, LocatedService};
use crate::model::ServiceSpec;
use crate::read::definitions::Definitions;
use crate::read::service::SERVICE;
use crate::read::service_entry::Around;
use crate::read::service_files::FILE_DEFINITION;
use crate::reader::keys::Foreign::{Hint, Means};
use crate::reader::keys::{Kind, Others, Shape, Table, key, kind, required};
use crate::reader::kinds::ONE_OR_MORE_TEXTS;
use crate::reader::{Fields, Reader, Slot};
use crate::source::Location;
use crate::suggest::listed;
use crate::yaml::{Entry, Node};

/// The keys of a job that its services are made of.
#[derive(Default)]
pub(crate) struct ServiceKeys {
    pub(crate) own: Vec<Entry>,
    pub(crate) import: Option<Import>,
    pub(crate) configs: Vec<Entry>,
    pub(crate) secrets: Vec<Entry>,
}

/// `services` of a job.
pub(crate) const SERVICES: Kind<Vec<Entry>> = Kind {
    shape: Shape::Map(&Shape::Object(&SERVICE)),
    read: |reader, slot, _| reader.own_services(slot),
};
/// `configs` of a job.
pub(crate) const CONFIGS: Kind<Vec<Entry>> = Kind {
    shape: Shape::Map(&Shape::Object(&FILE_DEFINITION)),
    read: |reader, slot, _| match slot.node.entries() {
        Some(entries) => Some(reader.own_definitions("configs", entries)),
        None => reader.wrong_type(slot, "a map"),
    },
};
/// `secrets` of a job.
pub(crate) const SECRETS: Kind<Vec<Entry>> = Kind {
    read: |reader, slot, _| match slot.node.entries() {
        Some(entries) => Some(reader.own_definitions("secrets", entries)),
        None => {
            let message = format!("`secrets` of a job takes a map, found {}", slot.node.found());
            let help = "steps name the secrets that they need: `steps: [{run: …, secrets: [API_TOKEN]}]`";
            reader.reject(codes::WRONG_TYPE.at(slot.location(), message).help(help))
        }
    },
    ..CONFIGS
};
/// `compose` of a job: a file, several, or a map that also chooses services.
pub(crate) const COMPOSE: Kind<Import> = Kind {
    shape: Shape::AnyOf(&[Shape::Text, Shape::List(&Shape::Text), Shape::Object(&COMPOSE_KEYS)]),
    read: |reader, slot, _| reader.import(slot),
};

/// The job's `compose`.
#[derive(Default)]
pub(crate) struct Import {
    files: Option<Vec<Wanted>>,
    choice: Choice,
}

static COMPOSE_KEYS: Table<Import> = Table {
    what: "`compose`",
    about: "Services that are taken from Compose files of the repository.",
    keys: &[
        required("file")
            .about("The Compose file, from the repository's root; of several, later ones override earlier ones.")
            .set(&(COMPOSE_FILES, |import, files| import.files = Some(files))),
        key("profiles")
            .about("Profiles whose services run too; \"*\" for all.")
            .set(&(ONE_OR_MORE_TEXTS, |import, profiles| import.choice.profiles = profiles)),
        key("services")
            .about("Only these services, and those that they depend on.")
            .set(&(CHOSEN, |import, services| import.choice.services = Some(services))),
    ],
    foreign: &[
        Means("file").answers(&["files", "path"]),
        Means("profiles").answers(&["profile"]),
        Means("services").answers(&["service"]),
        Hint("variables of a Compose file come from the job's `env`").answers(&["env", "environment"]),
        Hint("variables of a Compose file come from the job's `env`, and from `.env` beside it").answers(&["env_file"]),
    ],
    others: Others::Refused,
};

const COMPOSE_FILES: Kind<Vec<Wanted>> = kind(Shape::OneOrMany(&Shape::Text), |reader, slot, _| {
    reader.compose_files(slot)
});
/// Names of services, with their places.
const CHOSEN: Kind<Vec<(String, Location)>> = kind(Shape::OneOrMany(&Shape::Text), |reader, slot, _| {
    let items = reader.one_or_many(slot).into_iter();
    items.map(|item| Some((reader.text(item)?, item.location()))).collect()
});

impl Reader<'_> {
    /// The services of a job, of whose keys `keys` is made; `file_env` is the `env` of its file.
    pub(crate) fn services(
        &mut self,
        fields: &Fields<'_>,
        keys: ServiceKeys,
        owner: &str,
        file_env: Option<&Node>,
    ) -> Vec<ServiceSpec> {
        let job_env = fields.get("env").map(|slot| slot.node);
        let mut variables = Variables::of_job(&[file_env, job_env]);
        // Values of a matrix may be empty, and mean then what they mean in Compose files.
        let settled = |entry: &Entry| entry.with(without_unset("service", &entry.node));
        let own: Vec<Entry> = keys.own.iter().map(settled).collect();
        let mut definitions = Definitions {
            configs: keys.configs,
            secrets: keys.secrets,
            ..Definitions::default()
        };
        let mut choice = Choice::default();
        let mut services = own.clone();
        let compose = fields.get("compose");
        if let Some(slot) = compose {
            let model = keys.import.and_then(|import| {
                choice = import.choice;
                self.imported(&import.files?, slot.location(), &mut variables)
            });
            let Some(model) = model else {
                return Vec::new();
            };
            services = self.over(model.services, &own);
            definitions.configs = laid_over(model.configs, definitions.configs);
            definitions.secrets = laid_over(model.secrets, definitions.secrets);
            definitions.networks = model.networks;
            definitions.volumes = model.volumes;
        }
        let own_names: Vec<&str> = own.iter().map(|entry| &*entry.key.text).collect();
        let (services, off) = chosen(self, services, &choice, &own_names);
        for service in &services {
            let is_imported = self.in_compose(service.node.location) || compose.is_some();
            if is_imported && !self.spend_node(&service.node) {
                return Vec::new();
            }
        }
        let around = Rc::new(Around { definitions, variables });
        self.service_list(&services, &around, owner, &off)
    }

    /// The services, in order. `off` are names of services that are not chosen, which some may still wait for.
    fn service_list(
        &mut self,
        entries: &[Entry],
        around: &Rc<Around>,
        owner: &str,
        off: &[String],
    ) -> Vec<ServiceSpec> {
        if let Some(one_too_many) = entries.get(MAX_SERVICES) {
            let count = entries.len();
            let message = format!("{owner} has {count} services; at most {MAX_SERVICES} are allowed");
            self.add(codes::TOO_MANY_SERVICES.at(one_too_many.key.location, message));
        }
        let entries = entries.iter().take(MAX_SERVICES);
        let mut services: Vec<LocatedService> = entries.map(|entry| self.service(entry, around, owner)).collect();
        follow_links(&mut services);
        self.tasks_of_compose(&mut services);
        check::services(&mut services, off, self.problems);
        self.warn_of_published(&services);
        services.into_iter().map(|service| service.spec).collect()
    }

    /// In Compose files a service whose end somebody waits for is a task, without saying so.
    fn tasks_of_compose(&mut self, services: &mut [LocatedService]) {
        use crate::model::DependencyCondition::ServiceCompletedSuccessfully;
        let waits_for_end = |edge: &&LocatedDependency| {
            edge.dependency.condition == ServiceCompletedSuccessfully && self.in_compose(edge.location)
        };
        let edges = services.iter().flat_map(|service| &service.depends_on);
        let waited = edges.filter(waits_for_end).map(|edge| edge.dependency.service.clone());
        let waited: Vec<String> = waited.collect();
        for service in services {
            service.spec.run_once |= waited.contains(&service.spec.name);
            service.spec.may_end = self.in_compose(service.location);
        }
    }

    /// One warning for all of them: the first tells what to write instead.
    fn warn_of_published(&mut self, services: &[LocatedService]) {
        let locations = services.iter().filter_map(|service| Some(service.published?.1));
        let first = locations.min_by_key(|location| (location.file, location.span.start));
        let Some(location) = first else { return };
        let host = |service: &LocatedService| Some(format!("`{}:{}`", service.spec.name, service.published?.0));
        let hosts: Vec<String> = services.iter().filter_map(host).collect();
        let problem = codes::PORT_NOT_PUBLISHED.at(location, "ports of services are not published on the host");
        let hosts = listed(hosts.iter().map(String::as_str));
        let problem = problem.note(format!("not published; steps reach {hosts}"));
        self.add(problem.once_per_location());
    }

    fn own_services(&mut self, slot: Slot<'_>) -> Option<Vec<Entry>> {
        let help = "services are a map from host name to service: `services: {db: {image: postgres:17}}`";
        let entries = slot.node.entries().map(<[Entry]>::to_vec);
        entries.or_else(|| self.wrong_form(slot, "a map", help))
    }

    fn own_definitions(&mut self, key: &'static str, entries: &[Entry]) -> Vec<Entry> {
        for entry in entries {
            let slot = Slot::of(key, &entry.node);
            self.fields(slot, &FILE_DEFINITION, format!("`{key}` of the job"));
        }
        entries.to_vec()
    }

    fn import(&mut self, slot: Slot<'_>) -> Option<Import> {
        if Self::is_map(slot) {
            let (import, _) = self.map(slot, &COMPOSE_KEYS)?;
            return import.files.is_some().then_some(import);
        }
        Some(Import {
            files: Some(self.compose_files(slot)?),
            ..Import::default()
        })
    }

    fn compose_files(&mut self, slot: Slot<'_>) -> Option<Vec<Wanted>> {
        let items = self.one_or_many(slot);
        if items.is_empty() {
            return self.reject(codes::BAD_VALUE.at(slot.location(), "`compose` names no file"));
        }
        let wanted = |item: Slot<'_>| Some(Wanted::at(item, self.known_path(item)?));
        items.into_iter().map(wanted).collect()
    }

    /// The Compose files as one model.
    fn imported(&mut self, files: &[Wanted], location: Location, variables: &mut Variables) -> Option<Model> {
        let folder = folder_of_first(files);
        self.add_dot_env(&folder, location, variables);
        variables.set_own("PWD", ".");
        variables.set_own("COMPOSE_PROJECT_NAME", "drover");
        let mut loader = Loader {
            reader: self,
            open: Vec::new(),
            bases: HashMap::new(),
        };
        let model = loader.project(files, &folder, variables)?;
        Some(model.settled())
    }

    /// The job's own services over those of the Compose files.
    fn over(&mut self, imported: Vec<Entry>, own: &[Entry]) -> Vec<Entry> {
        let mut services = imported;
        for entry in own {
            match services.iter_mut().find(|other| other.key.text == entry.key.text) {
                Some(other) if entry.node.entries().is_some() => {
                    other.node = self.merged("service", &other.node, &one_form(&entry.node));
                }
                Some(other) => other.node = Arc::clone(&entry.node),
                None => services.push(entry.clone()),
            }
        }
        services
    }
}

/// Who links to a service starts after it; the alias is for all, since all are on one network.
fn follow_links(services: &mut [LocatedService]) {
    let links: Vec<Link> = services.iter().flat_map(|service| service.links.clone()).collect();
    for service in services.iter_mut() {
        for link in std::mem::take(&mut service.links) {
            let mut edges = service.depends_on.iter();
            if link.target != service.spec.name && !edges.any(|edge| edge.dependency.service == link.target) {
                let edge = LocatedDependency::started(link.target, link.location);
                service.depends_on.push(edge);
            }
        }
        for link in &links {
            if let Some(alias) = link.alias.as_ref().filter(|_| link.target == service.spec.name) {
                service.answers_to(alias.clone(), link.location);
            }
        }
    }
}

fn laid_over(mut base: Vec<Entry>, over: Vec<Entry>) -> Vec<Entry> {
    base.retain(|entry| !over.iter().any(|own| own.key.text == entry.key.text));
    base.extend(over);
    base
}
