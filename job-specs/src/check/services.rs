//! What ties the services of one job together: `depends_on`, and the names that they answer to.

use std::collections::HashMap;

use super::cycle::cycles;
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
        service
            .depends_on
            .retain(|edge| edge.dependency.required || is_there(edge));
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
    let owners: HashMap<&str, &LocatedService> = services
        .iter()
        .map(|service| (service.spec.name.as_str(), service))
        .collect();
    for service in services {
        for (name, location) in &service.hosts {
            let Some(owner) = owners.get(name.as_str()) else {
                continue;
            };
            let message = format!(
                "service `{}` answers to `{name}` as service `{name}` does",
                service.spec.name
            );
            let problem = codes::HOST_TWICE.at(*location, message);
            let problem = problem.note(format!("a connection to `{name}` reaches the one or the other"));
            problems.add(problem.related(owner.location, "its name"));
        }
    }
}

fn not_chosen(edge: &LocatedDependency, service: &LocatedService) -> Problem {
    let wanted = &edge.dependency.service;
    let message = format!(
        "service `{}` depends on `{wanted}`, which is not chosen",
        service.spec.name
    );
    let problem = codes::NOT_CHOSEN.at(edge.location, message);
    problem
        .note("a service with `profiles` runs only when one of them is chosen")
        .help("choose one: `compose: {file: …, profiles: […]}`; or write `required: false` at the dependency")
}
fn unknown(edge: &LocatedDependency, service: &LocatedService, services: &[LocatedService]) -> Problem {
    let wanted = &edge.dependency.service;
    let names = services.iter().map(|other| other.spec.name.as_str());
    let others = names.filter(|name| *name != service.spec.name);
    let message = format!(
        "service `{}` depends on `{wanted}`, which does not exist",
        service.spec.name
    );
    let problem = codes::UNKNOWN_SERVICE.at(edge.location, message);
    problem.known(wanted, "other services of this job", others)
}

fn check_condition(edge: &LocatedDependency, target: &LocatedService, problems: &mut Problems) {
    let waits_for_end = edge.dependency.condition == DependencyCondition::ServiceCompletedSuccessfully;
    if waits_for_end && !target.spec.run_once {
        let name = &target.spec.name;
        let message = format!("service `{name}` is not expected to end, so this would wait for ever");
        let problem = codes::NOT_RUN_ONCE.at(edge.condition_location, message);
        problems.add(
            problem
                .related(target.location, "this service")
                .help(format!("add `run_once: true` to `{name}`")),
        );
    }
}

fn waiting_in_a_circle(circle: &[usize], services: &[LocatedService]) -> Problem {
    let name = |at: usize| services[circle[at % circle.len()]].spec.name.as_str();
    let edge = |at: usize| {
        let service = &services[circle[at]];
        let edge = service
            .depends_on
            .iter()
            .find(|edge| edge.dependency.service == name(at + 1));
        edge.map_or(service.location, |edge| edge.location)
    };
    if circle.len() == 1 {
        return codes::CYCLE.at(edge(0), format!("service `{}` depends on itself", name(0)));
    }
    let path: Vec<&str> = (0..=circle.len()).map(name).collect();
    let message = format!("services wait for each other: {}", path.join(" → "));
    let problem = codes::CYCLE.at(edge(0), message).label("remove one of these");
    (1..circle.len()).fold(problem, |problem, at| {
        problem.related(edge(at), format!("`{}` depends on `{}`", name(at), name(at + 1)))
    })
}
