//! One form for what Compose lets people write in several, so that two services can be merged: lists of `NAME=value`
//! become maps, texts become lists. Names without a value get the variable's.

use std::sync::Arc;

use super::edit::{entry_like, list_like, map_like, usual, with_key};
use super::unset::without_unset;
use super::variables::{Variable, Variables};
use crate::reader::Reader;
use crate::substitute::has_template;
use crate::yaml::{Entry, Merge, Node, Scalar, Value};

impl Reader<'_> {
    /// A service of a Compose file: keys without a value are as if not written.
    pub(crate) fn canonical_service(&mut self, node: &Arc<Node>, variables: &Variables) -> Arc<Node> {
        if node.entries().is_none() {
            return match node.is_null() {
                true => map_like(node, Vec::new()),
                false => Arc::clone(node),
            };
        }
        let node = one_form(&without_unset("service", node));
        let node = with_key(&node, "environment", |node| self.with_variables(node, variables));
        with_key(&node, "build", |build| {
            with_key(build, "args", |node| self.with_variables(node, variables))
        })
    }

    /// A map whose entries without a value get the variable's; without a variable they go.
    fn with_variables(&mut self, node: &Arc<Node>, variables: &Variables) -> Arc<Node> {
        let Some(entries) = node.entries() else {
            return Arc::clone(node);
        };
        let mut new = Vec::new();
        for entry in entries {
            if !entry.node.is_null() || entry.node.merge != Merge::Usual {
                new.push(entry.clone());
                continue;
            }
            match variables.look_up(&self.scope, &entry.key.text) {
                Variable::Is(text) | Variable::OfBuild { text, .. } => {
                    let value = Node::scalar(entry.key.location, Scalar::quoted(text));
                    new.push(entry.with(Arc::new(value)));
                }
                Variable::Unset => {}
            }
        }
        map_like(node, new)
    }
}

/// A service with each key in one form.
pub(crate) fn one_form(node: &Arc<Node>) -> Arc<Node> {
    let mut node = Arc::clone(node);
    for key in ["environment", "labels", "sysctls", "annotations"] {
        node = with_key(&node, key, pairs);
    }
    for key in ["depends_on", "networks"] {
        node = with_key(&node, key, names);
    }
    for key in ["env_file", "tmpfs", "dns", "dns_search", "dns_opt", "profiles"] {
        node = with_key(&node, key, listed);
    }
    node = with_key(&node, "extra_hosts", hosts);
    with_key(&node, "build", |build| {
        let build = build_map(build);
        with_key(&with_key(&build, "args", pairs), "labels", pairs)
    })
}

fn build_map(node: &Arc<Node>) -> Arc<Node> {
    let Value::Scalar(scalar) = &node.value else {
        return Arc::clone(node);
    };
    let context = Node::scalar(node.location, scalar.clone());
    map_like(node, vec![entry_like(node, "context", context)])
}

/// A list of `NAME=value` as a map. One whose names are not known yet stays a list.
fn pairs(node: &Arc<Node>) -> Arc<Node> {
    let Value::List(items) = &node.value else {
        return Arc::clone(node);
    };
    let mut entries: Vec<Entry> = Vec::new();
    for item in items {
        let Value::Scalar(scalar) = &item.value else {
            return Arc::clone(node);
        };
        let (name, value) = match scalar.text.split_once('=') {
            Some((name, value)) => (name, Scalar::quoted(value.to_owned())),
            None => (scalar.text.as_str(), Scalar::unquoted(String::new())),
        };
        if has_template(name) {
            return Arc::clone(node);
        }
        let entry = entry_like(item, name, Node::scalar(item.location, value));
        match entries.iter_mut().find(|entry| &*entry.key.text == name) {
            Some(first) => *first = entry,
            None => entries.push(entry),
        }
    }
    map_like(node, entries)
}

/// A list of names as a map from them to nothing.
fn names(node: &Arc<Node>) -> Arc<Node> {
    let Value::List(items) = &node.value else {
        return Arc::clone(node);
    };
    let mut entries: Vec<Entry> = Vec::new();
    for item in items {
        let Value::Scalar(scalar) = &item.value else {
            return Arc::clone(node);
        };
        if has_template(&scalar.text) {
            return Arc::clone(node);
        }
        if !entries.iter().any(|entry| *entry.key.text == *scalar.text) {
            let nothing = Node::map(item.location, Vec::new());
            entries.push(entry_like(item, &scalar.text, nothing));
        }
    }
    map_like(node, entries)
}

/// A text as a list of one.
fn listed(node: &Arc<Node>) -> Arc<Node> {
    match &node.value {
        Value::Scalar(_) if node.is_null() => Arc::clone(node),
        Value::Scalar(_) | Value::Map(_) => list_like(node, vec![usual(node)]),
        Value::List(_) => Arc::clone(node),
    }
}

/// A map from hosts to addresses as a list.
fn hosts(node: &Arc<Node>) -> Arc<Node> {
    let Some(entries) = node.entries() else {
        return Arc::clone(node);
    };
    let mut lines = Vec::new();
    for entry in entries {
        let addresses = match &entry.node.value {
            Value::List(items) => items.clone(),
            Value::Scalar(_) | Value::Map(_) => vec![Arc::clone(&entry.node)],
        };
        for address in addresses {
            if let Value::Scalar(scalar) = &address.value {
                let line = format!("{}={}", entry.key.text, scalar.text);
                lines.push(Arc::new(Node::scalar(address.location, Scalar::quoted(line))));
            }
        }
    }
    list_like(node, lines)
}
