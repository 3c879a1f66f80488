//! Services, in Compose's words: the list of them, and the keys of one.

use crate::check;
use crate::codes;
use crate::compose::Variables;
use crate::keys::SERVICE;
use crate::limits::MAX_SERVICES;
use crate::model::ServiceSpec;
use crate::placed::{Link, PlacedDependency, PlacedService};
use crate::problems::Problem;
use crate::read::services::Definitions;
use crate::reader::{Fields, Reader, Slot};
use crate::suggest::listed;
use crate::yaml::{Entry, Plain, Value};

/// What services refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    /// Configs, secrets, volumes and networks.
    pub(crate) definitions: &'a Definitions,
    /// Variables of env files and of Compose files.
    pub(crate) variables: &'a Variables,
}

impl Reader<'_> {
    /// The services, in order. `off` are names of services that are not chosen, which some may still wait for.
    pub(crate) fn service_list(
        &mut self,
        entries: &[Entry],
        around: Around<'_>,
        owner: &str,
        off: &[String],
    ) -> Vec<ServiceSpec> {
        if entries.len() > MAX_SERVICES {
            let message = format!(
                "{owner} has {} services; at most {MAX_SERVICES} are allowed",
                entries.len()
            );
            let place = entries[MAX_SERVICES].key.place;
            self.add(Problem::at(&codes::TOO_MANY_SERVICES, place, message));
        }
        let mut services: Vec<PlacedService> = Vec::new();
        for entry in entries.iter().take(MAX_SERVICES) {
            services.push(self.service(entry, around, owner));
        }
        follow_links(&mut services);
        self.tasks_of_compose(&mut services);
        check::services(&mut services, off, self.problems);
        self.warn_of_published(&services);
        services.into_iter().map(|service| service.spec).collect()
    }

    /// In Compose files a service whose end somebody waits for is a task, without saying so.
    fn tasks_of_compose(&mut self, services: &mut [PlacedService]) {
        use crate::model::DependencyCondition::ServiceCompletedSuccessfully;
        let waited: Vec<String> = services
            .iter()
            .flat_map(|service| &service.depends_on)
            .filter(|edge| edge.dependency.condition == ServiceCompletedSuccessfully && self.in_compose(edge.place))
            .map(|edge| edge.dependency.service.clone())
            .collect();
        for service in services {
            service.spec.run_once |= waited.contains(&service.spec.name);
            service.spec.may_end = self.in_compose(service.place);
        }
    }

    /// One warning for all of them: the first tells what to write instead.
    fn warn_of_published(&mut self, services: &[PlacedService]) {
        let published = || {
            services
                .iter()
                .filter_map(|service| Some((&service.spec.name, service.published?)))
        };
        let first = published().min_by_key(|(_, (_, place))| (place.file, place.span.start));
        let Some((_, (_, place))) = first else { return };
        let hosts: Vec<String> = published()
            .map(|(name, (port, _))| format!("`{name}:{port}`"))
            .collect();
        let problem = Problem::at(
            &codes::PORT_NOT_PUBLISHED,
            place,
            "ports of services are not published on the host",
        );
        let hosts = listed(hosts.iter().map(String::as_str));
        self.add(
            problem
                .note(format!("not published; steps reach {hosts}"))
                .once_per_place(),
        );
    }

    fn service(&mut self, entry: &Entry, around: Around<'_>, job: &str) -> PlacedService {
        let name = entry.key.text.to_string();
        let owner = format!("service `{name}` of {job}");
        self.check_service_name(entry);
        let mut service = PlacedService {
            spec: ServiceSpec {
                name,
                ..ServiceSpec::default()
            },
            place: entry.key.place,
            depends_on: Vec::new(),
            hosts: Vec::new(),
            links: Vec::new(),
            published: None,
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
            self.service_image(&fields, &owner, &mut service);
            self.service_process(&fields, &owner, around, &mut service.spec);
            self.service_limits(&fields, &owner, &mut service.spec);
            self.service_rights(&fields, &mut service.spec);
            self.service_network(&fields, &owner, around, &mut service);
            self.service_mounts(&fields, &owner, around, &mut service.spec);
            self.service_readiness(&fields, &owner, &mut service);
        }
        service
    }

    fn service_image(&mut self, fields: &Fields<'_>, owner: &str, service: &mut PlacedService) {
        let spec = &mut service.spec;
        spec.build = self.take(fields, "build", |reader, slot| reader.build(slot, owner));
        let image = match fields.get("build") {
            Some(_) => fields.get("image"),
            None => self.require(fields, "image", owner, service.place),
        };
        spec.image = image.and_then(|slot| self.image(slot)).unwrap_or_default();
        spec.platform = self.take(fields, "platform", Self::platform);
        spec.pull_policy = self.take(fields, "pull_policy", Self::pull_policy).unwrap_or_default();
    }

    fn service_process(&mut self, fields: &Fields<'_>, owner: &str, around: Around<'_>, spec: &mut ServiceSpec) {
        spec.environment = self.service_environment(fields, owner, around.variables);
        spec.command = self.take(fields, "command", Self::service_command);
        spec.entrypoint = self.take(fields, "entrypoint", Self::service_command);
        spec.user = self.take(fields, "user", Self::user);
        spec.working_dir = self.take(fields, "working_dir", Self::folder);
        spec.labels = self.take(fields, "labels", Self::labels).unwrap_or_default();
        spec.stop_signal = self.take(fields, "stop_signal", Self::signal);
        spec.stop_grace_period_ms = self.take(fields, "stop_grace_period", Self::duration_or_zero_ms);
        spec.restart = self.take(fields, "restart", Self::restart).unwrap_or_default();
        spec.gate = self.take(fields, "gate", Self::switch).unwrap_or(true);
        // The gate reaps what the service leaves behind, which is all that an init does.
        self.take(fields, "init", Self::flag);
    }

    fn service_readiness(&mut self, fields: &Fields<'_>, owner: &str, service: &mut PlacedService) {
        let spec = &mut service.spec;
        spec.healthcheck = self.take(fields, "healthcheck", |reader, slot| reader.healthcheck(slot, owner));
        spec.ready = self.take(fields, "ready", |reader, slot| reader.ready(slot, owner));
        spec.run_once = self.take(fields, "run_once", Self::flag).unwrap_or(false);
        spec.allow_failure = self.take(fields, "allow_failure", Self::flag).unwrap_or(false);
        let edges = self.take(fields, "depends_on", |reader, slot| {
            Some(reader.depends_on(slot, owner))
        });
        service.depends_on = edges.unwrap_or_default();
    }

    /// Keys that say nothing here, but must be texts.
    pub(crate) fn read_over(&mut self, fields: &Fields<'_>, keys: &[&'static str]) {
        for key in keys {
            self.take(fields, key, Self::text);
        }
    }

    fn check_service_name(&mut self, entry: &Entry) {
        let name = &*entry.key.text;
        if name == "localhost" {
            let message = "a service cannot be called `localhost`";
            self.add(Problem::at(&codes::BAD_NAME, entry.key.place, message).label("the name is its host name"));
        } else if !is_host(name) {
            let message = format!("`{name}` is not a name for a service");
            let problem = Problem::at(&codes::BAD_NAME, entry.key.place, message);
            self.add(problem.label("a host name: letters, digits, `-`, `_` and `.`, at most 63"));
        }
    }

    /// A command; nothing at all means the image's own.
    fn service_command(&mut self, slot: Slot<'_>) -> Option<Vec<String>> {
        if self.in_compose(slot.place())
            && let Value::Scalar(scalar) = &slot.node.value
            && scalar.plain == Plain::Null
        {
            return None;
        }
        for item in self.one_or_many(slot) {
            self.warn_of_escape(item);
        }
        self.command_line(slot)
    }
}

/// Who links to a service starts after it; the alias is for all, since all are on one network.
fn follow_links(services: &mut [PlacedService]) {
    let links: Vec<Link> = services.iter().flat_map(|service| service.links.clone()).collect();
    for service in services.iter_mut() {
        for link in std::mem::take(&mut service.links) {
            let mut edges = service.depends_on.iter();
            if link.target != service.spec.name && !edges.any(|edge| edge.dependency.service == link.target) {
                service
                    .depends_on
                    .push(PlacedDependency::started(link.target, link.place));
            }
        }
        for Link { target, alias, place } in &links {
            if let Some(alias) = alias.as_ref().filter(|_| *target == service.spec.name) {
                service.answers_to(alias.clone(), *place);
            }
        }
    }
}

/// Whether a name can be a host's.
pub(crate) fn is_host(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.len() <= 63 && name.chars().all(fine)
}
