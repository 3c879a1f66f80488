//! Compose: the project's own Compose file gives the services, by `compose: FILE`, and the rest of the job comes from
//! the project's kind. A service that is built from the project itself is the project: its environment goes to the steps.

use std::sync::Arc;

use super::detect;
use super::draft::{Draft, Job, Step};
use super::notes::Notes;
use super::out::{Map, Out};
use crate::keys::{Foreign, SERVICE};
use crate::yaml::{Entry, Node};

pub(super) fn import(documents: &[Arc<Node>], file: &str, names: &[String], notes: &mut Notes) -> Draft {
    let mut jobs = detect::jobs(names);
    if jobs.is_empty() {
        jobs.push(Job {
            name: "test".to_owned(),
            steps: vec![Step::run("echo \"the services are ready\"")],
            ..Job::default()
        });
    }
    let services: Vec<Entry> = documents
        .iter()
        .filter_map(|root| root.get("services"))
        .flat_map(|services| services.entries().unwrap_or_default().to_vec())
        .collect();
    let (built, taken): (Vec<&Entry>, Vec<&Entry>) = services.iter().partition(|entry| is_the_project(&entry.node));
    for service in &taken {
        look_at(service, notes);
    }
    let mut env = Vec::new();
    for service in &built {
        notes.add(
            service.key.place,
            format!(
                "`{}` is built from this project, so it is left out of the services: the steps are what tests it",
                service.key.text
            ),
        );
        env.extend(environment(service));
    }
    for root in documents {
        unknown_networks(root, notes);
    }
    let names: Vec<String> = taken.iter().map(|entry| entry.key.text.to_string()).collect();
    let compose = match built.is_empty() {
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
            job.comments
                .push(format!("Steps reach the services by name: {}.", names.join(", ")));
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
    let pairs = service.node.get("environment").map(Node::pairs).unwrap_or_default();
    let plain = pairs
        .into_iter()
        .filter(|(_, _, value)| !value.contains("${") && !value.is_empty());
    plain.map(|(name, _, value)| (name, value)).collect()
}

/// What the job will refuse, told now with its line.
fn look_at(service: &Entry, notes: &mut Notes) {
    for entry in service.node.entries().unwrap_or_default() {
        if let Some(Foreign::Refused(reason)) = SERVICE.foreign(&entry.key.text) {
            notes.add(
                entry.key.place,
                format!(
                    "`{}` of service `{}` is refused: {reason}",
                    entry.key.text, service.key.text
                ),
            );
        }
        if &*entry.key.text == "volumes" {
            for volume in entry.node.items() {
                let source = volume.text_of("source").or_else(|| volume.text()?.split(':').next());
                if source.is_some_and(|source| source.starts_with(['/', '~']) || source.starts_with("..")) {
                    let text = "a folder of the host is refused: only named volumes and paths inside the workspace";
                    notes.add(volume.place, text);
                }
            }
        }
    }
}

fn unknown_networks(root: &Node, notes: &mut Notes) {
    for network in root
        .get("networks")
        .and_then(|networks| networks.entries())
        .unwrap_or_default()
    {
        if network.node.get("external").is_some_and(|external| external.is_true()) {
            let text = format!(
                "network `{}` is outside of this project: a job reaches only its own",
                network.key.text
            );
            notes.add(network.key.place, text);
        }
    }
}
