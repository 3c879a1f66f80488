//! `needs` of jobs, over all files.

use std::collections::HashMap;

use super::cycle::{cycles, in_a_circle, members};
use crate::codes;
use crate::events::Trigger;
use crate::file::Part;
use crate::located::{JobSource, Need};
use crate::model::{AxisValue, cell_title};
use crate::problems::{Problem, Problems};
use crate::source::Location;
use crate::suggest::listed;

/// Job names are unique, every need exists and runs on the same events, and no jobs wait for each other.
pub(crate) fn needs(parts: &[Part], problems: &mut Problems) {
    let jobs = parts
        .iter()
        .flat_map(|part| part.jobs.iter().map(move |job| (part, job)));
    let jobs: Vec<(&Part, &JobSource)> = jobs.collect();
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    for (at, (_, job)) in jobs.iter().enumerate() {
        if let Some(&first) = by_name.get(job.name.as_str()) {
            let problem = codes::DUPLICATE.at(job.location, format!("job `{}` is declared twice", job.name));
            problems.add(problem.label("again").related(jobs[first].1.location, "first here"));
        } else {
            by_name.insert(&job.name, at);
        }
    }
    let mut edges = Vec::with_capacity(jobs.len());
    for (part, job) in &jobs {
        edges.push(known_needs(part, job, &jobs, &by_name, problems));
    }
    for circle in cycles(&edges) {
        problems.add(waiting_in_a_circle(&circle, &jobs));
    }
}

fn known_needs(
    part: &Part,
    job: &JobSource,
    jobs: &[(&Part, &JobSource)],
    by_name: &HashMap<&str, usize>,
    problems: &mut Problems,
) -> Vec<usize> {
    let mut known = Vec::new();
    for need in &job.needs {
        let Some(&at) = by_name.get(need.name.as_str()) else {
            let message = format!("job `{}` needs `{}`, which does not exist", job.name, need.name);
            let problem = codes::UNKNOWN_NEED.at(need.location, message);
            problems.add(match problems.is_full() {
                true => problem,
                false => with_names(problem, &need.name, job, jobs),
            });
            continue;
        };
        known.push(at);
        runs_with(part, job, need, jobs[at], problems);
        has_cell(need, jobs[at].1, problems);
        keeps_artifacts(need, jobs[at].1, problems);
    }
    known
}

/// The needed job is there whenever the other is.
fn runs_with(
    part: &Part,
    job: &JobSource,
    need: &Need,
    (other_part, other): (&Part, &JobSource),
    problems: &mut Problems,
) {
    let same = |trigger: &&Trigger| {
        let mut others = other_part.on.triggers.iter();
        others.any(|other| *other == **trigger || *other == Trigger::any(trigger.event))
    };
    let Some(trigger) = part.on.triggers.iter().find(|trigger| !same(trigger)) else {
        return;
    };
    let (event, name, needed) = (trigger.event, &job.name, &need.name);
    let when = match other_part.wants(event) {
        true => "only on some of it",
        false => "does not",
    };
    let message = format!("job `{name}` runs on {event}, but `{needed}`, which it needs, {when}");
    let problem = codes::NEED_NOT_RUN.at(need.location, message);
    let problem = problem.related(other.location, "the job that is needed");
    problems.add(problem.help("let both files want the same events under `on`"));
}

/// Axes and values of a need are those of at least one cell.
fn has_cell(need: &Need, other: &JobSource, problems: &mut Problems) {
    if other.axes_unknown() || need.cell.is_empty() {
        return;
    }
    let mut all_known = true;
    for (value, at_axis, at_value) in &need.cell {
        let at = other.axes.iter().position(|axis| *axis == value.axis);
        let Some(values) = at.and_then(|at| other.values.get(at)) else {
            all_known = false;
            problems.add(no_axis(value, *at_axis, other));
            continue;
        };
        if !values.contains(&value.value) {
            all_known = false;
            let cell = cell_title(std::slice::from_ref(value));
            let message = format!("job `{}` has no cell with {cell}", other.name);
            let problem = codes::NEED_CELL.at(*at_value, message);
            let values = listed(values.iter().map(String::as_str));
            problems.add(problem.note(format!("values of `{}`: {values}", value.axis)));
        }
    }
    let wanted = need.spec();
    if all_known && !other.cells.iter().any(|cell| wanted.counts(&cell.values)) {
        let message = format!("job `{}` has no cell with {}", other.name, cell_title(&wanted.cell));
        problems.add(codes::NEED_CELL.at(need.location, message));
    }
}

fn no_axis(value: &AxisValue, location: Location, other: &JobSource) -> Problem {
    let message = format!("job `{}` has no axis `{}`", other.name, value.axis);
    let names = other.axes.iter().map(String::as_str);
    codes::NEED_CELL
        .at(location, message)
        .known(&value.axis, "its axes", names)
}

fn keeps_artifacts(need: &Need, other: &JobSource, problems: &mut Problems) {
    let Some(location) = need.artifacts.filter(|_| other.node.get("artifacts").is_none()) else {
        return;
    };
    let message = format!("job `{}` keeps no artifacts", other.name);
    let problem = codes::NO_ARTIFACTS.at(location, message);
    let problem = problem.related(other.location, "this job");
    let name = &other.name;
    let help = format!("add `artifacts: [{{name: …, paths: […]}}]` to `{name}`, or remove this");
    problems.add(problem.help(help));
}

fn with_names(problem: Problem, need: &str, job: &JobSource, jobs: &[(&Part, &JobSource)]) -> Problem {
    let names = jobs.iter().map(|(_, other)| other.name.as_str());
    let others = names.filter(|name| *name != job.name);
    let problem = problem.note(format!("other jobs: {}", listed(others.clone())));
    problem.nearest_mends(need, others)
}

fn waiting_in_a_circle(circle: &[usize], jobs: &[(&Part, &JobSource)]) -> Problem {
    let edge = |from: usize, to: usize| {
        let job = jobs[from].1;
        let need = job.needs.iter().find(|need| need.name == jobs[to].1.name);
        (job.name.as_str(), need.map_or(job.location, |need| need.location))
    };
    let members = members(circle, edge);
    if let [(name, location)] = members.as_slice() {
        let problem = codes::CYCLE.at(*location, format!("job `{name}` waits for itself"));
        return problem.help("remove it from its own `needs`");
    }
    in_a_circle("jobs", "needs", &members)
}
