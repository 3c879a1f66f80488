//! `if:` of jobs and steps. What cannot be said runs by hand only, and is noted.

use job_specs::yaml::Node;

use crate::conditions::{Clause, any_of};
use crate::notes::Notes;
use crate::out::Out;

/// The `when` of an `if`.
pub(super) fn when(node: &Node, notes: &mut Notes) -> Option<Out> {
    let text = node.text()?;
    let text = text.trim().trim_start_matches("${{").trim_end_matches("}}").trim();
    let alternatives: Option<Vec<Clause>> = text.split("||").map(conjunction).collect();
    match alternatives {
        Some(clauses) if clauses.contains(&Clause::default()) => None,
        Some(clauses) => any_of(&clauses),
        None => {
            let text = format!("the condition `{text}` cannot be said here, so this runs only by hand now");
            notes.add(node.location, text);
            Clause::by_hand().out()
        }
    }
}

fn conjunction(text: &str) -> Option<Clause> {
    let mut clause = Clause::default();
    for part in text.split("&&") {
        one(part.trim().trim_start_matches('(').trim(), &mut clause)?;
    }
    Some(clause)
}

fn one(text: &str, clause: &mut Clause) -> Option<()> {
    let both = || ["success", "failure"].map(str::to_owned).to_vec();
    match text.trim_end_matches(')').trim_end_matches('(') {
        "always" | "!cancelled" => clause.status = both(),
        "failure" => clause.status = vec!["failure".to_owned()],
        "success" | "true" => {}
        _ => return compared(text.trim_end_matches(')'), clause).or_else(|| starts_with(text, clause)),
    }
    Some(())
}

/// `github.x == 'y'`
fn compared(text: &str, clause: &mut Clause) -> Option<()> {
    let (name, value, not) = match (text.split_once("=="), text.split_once("!=")) {
        (Some((name, value)), _) => (name.trim(), value.trim(), ""),
        (_, Some((name, value))) => (name.trim(), value.trim(), "!"),
        _ => return None,
    };
    let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
    match (name, value.strip_prefix("refs/heads/"), not) {
        ("github.ref", Some(branch), _) => branch_is(clause, branch, not),
        ("github.ref_name" | "github.base_ref" | "github.head_ref", ..) => branch_is(clause, value, not),
        ("github.event_name", _, "") => clause.events.push(event(value)?.to_owned()),
        ("github.ref_type", _, "") => {
            let event = if value == "tag" { "tag" } else { "push" };
            clause.events.push(event.to_owned());
        }
        (name, _, "") if name.starts_with("matrix.") => {
            let axis = name.trim_start_matches("matrix.").to_owned();
            clause.matrix.push((axis, value.to_owned()));
        }
        ("github.repository" | "github.repository_owner", _, "") => {}
        _ => return None,
    }
    Some(())
}

fn branch_is(clause: &mut Clause, branch: &str, not: &str) {
    if !not.is_empty() {
        clause.branches.push("**".to_owned());
    }
    clause.branches.push(format!("{not}{branch}"));
}

fn event(name: &str) -> Option<&'static str> {
    Some(match name {
        "push" => "push",
        "pull_request" => "pull_request",
        "schedule" => "schedule",
        "workflow_dispatch" => "manual",
        "release" => "tag",
        _ => return None,
    })
}

/// `startsWith(github.ref, 'refs/tags/v')`
fn starts_with(text: &str, clause: &mut Clause) -> Option<()> {
    let inner = text.strip_prefix("startsWith(")?.strip_suffix(')')?;
    let (name, value) = inner.split_once(',')?;
    let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    if name.trim() != "github.ref" {
        return None;
    }
    if let Some(tag) = value.strip_prefix("refs/tags/") {
        clause.events.push("tag".to_owned());
        if !tag.is_empty() {
            clause.tags.push(format!("{tag}**"));
        }
    } else {
        let branch = value.strip_prefix("refs/heads/")?;
        clause.branches.push(format!("{branch}**"));
    }
    Some(())
}
