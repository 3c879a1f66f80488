//! Steps: a text, or a map with `run` or `entrypoint`.

use crate::codes;
use crate::keys::{STEP, WHEN};
use crate::limits::MAX_STEPS;
use crate::model::{SecretUse, Shell, StepAction, StepSpec, WhenStatus};
use crate::problems::Problem;
use crate::read::{Fields, Reader, Slot};
use crate::source::Place;
use crate::substitute::{Piece, pieces, variable_of};
use crate::yaml::{Plain, Value};

/// Characters of a script's first line that are the step's name.
const MAX_NAME: usize = 80;

impl Reader<'_> {
    /// The steps of a job whose image is `image`.
    pub(crate) fn steps(&mut self, slot: Slot<'_>, owner: &str, image: &str) -> Vec<StepSpec> {
        let Value::List(items) = &slot.node.value else {
            let message = format!("`steps` takes a list, found {}", slot.node.found());
            self.add(Problem::at(&codes::WRONG_TYPE, slot.place(), message).help("begin each step with `- `"));
            return Vec::new();
        };
        if items.is_empty() {
            self.add(Problem::at(
                &codes::MISSING_KEY,
                slot.place(),
                format!("{owner} has no steps"),
            ));
        }
        if items.len() > MAX_STEPS {
            let message = format!("{owner} has {} steps; at most {MAX_STEPS} are allowed", items.len());
            let place = items[MAX_STEPS].place;
            self.add(Problem::at(&codes::TOO_MANY_STEPS, place, message).label(format!("step {}", MAX_STEPS + 1)));
        }
        let steps = items.iter().take(MAX_STEPS).enumerate();
        steps
            .map(|(at, item)| self.step(slot.inside(item), &format!("step {} of {owner}", at + 1), image))
            .collect()
    }

    fn step(&mut self, slot: Slot<'_>, owner: &str, image: &str) -> StepSpec {
        let mut step = skeleton(image);
        match &slot.node.value {
            Value::Scalar(_) => {
                if let Some(script) = self.script(slot) {
                    step.action = run(script, Shell::Sh);
                }
            }
            Value::Map(_) => {
                if let Some(fields) = self.fields(slot, &STEP, owner) {
                    self.step_fields(&fields, owner, slot.place(), &mut step);
                }
            }
            Value::List(_) => self.wrong_type(slot, "a script or a map"),
        }
        if step.name.is_empty() {
            step.name = default_name(&step.action);
        }
        step
    }

    fn step_fields(&mut self, fields: &Fields<'_>, owner: &str, place: Place, step: &mut StepSpec) {
        if let Some(action) = self.action(fields, owner, place) {
            step.action = action;
        }
        if let Some(name) = fields.get("name").and_then(|slot| self.text(slot)) {
            step.name = first_line(&name);
        }
        if let Some(image) = fields.get("image") {
            step.image = self.image(image).unwrap_or_default();
        }
        if let Some(env) = fields.get("env") {
            let known = self
                .env_map(env)
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)));
            step.env = known.collect();
        }
        step.workdir = fields.get("workdir").and_then(|slot| self.workdir(slot));
        step.user = fields.get("user").and_then(|slot| self.user(slot));
        let secrets = fields.get("secrets").map(|slot| self.secrets(slot));
        step.secrets = secrets.into_iter().flatten().map(SecretUse::env).collect();
        step.timeout_secs = fields.get("timeout").and_then(|slot| self.duration_secs(slot));
        step.when = fields
            .get("when")
            .map(|slot| self.when(slot, owner))
            .unwrap_or_default();
        step.allow_failure = fields
            .get("allow_failure")
            .and_then(|slot| self.flag(slot))
            .unwrap_or(false);
    }

    fn action(&mut self, fields: &Fields<'_>, owner: &str, place: Place) -> Option<StepAction> {
        match (fields.get("run"), fields.get("entrypoint")) {
            (Some(script), None) => {
                let shell = fields
                    .get("shell")
                    .and_then(|slot| self.shell(slot))
                    .unwrap_or_default();
                self.script(script).map(|script| run(script, shell))
            }
            (None, Some(entrypoint)) => {
                if let Some(shell) = fields.key_place("shell") {
                    let problem = Problem::at(
                        &codes::STEP_ACTION,
                        shell,
                        "`shell` goes with `run`, not with `entrypoint`",
                    );
                    self.add(problem.help("remove it; `entrypoint` is run without any shell"));
                }
                self.entrypoint(entrypoint).map(StepAction::Entrypoint)
            }
            (Some(_), Some(_)) => {
                let message = format!("{owner} has both `run` and `entrypoint`");
                let run = fields.key_place("run").unwrap_or(place);
                let problem = Problem::at(
                    &codes::STEP_ACTION,
                    fields.key_place("entrypoint").unwrap_or(place),
                    message,
                );
                self.add(problem.label("and this").related(run, "this").help("keep one of them"));
                None
            }
            (None, None) if fields.is_misspelt("run") || fields.is_misspelt("entrypoint") => None,
            (None, None) => {
                let message = format!("{owner} has neither `run` nor `entrypoint`");
                self.add(Problem::at(&codes::STEP_ACTION, place, message).help("add `run: …`"));
                None
            }
        }
    }

    /// A script: never substituted.
    fn script(&mut self, slot: Slot<'_>) -> Option<String> {
        let Value::Scalar(scalar) = &slot.node.value else {
            let message = format!("{} takes a script, found {}", slot.name(), slot.node.found());
            let help = "write `run: |` and one command on each line below, or make each command a step of its own";
            self.add(Problem::at(&codes::WRONG_TYPE, slot.place(), message).help(help));
            return None;
        };
        if scalar.plain == Plain::Null || scalar.text.trim().is_empty() {
            self.add(Problem::at(&codes::BAD_VALUE, slot.place(), "the script is empty"));
            return None;
        }
        self.no_template_in_script(slot, &scalar.text);
        Some(scalar.text.clone())
    }

    fn no_template_in_script(&mut self, slot: Slot<'_>, script: &str) {
        let mut nth = 0;
        for piece in pieces(script) {
            let (whole, variable) = match piece {
                Piece::Text(_) => continue,
                Piece::Name(template) => (template.whole, variable_of(template)),
                Piece::Broken(whole) => (whole.lines().next().unwrap_or_default(), None),
            };
            let start = self.inner(slot, "${{", nth);
            nth += 1;
            let line_end = self.sources[start.file].line_around(start.span.start).end;
            let end = (start.span.start + whole.len()).min(line_end);
            let place = if start.span == slot.place().span {
                start
            } else {
                Place {
                    span: self.sources[start.file].span(start.span.start..end),
                    ..start
                }
            };
            let problem = Problem::at(
                &codes::TEMPLATE_IN_RUN,
                place,
                "`${{ }}` is not substituted in a script",
            );
            let reason = "values come as environment variables, so that a branch name can never become code";
            self.add(match variable {
                Some(variable) => problem.label(format!("write `${variable}`")).note(reason),
                None => problem.help("set it under `env` and write `$NAME`").note(reason),
            });
        }
    }

    fn shell(&mut self, slot: Slot<'_>) -> Option<Shell> {
        match self.choice(slot, &["sh", "bash"])? {
            "bash" => Some(Shell::Bash),
            _ => Some(Shell::Sh),
        }
    }

    fn entrypoint(&mut self, slot: Slot<'_>) -> Option<Vec<String>> {
        let arguments = self.command_line(slot)?;
        if arguments.first().is_none_or(String::is_empty) {
            self.add(Problem::at(
                &codes::BAD_VALUE,
                slot.place(),
                "`entrypoint` names no program",
            ));
            return None;
        }
        Some(arguments)
    }

    fn workdir(&mut self, slot: Slot<'_>) -> Option<String> {
        let folder = self.text(slot)?;
        if folder.is_empty() {
            self.add(Problem::at(
                &codes::BAD_VALUE,
                slot.place(),
                "`workdir` is not a folder",
            ));
            return None;
        }
        Some(folder)
    }

    fn secrets(&mut self, slot: Slot<'_>) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for item in self.one_or_many(slot) {
            let Some(name) = self.literal(item) else { continue };
            if self.check_variable_name(&name, item.place()) && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn when(&mut self, slot: Slot<'_>, owner: &str) -> WhenStatus {
        let clauses = self.one_or_many(slot);
        if clauses.is_empty() {
            self.add(Problem::at(&codes::BAD_VALUE, slot.place(), "`when` has no condition"));
        }
        let mut all = WhenStatus {
            success: false,
            failure: false,
        };
        for clause in clauses {
            let one = self.when_clause(clause, owner);
            all.success |= one.success;
            all.failure |= one.failure;
        }
        all
    }

    fn when_clause(&mut self, clause: Slot<'_>, owner: &str) -> WhenStatus {
        if let Value::Scalar(scalar) = &clause.node.value {
            let message = format!("`when` takes a map, found {}", clause.node.found());
            let help = match scalar.text.as_str() {
                "always" => "write `when: {status: [success, failure]}`",
                "on_failure" | "failure" => "write `when: {status: failure}`",
                _ => "write `when: {status: success}`",
            };
            self.add(Problem::at(&codes::WRONG_TYPE, clause.place(), message).help(help));
            return WhenStatus::default();
        }
        let Some(fields) = self.fields(clause, &WHEN, &format!("`when` of {owner}")) else {
            return WhenStatus::default();
        };
        let Some(status) = fields.get("status") else {
            return WhenStatus::default();
        };
        let names: Vec<Option<&str>> = self
            .one_or_many(status)
            .into_iter()
            .map(|item| self.choice(item, &["success", "failure"]))
            .collect();
        if names.is_empty() {
            self.add(Problem::at(
                &codes::BAD_VALUE,
                status.place(),
                "`status` is empty, so the step would never run",
            ));
        }
        WhenStatus {
            success: names.contains(&Some("success")),
            failure: names.contains(&Some("failure")),
        }
    }
}

fn skeleton(image: &str) -> StepSpec {
    StepSpec {
        name: String::new(),
        action: run(String::new(), Shell::Sh),
        image: image.to_owned(),
        ..StepSpec::default()
    }
}

fn run(script: String, shell: Shell) -> StepAction {
    StepAction::Run { script, shell }
}

fn default_name(action: &StepAction) -> String {
    match action {
        StepAction::Run { script, .. } => first_line(script),
        StepAction::Entrypoint(arguments) => first_line(&arguments.join(" ")),
        StepAction::Image(image) => first_line(&format!("image {}", image.tags.join(" "))),
    }
}

fn first_line(text: &str) -> String {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    if line.chars().count() <= MAX_NAME {
        return line.to_owned();
    }
    let cut: String = line.chars().take(MAX_NAME - 1).collect();
    format!("{}…", cut.trim_end())
}
