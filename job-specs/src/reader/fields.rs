//! Maps with known keys: which key is ours, which one belongs to somebody else, and what to say about it.

use crate::codes;
use crate::problems::Problem;
use crate::reader::Reader;
use crate::reader::keys::{Foreign, Key, Level, Others, Table};
use crate::source::Location;
use crate::substitute::has_template;
use crate::suggest::{is_only, listed, nearest};
use crate::yaml::{Entry, Node, Value};

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
    pub(crate) fn location(&self) -> Location {
        self.node.location
    }
}

/// A map whose keys have been checked against a table.
#[derive(Clone)]
pub(crate) struct Fields<'a> {
    level: &'static dyn Level,
    entries: &'a [Entry],
    /// What has the keys.
    owner: String,
    /// Keys of ours that unknown ones were probably meant to be.
    meant: Vec<&'static str>,
    /// Keys that are not to be read any more.
    done: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The value of a key of the table.
    pub(crate) fn get(&self, key: &'static str) -> Option<Slot<'a>> {
        debug_assert!(
            self.level.has(key),
            "`{key}` is not in the table of {}",
            self.level.what()
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
    pub(crate) fn key_location(&self, key: &str) -> Option<Location> {
        self.entries
            .iter()
            .find(|entry| &*entry.key.text == key)
            .map(|entry| entry.key.location)
    }

    /// The entries that the table does not name.
    pub(crate) fn others(&self) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(|entry| !self.level.has(&entry.key.text))
    }

    /// These keys are not to be read with the rest.
    pub(crate) fn leave_out(&mut self, keys: &[&'static str]) {
        self.done.extend(keys);
    }
}

impl Reader<'_> {
    /// A map, read into `made` by its table; `owner` is what has the keys (``job `test` ``). `None` when it is not a map.
    pub(crate) fn level<'n, T>(
        &mut self,
        slot: Slot<'n>,
        table: &'static Table<T>,
        owner: String,
        made: &mut T,
    ) -> Option<Fields<'n>> {
        let mut fields = self.fields(slot, table, owner)?;
        self.rest(&mut fields, table, slot.location(), made);
        Some(fields)
    }

    /// The same for a map below the one that is being read, which is called after both. Not a map: `None`.
    pub(crate) fn map<'n, T: Default>(&mut self, slot: Slot<'n>, table: &'static Table<T>) -> Option<(T, Fields<'n>)> {
        let mut made = T::default();
        let owner = format!("{} of {}", table.what, self.owner);
        let fields = self.level(slot, table, owner, &mut made)?;
        Some((made, fields))
    }

    /// The keys of a map, none of them read yet.
    pub(crate) fn fields<'n>(
        &mut self,
        slot: Slot<'n>,
        level: &'static dyn Level,
        owner: String,
    ) -> Option<Fields<'n>> {
        let entries = self.entries(slot, "a map")?;
        let others = entries.iter().filter(|entry| !level.has(&entry.key.text));
        let has = |key: &str| entries.iter().any(|entry| &*entry.key.text == key);
        let meant = others
            .filter_map(|entry| self.other_key(entry, level, &owner, &has))
            .collect();
        Some(Fields {
            level,
            entries,
            owner,
            meant,
            done: Vec::new(),
        })
    }

    /// Reads one key before the rest.
    pub(crate) fn early<T>(
        &mut self,
        fields: &mut Fields<'_>,
        table: &'static Table<T>,
        name: &'static str,
        made: &mut T,
    ) {
        let key = table.keys.iter().find(|key| key.name == name);
        debug_assert!(key.is_some(), "`{name}` is not in the table of {}", table.what);
        if let (Some(key), Some(slot)) = (key, fields.get(name)) {
            self.inside_of(fields, |reader| key.value.read(reader, slot, made));
        }
        fields.done.push(name);
    }

    /// Reads the keys that have not been read, in the order of the table. The absence of one that is required is a
    /// problem at `location`.
    pub(crate) fn rest<T>(
        &mut self,
        fields: &mut Fields<'_>,
        table: &'static Table<T>,
        location: Location,
        made: &mut T,
    ) {
        let left = table.keys.iter().filter(|key| !fields.done.contains(&key.name));
        let left: Vec<&'static Key<T>> = left.collect();
        for key in left {
            match fields.get(key.name) {
                Some(slot) => self.inside_of(fields, |reader| key.value.read(reader, slot, made)),
                None if key.required => self.missing(fields, key.name, location),
                None => {}
            }
            fields.done.push(key.name);
        }
    }

    fn inside_of(&mut self, fields: &Fields<'_>, read: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.owner, fields.owner.clone());
        read(self);
        self.owner = outer;
    }

    /// What a map below the one that is being read is called: `` `healthcheck` of service `db` ``.
    pub(crate) fn part(&self, key: &str) -> String {
        format!("`{key}` of {}", self.owner)
    }

    /// Reports the absence of a key that is needed.
    pub(crate) fn missing(&mut self, fields: &Fields<'_>, key: &'static str, location: Location) {
        if fields.get(key).is_none() && !fields.is_misspelt(key) {
            let label = format!("`{key}` is missing");
            let message = format!("{} has no `{key}`", fields.owner);
            self.add(codes::MISSING_KEY.at(location, message).label(label));
        }
    }

    /// What to say about a key that is not ours; the key of ours that was probably meant.
    fn other_key(
        &mut self,
        entry: &Entry,
        level: &'static dyn Level,
        owner: &str,
        has: &dyn Fn(&str) -> bool,
    ) -> Option<&'static str> {
        let (name, location) = (&*entry.key.text, entry.key.location);
        let extension = name.starts_with("x-") && !matches!(level.others(), Others::Refused);
        if extension || matches!(level.others(), Others::Taken(_)) {
            return None;
        }
        let mut meant = None;
        let unknown = || codes::UNKNOWN_KEY.at(location, format!("unknown key `{name}` in {owner}"));
        let ignored = |reason: &str| {
            let problem = codes::IGNORED.at(location, format!("`{name}` is ignored in {owner}"));
            problem.note(reason)
        };
        let problem = match level.foreign(name) {
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
                codes::NOT_YET.at(location, message).help("remove it for now")
            }
            // Most Compose files have it, and others find the service by it as by an alias.
            Some(Foreign::Refused(reason)) if name == CONTAINER_NAME && self.in_compose(location) => ignored(reason),
            Some(Foreign::Refused(reason)) => {
                let message = format!("`{name}` is refused in {owner}");
                codes::REFUSED.at(location, message).note(reason).help("remove it")
            }
            Some(Foreign::Ignored(reason)) => ignored(reason),
            None if self.problems.is_full() => unknown(),
            None => {
                let ours = level.keys().map(|key| key.name);
                meant = nearest(name, ours.clone());
                match meant {
                    Some(found) => meant_by(unknown(), found, !has(found) && is_only(name, found, ours)),
                    None => unknown().help(format!("keys of {}: {}", with_article(level.what()), listed(ours))),
                }
            }
        };
        self.add(problem);
        meant
    }
}

/// Refused in a job file; in a Compose file that is taken as it is, it is read over.
pub(crate) const CONTAINER_NAME: &str = "container_name";

/// Whether a refused key says no more than what is so anyway: `privileged: false`.
fn is_harmless(key: &str, value: &str) -> bool {
    matches!(
        (key, value),
        ("privileged" | "use_api_socket", "false" | "no" | "off")
            | ("network_mode", "bridge" | "default")
            | ("ipc", "private" | "shareable")
            | ("cgroup", "private")
    )
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
        Value::Scalar(scalar) => node.is_null() || is_harmless(key, &scalar.text),
        Value::List(items) => items.is_empty(),
        Value::Map(_) => false,
    }
}

fn with_article(what: &str) -> String {
    match what.starts_with('`') {
        true => what.to_owned(),
        false => format!("a {what}"),
    }
}
