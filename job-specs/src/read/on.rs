//! `on`: events with their filters, schedules and inputs. All of it is written out, because it is read before there is
//! a build.

use crate::codes;
use crate::events::Trigger;
use crate::globs::Globs;
use crate::located::On;
use crate::read::globs::GlobKind;
use crate::read::inputs::MANUAL;
use crate::read::schedule::SCHEDULE;
use crate::reader::keys::Foreign::{Hint, Means};
use crate::reader::keys::{Kind, Others, Shape, Table, key, kind};
use crate::reader::{Reader, Slot};
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
        key("push").about("A branch was pushed.").with(&(
            Shape::AnyOf(&[Shape::Empty, Shape::Object(&PUSH)]),
            |reader, slot, on| reader.push(slot, on),
        )),
        key("pull_request")
            .about("A pull request was opened or got a new commit.")
            .with(&(
                Shape::AnyOf(&[Shape::Empty, Shape::Object(&PULL_REQUEST)]),
                |reader, slot, on| {
                    let mut trigger = Trigger::any("pull_request");
                    let owner = "`pull_request`".to_owned();
                    if is_empty(slot) || reader.level(slot, &PULL_REQUEST, owner, &mut trigger).is_some() {
                        on.triggers.push(trigger);
                    }
                },
            )),
        key("tag").about("A tag was pushed.").with(&(
            Shape::AnyOf(&[Shape::Empty, Shape::Object(&TAG)]),
            |reader, slot, on| {
                let mut trigger = Trigger::any("tag");
                if !is_empty(slot) {
                    reader.level(slot, &TAG, "`tag`".to_owned(), &mut trigger);
                }
                on.triggers.push(trigger);
            },
        )),
        key("schedule").about("A time of a schedule has come.").with(&(
            Shape::AnyOf(&[Shape::Empty, Shape::OneOrMany(&Shape::Object(&SCHEDULE))]),
            |reader, slot, on| {
                on.schedule_location = Some(slot.location());
                on.triggers.push(Trigger::any("schedule"));
                if !is_empty(slot) {
                    on.schedules = reader.schedules(slot);
                }
            },
        )),
        key("manual").about("Somebody asked for it.").with(&(
            Shape::AnyOf(&[Shape::Empty, Shape::Object(&MANUAL)]),
            |reader, slot, on| {
                on.triggers.push(Trigger::any("manual"));
                if !is_empty(slot) {
                    reader.level(slot, &MANUAL, "`manual`".to_owned(), &mut on.inputs);
                }
            },
        )),
    ],
    foreign: &[
        Means("schedule").answers(&["cron"]),
        Means("pull_request").answers(&["merge_request", "merge_requests"]),
        Means("manual").answers(&["workflow_dispatch", "web"]),
        Means("tag").answers(&["release"]),
    ],
    others: Others::Refused,
};

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
static PUSH: Table<Trigger> = Table {
    what: "`push`",
    about: "Which pushes make a build; all keys must hold.",
    keys: &[
        key("branches")
            .about("The branch matches one of these globs; `!` leaves out again, the last match counts.")
            .set(&(REFERENCES, |push, globs| push.branches = Some(globs))),
        key("branches_ignore")
            .about("Branches that make no build.")
            .set(&(REFERENCES, |push, globs| push.branches_ignore = Some(globs))),
        key("tags")
            .about("Tags that make a build too, as under `tag`. Without `branches`, pushes of branches then make none.")
            .set(&(REFERENCES, |push, globs| push.tags = Some(globs))),
        key("paths")
            .about(ABOUT_PATHS)
            .set(&(PATHS, |push, globs| push.paths = Some(globs))),
        key("paths_ignore")
            .about(ABOUT_PATHS_IGNORE)
            .set(&(PATHS, |push, globs| push.paths_ignore = Some(globs))),
    ],
    foreign: &[
        Means("branches").answers(&["branch"]),
        Means("tags").answers(&["tag"]),
        Means("paths").answers(&["path", "changes"]),
        Hint("write `tags: [\"!v0.*\"]`").answers(&["tags_ignore"]),
    ],
    others: Others::Refused,
};

/// Filters of tags.
static TAG: Table<Trigger> = Table {
    what: "`tag`",
    about: "Which tags make a build.",
    keys: &[key("tags")
        .about("The tag matches one of these globs.")
        .set(&(REFERENCES, |tag, globs| tag.tags = Some(globs)))],
    foreign: &[
        Means("tags").answers(&["tag", "names"]),
        Hint("a tag has no branch").answers(&["branches"]),
        Hint("a tag changes no paths").answers(&["paths"]),
    ],
    others: Others::Refused,
};

/// Filters of pull requests.
static PULL_REQUEST: Table<Trigger> = Table {
    what: "`pull_request`",
    about: "Which pull requests make a build; all keys must hold.",
    keys: &[
        key("branches")
            .about("The branch that it wants to go into matches.")
            .set(&(REFERENCES, |request, globs| request.branches = Some(globs))),
        key("branches_ignore")
            .about("Branches to go into that make no build.")
            .set(&(REFERENCES, |request, globs| request.branches_ignore = Some(globs))),
        key("paths")
            .about(ABOUT_PATHS)
            .set(&(PATHS, |request, globs| request.paths = Some(globs))),
        key("paths_ignore")
            .about(ABOUT_PATHS_IGNORE)
            .set(&(PATHS, |request, globs| request.paths_ignore = Some(globs))),
    ],
    foreign: &[
        Means("branches").answers(&["branch", "base", "target_branches"]),
        Means("paths").answers(&["path", "changes"]),
        Hint("a build is made when it is opened and for each new commit").answers(&["types"]),
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
        let is_empty_list = matches!(&slot.node.value, Value::List(items) if items.is_empty());
        if is_empty_list || slot.node.entries().is_some_and(<[Entry]>::is_empty) {
            let message = "`on` names no event, so nothing would ever run";
            let problem = codes::BAD_VALUE.at(slot.location(), message);
            self.add(problem.help("remove `on`, or name an event"));
        }
        on
    }

    /// `tags` of a push are tags that are wanted too; alone, they leave branches out.
    fn push(&mut self, slot: Slot<'_>, on: &mut On) {
        let mut branches = Trigger::any("push");
        if is_empty(slot) {
            on.triggers.push(branches);
        } else if let Some(fields) = self.level(slot, &PUSH, "`push`".to_owned(), &mut branches) {
            let tags = branches.tags.take();
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
            let problem = codes::UNKNOWN_EVENT.at(slot.location(), format!("unknown event `{name}`"));
            self.add(problem.known(&name, "events", EVENTS.iter().copied()));
        }
        known
    }
}
