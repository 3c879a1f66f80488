//! Steps: a text, or a map with `run` or `entrypoint`.

use crate::codes;
use crate::keys::STEP;
use crate::limits::MAX_STEPS;
use crate::model::{Shell, StepAction, StepSpec};
use crate::problems::Problem;
use crate::reader::{Fields, Reader, Slot};
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
        if let Some(slot) = fields.get("when") {
            let when = self.when(slot, owner);
            (step.when, step.skip) = (when.status, when.skip);
        }
        self.unless(step.skip.is_some(), |reader| {
            reader.shared_fields(fields, owner, place, step)
        });
    }

    /// Everything but `when`.
    fn shared_fields(&mut self, fields: &Fields<'_>, owner: &str, place: Place, step: &mut StepSpec) {
        let image = fields.get("image");
        if let Some(built) = image.filter(|slot| matches!(slot.node.value, Value::Map(_))) {
            step.image = String::new();
            step.action = StepAction::Image(Box::new(self.image_step(fields, built, owner)));
        } else {
            self.container_fields(fields, owner, place, step);
        }
        if let Some(name) = fields.get("name").and_then(|slot| self.text(slot)) {
            step.name = first_line(&name);
        }
        step.timeout_secs = fields.get("timeout").and_then(|slot| self.duration_secs(slot));
        if let Some(slot) = fields.get("retry") {
            step.retry = self.retry(slot, owner);
        }
        step.allow_failure = fields
            .get("allow_failure")
            .and_then(|slot| self.flag(slot))
            .unwrap_or(false);
    }

    /// What only a step with a container of its own has.
    fn container_fields(&mut self, fields: &Fields<'_>, owner: &str, place: Place, step: &mut StepSpec) {
        if let Some(action) = self.action(fields, owner, place) {
            step.action = action;
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
        let secrets = fields.get("secrets").map(|slot| self.secrets(slot, owner));
        step.secrets = secrets.unwrap_or_default();
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
            let known = match &piece {
                Piece::Hash { .. } => true,
                Piece::Name(template) => template.root == "needs",
                Piece::Text(_) | Piece::Broken(_) => false,
            };
            let (whole, variable) = match piece {
                Piece::Text(_) => continue,
                Piece::Name(template) => (template.whole, variable_of(template)),
                Piece::Hash { whole, .. } => (whole, None),
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
                None if known => problem
                    .help(format!("set it under `env`, `NAME: {whole}`, and write `$NAME`"))
                    .note(reason),
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
