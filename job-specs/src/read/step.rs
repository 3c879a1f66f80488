//! Steps: a text, or a map with `run` or `entrypoint`.

use crate::codes;
use crate::limits::MAX_STEPS;
use crate::model::{ImageBuild, Shell, StepAction, StepSpec};
use crate::read::foreign;
use crate::read::healthcheck::WORDS;
use crate::read::image_step::IMAGE;
use crate::read::job::{ENV, Making as Job, USER};
use crate::read::retry::RETRY;
use crate::read::secrets::SECRETS;
use crate::read::when::{WHEN, When};
use crate::reader::keys::{Kind, Others, Shape, Table, With, key, kind};
use crate::reader::kinds::{FLAG, SECONDS, TEXT, word};
use crate::reader::{Fields, Reader, Slot};
use crate::source::Location;
use crate::substitute::{Piece, pieces, variable_of};
use crate::yaml::{Plain, Value};

/// Characters of a script's first line that are the step's name.
const MAX_NAME: usize = 80;

/// Keys of a step that need a container of its own.
const OF_CONTAINERS: &[&str] = &["run", "entrypoint", "shell", "env", "workdir", "user", "secrets"];

/// `steps` of a job, which know its image.
pub(crate) const STEPS: With<Job> = (
    Shape::List(&Shape::AnyOf(&[Shape::Script, Shape::Object(&STEP)])),
    |reader, slot, job| job.spec.steps = reader.steps(slot, &job.spec.image),
);

/// A step that is being read.
struct Making {
    step: StepSpec,
    script: Option<String>,
    shell: Shell,
}

/// A step.
static STEP: Table<Making> = Table {
    what: "step",
    about: "One script, or one program, in a throwaway container of its own with the workspace at /workspace.",
    keys: &[
        key("name")
            .about("How the step is called. Default: the script's first line.")
            .set(&(TEXT, |making, name| making.step.name = first_line(&name))),
        key("run")
            .about("A script for the shell. Values come as environment variables, never as `${{ }}`.")
            .set(&(SCRIPT, |making, script| making.script = Some(script))),
        key("entrypoint")
            .about("A program and its arguments, run without a shell.")
            .set(&(ENTRYPOINT, |making, words| {
                making.step.action = StepAction::Entrypoint(words)
            })),
        key("shell")
            .about("The shell of `run`: `sh -e` (default) or `bash -e -o pipefail`.")
            .set(&(SHELL, |making, shell| making.shell = shell)),
        key("image")
            .about("The image. Default: the job's. A map, without `run`, makes the step build an image.")
            .with(&(
                Shape::AnyOf(&[Shape::Text, Shape::Object(&IMAGE)]),
                |reader, slot, making| reader.step_image(slot, &mut making.step),
            )),
        key("env")
            .about("Environment of this step, over the job's.")
            .with(&(ENV, |reader, slot, making| {
                let known = reader
                    .env_map(slot)
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value?)));
                making.step.env = known.collect();
            })),
        key("workdir")
            .about("Working folder, from /workspace.")
            .set(&(WORKDIR, |making, folder| making.step.workdir = Some(folder))),
        key("user")
            .about("`user`, `uid` or `uid:gid`. Default: the image's.")
            .set(&(USER, |making, user| making.step.user = Some(user))),
        key("secrets")
            .about("Secrets that this step gets, as environment variables or as files.")
            .set(&(SECRETS, |making, secrets| making.step.secrets = secrets)),
        key("timeout")
            .about("The step may take this long.")
            .set(&(SECONDS, |making, secs| making.step.timeout_secs = Some(secs))),
        key("retry")
            .about("How often the step is tried again; without `on` after any failure.")
            .set(&(RETRY, |making, retry| making.step.retry = retry)),
        key("when")
            .about("When it runs; else it is shown as skipped. `status` is about the steps before it.")
            .set(&(WHEN, |making, When { status, skip }| {
                (making.step.when, making.step.skip) = (status, skip)
            })),
        key("allow_failure")
            .about("A failure of this step does not fail the job.")
            .set(&(FLAG, |making, allowed| making.step.allow_failure = allowed)),
    ],
    foreign: foreign::IN_A_STEP,
    others: Others::Refused,
};

