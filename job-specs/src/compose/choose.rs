//! Which services run: by their profiles, and by what `compose.services` names, with what those depend on.

use std::collections::BTreeSet;

use crate::codes;
use crate::reader::{Reader, Slot};
use crate::source::Location;
use crate::yaml::{Entry, Node};

/// What the job's `compose` chooses.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    /// Profiles that are on; `*` for all.
    pub(crate) profiles: Vec<String>,
    /// Only these services, and what they depend on; `None`: all.
    pub(crate) services: Option<Vec<(String, Location)>>,
}

/// The services that run, in their order, and the names of the others. `own` are those of the job file itself.
pub(crate) fn chosen(
    reader: &mut Reader<'_>,
    services: Vec<Entry>,
    choice: &Choice,
    own: &[&str],
) -> (Vec<Entry>, Vec<String>) {
    let mut profiles = choice.profiles.clone();
    let mut wanted: Option<BTreeSet<&str>> = None;
    if let Some(given) = &choice.services {
        let mut set: BTreeSet<&str> = own.iter().copied().collect();
        for (name, location) in given {
            match services.iter().find(|entry| &*entry.key.text == name.as_str()) {
                Some(entry) => {
                    set.insert(&entry.key.text);
                    // Naming a service chooses its profiles, as it does on Compose's command line.
                    profiles.extend(profiles_of(reader, entry));
                }
                None => {
                    let message = format!("the Compose files have no service `{name}`");
                    let names = services.iter().map(|entry| &*entry.key.text);
                    let problem = codes::NOT_CHOSEN.at(*location, message);
                    reader.add(problem.known(name, "their services", names));
                }
            }
        }
        wanted = Some(with_dependencies(&services, set));
    }
    let mut on = Vec::new();
    let mut off = Vec::new();
    for entry in &services {
        let is_wanted = wanted.as_ref().is_none_or(|wanted| wanted.contains(&*entry.key.text));
        match is_wanted && is_on(reader, entry, &profiles) {
            true => on.push(entry.clone()),
            false => off.push(entry.key.text.to_string()),
        }
    }
    (on, off)
}

fn is_on(reader: &mut Reader<'_>, entry: &Entry, profiles: &[String]) -> bool {
    let own = profiles_of(reader, entry);
    own.is_empty() || profiles.iter().any(|profile| profile == "*" || own.contains(profile))
}

fn profiles_of(reader: &mut Reader<'_>, entry: &Entry) -> Vec<String> {
    let slot = entry.node.get("profiles").map(|node| Slot::of("profiles", node));
    let items = slot.and_then(|slot| reader.items(slot, "a list of names")).into_iter();
    items.flatten().filter_map(|item| reader.text(item)).collect()
}

fn with_dependencies<'s>(services: &'s [Entry], wanted: BTreeSet<&'s str>) -> BTreeSet<&'s str> {
    let mut all = wanted.clone();
    let mut open: Vec<&str> = wanted.into_iter().collect();
    while let Some(name) = open.pop() {
        let Some(entry) = services.iter().find(|entry| &*entry.key.text == name) else {
            continue;
        };
        for dependency in dependencies(&entry.node) {
            if all.insert(dependency) {
                open.push(dependency);
            }
        }
    }
    all
}

fn dependencies(service: &Node) -> Vec<&str> {
    let named = service.entries_of("depends_on").iter().map(|entry| &*entry.key.text);
    let listed = service.list_of("depends_on").iter().filter_map(|item| item.text());
    let links = service.list_of("links").iter();
    let linked = links.filter_map(|item| item.text()?.split(':').next());
    named.chain(listed).chain(linked).collect()
}
