//! Maps with known keys: which key is ours, which one belongs to somebody else, and what to say about it.

use crate::codes;
use crate::keys::{CONTAINER_NAME, Foreign, Others, Table, is_harmless};
use crate::problems::Problem;
use crate::reader::Reader;
use crate::source::Place;
use crate::substitute::has_template;
use crate::suggest::{is_only, listed, nearest};
use crate::yaml::{Entry, Node, Plain, Value};

/// A value and what it is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot<'a> {
    pub(crate) node: &'a Node,
    key: &'a str,
    is_item: bool,
}

impl<'a> Slot<'a> {
    /// The value of a key.
    pub(crate) fn of(key: &'a str, node: &'a Node) -> Slot<'a> {
        Slot {
            node,
            key,
            is_item: false,
        }
    }

    /// An item of a list, or a value of a map, that is itself the value of this slot.
    pub(crate) fn inside(self, node: &'a Node) -> Slot<'a> {
        Slot {
            node,
            key: self.key,
            is_item: true,
        }
    }

    /// How it is called in a sentence: `` `timeout` `` or ``an item of `needs` ``.
    pub(crate) fn name(&self) -> String {
        if self.is_item {
            format!("an item of `{}`", self.key)
        } else {
            format!("`{}`", self.key)
        }
    }

    /// Whether it is a text with `${{ }}`.
    pub(crate) fn has_template(&self) -> bool {
        matches!(&self.node.value, Value::Scalar(scalar) if has_template(&scalar.text))
    }

    /// Where it stands.
    pub(crate) fn place(&self) -> Place {
        self.node.place
    }
}

/// A map whose keys have been checked against a table.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    table: &'static Table,
    entries: &'a [Entry],
    /// Keys of ours that unknown ones were probably meant to be.
    meant: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The value of a key of the table.
    pub(crate) fn get(&self, key: &'static str) -> Option<Slot<'a>> {
        debug_assert!(
            self.table.key(key).is_some(),
            "`{key}` is not in the table of {}",
            self.table.what
        );
        self.entries
            .iter()
            .find(|entry| &*entry.key.text == key)
            .map(|entry| Slot::of(key, &entry.node))
    }

    /// Whether an unknown key was probably meant to be this one.
    pub(crate) fn is_misspelt(&self, key: &str) -> bool {
        self.meant.contains(&key)
    }

    /// Where the key itself stands.
    pub(crate) fn key_place(&self, key: &str) -> Option<Place> {
        self.entries
            .iter()
            .find(|entry| &*entry.key.text == key)
            .map(|entry| entry.key.place)
    }

    /// The entries that the table does not name.
    pub(crate) fn others(&self) -> impl Iterator<Item = &'a Entry> {
        self.entries
            .iter()
            .filter(|entry| self.table.key(&entry.key.text).is_none())
    }
}

impl Reader<'_> {
    /// The keys of a map; `owner` is what has them (``job `test` ``). `None` when it is not a map.
    pub(crate) fn fields<'n>(&mut self, slot: Slot<'n>, table: &'static Table, owner: &str) -> Option<Fields<'n>> {
        let Some(entries) = slot.node.entries() else {
            self.wrong_type(slot, "a map");
            return None;
        };
        let others = entries.iter().filter(|entry| table.key(&entry.key.text).is_none());
        let has = |key: &str| entries.iter().any(|entry| &*entry.key.text == key);
        let meant = others
            .filter_map(|entry| self.other_key(entry, table, owner, &has))
            .collect();
        Some(Fields { table, entries, meant })
    }

    /// The value of a required key; its absence is a problem at `owner_place`.
    pub(crate) fn require<'n>(
        &mut self,
        fields: &Fields<'n>,
        key: &'static str,
        owner: &str,
        owner_place: Place,
    ) -> Option<Slot<'n>> {
        let slot = fields.get(key);
        if slot.is_none() && !fields.is_misspelt(key) {
            let label = format!("`{key}` is missing");
            let message = format!("{owner} has no `{key}`");
            self.add(Problem::at(&codes::MISSING_KEY, owner_place, message).label(label));
        }
        slot
    }

    /// The value of a key, when it is there and can be read.
    pub(crate) fn take<'n, T>(
        &mut self,
        fields: &Fields<'n>,
        key: &'static str,
        read: impl FnOnce(&mut Self, Slot<'n>) -> Option<T>,
    ) -> Option<T> {
        read(self, fields.get(key)?)
    }

    /// What to say about a key that is not ours; the key of ours that was probably meant.
    fn other_key(
        &mut self,
        entry: &Entry,
        table: &'static Table,
        owner: &str,
        has: &dyn Fn(&str) -> bool,
    ) -> Option<&'static str> {
        let (name, place) = (&*entry.key.text, entry.key.place);
        let extension = name.starts_with("x-") && !matches!(table.others, Others::Refused);
        if extension || matches!(table.others, Others::Taken(_)) {
            return None;
        }
        let mut meant = None;
        let unknown = || Problem::at(&codes::UNKNOWN_KEY, place, format!("unknown key `{name}` in {owner}"));
        let problem = match table.foreign(name) {
            Some(Foreign::Means(ours)) => {
                meant = Some(ours);
                meant_by(unknown(), ours, !has(ours))
            }
            Some(Foreign::Hint(what_to_do)) => unknown().help(what_to_do),
            Some(Foreign::Later | Foreign::Refused(_) | Foreign::Ignored(_)) if harmless(name, &entry.node) => {
                return None;
            }
            Some(Foreign::Later) => {
                let message = format!("`{name}` in {owner} is not supported yet");
                Problem::at(&codes::NOT_YET, place, message).help("remove it for now")
            }
            // Most Compose files have it, and others find the service by it as by an alias.
            Some(Foreign::Refused(reason)) if name == CONTAINER_NAME && self.in_compose(place) => {
                Problem::at(&codes::IGNORED, place, format!("`{name}` is ignored in {owner}")).note(reason)
            }
            Some(Foreign::Refused(reason)) => {
                let message = format!("`{name}` is refused in {owner}");
                Problem::at(&codes::REFUSED, place, message)
                    .note(reason)
                    .help("remove it")
            }
            Some(Foreign::Ignored(reason)) => {
                Problem::at(&codes::IGNORED, place, format!("`{name}` is ignored in {owner}")).note(reason)
            }
            None if self.problems.is_full() => unknown(),
            None => {
                let ours = table.keys.iter().map(|key| key.name);
                meant = nearest(name, ours.clone());
                match meant {
                    Some(found) => meant_by(unknown(), found, !has(found) && is_only(name, found, ours)),
                    None => unknown().help(format!("keys of {}: {}", with_article(table.what), listed(ours))),
                }
            }
        };
        self.add(problem);
        meant
    }
}

/// With the key that was meant, and the edit where nothing speaks against it.
fn meant_by(problem: Problem, ours: &str, is_sure: bool) -> Problem {
    match is_sure {
        true => problem.meant(ours),
        false => problem.label(format!("did you mean `{ours}`?")),
    }
}

fn harmless(key: &str, node: &Node) -> bool {
    match &node.value {
        Value::Scalar(scalar) => scalar.plain == Plain::Null || is_harmless(key, &scalar.text),
        Value::List(items) => items.is_empty(),
        Value::Map(_) => false,
    }
}

fn with_article(what: &str) -> String {
    if what.starts_with('`') {
        what.to_owned()
    } else {
        format!("a {what}")
    }
}
