//! GitHub Actions: jobs and steps are much the same here; actions are not, so the ones that everybody uses become an
//! image, a cache or an artifact, and the others are noted.

mod conditions;
mod expressions;
mod job;
mod step;
mod uses;

use std::collections::HashSet;
use std::sync::Arc;

use job_specs::yaml::{Entry, Node};

use super::conditions::{on, with_excluded};
use super::draft::Draft;
use super::notes::{Answer, Notes, about};
use super::out::{Map, Out};

const KEYS: &[&str] = &["name", "run-name", "on", "env", "defaults", "concurrency", "jobs"];
const ANSWERS: &[Answer] =
    &[about("permissions").say("has no counterpart: a job gets no token of the forge; give it one as a secret")];

pub(super) fn import(documents: &[Arc<Node>], notes: &mut Notes) -> Draft {
    let mut draft = Draft::default();
    for root in documents {
        notes.rest(root, KEYS, ANSWERS);
        if let Some(name) = root.text_of("name") {
            draft.comments.push(name.to_owned());
        }
        if let Some(events) = root.get("on") {
            draft.on = triggers(events, notes);
        }
        if let Some(concurrency) = root.get("concurrency") {
            draft.concurrency = self::concurrency(concurrency, notes);
        }
        if let Some(env) = root.get("env") {
            draft.env = expressions::env(env, &[], notes);
        }
        let globals: Vec<String> = draft.env.iter().map(|(name, _)| name.clone()).collect();
        for entry in root.entries_of("jobs") {
            draft.jobs.push(job::job(entry, root.get("defaults"), &globals, notes));
        }
    }
    draft
}

fn triggers(node: &Arc<Node>, notes: &mut Notes) -> Option<Out> {
    let mut events: Vec<(&str, Map)> = Vec::new();
    let mut schedule = Vec::new();
    let mut inputs = None;
    for (name, event) in named(node) {
        match name.as_str() {
            "push" => push(&event, &mut events),
            "pull_request" | "pull_request_target" => {
                if let Some(types) = event.get("types") {
                    let text = "`types` has no counterpart: opened, reopened and new commits make a build";
                    notes.add(types.location, text);
                }
                events.push(("pull_request", filters(&event)));
            }
            "workflow_dispatch" => {
                inputs = event.get("inputs").and_then(|given| self::inputs(given, notes));
                events.push(("manual", Map::default()));
            }
            "schedule" => {
                let items = event.items();
                let crons = items.iter().filter_map(|item| item.text_of("cron"));
                schedule.extend(crons.map(|cron| Out::Flow(Map::default().with("cron", Out::text(cron)))));
            }
            "release" | "create" => events.push(("tag", Map::default())),
            other => notes.add(event.location, format!("the event `{other}` has no counterpart")),
        }
    }
    let mut seen = HashSet::new();
    events.retain(|(event, _)| seen.insert(*event));
    if schedule.is_empty() && inputs.is_none() {
        return on(events);
    }
    let mut map = Map::default();
    for (event, filters) in events {
        match (event, inputs.take()) {
            ("manual", Some(inputs)) => map.put(event, Out::Map(Map::default().with("inputs", inputs))),
            (_, other) => {
                inputs = other;
                map.put(event, Out::Flow(filters));
            }
        }
    }
    map.put_list("schedule", schedule);
    Some(Out::Map(map))
}

/// Events with what stands below them: a text, a list or a map.
fn named(node: &Arc<Node>) -> Vec<(String, Arc<Node>)> {
    match node.entries() {
        Some(entries) => {
            let one = |entry: &Entry| (entry.key.text.to_string(), Arc::clone(&entry.node));
            entries.iter().map(one).collect()
        }
        None => {
            let one = |item: &Arc<Node>| Some((item.text()?.to_owned(), Arc::clone(item)));
            node.items().iter().filter_map(one).collect()
        }
    }
}

/// A push of GitHub's is a push or a tag of ours: by what it filters.
fn push(node: &Arc<Node>, events: &mut Vec<(&'static str, Map)>) {
    let tags = with_excluded(node.texts_of("tags"), node.texts_of("tags-ignore"));
    let has_branches = node.get("branches").is_some() || node.get("branches-ignore").is_some();
    if has_branches || tags.is_empty() {
        events.push(("push", filters(node)));
    }
    if !tags.is_empty() {
        let mut filters = Map::default();
        if tags != ["*"] && tags != ["**"] {
            filters.put_texts("tags", tags);
        }
        events.push(("tag", filters));
    } else if !has_branches && node.get("paths").is_none() {
        events.push(("tag", Map::default()));
    }
}

fn filters(node: &Arc<Node>) -> Map {
    let mut map = Map::default();
    for key in ["branches", "paths"] {
        let globs = with_excluded(node.texts_of(key), node.texts_of(&format!("{key}-ignore")));
        map.put_texts(key, globs);
    }
    map
}

fn inputs(node: &Node, notes: &mut Notes) -> Option<Out> {
    let mut inputs = Map::default();
    for entry in node.entries().unwrap_or_default() {
        let mut input = Map::default();
        let kind = match entry.node.text_of("type").unwrap_or("string") {
            "boolean" => "flag",
            "choice" => "choice",
            "number" => "number",
            "string" => "text",
            other => {
                let text = format!("an input of type `{other}` has no counterpart: it is a text now");
                notes.add(entry.key.location, text);
                "text"
            }
        };
        match kind {
            "choice" => input.put("options", Out::texts(entry.node.texts_of("options"))),
            kind => input.put("type", Out::text(kind)),
        }
        input.put_some("default", entry.node.text_of("default").map(Out::text));
        input.put_some("description", entry.node.text_of("description").map(Out::text));
        if entry.node.get("required").is_some_and(|required| required.is_true()) {
            input.put_true("required");
        }
        inputs.put(&entry.key.text, Out::Flow(input));
    }
    (!inputs.is_empty()).then_some(Out::Map(inputs))
}

fn concurrency(node: &Arc<Node>, notes: &mut Notes) -> Option<Out> {
    let group = node.get("group").unwrap_or(node);
    let text = expressions::field(group.text()?, group, &[], notes)?;
    let cancel = node.get("cancel-in-progress");
    let mode = match cancel.is_some_and(|cancel| cancel.is_true()) {
        true => "cancel",
        false => "latest",
    };
    if node
        .text_of("cancel-in-progress")
        .is_some_and(|text| text.contains("${{"))
    {
        let text = "`cancel-in-progress` depends on an expression: `mode: latest` was written";
        notes.add(node.location, text);
    }
    let map = Map::default().with("group", Out::text(text));
    Some(Out::Flow(map.with("mode", Out::text(mode))))
}
