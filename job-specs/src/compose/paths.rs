//! Paths in Compose files are relative to a folder of their own; what comes out is relative to the repository's root.
//! One that leaves the repository stays as it is written, and whoever reads it says so.

use std::sync::Arc;

use super::edit::{entry_like, map_like, with_items, with_key, with_text};
use crate::reader::joined;
use crate::yaml::{Entry, Node, Scalar, Value};

/// A service whose paths are relative to a folder.
pub(crate) fn of_service(node: &Arc<Node>, folder: &str) -> Arc<Node> {
    if folder.is_empty() {
        return Arc::clone(node);
    }
    let node = with_key(node, "build", |build| of_build(build, folder));
    let node = with_key(&node, "env_file", |files| {
        with_items(files, |file| match file.value {
            Value::Map(_) => with_key(file, "path", |path| from(path, folder)),
            Value::Scalar(_) | Value::List(_) => from(file, folder),
        })
    });
    let node = with_key(&node, "volumes", |volumes| {
        with_items(volumes, |volume| match volume.value {
            Value::Map(_) => of_long_volume(volume, folder),
            Value::Scalar(_) | Value::List(_) => with_text(volume, |text| of_short_volume(text, folder)),
        })
    });
    with_key(&node, "security_opt", |options| {
        with_items(options, |option| {
            with_text(option, |text| {
                let (name, path) = text.split_once(['=', ':']).filter(|(name, _)| *name == "seccomp")?;
                let is_word = matches!(path, "unconfined" | "builtin");
                let path = (!is_word).then(|| joined(folder, path).ok()).flatten()?;
                Some(format!("{name}={path}"))
            })
        })
    })
}

/// A config or secret.
pub(crate) fn of_definition(node: &Arc<Node>, folder: &str) -> Arc<Node> {
    with_key(node, "file", |path| from(path, folder))
}

fn from(path: &Arc<Node>, folder: &str) -> Arc<Node> {
    with_text(path, |text| joined(folder, text).ok())
}

fn of_build(build: &Arc<Node>, folder: &str) -> Arc<Node> {
    if build.get("context").is_some() {
        return with_key(build, "context", |context| {
            with_text(context, |text| {
                let is_remote = text.contains("://") || text.starts_with("git@");
                (!is_remote).then(|| joined(folder, text).ok()).flatten()
            })
        });
    }
    let Some(entries) = build.entries() else {
        return Arc::clone(build);
    };
    let context = Node::scalar(build.location, Scalar::quoted(folder.to_owned()));
    let entries: Vec<Entry> = entries
        .iter()
        .cloned()
        .chain([entry_like(build, "context", context)])
        .collect();
    map_like(build, entries)
}

fn of_short_volume(text: &str, folder: &str) -> Option<String> {
    let (source, rest) = text.split_once(':')?;
    if !source.starts_with('.') {
        return None;
    }
    let path = joined(folder, source).ok()?;
    Some(format!("./{path}:{rest}"))
}

fn of_long_volume(volume: &Arc<Node>, folder: &str) -> Arc<Node> {
    let kind = volume.get("type").map(|kind| &kind.value);
    let is_bind = matches!(kind, Some(Value::Scalar(scalar)) if scalar.text == "bind");
    match is_bind {
        true => with_key(volume, "source", |source| from(source, folder)),
        false => Arc::clone(volume),
    }
}
