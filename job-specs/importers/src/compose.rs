//! Compose: the project's own Compose file gives the services, by `compose: FILE`, and the rest of the job comes from
//! the project's kind. A service that is built from the project itself is the project: its environment goes to the steps.

use std::sync::Arc;

use job_specs::refused_in_service;
use job_specs::yaml::{Entry, Node};

use crate::detect;
use crate::draft::{Draft, Job, Step};
use crate::notes::Notes;
use crate::out::{Map, Out};

pub(crate) fn import(documents: &[Arc<Node>], file: &str, names: &[String], notes: &mut Notes) -> Draft {
    let mut jobs = detect::jobs(names);
    if jobs.is_empty() {
        jobs.push(Job {
            name: "test".to_owned(),
            steps: vec![Step::run("echo \"the services are ready\"")],
            ..Job::default()
        });
    }
    let services = documents.iter().flat_map(|root| root.entries_of("services"));
    let (built, mut taken): (Vec<&Entry>, Vec<&Entry>) = services.partition(|entry| is_the_project(&entry.node));
    let all = taken.len();
    let outside: Vec<&Entry> = documents.iter().flat_map(|root| networks_outside(root)).collect();
    taken.retain(|service| can_run(service, &outside, notes));
    let mut env = Vec::new();
    for service in &built {
        let text = "is built from this project, so it is left out of the services: the steps are what tests it";
        notes.add(service.key.location, format!("`{}` {text}", service.key.text));
        env.extend(environment(service));
    }
    let names: Vec<String> = taken.iter().map(|entry| entry.key.text.to_string()).collect();
    let compose = match built.is_empty() && taken.len() == all {
        true => Out::text(file),
        false => {
            let map = Map::default().with("file", Out::text(file));
            Out::Flow(map.with("services", Out::texts(names.clone())))
        }
    };
    for job in &mut jobs {
        job.env = env.clone();
        if !names.is_empty() {
            job.compose = Some(compose.clone());
            let comment = format!("Steps reach the services by name: {}.", names.join(", "));
            job.comments.push(comment);
        }
    }
    Draft {
        jobs,
        ..Draft::default()
    }
}

fn is_the_project(service: &Arc<Node>) -> bool {
    let build = service.get("build");
    let context = build.and_then(|build| build.text().or_else(|| build.text_of("context")));
    context.is_some_and(|context| matches!(context, "." | "./"))
        || build.is_some_and(|build| build.entries().is_some() && context.is_none())
}

/// Its environment, without what only Compose itself can fill in.
fn environment(service: &Entry) -> Vec<(String, String)> {
    let mut pairs = service.node.pairs_of("environment");
    pairs.retain(|(_, value)| !value.contains("${") && !value.is_empty());
    pairs
}

/// Whether a job would take the service; what it would refuse is told now with its line.
fn can_run(service: &Entry, outside: &[&Entry], notes: &mut Notes) -> bool {
    let mut can_run = true;
    for network in outside.iter().filter(|network| is_on(service, &network.key.text)) {
        let (name, service) = (&network.key.text, &service.key.text);
        let text = format!(
            "network `{name}` is outside of this project, and a job reaches only its own: `{service}` is left out"
        );
        notes.add(network.key.location, text);
        can_run = false;
    }
    for entry in service.node.entries().unwrap_or_default() {
        if let Some(reason) = refused_in_service(&entry.key.text) {
            let (key, service) = (&entry.key.text, &service.key.text);
            let text = format!("`{key}` of service `{service}` is refused, so `{service}` is left out: {reason}");
            notes.add(entry.key.location, text);
            can_run = false;
        }
        if &*entry.key.text == "volumes" {
            for volume in entry.node.items() {
                let source = volume.text_of("source").or_else(|| volume.text()?.split(':').next());
                if source.is_some_and(|source| source.starts_with(['/', '~']) || source.starts_with("..")) {
                    let what = "a folder of the host is refused: only named volumes and paths inside the workspace";
                    let text = format!("{what}; `{}` is left out", service.key.text);
                    notes.add(volume.location, text);
                    can_run = false;
                }
            }
        }
    }
    can_run
}

/// Networks that exist without this project.
fn networks_outside(root: &Node) -> impl Iterator<Item = &Entry> {
    let networks = root.entries_of("networks").iter();
    networks.filter(|network| network.node.get("external").is_some_and(|external| external.is_true()))
}

fn is_on(service: &Entry, network: &str) -> bool {
    let Some(networks) = service.node.get("networks") else {
        return false;
    };
    let named = networks.items().iter().any(|item| item.text() == Some(network));
    named || networks.get(network).is_some()
}
