//! One service of a job: its name, and its keys as the table of `service` has them.

use std::rc::Rc;

use crate::codes;
use crate::compose::Variables;
use crate::located::LocatedService;
use crate::model::{Env, ServiceSpec};
use crate::names::begins_well;
use crate::read::definitions::Definitions;
use crate::read::service::SERVICE;
use crate::reader::{Reader, Slot};
use crate::yaml::{Entry, Value};

/// What services refer to.
#[derive(Debug)]
pub(crate) struct Around {
    /// Configs, secrets, volumes and networks.
    pub(crate) definitions: Definitions,
    /// Variables of env files and of Compose files.
    pub(crate) variables: Variables,
}

/// A service that is being read.
pub(crate) struct Making {
    pub(crate) service: LocatedService,
    pub(crate) around: Rc<Around>,
    /// What it is called in messages.
    pub(crate) owner: String,
    /// `environment`, which goes over `env_file`.
    pub(crate) environment: Env,
}

impl Reader<'_> {
    /// One service of a job.
    pub(crate) fn service(&mut self, entry: &Entry, around: &Rc<Around>, job: &str) -> LocatedService {
        let name = entry.key.text.to_string();
        let owner = format!("service `{name}` of {job}");
        self.check_service_name(entry);
        let mut making = Making {
            service: LocatedService {
                spec: ServiceSpec {
                    name,
                    ..ServiceSpec::default()
                },
                location: entry.key.location,
                depends_on: Vec::new(),
                hosts: Vec::new(),
                links: Vec::new(),
                published: None,
            },
            around: Rc::clone(around),
            owner: owner.clone(),
            environment: Env::new(),
        };
        if let Value::Scalar(scalar) = &entry.node.value
            && !entry.node.is_null()
        {
            let help = format!("write `{}: {{image: {}}}`", entry.key.text, scalar.text);
            let message = format!("{owner} is a map, found {}", entry.node.found());
            self.add(codes::WRONG_TYPE.at(entry.node.location, message).help(help));
            return making.service;
        }
        let slot = Slot::of("the service", &entry.node);
        let Some(fields) = self.level(slot, &SERVICE, owner, &mut making) else {
            return making.service;
        };
        if fields.get("build").is_none() {
            self.missing(&fields, "image", entry.key.location);
        }
        let Making {
            mut service,
            environment,
            ..
        } = making;
        service.spec.environment.extend(environment);
        self.container_name(&fields, &mut service);
        service.spec.expose.sort_unstable();
        service.spec.expose.dedup();
        service
    }

    fn check_service_name(&mut self, entry: &Entry) {
        let name = &*entry.key.text;
        if name == "localhost" {
            let message = "a service cannot be called `localhost`";
            let problem = codes::BAD_NAME.at(entry.key.location, message);
            self.add(problem.label("the name is its host name"));
        } else if !is_host(name) {
            let message = format!("`{name}` is not a name for a service");
            let problem = codes::BAD_NAME.at(entry.key.location, message);
            self.add(problem.label("a host name: letters, digits, `-`, `_` and `.`, at most 63"));
        }
    }
}

/// Whether a name can be a host's.
pub(crate) fn is_host(name: &str) -> bool {
    name.len() <= 63 && begins_well(name, "-_.")
}
