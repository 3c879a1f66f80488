//! What the `on` of one file says about another one's: inputs of schedules, inputs declared twice, schedules without a
//! time, two files that both say how builds share the road.

use std::collections::HashMap;

use crate::codes;
use crate::file::Part;
use crate::located::{LocatedInput, LocatedSchedule};
use crate::problems::Problems;
use crate::reader::unknown_input;

/// Checks `on` and `concurrency` over all files.
pub(crate) fn triggers(parts: &[Part], problems: &mut Problems) {
    let inputs = declared_once(parts, problems);
    for schedule in parts.iter().flat_map(|part| &part.on.schedules) {
        schedule_inputs(schedule, &inputs, problems);
    }
    let has_times = parts.iter().any(|part| !part.on.schedules.is_empty());
    let without_time = parts.iter().find_map(|part| part.on.schedule_location);
    if let Some(location) = without_time.filter(|_| !has_times && problems.errors() == 0) {
        let message = "no file says at which time, so the event `schedule` never comes";
        let problem = codes::NO_TIMES.at(location, message);
        problems.add(problem.help("write `on: {schedule: [{cron: \"0 2 * * *\"}]}`"));
    }
    one_concurrency(parts, problems);
}

fn declared_once<'p>(parts: &'p [Part], problems: &mut Problems) -> HashMap<&'p str, &'p LocatedInput> {
    let mut inputs: HashMap<&str, &LocatedInput> = HashMap::new();
    for located in parts.iter().flat_map(|part| &part.on.inputs) {
        let name = located.input.name.as_str();
        if let Some(first) = inputs.get(name) {
            let problem = codes::DUPLICATE.at(located.location, format!("input `{name}` is declared twice"));
            problems.add(problem.label("again").related(first.location, "first here"));
        } else {
            inputs.insert(name, located);
        }
    }
    inputs
}

fn schedule_inputs(located: &LocatedSchedule, inputs: &HashMap<&str, &LocatedInput>, problems: &mut Problems) {
    let mut names: Vec<&str> = inputs.keys().copied().collect();
    names.sort_unstable();
    for (name, (key, value)) in &located.inputs {
        let Some(declared) = inputs.get(name.as_str()) else {
            // Nobody reads suggestions any more once the list is full.
            let names = names.iter().copied().filter(|_| !problems.is_full());
            let problem = unknown_input(*key, name, names);
            problems.add(problem);
            continue;
        };
        let given = located.schedule.inputs.get(name);
        if let Some(fault) = given.and_then(|given| declared.input.kind.fault(given)) {
            let message = format!("input `{name}` does not take this value");
            let problem = codes::BAD_INPUT.at(*value, message).label(fault);
            problems.add(problem.related(declared.location, "declared here"));
        }
    }
}

fn one_concurrency(parts: &[Part], problems: &mut Problems) {
    let mut found: Vec<(&Part, crate::source::Location)> = Vec::new();
    for part in parts {
        let Some(node) = &part.concurrency else { continue };
        let shared = |other: &Part| part.events().into_iter().find(|event| other.wants(event));
        if let Some((event, first)) = found
            .iter()
            .find_map(|(other, location)| Some((shared(other)?, *location)))
        {
            let message = format!("two files say how builds for {event} share the road");
            let problem = codes::DUPLICATE.at(node.location, message);
            problems.add(problem.label("again").related(first, "first here"));
        }
        found.push((part, node.location));
    }
}
