//! `when` of jobs and steps. What is known when a build is made (event, branch, tag, paths, cell) is decided here; how
//! all went before stays a condition of the run.

use crate::codes;
use crate::env::Facts;
use crate::events::{not_among, unchanged};
use crate::globs::{Globs, has_wildcard};
use crate::keys::{EVENTS, WHEN};
use crate::model::WhenStatus;
use crate::problems::Problem;
use crate::read::globs::GlobKind;
use crate::reader::{Fields, Reader, Slot};
use crate::suggest::{did_you_mean, listed};
use crate::yaml::{Entry, Value};

/// A condition, as far as it can be decided.
#[derive(Debug, Clone, Default)]
pub(crate) struct When {
    /// What is left of it.
    pub(crate) status: WhenStatus,
    /// Why it can no longer hold, in one sentence.
    pub(crate) skip: Option<String>,
}

/// Clauses of one condition.
const MAX_CLAUSES: usize = 50;
const NEVER: WhenStatus = WhenStatus {
    success: false,
    failure: false,
};
const ALWAYS: WhenStatus = WhenStatus {
    success: true,
    failure: true,
};

impl Reader<'_> {
    /// Reads; what is wrong does not matter when the reader knows that it will not run: a push has no tag for the
    /// image that only a tag's build makes.
    pub(crate) fn unless(&mut self, skipped: bool, read: impl FnOnce(&mut Self)) {
        if !skipped {
            return read(self);
        }
        let found = std::mem::take(self.problems);
        read(self);
        *self.problems = found;
    }

    /// One clause, or a list of them of which one must hold.
    pub(crate) fn when(&mut self, slot: Slot<'_>, owner: &str) -> When {
        let clauses = self.at_most(slot, MAX_CLAUSES);
        if clauses.is_empty() {
            let problem = Problem::at(&codes::NEVER_TRUE, slot.place(), "`when` has no condition");
            self.add(problem.help("remove it, or write one"));
            return When::default();
        }
        let (mut holding, mut all) = (None, NEVER);
        let mut reasons: Vec<String> = Vec::new();
        for clause in clauses {
            let one = self.when_clause(clause, owner);
            all = either(all, one.status);
            match one.skip {
                None => holding = Some(either(holding.unwrap_or(NEVER), one.status)),
                Some(reason) if !reasons.contains(&reason) => reasons.push(reason),
                Some(_) => {}
            }
        }
        match holding {
            Some(status) => When { status, skip: None },
            None => When {
                status: all,
                skip: Some(reasons.join(", and ")),
            },
        }
    }

    fn when_clause(&mut self, clause: Slot<'_>, owner: &str) -> When {
        if let Value::Scalar(scalar) = &clause.node.value {
            let message = format!("`when` takes a map, found {}", clause.node.found());
            let help = match scalar.text.as_str() {
                "always" => "write `when: {status: always}`",
                "on_failure" | "failure" => "write `when: {status: failure}`",
                _ => "write `when: {status: success}`",
            };
            self.add(Problem::at(&codes::WRONG_TYPE, clause.place(), message).help(help));
            return When::default();
        }
        let Some(fields) = self.fields(clause, &WHEN, &format!("`when` of {owner}")) else {
            return When::default();
        };
        let status = fields.get("status").map(|slot| self.status(slot)).unwrap_or_default();
        let before = self.problems.errors();
        let event = fields.get("event").and_then(|slot| self.event_fault(slot));
        let reference = self.reference_fault(&fields);
        let paths = fields.get("paths").and_then(|slot| {
            let globs = self.globs(slot, GlobKind::Path)?;
            unchanged(self.scope.facts?.changed.as_deref()?, &globs)
        });
        let cell = fields.get("matrix").and_then(|slot| self.cell_fault(slot));
        if self.problems.errors() == before {
            self.can_be(&fields);
        }
        When {
            status,
            skip: event.or(reference).or(paths).or(cell),
        }
    }

    fn status(&mut self, slot: Slot<'_>) -> WhenStatus {
        let items = self.one_or_many(slot);
        if items.is_empty() {
            let message = "`status` is empty, so this would never run";
            self.add(Problem::at(&codes::NEVER_TRUE, slot.place(), message));
        }
        let mut status = NEVER;
        for item in items {
            status = match self.choice(item, &["success", "failure", "always"]) {
                Some("success") => either(status, WhenStatus::default()),
                Some("always") => ALWAYS,
                Some(_) => WhenStatus {
                    failure: true,
                    ..status
                },
                None => status,
            };
        }
        status
    }

    fn event_fault(&mut self, slot: Slot<'_>) -> Option<String> {
        let items = self.one_or_many(slot);
        if items.is_empty() {
            let message = "`event` is empty, so this would never run";
            self.add(Problem::at(&codes::NEVER_TRUE, slot.place(), message));
        }
        let events: Vec<&str> = items.into_iter().filter_map(|item| self.event(item)).collect();
        let found = self.scope.facts?.event.as_str();
        if events.is_empty() || events.contains(&found) {
            return None;
        }
        let relation = if events.len() == 1 { "is not" } else { "is none of" };
        Some(format!("the event {found} {relation} {}", events.join(", ")))
    }

    fn reference_fault(&mut self, fields: &Fields<'_>) -> Option<String> {
        let mut fault = None;
        for (key, value) in REFERENCES {
            let globs = fields.get(key).and_then(|slot| self.globs(slot, GlobKind::Reference));
            let (Some(globs), Some(facts)) = (globs, self.scope.facts) else {
                continue;
            };
            fault = fault.or_else(|| not_among(key, value(facts), &globs));
        }
        fault
    }

    fn cell_fault(&mut self, slot: Slot<'_>) -> Option<String> {
        let Some(entries) = slot.node.entries() else {
            self.wrong_type(slot, "a map from axes to values");
            return None;
        };
        let faults: Vec<Option<String>> = entries.iter().map(|entry| self.axis_fault(entry)).collect();
        faults.into_iter().flatten().next()
    }

    fn axis_fault(&mut self, entry: &Entry) -> Option<String> {
        let axis = &*entry.key.text;
        let known = self.scope.axes_unknown || self.scope.axes.iter().any(|name| name == axis);
        if !known {
            self.not_an_axis_of_ours(entry);
            return None;
        }
        let slot = Slot::of(axis, &entry.node);
        let mut globs = Globs::default();
        for item in self.some(slot) {
            let value = self.cell_value(item, axis, None)?;
            if globs.push(&value).is_err() {
                let message = format!("`{value}` is not a glob");
                self.add(Problem::at(&codes::BAD_GLOB, item.place(), message));
                return None;
            }
            self.is_a_value(item, axis, &value);
        }
        let cell = self.scope.cell.filter(|_| !self.scope.axes_unknown)?;
        let value = cell.value(axis).unwrap_or_default();
        if globs.matches(value) {
            return None;
        }
        let relation = if globs.is_single() { "is not" } else { "is none of" };
        Some(format!("`{axis}={value}` {relation} {}", globs.listed()))
    }

    fn not_an_axis_of_ours(&mut self, entry: &Entry) {
        let axis = &*entry.key.text;
        let names = || self.scope.axes.iter().map(String::as_str);
        let message = format!("`when` names `{axis}`, which is not an axis of this job");
        let problem = Problem::at(&codes::NEVER_TRUE, entry.key.place, message);
        let problem = problem.note(format!("axes: {}", listed(names())));
        let problem = match did_you_mean(axis, names()) {
            Some(label) => problem.label(label),
            None => problem,
        };
        self.add(problem);
    }

    /// A value without wildcards must be one that a cell has.
    fn is_a_value(&mut self, slot: Slot<'_>, axis: &str, value: &str) {
        let at = self.scope.axes.iter().position(|name| name == axis);
        let values = at
            .and_then(|at| self.scope.values.get(at))
            .map_or(&[][..], Vec::as_slice);
        if self.scope.axes_unknown || has_wildcard(value) || values.iter().any(|known| known == value) {
            return;
        }
        let message = format!("no cell has `{axis}={value}`, so this is never true");
        let problem = Problem::at(&codes::NEVER_TRUE, slot.place(), message);
        self.add(problem.note(format!(
            "values of `{axis}`: {}",
            listed(values.iter().map(String::as_str))
        )));
    }

    /// Keys that exclude each other: a tag is on no branch, and a push has no tag.
    fn can_be(&mut self, fields: &Fields<'_>) {
        let events: Vec<&str> = match fields.get("event") {
            Some(slot) => {
                let items = self.one_or_many(slot);
                items.into_iter().filter_map(|item| self.event(item)).collect()
            }
            None => EVENTS.to_vec(),
        };
        let place = |key| fields.key_place(key);
        let only = |known: &[&str]| !events.is_empty() && events.iter().all(|event| known.contains(event));
        let problem = match (place("branch"), place("tag")) {
            (Some(_), Some(tag)) => Problem::at(&codes::NEVER_TRUE, tag, "a build has a branch or a tag, not both"),
            (None, Some(tag)) if only(&["push", "pull_request", "schedule"]) => {
                let message = format!("a build for {} has no tag, so this is never true", events.join(", "));
                Problem::at(&codes::NEVER_TRUE, tag, message)
            }
            (Some(branch), None) if only(&["tag"]) => {
                let message = "a build for a tag has no branch, so this is never true";
                Problem::at(&codes::NEVER_TRUE, branch, message)
            }
            _ => return,
        };
        self.add(problem.help("alternatives are items of a list: `when: [{branch: main}, {tag: \"v*\"}]`"));
    }
}

type OfFacts = fn(&Facts) -> Option<&str>;

const REFERENCES: [(&str, OfFacts); 2] = [
    ("branch", |facts| facts.branch.as_deref()),
    ("tag", |facts| facts.tag.as_deref()),
];

fn either(one: WhenStatus, other: WhenStatus) -> WhenStatus {
    WhenStatus {
        success: one.success || other.success,
        failure: one.failure || other.failure,
    }
}
