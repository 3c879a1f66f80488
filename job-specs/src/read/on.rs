//! `on`: events with their filters, schedules and inputs. All of it is written out, because it is read before there is
//! a build.

use crate::codes;
use crate::events::Trigger;
use crate::keys::{EVENTS, ON, PULL_REQUEST, PUSH, TAG, Table};
use crate::placed::On;
use crate::problems::Problem;
use crate::read::globs::GlobKind;
use crate::reader::{Fields, Reader, Slot};
use crate::suggest::did_you_mean;
use crate::yaml::{Entry, Value};

impl Reader<'_> {
    /// An event, a list of events, or a map from events to filters.
    pub(crate) fn on(&mut self, slot: Slot<'_>) -> On {
        let mut on = On::default();
        match &slot.node.value {
            Value::Map(_) => {
                if let Some(fields) = self.fields(slot, &ON, "`on`") {
                    for event in EVENTS.iter().copied() {
                        if let Some(filter) = fields.get(event) {
                            self.filtered(event, filter, &mut on);
                        }
                    }
                }
            }
            Value::Scalar(_) | Value::List(_) => {
                for item in self.one_or_many(slot) {
                    let event = self.event(item);
                    on.triggers.extend(event.map(Trigger::any));
                    if event == Some("schedule") {
                        on.schedule_place = Some(item.place());
                    }
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
            let problem = Problem::at(&codes::BAD_VALUE, slot.place(), message);
            self.add(problem.help("remove `on`, or name an event"));
        }
        on
    }

    /// The name of an event.
    pub(crate) fn event(&mut self, slot: Slot<'_>) -> Option<&'static str> {
        let name = self.literal(slot)?;
        let known = EVENTS.iter().copied().find(|event| *event == name);
        if known.is_none() {
            let problem = Problem::at(&codes::UNKNOWN_EVENT, slot.place(), format!("unknown event `{name}`"));
            let problem = problem.note(format!("events: {}", EVENTS.join(", ")));
            self.add(match did_you_mean(&name, EVENTS.iter().copied()) {
                Some(label) => problem.label(label),
                None => problem,
            });
        }
        known
    }

    fn filtered(&mut self, event: &'static str, filter: Slot<'_>, on: &mut On) {
        if event == "schedule" {
            on.schedule_place = Some(filter.place());
        }
        if filter.node.is_null() || filter.node.entries().is_some_and(<[Entry]>::is_empty) {
            on.triggers.push(Trigger::any(event));
            return;
        }
        match event {
            "push" => self.push(filter, on),
            "pull_request" => {
                let fields = self.filters(filter, &PULL_REQUEST);
                on.triggers
                    .extend(fields.map(|fields| self.branches_and_paths(event, &fields)));
            }
            "tag" => {
                let tags = self.filters(filter, &TAG).and_then(|fields| fields.get("tags"));
                let tags = tags.and_then(|slot| self.written_globs(slot, GlobKind::Reference));
                on.triggers.push(Trigger {
                    tags,
                    ..Trigger::any(event)
                });
            }
            "schedule" => {
                on.triggers.push(Trigger::any(event));
                on.schedules = self.schedules(filter);
            }
            _ => {
                on.triggers.push(Trigger::any(event));
                on.inputs = self.inputs(filter);
            }
        }
    }

    fn filters<'n>(&mut self, filter: Slot<'n>, table: &'static Table) -> Option<Fields<'n>> {
        self.fields(filter, table, table.what)
    }

    /// `tags` of a push are tags that are wanted too; alone, they leave branches out.
    fn push(&mut self, filter: Slot<'_>, on: &mut On) {
        let Some(fields) = self.filters(filter, &PUSH) else {
            return;
        };
        let branches = self.branches_and_paths("push", &fields);
        let tags = fields
            .get("tags")
            .map(|slot| self.written_globs(slot, GlobKind::Reference));
        if tags.is_none() || branches != Trigger::any("push") {
            on.triggers.push(branches);
        }
        on.triggers.extend(tags.map(|tags| Trigger {
            tags,
            ..Trigger::any("tag")
        }));
    }

    fn branches_and_paths(&mut self, event: &'static str, fields: &Fields<'_>) -> Trigger {
        let mut globs = |key, kind| {
            let slot = fields.get(key)?;
            self.written_globs(slot, kind)
        };
        Trigger {
            event,
            branches: globs("branches", GlobKind::Reference),
            branches_ignore: globs("branches_ignore", GlobKind::Reference),
            tags: None,
            paths: globs("paths", GlobKind::Path),
            paths_ignore: globs("paths_ignore", GlobKind::Path),
        }
    }
}
