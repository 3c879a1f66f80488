//! `${{ … }}` of GitHub: names that have a counterpart are renamed; in scripts they become environment variables.

use std::sync::Arc;

use job_specs::env::{git_variable, github_fact, matrix_variable};
use job_specs::yaml::Node;

use crate::names::job_name;
use crate::notes::Notes;

/// What an expression is here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A template, and the variable that scripts read.
    Template(String, String),
    /// A secret's name.
    Secret(String),
    /// This text.
    Literal(String),
    /// Nothing.
    Unknown,
}

/// What stands between `${{` and `}}`.
pub(super) fn meaning(inner: &str, dropped_axes: &[String]) -> Meaning {
    let inner = inner.trim();
    let upper = |name: &str| name.to_ascii_uppercase().replace(['-', '.'], "_");
    if let Some(glob) = inner.strip_prefix("hashFiles(").and_then(|rest| rest.strip_suffix(')')) {
        let parts = glob.split(',').map(|part| part.trim().trim_matches('\''));
        let parts: Vec<String> = parts.map(|part| format!("${{{{ hash('{part}') }}}}")).collect();
        return Meaning::Template(parts.join("-"), String::new());
    }
    if inner.starts_with('\'') && inner.ends_with('\'') && inner.len() > 1 {
        return Meaning::Literal(inner.trim_matches('\'').to_owned());
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if !inner.chars().all(is_name) {
        return Meaning::Unknown;
    }
    let (root, name) = inner.split_once('.').unwrap_or((inner, ""));
    match (root, name) {
        ("matrix", axis) if dropped_axes.iter().any(|dropped| dropped == axis) => Meaning::Literal("linux".to_owned()),
        ("matrix", axis) if !axis.is_empty() && !axis.contains('.') => {
            Meaning::Template(format!("${{{{ matrix.{axis} }}}}"), matrix_variable(axis))
        }
        ("env", name) if !name.is_empty() => Meaning::Template(format!("${{{{ env.{name} }}}}"), name.to_owned()),
        ("secrets", name) if !name.is_empty() => Meaning::Secret(name.to_owned()),
        ("inputs", name) => Meaning::Template(format!("${{{{ inputs.{name} }}}}"), format!("INPUT_{}", upper(name))),
        ("needs", name) => match name.split_once(".outputs.") {
            Some((job, output)) => {
                let template = format!("${{{{ needs.{}.outputs.{output} }}}}", job_name(job));
                Meaning::Template(template, upper(&format!("{job}_{output}")))
            }
            None => Meaning::Unknown,
        },
        ("runner", "os") => Meaning::Literal("Linux".to_owned()),
        ("runner", "arch") => Meaning::Literal("X64".to_owned()),
        ("github", "workspace") => Meaning::Literal("/workspace".to_owned()),
        ("github", "base_ref") => Meaning::Template("${{ git.base }}".to_owned(), "DROVER_BASE".to_owned()),
        ("github", "workflow") => Meaning::Literal("ci".to_owned()),
        ("github", "event.inputs" | "server_url") => Meaning::Unknown,
        ("github", "event.head_commit.message" | "event.pull_request.title") => git("title"),
        ("github", "event.pull_request.head.sha") => git("sha"),
        ("github", name) => github_fact(name).map_or(Meaning::Unknown, git),
        _ => Meaning::Unknown,
    }
}

fn git(name: &str) -> Meaning {
    let variable = git_variable(name).unwrap_or_default();
    Meaning::Template(format!("${{{{ git.{name} }}}}"), variable.to_owned())
}

/// Calls `each` for every expression of a text and puts what it returns there.
pub(super) fn replace(text: &str, mut each: impl FnMut(&str) -> Option<String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${{") {
        let end = rest[at..].find("}}").map(|end| at + end + 2)?;
        out.push_str(&rest[..at]);
        out.push_str(&each(&rest[at + 3..end - 2])?);
        rest = &rest[end..];
    }
    out.push_str(rest);
    Some(out)
}

/// A field's text; `None` when it has an expression without a counterpart, which is noted.
pub(super) fn field(text: &str, node: &Node, dropped_axes: &[String], notes: &mut Notes) -> Option<String> {
    replace(text, |inner| match meaning(inner, dropped_axes) {
        Meaning::Template(template, _) => Some(template),
        Meaning::Literal(text) => Some(text),
        Meaning::Secret(name) => {
            let text =
                format!("secret `{name}` can be used in steps only: name it in `secrets` of the step that needs it");
            notes.add(node.location, text);
            None
        }
        Meaning::Unknown => {
            let text = format!("`${{{{ {} }}}}` has no counterpart", inner.trim());
            notes.add(node.location, text);
            None
        }
    })
}

/// An `env` of the file or of a job.
pub(super) fn env(node: &Arc<Node>, dropped_axes: &[String], notes: &mut Notes) -> Vec<(String, String)> {
    let pair =
        |(name, node, value): (String, Arc<Node>, String)| Some((name, field(&value, &node, dropped_axes, notes)?));
    node.pairs().into_iter().filter_map(pair).collect()
}
