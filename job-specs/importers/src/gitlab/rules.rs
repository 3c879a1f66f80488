//! `rules`, `only`, `except`, `when` and `workflow` of GitLab as clauses. A condition that cannot be said here makes the
//! job run by hand only, and is noted: a job that deploys must not begin to run always.

use std::sync::Arc;

use job_specs::yaml::Node;

use crate::conditions::{self, Clause};
use crate::notes::Notes;
use crate::out::{Map, Out};

/// The clauses of `rules`; `None`: always.
pub(super) fn rules(rules: &Arc<Node>, notes: &mut Notes) -> Option<Vec<Clause>> {
    let mut clauses = Vec::new();
    for rule in rules.items() {
        let when = rule.text_of("when").unwrap_or("on_success");
        if when == "never" {
            if rule.get("if").is_some() || rule.get("changes").is_some() {
                let text = "a rule that says `never` has no counterpart: exclude by `!` patterns in `when`";
                notes.add(rule.location, text);
            }
            continue;
        }
        for key in ["exists", "variables", "needs"] {
            if let Some(node) = rule.get(key) {
                notes.add(node.location, format!("`{key}` of a rule has no counterpart"));
            }
        }
        let mut alternatives = match rule.text_of("if") {
            Some(condition) => {
                let parts = condition.split("||");
                parts.map(|part| conjunction(part, &rule, notes)).collect()
            }
            None => vec![Clause::default()],
        };
        for clause in &mut alternatives {
            if let Some(changes) = rule.get("changes") {
                clause.paths = changes.get("paths").unwrap_or(changes).texts();
            }
            state(clause, when, &rule, notes);
        }
        if alternatives.contains(&Clause::default()) {
            return None;
        }
        clauses.extend(alternatives);
    }
    Some(clauses)
}

fn state(clause: &mut Clause, when: &str, location: &Node, notes: &mut Notes) {
    match when {
        "manual" => clause.events = Clause::by_hand().events,
        "always" => clause.status = ["success", "failure"].map(str::to_owned).to_vec(),
        "on_failure" => clause.status = vec!["failure".to_owned()],
        "delayed" => {
            let text = "`delayed` has no counterpart: the job starts at once";
            notes.add(location.location, text);
        }
        _ => {}
    }
}

/// `a && b`
fn conjunction(text: &str, rule: &Node, notes: &mut Notes) -> Clause {
    let mut clause = Clause::default();
    for part in text.split("&&") {
        if one(part.trim().trim_matches(['(', ')']), &mut clause, rule, notes).is_none() {
            let text = format!("`{}` cannot be said here, so this runs only by hand now", part.trim());
            let location = rule.get("if").map_or(rule.location, |condition| condition.location);
            notes.add(location, text);
            return Clause::by_hand();
        }
    }
    clause
}

fn one(text: &str, clause: &mut Clause, rule: &Node, notes: &mut Notes) -> Option<()> {
    let text = text.trim();
    let is_name = |name: &&str| name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if let Some(name) = text.strip_prefix('$').filter(is_name) {
        let event = match name {
            "CI_COMMIT_TAG" => "tag",
            "CI_COMMIT_BRANCH" => "push",
            "CI_MERGE_REQUEST_ID" | "CI_MERGE_REQUEST_IID" => "pull_request",
            _ => return None,
        };
        clause.events.push(event.to_owned());
        return Some(());
    }
    let (operator, at) = ["==", "!=", "=~", "!~"]
        .into_iter()
        .find_map(|operator| Some((operator, text.find(operator)?)))?;
    let (name, value) = (text[..at].trim().strip_prefix('$')?, text[at + 2..].trim());
    let value = match (operator, value) {
        (_, "$CI_DEFAULT_BRANCH") => {
            let text = "the default branch is written as `main`: change it if yours is called otherwise";
            notes.add(rule.location, text);
            "main".to_owned()
        }
        ("=~" | "!~", pattern) => glob(pattern)?,
        (_, "null") => return None,
        (_, text) => text.trim_matches(['"', '\'']).to_owned(),
    };
    let not = if operator.starts_with('!') { "!" } else { "" };
    match name {
        "CI_COMMIT_BRANCH" | "CI_COMMIT_REF_NAME" | "CI_MERGE_REQUEST_TARGET_BRANCH_NAME" => {
            if !not.is_empty() {
                clause.branches.push("**".to_owned());
            }
            clause.branches.push(format!("{not}{value}"));
        }
        "CI_COMMIT_TAG" if not.is_empty() => {
            clause.events.push("tag".to_owned());
            clause.tags.push(value);
        }
        "CI_PIPELINE_SOURCE" if not.is_empty() => clause.events.push(event(&value)?.to_owned()),
        _ => return None,
    }
    Some(())
}

fn event(source: &str) -> Option<&'static str> {
    Some(match source {
        "push" => "push",
        "merge_request_event" | "external_pull_request_event" => "pull_request",
        "schedule" => "schedule",
        "web" | "api" | "trigger" | "pipeline" => "manual",
        _ => return None,
    })
}

