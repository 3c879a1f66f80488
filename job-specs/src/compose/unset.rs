//! What is written and has no value: Compose reads nothing at all and an empty text, as `${NAME:-}` leaves one, as a key
//! that is not set.

use std::sync::Arc;

use super::edit::{list_like, map_like};
use crate::yaml::{Entry, Merge, Node, Value};

/// Values that may be empty: texts and lists of words by which nothing at all is said, and maps of anybody's own names.
const MAY_BE_EMPTY: &[&str] = &[
    "annotations",
    "args",
    "command",
    "content",
    "driver_opts",
    "entrypoint",
    "environment",
    "extra_hosts",
    "labels",
    "options",
    "sysctls",
    "test",
];
/// Maps whose keys are names that say something without a value.
const NAMES: &[&str] = &["depends_on", "networks"];

/// The value of `key` without anything in it that is not set.
pub(crate) fn without_unset(key: &str, node: &Arc<Node>) -> Arc<Node> {
    if MAY_BE_EMPTY.contains(&key) || key.starts_with("x-") {
        return Arc::clone(node);
    }
    match &node.value {
        Value::Scalar(_) => Arc::clone(node),
        Value::List(items) => {
            let kept = items.iter().filter(|item| !is_unset(item));
            let new: Vec<Arc<Node>> = kept.map(|item| without_unset(key, item)).collect();
            match new.len() == items.len() && items.iter().zip(&new).all(|(old, new)| Arc::ptr_eq(old, new)) {
                true => Arc::clone(node),
                false => list_like(node, new),
            }
        }
        Value::Map(entries) => {
            let is_kept = |entry: &&Entry| NAMES.contains(&key) || is_free(entry) || !is_unset(&entry.node);
            let settled = |entry: &Entry| Entry {
                key: entry.key.clone(),
                node: without_unset(&entry.key.text, &entry.node),
            };
            let new: Vec<Entry> = entries.iter().filter(is_kept).map(settled).collect();
            let is_same = |(old, new): (&Entry, &Entry)| Arc::ptr_eq(&old.node, &new.node);
            match new.len() == entries.len() && entries.iter().zip(&new).all(is_same) {
                true => Arc::clone(node),
                false => map_like(node, new),
            }
        }
    }
}

/// An empty text is a value of these; nothing at all is not.
fn is_free(entry: &Entry) -> bool {
    MAY_BE_EMPTY.contains(&&*entry.key.text) && !entry.node.is_null()
}

fn is_unset(node: &Node) -> bool {
    let is_empty = matches!(&node.value, Value::Scalar(scalar) if scalar.text.is_empty());
    (is_empty || node.is_null()) && node.merge == Merge::Usual
}
