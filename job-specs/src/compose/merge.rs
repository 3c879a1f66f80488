//! One Compose value over another, as Compose merges several files and `extends`: maps are merged, lists appended, texts
//! replaced; commands replace each other; lists of things with a name or a place have each of them once.

use std::collections::HashMap;
use std::sync::Arc;

use super::edit::{list_like, map_like, usual};
use crate::codes;
use crate::reader::Reader;
use crate::source::Location;
use crate::yaml::{Entry, Merge, Node, Value};

/// Keys of a service whose lists are one value.
const REPLACED: &[&str] = &["command", "entrypoint", "test"];
/// Keys of a service that can be a number or a map; the later form counts.
const EITHER_FORM: &[&str] = &[
    "ulimits",
    "external",
    "extends",
    "healthcheck",
    "ready",
    "http",
    "logging",
];

impl Reader<'_> {
    /// `over` over `base`; both are maps from names to services, configs or the like.
    pub(crate) fn merge_entries(&mut self, base: Vec<Entry>, over: &[Entry], location: Location) -> Vec<Entry> {
        let base = Arc::new(Node::map(location, base));
        let over = Arc::new(Node::map(location, over.to_vec()));
        let merged = self.merged("", &base, &over);
        merged.entries().map(<[Entry]>::to_vec).unwrap_or_default()
    }

    /// `over` over `base`, as the value of `key`.
    pub(crate) fn merged(&mut self, key: &str, base: &Arc<Node>, over: &Arc<Node>) -> Arc<Node> {
        if over.merge == Merge::Override || REPLACED.contains(&key) || base.is_null() {
            return usual(over);
        }
        match (&base.value, &over.value) {
            (Value::Map(some), Value::Map(others)) => {
                self.spend(16 * (some.len() + others.len()), over.location);
                let entries = self.merged_maps(some, others);
                Arc::new(Node::map(over.location, entries))
            }
            (Value::List(some), Value::List(others)) => {
                self.spend(16 * (some.len() + others.len()), over.location);
                list_like(base, once_each(key, some.iter().chain(others)))
            }
            (Value::Scalar(_), Value::Scalar(_)) => usual(over),
            (_, Value::Scalar(_)) if over.is_null() => Arc::clone(base),
            _ if EITHER_FORM.contains(&key) || key.is_empty() => usual(over),
            _ => {
                let (here, there) = (base.found(), over.found());
                let message = format!("`{key}` is {here} here, and {there} where it is overridden");
                let problem = codes::CANNOT_MERGE.at(over.location, message);
                let problem = problem.related(base.location, "the value that is overridden");
                self.add(problem.help("write both in the same form, or put `!override` before this one"));
                usual(over)
            }
        }
    }

    fn merged_maps(&mut self, base: &[Entry], over: &[Entry]) -> Vec<Entry> {
        let mut merged: Vec<Entry> = base.to_vec();
        let names = base.iter().map(|entry| &*entry.key.text);
        let at: HashMap<&str, usize> = names.zip(0..).collect();
        let mut removed = Vec::new();
        for entry in over {
            match at.get(&*entry.key.text) {
                Some(at) if entry.node.merge == Merge::Reset => removed.push(*at),
                None if entry.node.merge == Merge::Reset => {}
                Some(at) => {
                    let node = self.merged(&entry.key.text, &base[*at].node, &entry.node);
                    merged[*at] = entry.with(node);
                }
                None => merged.push(entry.with(usual(&entry.node))),
            }
        }
        removed.sort_unstable();
        for at in removed.into_iter().rev() {
            merged.remove(at);
        }
        merged
    }
}

/// What is left of a value that was merged with nothing: `!reset` removes its key all the same.
pub(crate) fn settled(node: &Arc<Node>) -> Arc<Node> {
    let node = usual(node);
    let Some(entries) = node.entries() else { return node };
    if entries.iter().all(|entry| entry.node.merge == Merge::Usual) {
        return node;
    }
    let kept = entries.iter().filter(|entry| entry.node.merge != Merge::Reset);
    map_like(&node, kept.map(|entry| entry.with(usual(&entry.node))).collect())
}

/// The items of a list with each thing once: the first one's position, the last one's value.
fn once_each<'n>(key: &str, items: impl Iterator<Item = &'n Arc<Node>>) -> Vec<Arc<Node>> {
    let mut found: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<Arc<Node>> = Vec::new();
    for item in items {
        match identity(key, item).and_then(|identity| found.get(&identity).copied().ok_or(identity).into()) {
            Some(Ok(at)) => kept[at] = Arc::clone(item),
            Some(Err(identity)) => {
                found.insert(identity, kept.len());
                kept.push(Arc::clone(item));
            }
            None => kept.push(Arc::clone(item)),
        }
    }
    kept
}

