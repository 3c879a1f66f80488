//! What is written and has no value: Compose reads nothing at all and an empty text, as `${NAME:-}` leaves one, as a key
//! that is not set.

use std::sync::Arc;

use super::edit::changed;
use crate::yaml::{Merge, Node, Value};

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
    changed(node, |name, value| {
        // An empty text is a value of these; nothing at all is not.
        let is_free = name.is_some_and(|name| MAY_BE_EMPTY.contains(&name)) && !value.is_null();
        let is_name = name.is_some() && NAMES.contains(&key);
        (is_free || is_name || !is_unset(value)).then(|| without_unset(name.unwrap_or(key), value))
    })
}

fn is_unset(node: &Node) -> bool {
    let is_empty = matches!(&node.value, Value::Scalar(scalar) if scalar.text.is_empty());
    (is_empty || node.is_null()) && node.merge == Merge::Usual
}
