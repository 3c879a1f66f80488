//! The tree. Nodes are shared ([`Arc`]), so an alias costs nothing; their weights count what they would be if every
//! alias were written out, which is what reading them costs.

use std::sync::Arc;

use super::scalar::{Plain, Scalar};
use crate::source::Location;

/// One value of the file.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it stands.
    pub location: Location,
    /// What stands there.
    pub value: Value,
    pub(crate) weight: Weight,
    pub(crate) merge: Merge,
}

/// What a value does to the one that it comes over, when Compose files are merged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Merge {
    /// Maps are merged, lists appended, texts replaced.
    #[default]
    Usual,
    /// `!override`: it replaces.
    Override,
    /// `!reset`: it removes.
    Reset,
}

/// What a node is when every alias below it is written out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weight {
    /// Nodes, itself included.
    pub(crate) nodes: usize,
    /// Bytes of text.
    pub(crate) bytes: usize,
    /// Levels of maps and lists; 0 for a scalar.
    pub(crate) height: usize,
}

/// The three forms of a value.
#[derive(Debug, Clone)]
pub enum Value {
    /// A text, a number, `true`, nothing.
    Scalar(Scalar),
    /// A list.
    List(Vec<Arc<Node>>),
    /// A map, in the order of the file.
    Map(Vec<Entry>),
}

/// One `key: value`.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Its value.
    pub node: Arc<Node>,
}

/// A key, always a text.
#[derive(Debug, Clone)]
pub struct Key {
    /// The text.
    pub text: Arc<str>,
    /// Where it stands.
    pub location: Location,
}

impl Entry {
    /// The same key with another value.
    pub(crate) fn with(&self, node: Arc<Node>) -> Entry {
        let key = self.key.clone();
        Entry { key, node }
    }
}

impl Node {
    fn new(location: Location, value: Value, weight: Weight) -> Node {
        Node {
            location,
            value,
            weight,
            merge: Merge::Usual,
        }
    }

    /// A scalar node.
    pub(crate) fn scalar(location: Location, scalar: Scalar) -> Node {
        let weight = Weight {
            nodes: 1,
            bytes: scalar.text.len(),
            height: 0,
        };
        Node::new(location, Value::Scalar(scalar), weight)
    }

    /// A list node.
    pub(crate) fn list(location: Location, items: Vec<Arc<Node>>) -> Node {
        let weight = above(items.iter().map(|item| item.weight));
        Node::new(location, Value::List(items), weight)
    }

    /// A map node.
    pub(crate) fn map(location: Location, entries: Vec<Entry>) -> Node {
        let mut weight = above(entries.iter().map(|entry| entry.node.weight));
        weight.bytes += entries.iter().map(|entry| entry.key.text.len()).sum::<usize>();
        Node::new(location, Value::Map(entries), weight)
    }

    /// The entries, when it is a map.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            Value::Scalar(_) | Value::List(_) => None,
        }
    }

    /// The value of a key, when it is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Arc<Node>> {
        let entry = self.entries()?.iter().find(|entry| &*entry.key.text == key)?;
        Some(&entry.node)
    }

    /// Whether nothing is written here: `key:`, `~`, `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.plain == Plain::Null)
    }

    /// The scalar that is written here, if it is one.
    pub(crate) fn written(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) if scalar.plain != Plain::Null => Some(scalar),
            _ => None,
        }
    }

    /// The text of a scalar that is written.
    pub fn text(&self) -> Option<&str> {
        Some(&self.written()?.text)
    }

    /// The items of the list under a key; none when it is no list.
    pub(crate) fn list_of(&self, key: &str) -> &[Arc<Node>] {
        match self.get(key).map(|node| &node.value) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    /// The text of a key's scalar.
    pub fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    /// Whether it is `true`.
    pub fn is_true(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.plain == Plain::Bool(true))
    }

    /// The items of a list; a single value is a list of one.
    pub fn items(self: &Arc<Node>) -> Vec<Arc<Node>> {
        match &self.value {
            Value::List(items) => items.clone(),
            _ if self.is_null() => Vec::new(),
            _ => vec![Arc::clone(self)],
        }
    }

    /// The items under a key.
    pub fn items_of(&self, key: &str) -> Vec<Arc<Node>> {
        self.get(key).map(Node::items).unwrap_or_default()
    }

    /// The entries of the map under a key.
    pub fn entries_of(&self, key: &str) -> &[Entry] {
        self.get(key).and_then(|node| node.entries()).unwrap_or_default()
    }

    /// The scalars among the items.
    pub fn texts(self: &Arc<Node>) -> Vec<String> {
        let items = self.items();
        items.iter().filter_map(|item| item.text().map(str::to_owned)).collect()
    }

    /// The scalars under a key: one or a list.
    pub fn texts_of(&self, key: &str) -> Vec<String> {
        self.get(key).map(Node::texts).unwrap_or_default()
    }

    /// Names and values under a key: [`pairs`](Self::pairs) without their nodes.
    pub fn pairs_of(&self, key: &str) -> Vec<(String, String)> {
        let pairs = self.get(key).map(Node::pairs).unwrap_or_default();
        pairs.into_iter().map(|(name, _, value)| (name, value)).collect()
    }

    /// Names and values of a map, or of a list of `NAME=value`; those that are no scalars are left out.
    pub fn pairs(self: &Arc<Node>) -> Vec<(String, Arc<Node>, String)> {
        if let Some(entries) = self.entries() {
            let pair = |entry: &Entry| match &entry.node.value {
                Value::Scalar(Scalar { text, .. }) => {
                    Some((entry.key.text.to_string(), Arc::clone(&entry.node), text.clone()))
                }
                _ => None,
            };
            return entries.iter().filter_map(pair).collect();
        }
        let pair = |item: &Arc<Node>| {
            let (name, value) = item.text()?.split_once('=')?;
            Some((name.trim().to_owned(), Arc::clone(item), value.to_owned()))
        };
        self.items().iter().filter_map(pair).collect()
    }

    /// What stands here, for "expected …, found …".
    pub(crate) fn found(&self) -> String {
        match &self.value {
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
            Value::Scalar(scalar) => scalar.found(),
        }
    }
}

fn above(children: impl Iterator<Item = Weight>) -> Weight {
    let start = Weight {
        nodes: 1,
        bytes: 0,
        height: 1,
    };
    children.fold(start, |sum, child| Weight {
        nodes: sum.nodes + child.nodes,
        bytes: sum.bytes + child.bytes,
        height: sum.height.max(child.height + 1),
    })
}