const SCRIPT: Kind<String> = kind(Shape::Script, |reader, slot, _| reader.script(slot));
const ENTRYPOINT: Kind<Vec<String>> = kind(WORDS, |reader, slot, _| reader.entrypoint(slot));
const SHELL: Kind<Shell> = word(&["sh", "bash"]);
const WORKDIR: Kind<String> = kind(Shape::Text, |reader, slot, _| reader.workdir(slot));

impl Reader<'_> {
    /// The steps of a job whose image is `image`.
    fn steps(&mut self, slot: Slot<'_>, image: &str) -> Vec<StepSpec> {
        let owner = self.owner.clone();
        let Value::List(items) = &slot.node.value else {
            let nothing = self.wrong_form(slot, "a list", "begin each step with `- `");
            return nothing.unwrap_or_default();
        };
        if items.is_empty() {
            self.add(codes::MISSING_KEY.at(slot.location(), format!("{owner} has no steps")));
        }
        if items.len() > MAX_STEPS {
            let message = format!("{owner} has {} steps; at most {MAX_STEPS} are allowed", items.len());
            let location = items[MAX_STEPS].location;
            let problem = codes::TOO_MANY_STEPS.at(location, message);
            self.add(problem.label(format!("step {}", MAX_STEPS + 1)));
        }
        let steps = (1..).zip(items.iter().take(MAX_STEPS));
        steps
            .map(|(nth, item)| self.step(slot.inside(item), format!("step {nth} of {owner}"), image))
            .collect()
    }

    fn step(&mut self, slot: Slot<'_>, owner: String, image: &str) -> StepSpec {
        let mut making = Making {
            step: skeleton(image),
            script: None,
            shell: Shell::Sh,
        };
        match &slot.node.value {
            Value::Scalar(_) => making.script = self.script(slot),
            Value::Map(_) => {
                if let Some(fields) = self.fields(slot, &STEP, owner.clone()) {
                    self.step_fields(fields, &owner, slot.location(), &mut making);
                }
            }
            Value::List(_) => _ = self.wrong_type::<()>(slot, "a script or a map"),
        }
        let mut step = making.step;
        if let Some(script) = making.script {
            step.action = run(script, making.shell);
        }
        if step.name.is_empty() {
            step.name = default_name(&step.action);
        }
        step
    }

    /// First the condition: a step that will not run is not read.
    fn step_fields(&mut self, mut fields: Fields<'_>, owner: &str, location: Location, making: &mut Making) {
        self.early(&mut fields, &STEP, "when", making);
        self.unless(making.step.skip.is_some(), |reader| {
            let builds = fields.get("image").is_some_and(Self::is_map);
            let left_out = match builds {
                true => reader.only_image(&fields, owner),
                false => reader.one_action(&fields, owner, location),
            };
            fields.leave_out(left_out);
            reader.rest(&mut fields, &STEP, location, making);
        });
    }

    /// A step that builds an image runs nothing in a container of its own. The keys that are not to be read.
    fn only_image(&mut self, fields: &Fields<'_>, owner: &str) -> &'static [&'static str] {
        for key in OF_CONTAINERS {
            if let Some(location) = fields.key_location(key) {
                let message = format!("{owner} builds an image, so it has no `{key}`");
                let problem = codes::IMAGE_STEP.at(location, message);
                self.add(problem.help("move it into a step of its own, after this one"));
            }
        }
        OF_CONTAINERS
    }

    /// A step has `run` or `entrypoint`, not both. The keys that are not to be read.
    fn one_action(&mut self, fields: &Fields<'_>, owner: &str, location: Location) -> &'static [&'static str] {
        let (script, entrypoint) = (fields.key_location("run"), fields.key_location("entrypoint"));
        match (script, entrypoint) {
            (Some(_), None) => &[],
            (None, Some(_)) => {
                if let Some(shell) = fields.key_location("shell") {
                    let message = "`shell` goes with `run`, not with `entrypoint`";
                    let problem = codes::STEP_ACTION.at(shell, message);
                    self.add(problem.help("remove it; `entrypoint` is run without any shell"));
                }
                &["shell"]
            }
            (Some(script), Some(entrypoint)) => {
                let message = format!("{owner} has both `run` and `entrypoint`");
                let problem = codes::STEP_ACTION.at(entrypoint, message);
                let problem = problem.label("and this").related(script, "this");
                self.add(problem.help("keep one of them"));
                &["run", "entrypoint", "shell"]
            }
            (None, None) if fields.is_misspelt("run") || fields.is_misspelt("entrypoint") => &["shell"],
            (None, None) => {
                let message = format!("{owner} has neither `run` nor `entrypoint`");
                self.add(codes::STEP_ACTION.at(location, message).help("add `run: …`"));
                &["shell"]
            }
        }
    }

    /// The image of the step's container, or what it builds.
    fn step_image(&mut self, slot: Slot<'_>, step: &mut StepSpec) {
        if Self::is_map(slot) {
            let mut image = ImageBuild::default();
            self.level(slot, &IMAGE, self.part("image"), &mut image);
            step.image = String::new();
            step.action = StepAction::Image(Box::new(image));
        } else {
            step.image = self.image(slot).unwrap_or_default();
        }
    }

    /// A script: never substituted.
    fn script(&mut self, slot: Slot<'_>) -> Option<String> {
        let Value::Scalar(scalar) = &slot.node.value else {
            let help = "write `run: |` and one command on each line below, or make each command a step of its own";
            return self.wrong_form(slot, "a script", help);
        };
        if scalar.plain == Plain::Null || scalar.text.trim().is_empty() {
            return self.reject(codes::BAD_VALUE.at(slot.location(), "the script is empty"));
        }
        self.no_template_in_script(slot, &scalar.text);
        Some(scalar.text.clone())
    }

    fn no_template_in_script(&mut self, slot: Slot<'_>, script: &str) {
        let mut nth = 0;
        for piece in pieces(script) {
            let (whole, variable, known) = match piece {
                Piece::Text(_) => continue,
                Piece::Name(template) => (template.whole, variable_of(template), template.root == "needs"),
                Piece::Hash { whole, .. } => (whole, None, true),
                Piece::Broken(whole) => (whole.lines().next().unwrap_or_default(), None, false),
            };
            let start = self.inner(slot, "${{", nth);
            nth += 1;
            let line_end = self.sources[start.file].line_around(start.span.start).end;
            let end = (start.span.start + whole.len()).min(line_end);
            let location = match start.span == slot.location().span {
                true => start,
                false => self.sources.location(start.file, start.span.start..end),
            };
            let problem = codes::TEMPLATE_IN_RUN.at(location, "`${{ }}` is not substituted in a script");
            let reason = "values come as environment variables, so that a branch name can never become code";
            let problem = problem.note(reason);
            self.add(match variable {
                Some(variable) => problem.label(format!("write `${variable}`")),
                None if known => problem.help(format!("set it under `env`, `NAME: {whole}`, and write `$NAME`")),
                None => problem.help("set it under `env` and write `$NAME`"),
            });
        }
    }

    fn entrypoint(&mut self, slot: Slot<'_>) -> Option<Vec<String>> {
        let arguments = self.command_line(slot)?;
        if arguments.first().is_none_or(String::is_empty) {
            return self.reject(codes::BAD_VALUE.at(slot.location(), "`entrypoint` names no program"));
        }
        Some(arguments)
    }

    fn workdir(&mut self, slot: Slot<'_>) -> Option<String> {
        let folder = self.text(slot)?;
        if folder.is_empty() {
            return self.reject(codes::BAD_VALUE.at(slot.location(), "`workdir` is not a folder"));
        }
        Some(folder)
    }
}

fn skeleton(image: &str) -> StepSpec {
    StepSpec {
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
    let mut lines = text.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    if line.chars().count() <= MAX_NAME {
        return line.to_owned();
    }
    let cut: String = line.chars().take(MAX_NAME - 1).collect();
    format!("{}…", cut.trim_end())
}
