//! `on`: events with their filters, schedules and inputs. All of it is written out, because it is read before there is
//! a build.

use crate::codes;
use crate::events::Trigger;
use crate::globs::Globs;
use crate::located::On;
use crate::problems::Problem;
use crate::read::globs::GlobKind;
use crate::read::inputs::MANUAL;
use crate::read::schedule::SCHEDULE;
use crate::reader::keys::Foreign::{Hint, Means};
use crate::reader::keys::{Kind, Others, Set, Shape, Table, With, key, kind};
use crate::reader::{Reader, Slot};
use crate::suggest::did_you_mean;
use crate::yaml::{Entry, Value};

/// Every event that a build can be for.
pub(crate) const EVENTS: &[&str] = &["push", "pull_request", "tag", "schedule", "manual"];

/// An event, a list of events, or a map from events to filters.
pub(crate) const ON: Kind<On> = Kind {
    shape: Shape::AnyOf(&[
        Shape::Choice(EVENTS),
        Shape::List(&Shape::Choice(EVENTS)),
        Shape::Object(&ON_KEYS),
    ]),
    read: |reader, slot, _| Some(reader.on(slot)),
};

/// The map form of `on`. An event without filters is one that wants every build.
static ON_KEYS: Table<On> = Table {
    what: "`on`",
    about: "Events that make a build.",
    keys: &[
        key(
            "push",
            &With(
                Shape::AnyOf(&[Shape::Empty, Shape::Object(&PUSH)]),
                |reader, slot, on: &mut On| reader.push(slot, on),
            ),
            "A branch was pushed.",
        ),
        key(
            "pull_request",
            &With(
                Shape::AnyOf(&[Shape::Empty, Shape::Object(&PULL_REQUEST)]),
                |reader, slot, on: &mut On| {
                    let mut filters = Filters::default();
                    if is_empty(slot)
                        || reader
                            .level(slot, &PULL_REQUEST, "`pull_request`".to_owned(), &mut filters)
                            .is_some()
                    {
                        on.triggers.push(filters.trigger("pull_request"));
                    }
                },
            ),
            "A pull request was opened or got a new commit.",
        ),
        key(
            "tag",
            &With(
                Shape::AnyOf(&[Shape::Empty, Shape::Object(&TAG)]),
                |reader, slot, on: &mut On| {
                    let mut filters = Filters::default();
                    if !is_empty(slot) {
                        reader.level(slot, &TAG, "`tag`".to_owned(), &mut filters);
                    }
                    on.triggers.push(filters.trigger("tag"));
                },
            ),
            "A tag was pushed.",
        ),
        key(
            "schedule",
            &With(
                Shape::AnyOf(&[Shape::Empty, Shape::OneOrMany(&Shape::Object(&SCHEDULE))]),
                |reader, slot, on: &mut On| {
                    on.schedule_location = Some(slot.location());
                    on.triggers.push(Trigger::any("schedule"));
                    if !is_empty(slot) {
                        on.schedules = reader.schedules(slot);
                    }
                },
            ),
            "A time of a schedule has come.",
        ),
        key(
            "manual",
            &With(
                Shape::AnyOf(&[Shape::Empty, Shape::Object(&MANUAL)]),
                |reader, slot, on: &mut On| {
                    on.triggers.push(Trigger::any("manual"));
                    if !is_empty(slot) {
                        reader.level(slot, &MANUAL, "`manual`".to_owned(), &mut on.inputs);
                    }
                },
            ),
            "Somebody asked for it.",
        ),
    ],
    foreign: &[
        ("cron", Means("schedule")),
        ("merge_request", Means("pull_request")),
        ("merge_requests", Means("pull_request")),
        ("workflow_dispatch", Means("manual")),
        ("release", Means("tag")),
        ("web", Means("manual")),
    ],
    others: Others::Refused,
};

/// Filters of one event.
#[derive(Default)]
struct Filters {
    branches: Option<Globs>,
    branches_ignore: Option<Globs>,
    tags: Option<Globs>,
    paths: Option<Globs>,
    paths_ignore: Option<Globs>,
}

impl Filters {
    fn trigger(self, event: &'static str) -> Trigger {
        Trigger {
            event,
            branches: self.branches,
            branches_ignore: self.branches_ignore,
            tags: self.tags,
            paths: self.paths,
            paths_ignore: self.paths_ignore,
        }
    }
}

/// Globs of branches or tags, written out.
const REFERENCES: Kind<Globs> = kind(Shape::OneOrMany(&Shape::Text), |reader, slot, _| {
    reader.written_globs(slot, GlobKind::Reference)
});
/// Globs of paths, written out.
const PATHS: Kind<Globs> = Kind {
    read: |reader, slot, _| reader.written_globs(slot, GlobKind::Path),
    ..REFERENCES
};
const ABOUT_PATHS: &str = "A changed path matches one of these globs; `!` leaves out again, the last match counts.";
const ABOUT_PATHS_IGNORE: &str = "Changes of these paths alone make no build.";

