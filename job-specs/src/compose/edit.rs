//! Changed copies of nodes: what is not changed is shared.

use std::sync::Arc;

use crate::yaml::{Entry, Key, Merge, Node, Scalar, Value};

/// The same text at the same place with other words; `None` from `change` keeps it.
pub(crate) fn with_text(node: &Arc<Node>, change: impl FnOnce(&str) -> Option<String>) -> Arc<Node> {
    let Value::Scalar(scalar) = &node.value else {
        return Arc::clone(node);
    };
    match change(&scalar.text) {
        Some(text) => Arc::new(Node {
            merge: node.merge,
            ..Node::scalar(node.location, Scalar::quoted(text))
        }),
        None => Arc::clone(node),
    }
}

/// A list or map whose values are changed, or removed by `None`; the same one when that changes nothing. `change` gets
/// the key of each value of a map.
pub(crate) fn changed(
    node: &Arc<Node>,
    mut change: impl FnMut(Option<&str>, &Arc<Node>) -> Option<Arc<Node>>,
) -> Arc<Node> {
    match &node.value {
        Value::Scalar(_) => Arc::clone(node),
        Value::List(items) => {
            let new: Vec<Arc<Node>> = items.iter().filter_map(|item| change(None, item)).collect();
            match new.len() == items.len() && items.iter().zip(&new).all(|(old, new)| Arc::ptr_eq(old, new)) {
                true => Arc::clone(node),
                false => list_like(node, new),
            }
        }
        Value::Map(entries) => {
            let change = |entry: &Entry| Some(entry.with(change(Some(&entry.key.text), &entry.node)?));
            let new: Vec<Entry> = entries.iter().filter_map(change).collect();
            let is_same = |(old, new): (&Entry, &Entry)| Arc::ptr_eq(&old.node, &new.node);
            match new.len() == entries.len() && entries.iter().zip(&new).all(is_same) {
                true => Arc::clone(node),
                false => map_like(node, new),
            }
        }
    }
}

/// A map with the value of one key changed, if it is there.
pub(crate) fn with_key(node: &Arc<Node>, key: &str, mut change: impl FnMut(&Arc<Node>) -> Arc<Node>) -> Arc<Node> {
    changed(node, |name, value| match name == Some(key) {
        true => Some(change(value)),
        false => Some(Arc::clone(value)),
    })
}

/// A list with every item changed.
pub(crate) fn with_items(node: &Arc<Node>, mut change: impl FnMut(&Arc<Node>) -> Arc<Node>) -> Arc<Node> {
    match &node.value {
        Value::List(_) => changed(node, |_, item| Some(change(item))),
        Value::Scalar(_) | Value::Map(_) => Arc::clone(node),
    }
}

/// A map at the place of another node.
pub(crate) fn map_like(node: &Node, entries: Vec<Entry>) -> Arc<Node> {
    Arc::new(Node {
        merge: node.merge,
        ..Node::map(node.location, entries)
    })
}

/// A list at the place of another node.
pub(crate) fn list_like(node: &Node, items: Vec<Arc<Node>>) -> Arc<Node> {
    Arc::new(Node {
        merge: node.merge,
        ..Node::list(node.location, items)
    })
}

/// An entry whose key and value stand at the place of another node.
pub(crate) fn entry_like(node: &Node, key: &str, value: Node) -> Entry {
    Entry {
        key: Key {
            text: key.into(),
            location: node.location,
        },
        node: Arc::new(value),
    }
}

/// Whether two values say the same, wherever they stand.
pub(crate) fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Scalar(a), Value::Scalar(b)) => a.text == b.text,
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Map(some), Value::Map(others)) => {
            some.len() == others.len()
                && some
                    .iter()
                    .all(|entry| b.get(&entry.key.text).is_some_and(|other| same(&entry.node, other)))
        }
        _ => false,
    }
}

/// The value without its `!override`.
pub(crate) fn usual(node: &Arc<Node>) -> Arc<Node> {
    match node.merge {
        Merge::Usual => Arc::clone(node),
        Merge::Override | Merge::Reset => Arc::new(Node {
            merge: Merge::Usual,
            ..Node::clone(node)
        }),
    }
}