/// `/^release\/.*$/` as `release/**`, when the pattern is as simple as that.
fn glob(pattern: &str) -> Option<String> {
    let inner = pattern.trim_end_matches('i').strip_prefix('/')?.strip_suffix('/')?;
    let patterns = [("\\/", "/"), ("\\d+", "*"), (".*", "**"), (".+", "**"), ("\\.", ".")];
    let replace = |text: String, (from, to)| text.replace(from, to);
    let inner = patterns.into_iter().fold(inner.to_owned(), replace);
    let (inner, from_start) = inner
        .strip_prefix('^')
        .map_or((inner.as_str(), false), |rest| (rest, true));
    let (inner, to_end) = inner.strip_suffix('$').map_or((inner, false), |rest| (rest, true));
    if inner.contains(['(', ')', '[', ']', '+', '?', '|', '^', '$', '\\', '{']) {
        return None;
    }
    let open = |fixed: bool, edge: bool| if fixed || edge { "" } else { "**" };
    let before = open(from_start, inner.starts_with('*'));
    Some(format!("{before}{inner}{}", open(to_end, inner.ends_with('*'))))
}

/// The clauses of `only`.
pub(super) fn only(only: &Arc<Node>, notes: &mut Notes) -> Vec<Clause> {
    let (changes, refs) = (only.texts_of("changes"), refs(only));
    unsaid(only, notes);
    let mut clauses: Vec<Clause> = Vec::new();
    for name in &refs {
        let clause = reference(name);
        let is_alike = |other: &&mut Clause| other.events.is_empty() == clause.events.is_empty();
        match clauses.iter_mut().find(is_alike) {
            Some(other) => {
                other.events.extend(clause.events);
                other.branches.extend(clause.branches);
            }
            None => clauses.push(clause),
        }
    }
    if clauses.is_empty() && !changes.is_empty() {
        clauses.push(Clause::default());
    }
    for clause in &mut clauses {
        clause.paths.clone_from(&changes);
    }
    clauses
}

fn unsaid(node: &Arc<Node>, notes: &mut Notes) {
    for key in ["variables", "kubernetes"] {
        if let Some(node) = node.get(key) {
            let text = format!("`{key}` of `only` and `except` has no counterpart");
            notes.add(node.location, text);
        }
    }
}

/// The references of `only` or `except`, which may be a map.
fn refs(node: &Arc<Node>) -> Vec<String> {
    match node.entries() {
        Some(_) => node.texts_of("refs"),
        None => node.texts(),
    }
}

fn reference(name: &str) -> Clause {
    let mut clause = Clause::default();
    match name {
        "tags" => clause.events.push("tag".to_owned()),
        "merge_requests" | "external_pull_requests" => clause.events.push("pull_request".to_owned()),
        "branches" | "pushes" => clause.events.push("push".to_owned()),
        "schedules" => clause.events.push("schedule".to_owned()),
        "web" | "api" | "triggers" | "pipelines" => clause.events.push("manual".to_owned()),
        pattern if pattern.starts_with('/') => {
            let glob = glob(pattern).unwrap_or_else(|| pattern.to_owned());
            clause.branches.push(glob);
        }
        branch => clause.branches.push(branch.to_owned()),
    }
    clause
}

/// Takes away what `except` names.
pub(super) fn except(clauses: &mut Vec<Clause>, except: &Arc<Node>, notes: &mut Notes) {
    unsaid(except, notes);
    let refs = refs(except);
    if clauses.is_empty() {
        clauses.push(Clause::default());
    }
    for clause in clauses.iter_mut() {
        for name in &refs {
            let other = reference(name);
            if let Some(event) = other.events.first() {
                if clause.events.is_empty() {
                    clause.events = ["push", "pull_request", "tag", "manual"].map(str::to_owned).to_vec();
                }
                clause.events.retain(|kept| kept != event);
            }
            clause.branches = conditions::with_excluded(std::mem::take(&mut clause.branches), other.branches);
        }
        let paths = except.texts_of("changes");
        clause.paths = conditions::with_excluded(std::mem::take(&mut clause.paths), paths);
    }
}

/// `when` of the job itself.
pub(super) fn job_when(clauses: &mut Vec<Clause>, when: Option<&Node>, notes: &mut Notes) {
    let Some((word, node)) = when.and_then(|when| Some((when.text()?, when))) else {
        return;
    };
    if word == "on_success" {
        return;
    }
    if clauses.is_empty() {
        clauses.push(Clause::default());
    }
    for clause in clauses.iter_mut() {
        state(clause, word, node, notes);
    }
}

/// `workflow.rules` as `on`.
pub(super) fn on(workflow: &Arc<Node>, notes: &mut Notes) -> Option<Out> {
    let clauses = rules(workflow.get("rules")?, notes)?;
    let mut events: Vec<(&str, Map)> = Vec::new();
    for clause in &clauses {
        let named: Vec<&'static str> = match clause.events.as_slice() {
            [] => vec!["push"],
            events => events.iter().filter_map(|event| event_name(event)).collect(),
        };
        for event in named.into_iter().filter(|event| *event != "schedule") {
            if events.iter().any(|(other, _)| *other == event) {
                let text = format!("`workflow` has several rules for {event}: the first one was taken");
                notes.add(workflow.location, text);
                continue;
            }
            let mut map = Map::default();
            if matches!(event, "push" | "pull_request") {
                map.put_texts("branches", &clause.branches);
            }
            events.push((event, map));
        }
    }
    conditions::on(events)
}

fn event_name(event: &str) -> Option<&'static str> {
    let events = ["push", "pull_request", "tag", "schedule", "manual"];
    events.into_iter().find(|known| *known == event)
}