/// Filters of pushes.
static PUSH: Table<Filters> = Table {
    what: "`push`",
    about: "Which pushes make a build; all keys must hold.",
    keys: &[
        key(
            "branches",
            &Set(REFERENCES, |push: &mut Filters, globs| push.branches = Some(globs)),
            "The branch matches one of these globs; `!` leaves out again, the last match counts.",
        ),
        key(
            "branches_ignore",
            &Set(REFERENCES, |push: &mut Filters, globs| {
                push.branches_ignore = Some(globs)
            }),
            "Branches that make no build.",
        ),
        key(
            "tags",
            &Set(REFERENCES, |push: &mut Filters, globs| push.tags = Some(globs)),
            "Tags that make a build too, as under `tag`. Without `branches`, pushes of branches then make none.",
        ),
        key(
            "paths",
            &Set(PATHS, |push: &mut Filters, globs| push.paths = Some(globs)),
            ABOUT_PATHS,
        ),
        key(
            "paths_ignore",
            &Set(PATHS, |push: &mut Filters, globs| push.paths_ignore = Some(globs)),
            ABOUT_PATHS_IGNORE,
        ),
    ],
    foreign: &[
        ("branch", Means("branches")),
        ("tag", Means("tags")),
        ("path", Means("paths")),
        ("changes", Means("paths")),
        ("tags_ignore", Hint("write `tags: [\"!v0.*\"]`")),
    ],
    others: Others::Refused,
};

/// Filters of tags.
static TAG: Table<Filters> = Table {
    what: "`tag`",
    about: "Which tags make a build.",
    keys: &[key(
        "tags",
        &Set(REFERENCES, |tag: &mut Filters, globs| tag.tags = Some(globs)),
        "The tag matches one of these globs.",
    )],
    foreign: &[
        ("tag", Means("tags")),
        ("names", Means("tags")),
        ("branches", Hint("a tag has no branch")),
        ("paths", Hint("a tag changes no paths")),
    ],
    others: Others::Refused,
};

/// Filters of pull requests.
static PULL_REQUEST: Table<Filters> = Table {
    what: "`pull_request`",
    about: "Which pull requests make a build; all keys must hold.",
    keys: &[
        key(
            "branches",
            &Set(REFERENCES, |request: &mut Filters, globs| {
                request.branches = Some(globs)
            }),
            "The branch that it wants to go into matches.",
        ),
        key(
            "branches_ignore",
            &Set(REFERENCES, |request: &mut Filters, globs| {
                request.branches_ignore = Some(globs)
            }),
            "Branches to go into that make no build.",
        ),
        key(
            "paths",
            &Set(PATHS, |request: &mut Filters, globs| request.paths = Some(globs)),
            ABOUT_PATHS,
        ),
        key(
            "paths_ignore",
            &Set(PATHS, |request: &mut Filters, globs| request.paths_ignore = Some(globs)),
            ABOUT_PATHS_IGNORE,
        ),
    ],
    foreign: &[
        ("branch", Means("branches")),
        ("base", Means("branches")),
        ("target_branches", Means("branches")),
        ("path", Means("paths")),
        ("changes", Means("paths")),
        (
            "types",
            Hint("a build is made when it is opened and for each new commit"),
        ),
    ],
    others: Others::Refused,
};

/// Whether nothing is written, or an empty map.
fn is_empty(slot: Slot<'_>) -> bool {
    slot.node.is_null() || slot.node.entries().is_some_and(<[Entry]>::is_empty)
}

impl Reader<'_> {
    fn on(&mut self, slot: Slot<'_>) -> On {
        let mut on = On::default();
        if Self::is_map(slot) {
            self.level(slot, &ON_KEYS, "`on`".to_owned(), &mut on);
        } else {
            for item in self.one_or_many(slot) {
                let event = self.event(item);
                on.triggers.extend(event.map(Trigger::any));
                if event == Some("schedule") {
                    on.schedule_location = Some(item.location());
                }
            }
        }
        let is_empty = match &slot.node.value {
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
            Value::Scalar(_) => false,
        };
        if is_empty {
            let message = "`on` names no event, so nothing would ever run";
            let problem = Problem::at(&codes::BAD_VALUE, slot.location(), message);
            self.add(problem.help("remove `on`, or name an event"));
        }
        on
    }

    /// `tags` of a push are tags that are wanted too; alone, they leave branches out.
    fn push(&mut self, slot: Slot<'_>, on: &mut On) {
        let mut filters = Filters::default();
        if is_empty(slot) {
            on.triggers.push(Trigger::any("push"));
        } else if let Some(fields) = self.level(slot, &PUSH, "`push`".to_owned(), &mut filters) {
            let tags = filters.tags.take();
            let branches = filters.trigger("push");
            let has_tags = fields.get("tags").is_some();
            if !has_tags || branches != Trigger::any("push") {
                on.triggers.push(branches);
            }
            on.triggers.extend(has_tags.then(|| Trigger {
                tags,
                ..Trigger::any("tag")
            }));
        }
    }

    /// The name of an event.
    pub(crate) fn event(&mut self, slot: Slot<'_>) -> Option<&'static str> {
        let name = self.literal(slot)?;
        let known = EVENTS.iter().copied().find(|event| *event == name);
        if known.is_none() {
            let problem = Problem::at(
                &codes::UNKNOWN_EVENT,
                slot.location(),
                format!("unknown event `{name}`"),
            );
            let problem = problem.note(format!("events: {}", EVENTS.join(", ")));
            self.add(match did_you_mean(&name, EVENTS.iter().copied()) {
                Some(label) => problem.label(label),
                None => problem,
            });
        }
        known
    }
}
