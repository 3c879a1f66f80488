//! Services, in Compose's words, and what ties them together (`depends_on`).

use std::collections::BTreeMap;

use crate::check;
use crate::codes;
use crate::keys::{DEPENDENCY, SERVICE};
use crate::limits::MAX_SERVICES;
use crate::model::{Dependency, DependencyCondition, Env, ServiceSpec};
use crate::problems::Problem;
use crate::read::{Fields, Reader, Slot};
use crate::source::Place;
use crate::yaml::{Entry, Value};

/// An edge of `depends_on` and where it is written.
#[derive(Debug, Clone)]
pub(crate) struct PlacedDependency {
    pub(crate) dependency: Dependency,
    pub(crate) place: Place,
    pub(crate) condition_place: Place,
}

/// A service with the places that its checks point at.
#[derive(Debug, Clone)]
pub(crate) struct PlacedService {
    pub(crate) spec: ServiceSpec,
    pub(crate) place: Place,
    pub(crate) depends_on: Vec<PlacedDependency>,
}

impl Reader<'_> {
    /// The services of a job, in order.
    pub(crate) fn services(&mut self, slot: Slot<'_>, owner: &str) -> Vec<ServiceSpec> {
        let Some(entries) = slot.node.entries() else {
            let help = "services are a map from host name to service: `services: {db: {image: postgres:17}}`";
            let message = format!("`services` takes a map, found {}", slot.node.found());
            self.add(Problem::at(&codes::WRONG_TYPE, slot.place(), message).help(help));
            return Vec::new();
        };
        if entries.len() > MAX_SERVICES {
            let message = format!(
                "{owner} has {} services; at most {MAX_SERVICES} are allowed",
                entries.len()
            );
            self.add(Problem::at(
                &codes::TOO_MANY_SERVICES,
                entries[MAX_SERVICES].key.place,
                message,
            ));
        }
        let services: Vec<PlacedService> = entries
            .iter()
            .take(MAX_SERVICES)
            .map(|entry| self.service(entry, owner))
            .collect();
        check::services(&services, self.problems);
        services.into_iter().map(|service| service.spec).collect()
    }

    fn service(&mut self, entry: &Entry, job: &str) -> PlacedService {
        let name = entry.key.text.to_string();
        let owner = format!("service `{name}` of {job}");
        self.check_service_name(entry);
        let mut service = PlacedService {
            spec: skeleton(name),
            place: entry.key.place,
            depends_on: Vec::new(),
        };
        if let Value::Scalar(scalar) = &entry.node.value
            && !entry.node.is_null()
        {
            let help = format!("write `{}: {{image: {}}}`", entry.key.text, scalar.text);
            let message = format!("{owner} is a map, found {}", entry.node.found());
            self.add(Problem::at(&codes::WRONG_TYPE, entry.node.place, message).help(help));
            return service;
        }
        if let Some(fields) = self.fields(Slot::of("the service", &entry.node), &SERVICE, &owner) {
            self.service_fields(&fields, &owner, &mut service);
        }
        service
    }

    fn service_fields(&mut self, fields: &Fields<'_>, owner: &str, service: &mut PlacedService) {
        let image = self.require(fields, "image", owner, service.place);
        let spec = &mut service.spec;
        spec.image = image.and_then(|slot| self.image(slot)).unwrap_or_default();
        spec.environment = fields
            .get("environment")
            .map(|slot| self.environment(slot))
            .unwrap_or_default();
        spec.command = fields.get("command").and_then(|slot| self.service_command(slot));
        spec.entrypoint = fields.get("entrypoint").and_then(|slot| self.service_command(slot));
        spec.healthcheck = fields.get("healthcheck").and_then(|slot| self.healthcheck(slot, owner));
        spec.tmpfs = fields.get("tmpfs").map(|slot| self.tmpfs(slot)).unwrap_or_default();
        spec.user = fields.get("user").and_then(|slot| self.user(slot));
        spec.mem_limit_bytes = fields.get("mem_limit").and_then(|slot| self.size_bytes(slot));
        spec.ready = fields.get("ready").and_then(|slot| self.ready(slot, owner));
        spec.run_once = fields.get("run_once").and_then(|slot| self.flag(slot)).unwrap_or(false);
        spec.allow_failure = fields
            .get("allow_failure")
            .and_then(|slot| self.flag(slot))
            .unwrap_or(false);
        spec.gate = fields.get("gate").and_then(|slot| self.switch(slot)).unwrap_or(true);
        service.depends_on = fields
            .get("depends_on")
            .map(|slot| self.depends_on(slot, owner))
            .unwrap_or_default();
        let edges = service.depends_on.iter().map(|edge| edge.dependency.clone());
        service.spec.depends_on = edges.collect();
    }

    fn check_service_name(&mut self, entry: &Entry) {
        let name = &*entry.key.text;
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if name == "localhost" {
            let message = "a service cannot be called `localhost`";
            self.add(Problem::at(&codes::BAD_NAME, entry.key.place, message).label("the name is its host name"));
        } else if !starts || name.len() > 63 || !name.chars().all(fine) {
            let problem = Problem::at(
                &codes::BAD_NAME,
                entry.key.place,
                format!("`{name}` is not a name for a service"),
            );
            self.add(problem.label("a host name: letters, digits, `-`, `_` and `.`, at most 63"));
        }
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

    /// Images read names that no shell could set, as `discovery.type`.
    fn check_environment_name(&mut self, name: &str, place: Place) -> Option<()> {
        if !name.is_empty() && !name.contains(|c: char| c == '=' || c.is_whitespace() || c.is_control()) {
            return Some(());
        }
        let message = format!("`{name}` is not a name for an environment variable");
        self.add(Problem::at(&codes::BAD_NAME, place, message).label("no `=` and no spaces"));
        None
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

    fn service_command(&mut self, slot: Slot<'_>) -> Option<Vec<String>> {
        for item in self.one_or_many(slot) {
            self.warn_of_escape(item);
        }
        self.command_line(slot)
    }

    /// `$$` is Compose's way to write one `$`.
    pub(crate) fn warn_of_escape(&mut self, slot: Slot<'_>) {
        let Value::Scalar(scalar) = &slot.node.value else {
            return;
        };
        if scalar.text.contains("$$") {
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

    fn tmpfs(&mut self, slot: Slot<'_>) -> BTreeMap<String, String> {
        let mut folders = BTreeMap::new();
        for item in self.one_or_many(slot) {
            let Some(text) = self.text(item) else { continue };
            let (path, options) = text.split_once(':').unwrap_or((&text, ""));
            if path.starts_with('/') && path.len() > 1 {
                folders.insert(path.to_owned(), options.to_owned());
            } else {
                let problem = self.bad_value(item, &codes::BAD_VALUE, format!("`{path}` is not a folder for a tmpfs"));
                self.add(problem.label("expected /path or /path:size=64m"));
            }
        }
        folders
    }

    fn depends_on(&mut self, slot: Slot<'_>, owner: &str) -> Vec<PlacedDependency> {
        match &slot.node.value {
            Value::Map(entries) => entries
                .iter()
                .filter_map(|entry| self.dependency(entry, owner))
                .collect(),
            Value::List(items) => items
                .iter()
                .filter_map(|item| self.plain_dependency(slot.inside(item)))
                .collect(),
            Value::Scalar(_) => {
                self.wrong_type(slot, "a list of services, or a map");
                Vec::new()
            }
        }
    }

    fn plain_dependency(&mut self, item: Slot<'_>) -> Option<PlacedDependency> {
        let service = self.literal(item)?;
        Some(placed(service, DependencyCondition::ServiceStarted, item.place()))
    }

    fn dependency(&mut self, entry: &Entry, owner: &str) -> Option<PlacedDependency> {
        let slot = Slot::of("depends_on", &entry.node);
        let fields = self.fields(slot, &DEPENDENCY, &format!("`depends_on` of {owner}"))?;
        let mut edge = placed(
            entry.key.text.to_string(),
            DependencyCondition::ServiceStarted,
            entry.key.place,
        );
        if let Some(condition) = fields.get("condition") {
            edge.condition_place = condition.place();
            edge.dependency.condition = self.condition(condition)?;
        }
        Some(edge)
    }

    fn condition(&mut self, slot: Slot<'_>) -> Option<DependencyCondition> {
        use DependencyCondition as C;
        let choices = ["service_started", "service_healthy", "service_completed_successfully"];
        Some(match self.choice(slot, &choices)? {
            "service_healthy" => C::ServiceHealthy,
            "service_completed_successfully" => C::ServiceCompletedSuccessfully,
            _ => C::ServiceStarted,
        })
    }
}

fn placed(service: String, condition: DependencyCondition, place: Place) -> PlacedDependency {
    PlacedDependency {
        dependency: Dependency {
            service,
            condition,
            required: true,
        },
        place,
        condition_place: place,
    }
}

fn skeleton(name: String) -> ServiceSpec {
    ServiceSpec {
        name,
        ..ServiceSpec::default()
    }
}
