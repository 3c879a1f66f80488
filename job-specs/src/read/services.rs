//! A job's services, wherever they come from: its own, those of the Compose files that its `compose:` names, and its own
//! over those.

use std::collections::HashMap;
use std::sync::Arc;

use crate::codes;
use crate::compose::{Choice, Loader, Model, Variables, Wanted, chosen, folder_of_first, one_form, without_unset};
use crate::keys::{COMPOSE, FILE_DEFINITION, NETWORK_DEFINITION, VOLUME_DEFINITION};
use crate::model::ServiceSpec;
use crate::problems::Problem;
use crate::read::{Around, external};
use crate::reader::{Fields, Reader, Slot};
use crate::source::Place;
use crate::yaml::{Entry, Node, Value};

/// What services refer to by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Definitions {
    pub(crate) configs: Vec<Entry>,
    pub(crate) secrets: Vec<Entry>,
    networks: Vec<Entry>,
    volumes: Vec<Entry>,
}

/// The job's `compose`.
struct Import {
    files: Vec<Wanted>,
    choice: Choice,
}

impl Reader<'_> {
    /// The services of a job; `file_env` is the `env` of its file.
    pub(crate) fn services(&mut self, fields: &Fields<'_>, owner: &str, file_env: Option<&Node>) -> Vec<ServiceSpec> {
        let job_env = fields.get("env").map(|slot| slot.node);
        let mut variables = Variables::of_job(&[file_env, job_env]);
        let own = fields
            .get("services")
            .map(|slot| self.own_services(slot))
            .unwrap_or_default();
        // Values of a matrix may be empty, and mean then what they mean in Compose files.
        let own = own.iter().map(|entry| Entry {
            key: entry.key.clone(),
            node: without_unset("service", &entry.node),
        });
        let own: Vec<Entry> = own.collect();
        let mut definitions = Definitions {
            configs: self.own_definitions(fields, "configs"),
            secrets: self.own_definitions(fields, "secrets"),
            ..Definitions::default()
        };
        let mut choice = Choice::default();
        let mut services = own.clone();
        if let Some(slot) = fields.get("compose") {
            let Some(import) = self.import(slot, owner) else {
                return Vec::new();
            };
            let Some(model) = self.imported(&import, slot.place(), &mut variables) else {
                return Vec::new();
            };
            choice = import.choice;
            services = self.over(model.services, &own);
            definitions.configs = laid_over(model.configs, definitions.configs);
            definitions.secrets = laid_over(model.secrets, definitions.secrets);
            definitions.networks = model.networks;
            definitions.volumes = model.volumes;
        }
        let own_names: Vec<&str> = own.iter().map(|entry| &*entry.key.text).collect();
        let (services, off) = chosen(self, services, &choice, &own_names);
        for service in &services {
            let is_imported = self.in_compose(service.node.place) || fields.get("compose").is_some();
            if is_imported && !self.spend_node(&service.node) {
                return Vec::new();
            }
        }
        let around = Around {
            definitions: &definitions,
            variables: &variables,
        };
        self.service_list(&services, around, owner, &off)
    }

    fn own_services<'n>(&mut self, slot: Slot<'n>) -> &'n [Entry] {
        let Some(entries) = slot.node.entries() else {
            let help = "services are a map from host name to service: `services: {db: {image: postgres:17}}`";
            let message = format!("`services` takes a map, found {}", slot.node.found());
            self.add(Problem::at(&codes::WRONG_TYPE, slot.place(), message).help(help));
            return &[];
        };
        entries
    }

    fn own_definitions(&mut self, fields: &Fields<'_>, key: &'static str) -> Vec<Entry> {
        let Some(slot) = fields.get(key) else { return Vec::new() };
        match (&slot.node.value, key) {
            (Value::Map(entries), _) => {
                for entry in entries {
                    self.fields(
                        Slot::of(key, &entry.node),
                        &FILE_DEFINITION,
                        &format!("`{key}` of the job"),
                    );
                }
                entries.clone()
            }
            (_, "secrets") => {
                let message = format!("`secrets` of a job takes a map, found {}", slot.node.found());
                let help = "steps name the secrets that they need: `steps: [{run: …, secrets: [API_TOKEN]}]`";
                self.add(Problem::at(&codes::WRONG_TYPE, slot.place(), message).help(help));
                Vec::new()
            }
            _ => {
                self.wrong_type(slot, "a map");
                Vec::new()
            }
        }
    }

    /// What `compose:` says.
    fn import(&mut self, slot: Slot<'_>, owner: &str) -> Option<Import> {
        if !Self::is_map(slot) {
            return Some(Import {
                files: self.compose_files(slot)?,
                choice: Choice::default(),
            });
        }
        let owner = format!("`compose` of {owner}");
        let fields = self.fields(slot, &COMPOSE, &owner)?;
        let file = self.require(&fields, "file", &owner, slot.place())?;
        let files = self.compose_files(file);
        let mut choice = Choice::default();
        if let Some(slot) = fields.get("profiles") {
            choice.profiles = self.texts(slot)?;
        }
        if let Some(slot) = fields.get("services") {
            let mut names = Vec::new();
            for item in self.one_or_many(slot) {
                names.push((self.text(item)?, item.place()));
            }
            choice.services = Some(names);
        }
        Some(Import { files: files?, choice })
    }

    fn compose_files(&mut self, slot: Slot<'_>) -> Option<Vec<Wanted>> {
        let mut files = Vec::new();
        for item in self.one_or_many(slot) {
            let path = self.known_path(item)?;
            files.push(Wanted {
                path,
                place: item.place(),
            });
        }
        if files.is_empty() {
            self.add(Problem::at(&codes::BAD_VALUE, slot.place(), "`compose` names no file"));
            return None;
        }
        Some(files)
    }

    /// The Compose files as one model.
    fn imported(&mut self, import: &Import, place: Place, variables: &mut Variables) -> Option<Model> {
        let folder = folder_of_first(&import.files);
        self.add_dot_env(&folder, place, variables);
        variables.set_own("PWD", ".");
        variables.set_own("COMPOSE_PROJECT_NAME", "drover");
        let mut loader = Loader {
            reader: self,
            open: Vec::new(),
            bases: HashMap::new(),
        };
        let model = loader.project(&import.files, &folder, variables)?;
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

fn laid_over(base: Vec<Entry>, over: Vec<Entry>) -> Vec<Entry> {
    let kept = base
        .into_iter()
        .filter(|entry| !over.iter().any(|own| own.key.text == entry.key.text));
    kept.chain(over.iter().cloned()).collect()
}

impl Definitions {
    /// A network that a service is on must be the job's own.
    pub(crate) fn check_network(&self, reader: &mut Reader<'_>, name: &str, place: Place) {
        let Some(entry) = self.networks.iter().find(|entry| &*entry.key.text == name) else {
            return;
        };
        let owner = format!("network `{name}`");
        if entry.node.is_null() {
            return;
        }
        if let Some(fields) = reader.fields(Slot::of("the network", &entry.node), &NETWORK_DEFINITION, &owner) {
            refuse_external(reader, &fields, "network", (name, place));
        }
    }

    /// A volume that a service mounts must be the job's own.
    pub(crate) fn check_volume(&self, reader: &mut Reader<'_>, name: &str, place: Place) {
        let Some(entry) = self.volumes.iter().find(|entry| &*entry.key.text == name) else {
            return;
        };
        let owner = format!("volume `{name}`");
        if entry.node.is_null() {
            return;
        }
        if let Some(fields) = reader.fields(Slot::of("the volume", &entry.node), &VOLUME_DEFINITION, &owner) {
            refuse_external(reader, &fields, "volume", (name, place));
        }
    }
}

fn refuse_external(reader: &mut Reader<'_>, fields: &Fields<'_>, what: &str, (name, used): (&str, Place)) {
    let Some(slot) = fields.get("external") else { return };
    let is_external =
        Reader::is_map(slot) || matches!(&slot.node.value, Value::Scalar(scalar) if scalar.text == "true");
    if is_external {
        let place = fields.key_place("external").unwrap_or(slot.place());
        reader.add(external(place, what, name).related(used, "used here").once_per_place());
    }
}
