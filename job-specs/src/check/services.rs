//! What ties the services of one job together: `depends_on`, and the names that they answer to.

use std::collections::HashMap;

use super::cycle::{cycles, in_a_circle, members};
use crate::codes;
use crate::located::{LocatedDependency, LocatedService};
use crate::model::DependencyCondition;
use crate::problems::{Problem, Problems};

/// Every dependency exists, can come true, and no services wait for each other. Dependencies that need not be there, and
/// are not, go. `off` are services that are not chosen.
pub(crate) fn services(services: &mut [LocatedService], off: &[String], problems: &mut Problems) {
    hosts(services, problems);
    let names: Vec<String> = services.iter().map(|service| service.spec.name.clone()).collect();
    let is_there = |edge: &LocatedDependency| names.contains(&edge.dependency.service);
    for service in services.iter_mut() {
        let edges = &mut service.depends_on;
        edges.retain(|edge| edge.dependency.required || is_there(edge));
        let edges = service.depends_on.iter().map(|edge| edge.dependency.clone());
        service.spec.depends_on = edges.collect();
    }
    let mut edges = Vec::with_capacity(services.len());
    for service in services.iter() {
        let mut known = Vec::new();
        for edge in &service.depends_on {
            match names.iter().position(|name| *name == edge.dependency.service) {
                Some(at) => {
                    known.push(at);
                    check_condition(edge, &services[at], problems);
                }
                None if off.contains(&edge.dependency.service) => problems.add(not_chosen(edge, service)),
                None => problems.add(unknown(edge, service, services)),
            }
        }
        edges.push(known);
    }
    for circle in cycles(&edges) {
        problems.add(waiting_in_a_circle(&circle, services));
    }
}

/// Services may share an alias, and then take turns; that one takes turns with the owner of a name is seldom meant.
fn hosts(services: &[LocatedService], problems: &mut Problems) {
    let by_name = services.iter().map(|service| (service.spec.name.as_str(), service));
    let owners: HashMap<&str, &LocatedService> = by_name.collect();
    for service in services {
        for (name, location) in &service.hosts {
            let Some(owner) = owners.get(name.as_str()) else {
                continue;
            };
            let service = &service.spec.name;
            let message = format!("service `{service}` answers to `{name}` as service `{name}` does");
            let problem = codes::HOST_TWICE.at(*location, message);
            let problem = problem.note(format!("a connection to `{name}` reaches the one or the other"));
            problems.add(problem.related(owner.location, "its name"));
        }
    }
}

fn not_chosen(edge: &LocatedDependency, service: &LocatedService) -> Problem {
    let (name, wanted) = (&service.spec.name, &edge.dependency.service);
    let message = format!("service `{name}` depends on `{wanted}`, which is not chosen");
    let problem = codes::NOT_CHOSEN.at(edge.location, message);
    problem
        .note("a service with `profiles` runs only when one of them is chosen")
        .help("choose one: `compose: {file: …, profiles: […]}`; or write `required: false` at the dependency")
}

fn unknown(edge: &LocatedDependency, service: &LocatedService, services: &[LocatedService]) -> Problem {
    let (name, wanted) = (&service.spec.name, &edge.dependency.service);
    let names = services.iter().map(|other| other.spec.name.as_str());
    let others = names.filter(|other| other != name);
    let message = format!("service `{name}` depends on `{wanted}`, which does not exist");
    let problem = codes::UNKNOWN_SERVICE.at(edge.location, message);
    problem.known(wanted, "other services of this job", others)
}

fn check_condition(edge: &LocatedDependency, target: &LocatedService, problems: &mut Problems) {
    let waits_for_end = edge.dependency.condition == DependencyCondition::ServiceCompletedSuccessfully;
    if waits_for_end && !target.spec.run_once {
        let name = &target.spec.name;
        let message = format!("service `{name}` is not expected to end, so this would wait for ever");
        let problem = codes::NOT_RUN_ONCE.at(edge.condition_location, message);
        let problem = problem.related(target.location, "this service");
        problems.add(problem.help(format!("add `run_once: true` to `{name}`")));
    }
}

fn waiting_in_a_circle(circle: &[usize], services: &[LocatedService]) -> Problem {
    let edge = |from: usize, to: usize| {
        let (service, wanted) = (&services[from], &services[to].spec.name);
        let edge = service
            .depends_on
            .iter()
            .find(|edge| edge.dependency.service == *wanted);
        (
            service.spec.name.as_str(),
            edge.map_or(service.location, |edge| edge.location),
        )
    };
    let members = members(circle, edge);
    if let [(name, location)] = members.as_slice() {
        return codes::CYCLE.at(*location, format!("service `{name}` depends on itself"));
    }
    in_a_circle("services", "depends on", &members)
}
