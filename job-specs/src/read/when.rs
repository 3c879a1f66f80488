//! `when` of jobs and steps. What is known when a build is made (event, branch, tag, paths, cell) is decided here; how
//! all went before stays a condition of the run.

use crate::codes;
use crate::env::Facts;
use crate::events::{not_among, unchanged};
use crate::globs::{Globs, has_wildcard};
use crate::model::WhenStatus;
use crate::read::globs::GlobKind;
use crate::read::on::EVENTS;
use crate::reader::keys::Foreign::{Hint, Means};
use crate::reader::keys::{Kind, Others, Shape, Table, key, kind};
use crate::reader::{Fields, Reader, Slot};
use crate::suggest::listed;
use crate::yaml::{Entry, Value};

/// One condition, or a list of them of which one must hold.
pub(crate) const WHEN: Kind<When> = Kind {
    shape: Shape::OneOrMany(&Shape::Object(&WHEN_KEYS)),
    read: |reader, slot, _| Some(reader.when(slot)),
};

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
const FAILURE: WhenStatus = WhenStatus {
    success: false,
    failure: true,
};
const ALWAYS: WhenStatus = WhenStatus {
    success: true,
    failure: true,
};

/// One clause, as far as it can be decided: for each key why it does not hold.
#[derive(Default)]
struct Clause {
    status: WhenStatus,
    event: Option<String>,
    branch: Option<String>,
    tag: Option<String>,
    paths: Option<String>,
    cell: Option<String>,
}

static WHEN_KEYS: Table<Clause> = Table {
    what: "`when`",
    about: "A condition: all of its keys must hold. A list of conditions means that one of them is enough.",
    keys: &[
        key("event")
            .about("The build is for one of these events.")
            .with(&(Shape::OneOrMany(&Shape::Choice(EVENTS)), |reader, slot, clause| {
                clause.event = reader.event_fault(slot)
            })),
        key("branch")
            .about("The build's branch matches; for a pull request the one that is to be merged.")
            .with(&(GLOBS, |reader, slot, clause| {
                clause.branch = reader.reference_fault(slot, "branch", |facts| facts.branch.as_deref())
            })),
        key("tag")
            .about("The build is for a tag that matches.")
            .with(&(GLOBS, |reader, slot, clause| {
                clause.tag = reader.reference_fault(slot, "tag", |facts| facts.tag.as_deref())
            })),
        key("paths")
            .about("A changed path matches. Nothing to compare with counts as changed.")
            .with(&(GLOBS, |reader, slot, clause| clause.paths = reader.paths_fault(slot))),
        key("matrix")
            .about("The cell's values match: `{postgres: [\"15\", \"17\"]}`.")
            .with(
                &(Shape::Map(&Shape::OneOrMany(&Shape::Scalar)), |reader, slot, clause| {
                    clause.cell = reader.cell_fault(slot)
                }),
            ),
        key("status")
            .about("How all went before: success (default), failure after something failed, always for both.")
            .set(&(STATUS, |clause, status| clause.status = status)),
    ],
    foreign: &[
        Means("event").answers(&["events"]),
        Means("branch").answers(&["branches"]),
        Means("tag").answers(&["tags"]),
        Means("paths").answers(&["path", "changes"]),
        Hint("write `branch` or `tag`").answers(&["ref"]),
        Hint("a job file belongs to one repository").answers(&["repo"]),
        Hint("write `event: schedule`; schedules can have inputs of their own").answers(&["cron"]),
    ],
    others: Others::Refused,
};

