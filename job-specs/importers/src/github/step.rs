//! One step of a workflow: a script, or an action.

use std::sync::Arc;

use job_specs::yaml::Node;

use super::expressions::{self, Meaning};
use super::job::{Around, minutes};
use super::{conditions, uses};
use crate::draft::Step;

const KEYS: &[&str] = &[
    "name",
    "id",
    "run",
    "uses",
    "with",
    "env",
    "if",
    "working-directory",
    "shell",
    "timeout-minutes",
    "continue-on-error",
];

pub(super) fn step(around: &mut Around<'_>, node: &Arc<Node>) {
    around.notes.rest(node, KEYS, &[]);
    if let Some(action) = node.get("uses") {
        uses::action(around, node, action);
        return;
    }
    let Some(run) = node.get("run") else { return };
    let mut step = Step {
        name: node
            .text_of("name")
            .filter(|name| !name.contains("${{"))
            .map(str::to_owned),
        allow_failure: node.get("continue-on-error").is_some_and(|allow| allow.is_true()),
        timeout: node.text_of("timeout-minutes").and_then(minutes),
        ..Step::default()
    };
    if let Some(condition) = node.get("if") {
        step.when = conditions::when(condition, around.notes);
    }
    for (name, location, value) in node.get("env").map(Node::pairs).unwrap_or_default() {
        env(around, &mut step, name, &location, &value);
    }
    shell(around, &mut step, node);
    let mut defaults = around.defaults.iter().filter_map(|defaults| defaults.get("run"));
    let default = || defaults.find_map(|run| run.text_of("working-directory"));
    let workdir = node.text_of("working-directory").or_else(default).map(str::to_owned);
    step.workdir = workdir.and_then(|workdir| around.field(&workdir, node));
    step.run = Some(script(around, &mut step, run));
    installs(around, step.run.as_deref().unwrap_or_default(), run);
    around.job.steps.push(step);
}

/// Commands that put something outside of the workspace.
const INSTALLERS: &[&str] = &[
    "apt-get install",
    "apt install",
    "apk add",
    "pip install",
    "pip3 install",
    "npm install -g",
    "npm i -g",
    "gem install",
    "cargo install",
    "go install",
    "rustup ",
];

/// GitHub's steps share a machine, ours do not: said where it matters.
fn installs(around: &mut Around<'_>, script: &str, node: &Node) {
    if let Some(command) = INSTALLERS.iter().find(|command| script.contains(**command)) {
        let text = format!(
            "what `{}` puts outside of /workspace is gone in the next step, which has a container of its own: \
             make one step of both, or choose an image that has it",
            command.trim()
        );
        around.notes.add(node.location, text);
    }
}

/// One variable of a step: a secret is named instead.
fn env(around: &mut Around<'_>, step: &mut Step, name: String, node: &Node, value: &str) {
    let inner = value
        .trim()
        .strip_prefix("${{")
        .and_then(|rest| rest.strip_suffix("}}"));
    if let Some(Meaning::Secret(secret)) = inner.map(|inner| expressions::meaning(inner, &[])) {
        if secret == "GITHUB_TOKEN" {
            let text = "there is no `GITHUB_TOKEN`: store a token of your forge as a secret of that name";
            around.notes.add(node.location, text);
        }
        step.takes_secret(&secret, &name);
        return;
    }
    if let Some(value) = around.field(value, node) {
        step.env.push((name, value));
    }
}

fn shell(around: &mut Around<'_>, step: &mut Step, node: &Node) {
    let mut defaults = around.defaults.iter().filter_map(|defaults| defaults.get("run"));
    let default = defaults.find_map(|run| run.get("shell"));
    let Some(shell) = node.get("shell").or(default) else {
        return;
    };
    match shell.text().unwrap_or_default() {
        "bash" => step.shell = Some("bash".to_owned()),
        "sh" => {}
        other => {
            let text = format!("the shell `{other}` has no counterpart: sh and bash do");
            around.notes.add(shell.location, text);
        }
    }
}

/// The script, with variables instead of expressions.
fn script(around: &mut Around<'_>, step: &mut Step, node: &Node) -> String {
    let text = node.text().unwrap_or_default();
    let mut unknown = Vec::new();
    let dropped = around.dropped_axes.clone();
    let replaced = expressions::replace(text, |inner| {
        Some(match expressions::meaning(inner, &dropped) {
            Meaning::Literal(text) => text,
            Meaning::Secret(name) => {
                step.takes_secret(&name, &name);
                format!("${{{name}}}")
            }
            Meaning::Template(template, variable) => {
                let variable = Some(variable).filter(|name| !name.is_empty());
                let variable = variable.unwrap_or_else(|| "HASH".to_owned());
                let roots = ["${{ matrix.", "${{ env.", "${{ git."];
                let is_given = roots.iter().any(|root| template.starts_with(root));
                if !is_given && !step.env.iter().any(|(name, _)| *name == variable) {
                    step.env.push((variable.clone(), template));
                }
                format!("${{{variable}}}")
            }
            Meaning::Unknown => {
                let letter = |c: char| match c.is_ascii_alphanumeric() {
                    true => c.to_ascii_uppercase(),
                    false => '_',
                };
                let variable: String = inner.trim().chars().map(letter).take(40).collect();
                unknown.push((inner.trim().to_owned(), variable.clone()));
                format!("${{{variable}}}")
            }
        })
    });
    for (inner, variable) in unknown {
        let text =
            format!("`${{{{ {inner} }}}}` has no counterpart: the script reads `${variable}` now, which nothing sets");
        around.notes.add(node.location, text);
    }
    let replaced = replaced.unwrap_or_else(|| text.replace("${{", "$"));
    for name in ["GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"] {
        if replaced.contains(name) {
            let text = format!(
                "`${name}` is not read: each step has a container of its own; write `env` of the job, or one step"
            );
            around.notes.add(node.location, text);
        }
    }
    let replaced = replaced
        .replace("$GITHUB_OUTPUT", "$DROVER_OUTPUT")
        .replace("${GITHUB_OUTPUT}", "${DROVER_OUTPUT}");
    replaced.trim_end_matches('\n').to_owned() + if replaced.trim_end().contains('\n') { "\n" } else { "" }
}