/// What makes an item of a list the same thing as another: a volume's target, a port, a name.
fn identity(key: &str, item: &Node) -> Option<String> {
    let field = |name: &str| match &item.get(name)?.value {
        Value::Scalar(scalar) => Some(scalar.text.clone()),
        Value::List(_) | Value::Map(_) => None,
    };
    match (&item.value, key) {
        (Value::Scalar(scalar), "volumes") => {
            let parts: Vec<&str> = scalar.text.split(':').collect();
            let target = parts.get(usize::from(parts.len() > 1))?;
            Some(target.trim_end_matches('/').to_owned())
        }
        (Value::Scalar(scalar), "tmpfs") => scalar.text.split(':').next().map(str::to_owned),
        (Value::Scalar(scalar), "ports") => Some(scalar.text.trim_end_matches("/tcp").to_owned()),
        (Value::Scalar(scalar), _) => Some(scalar.text.clone()),
        (Value::Map(_), "volumes") => field("target").map(|target| target.trim_end_matches('/').to_owned()),
        (Value::Map(_), "ports") => {
            let parts = ["host_ip", "published", "target", "protocol"].map(|name| field(name).unwrap_or_default());
            Some(parts.join("|"))
        }
        (Value::Map(_), "configs" | "secrets") => field("target").or_else(|| field("source")),
        (Value::Map(_), "env_file") => field("path"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problems::Problems;
    use crate::reader::Spent;
    use crate::source::Source;
    use crate::sources::Sources;
    use crate::substitute::Scope;

    /// Two YAML texts merged, shown as one line.
    fn merged(base: &str, over: &str) -> String {
        let texts = [base, over].map(|text| Source::new("f", text));
        let sources = Sources::new(texts.to_vec());
        let mut problems = Problems::default();
        let trees: Vec<_> = (0..2)
            .map(|at| crate::yaml::read_compose(at, &sources[at], &mut problems).unwrap())
            .map(|tree| super::super::canonical::one_form(&tree))
            .collect();
        let mut spent = Spent::default();
        let mut reader = Reader::new(&sources, Scope::default(), &mut problems, &mut spent);
        let merged = reader.merged("service", &trees[0], &trees[1]);
        match problems.errors() {
            0 => shown(&merged),
            _ => "error".to_owned(),
        }
    }

    fn shown(node: &Node) -> String {
        match &node.value {
            Value::Scalar(scalar) => scalar.text.clone(),
            Value::List(items) => format!(
                "[{}]",
                items.iter().map(|item| shown(item)).collect::<Vec<_>>().join(", ")
            ),
            Value::Map(entries) => {
                let entries = entries
                    .iter()
                    .map(|entry| format!("{}: {}", entry.key.text, shown(&entry.node)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
        }
    }

    #[test]
    fn values_are_merged_as_compose_merges_them() {
        let cases = [
            ("{image: a, user: x}", "{image: b}", "{image: b, user: x}"),
            ("{command: [a, b]}", "{command: [c]}", "{command: [c]}"),
            ("{command: a}", "{command: [c]}", "{command: [c]}"),
            (
                "{healthcheck: {test: [CMD, a], retries: 3}}",
                "{healthcheck: {test: b}}",
                "{healthcheck: {test: b, retries: 3}}",
            ),
            (
                "{environment: [A=1, B=2]}",
                "{environment: {B: 3, C: 4}}",
                "{environment: {A: 1, B: 3, C: 4}}",
            ),
            (
                "{environment: {A: 1}}",
                "{environment: [\"A=x=y\"]}",
                "{environment: {A: x=y}}",
            ),
            (
                "{ports: [\"80:80\", \"81:81\"]}",
                "{ports: [\"80:80\", \"82:80\"]}",
                "{ports: [80:80, 81:81, 82:80]}",
            ),
            (
                "{volumes: [\"a:/x\", \"./b:/y:ro\"]}",
                "{volumes: [\"c:/x/\", {type: tmpfs, target: /y}]}",
                "{volumes: [c:/x/, {type: tmpfs, target: /y}]}",
            ),
            ("{expose: [1, 2]}", "{expose: [2, 3]}", "{expose: [1, 2, 3]}"),
            ("{dns: 1.1.1.1}", "{dns: [8.8.8.8]}", "{dns: [1.1.1.1, 8.8.8.8]}"),
            (
                "{tmpfs: /run}",
                "{tmpfs: [\"/run:size=1m\"]}",
                "{tmpfs: [/run:size=1m]}",
            ),
            ("{env_file: a}", "{env_file: [b]}", "{env_file: [a, b]}"),
            (
                "{depends_on: [a]}",
                "{depends_on: {b: {condition: c}}}",
                "{depends_on: {a: {}, b: {condition: c}}}",
            ),
            (
                "{networks: [n]}",
                "{networks: {n: {aliases: [x]}}}",
                "{networks: {n: {aliases: [x]}}}",
            ),
            (
                "{build: ./a}",
                "{build: {target: t}}",
                "{build: {context: ./a, target: t}}",
            ),
            (
                "{build: {args: [A=1]}}",
                "{build: {args: {B: 2}}}",
                "{build: {args: {A: 1, B: 2}}}",
            ),
            (
                "{extra_hosts: {a: 1.1.1.1}}",
                "{extra_hosts: [\"b=2.2.2.2\"]}",
                "{extra_hosts: [a=1.1.1.1, b=2.2.2.2]}",
            ),
            (
                "{ulimits: {nofile: 1}}",
                "{ulimits: {nofile: {soft: 1, hard: 2}}}",
                "error",
            ),
            (
                "{secrets: [a, {source: b, target: t}]}",
                "{secrets: [a, {source: c, target: t}]}",
                "{secrets: [a, {source: c, target: t}]}",
            ),
            ("{image: a, ports: [1]}", "{ports: !reset []}", "{image: a}"),
            ("{image: a, ports: [1]}", "{ports: !reset}", "{image: a}"),
            ("{ports: [1]}", "{ports: !override [2]}", "{ports: [2]}"),
            (
                "{environment: {A: 1}}",
                "{environment: !override {B: 1}}",
                "{environment: {B: 1}}",
            ),
            (
                "{environment: {A: 1, B: 2}}",
                "{environment: {A: !reset null}}",
                "{environment: {B: 2}}",
            ),
            ("{expose: [1]}", "{expose: 2}", "error"),
            ("{environment: {A: 1}}", "{environment:}", "{environment: {A: 1}}"),
        ];
        for (base, over, expected) in cases {
            assert_eq!(merged(base, over), expected, "{base} {over}");
        }
    }
}