const GLOBS: Shape = Shape::OneOrMany(&Shape::Text);
const OUTCOMES: &[&str] = &["success", "failure", "always"];
const STATUS: Kind<WhenStatus> = kind(Shape::OneOrMany(&Shape::Choice(OUTCOMES)), |reader, slot, _| {
    Some(reader.status(slot))
});

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

    fn when(&mut self, slot: Slot<'_>) -> When {
        let clauses = self.at_most(slot, MAX_CLAUSES);
        if clauses.is_empty() {
            let problem = codes::NEVER_TRUE.at(slot.location(), "`when` has no condition");
            self.add(problem.help("remove it, or write one"));
            return When::default();
        }
        let (mut holding, mut all) = (None, NEVER);
        let mut reasons: Vec<String> = Vec::new();
        for clause in clauses {
            let one = self.when_clause(clause);
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

    fn when_clause(&mut self, slot: Slot<'_>) -> When {
        if let Value::Scalar(scalar) = &slot.node.value {
            let message = format!("`when` takes a map, found {}", slot.node.found());
            let help = match scalar.text.as_str() {
                "always" => "write `when: {status: always}`",
                "on_failure" | "failure" => "write `when: {status: failure}`",
                _ => "write `when: {status: success}`",
            };
            self.add(codes::WRONG_TYPE.at(slot.location(), message).help(help));
            return When::default();
        }
        let before = self.problems.errors();
        let Some((clause, fields)) = self.map(slot, &WHEN_KEYS) else {
            return When::default();
        };
        if self.problems.errors() == before {
            self.can_be(&fields);
        }
        let reference = clause.branch.or(clause.tag);
        When {
            status: clause.status,
            skip: clause.event.or(reference).or(clause.paths).or(clause.cell),
        }
    }

    fn reference_fault(&mut self, slot: Slot<'_>, key: &str, value: fn(&Facts) -> Option<&str>) -> Option<String> {
        let globs = self.globs(slot, GlobKind::Reference)?;
        not_among(key, value(self.scope.facts?), &globs)
    }

    fn paths_fault(&mut self, slot: Slot<'_>) -> Option<String> {
        let globs = self.globs(slot, GlobKind::Path)?;
        unchanged(self.scope.facts?.changed.as_deref()?, &globs)
    }

    fn status(&mut self, slot: Slot<'_>) -> WhenStatus {
        let items = self.one_or_many(slot);
        if items.is_empty() {
            let message = "`status` is empty, so this would never run";
            self.add(codes::NEVER_TRUE.at(slot.location(), message));
        }
        let mut status = NEVER;
        for item in items {
            status = match self.choice(item, OUTCOMES) {
                Some("success") => either(status, WhenStatus::default()),
                Some("always") => ALWAYS,
                Some(_) => either(status, FAILURE),
                None => status,
            };
        }
        status
    }

    fn event_fault(&mut self, slot: Slot<'_>) -> Option<String> {
        let items = self.one_or_many(slot);
        if items.is_empty() {
            let message = "`event` is empty, so this would never run";
            self.add(codes::NEVER_TRUE.at(slot.location(), message));
        }
        let events: Vec<&str> = items.into_iter().filter_map(|item| self.event(item)).collect();
        let found = self.scope.facts?.event.as_str();
        if events.is_empty() || events.contains(&found) {
            return None;
        }
        let relation = if events.len() == 1 { "is not" } else { "is none of" };
        Some(format!("the event {found} {relation} {}", events.join(", ")))
    }

    fn cell_fault(&mut self, slot: Slot<'_>) -> Option<String> {
        let entries = self.entries(slot, "a map from axes to values")?;
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
                return self.reject(codes::BAD_GLOB.at(item.location(), message));
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
        let message = format!("`when` names `{axis}`, which is not an axis of this job");
        let problem = codes::NEVER_TRUE.at(entry.key.location, message);
        self.add(problem.known(axis, "axes", self.scope.axes.iter().map(String::as_str)));
    }

    /// A value without wildcards must be one that a cell has.
    fn is_a_value(&mut self, slot: Slot<'_>, axis: &str, value: &str) {
        let at = self.scope.axes.iter().position(|name| name == axis);
        let values = at.and_then(|at| self.scope.values.get(at));
        let values = values.map_or(&[][..], Vec::as_slice);
        if self.scope.axes_unknown || has_wildcard(value) || values.iter().any(|known| known == value) {
            return;
        }
        let message = format!("no cell has `{axis}={value}`, so this is never true");
        let problem = codes::NEVER_TRUE.at(slot.location(), message);
        let values = listed(values.iter().map(String::as_str));
        self.add(problem.note(format!("values of `{axis}`: {values}")));
    }

    /// Keys that exclude each other: a tag is on no branch, and a push has no tag.
    fn can_be(&mut self, fields: &Fields<'_>) {
        let given = fields.get("event").map(|slot| self.one_or_many(slot));
        let events: Vec<&str> = match given {
            Some(items) => items.into_iter().filter_map(|item| self.event(item)).collect(),
            None => EVENTS.to_vec(),
        };
        let location = |key| fields.key_location(key);
        let only = |known: &[&str]| !events.is_empty() && events.iter().all(|event| known.contains(event));
        let problem = match (location("branch"), location("tag")) {
            (Some(_), Some(tag)) => codes::NEVER_TRUE.at(tag, "a build has a branch or a tag, not both"),
            (None, Some(tag)) if only(&["push", "pull_request", "schedule"]) => {
                let message = format!("a build for {} has no tag, so this is never true", events.join(", "));
                codes::NEVER_TRUE.at(tag, message)
            }
            (Some(branch), None) if only(&["tag"]) => {
                let message = "a build for a tag has no branch, so this is never true";
                codes::NEVER_TRUE.at(branch, message)
            }
            _ => return,
        };
        self.add(problem.help("alternatives are items of a list: `when: [{branch: main}, {tag: \"v*\"}]`"));
    }
}

fn either(one: WhenStatus, other: WhenStatus) -> WhenStatus {
    WhenStatus {
        success: one.success || other.success,
        failure: one.failure || other.failure,
    }
}
