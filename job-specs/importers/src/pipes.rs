//! What Woodpecker and Drone share: steps that are containers with `commands`, services beside them, `from_secret`, and
//! `when` clauses.

use std::sync::Arc;

use job_specs::shell_words;
use job_specs::yaml::Node;

use crate::conditions::{Clause, any_of, globs};
use crate::draft::{Job, Step};
use crate::names::host_name;
use crate::notes::{Answer, Notes, about};
use crate::out::{Map, Out};
use crate::shell::Names;

const EVENTS: [&str; 5] = ["push", "pull_request", "tag", "schedule", "manual"];

const STEP_KEYS: &[&str] = &[
    "name",
    "image",
    "commands",
    "entrypoint",
    "environment",
    "secrets",
    "when",
    "failure",
    "detach",
    "pull",
    "user",
    "command",
];
const STEP_ANSWERS: &[Answer] = &[
    about("settings").say("is a plugin's: there are no plugins; write what it does as a script"),
    about("privileged").say("is refused: a privileged container could take over the agent's host"),
    about("volumes").say("has no counterpart: a step has the workspace at /workspace, and `cache` keeps folders"),
    about("depends_on")
        .say("is not needed: steps run in the order of the file; what may run at once becomes a job of its own"),
    about("group").say("has no counterpart: steps run in order; what may run at once becomes a job of its own"),
    about("directory").say("has no counterpart here: write `workdir`"),
    about("backend_options").say("has no counterpart"),
    about("network_mode").say("is refused: a step is on its job's own network"),
];
const SERVICE_KEYS: &[&str] = &[
    "name",
    "image",
    "environment",
    "ports",
    "commands",
    "command",
    "entrypoint",
    "pull",
    "user",
];

/// What the steps of a pipeline need to know.
pub(crate) struct Pipe<'a> {
    pub(crate) names: Names<'a>,
    pub(crate) notes: &'a mut Notes,
}

/// Steps or services, each with its name: a list of maps with `name`, or a map.
pub(crate) fn named(node: Option<&Arc<Node>>) -> Vec<(String, Arc<Node>)> {
    let Some(node) = node else { return Vec::new() };
    if let Some(entries) = node.entries() {
        return entries
            .iter()
            .map(|entry| (entry.key.text.to_string(), Arc::clone(&entry.node)))
            .collect();
    }
    let name = |item: &Arc<Node>| item.text_of("name").unwrap_or_default().to_owned();
    node.items().iter().map(|item| (name(item), Arc::clone(item))).collect()
}

impl Pipe<'_> {
    /// Puts steps and services of a pipeline into a job.
    pub(crate) fn fill(&mut self, job: &mut Job, pipeline: &Node, steps_key: &str) {
        for (name, service) in named(pipeline.get("services")) {
            self.service(job, &name, &service);
        }
        for (name, step) in named(pipeline.get(steps_key)) {
            if step.get("detach").is_some_and(|detach| detach.is_true()) {
                self.service(job, &name, &step);
            } else {
                let step = self.step(&name, &step);
                job.steps.extend(step);
            }
        }
        settle_images(job);
    }

    fn step(&mut self, name: &str, node: &Arc<Node>) -> Option<Step> {
        self.notes.rest(node, STEP_KEYS, STEP_ANSWERS);
        let commands = node.texts_of("commands");
        let mut step = Step {
            name: (!name.is_empty()).then(|| name.to_owned()),
            image: self.image(node),
            run: (!commands.is_empty()).then(|| script(&commands)),
            entrypoint: match commands.is_empty() {
                true => words_of(node, "entrypoint"),
                false => Vec::new(),
            },
            user: node.text_of("user").map(str::to_owned),
            allow_failure: node.text_of("failure") == Some("ignore"),
            ..Step::default()
        };
        if step.run.is_none() && step.entrypoint.is_empty() {
            let what = match node.get("settings") {
                Some(_) => "plugin",
                None => "step",
            };
            let image = step.image.clone().unwrap_or_default();
            let comment = format!("the {what} `{image}` has no commands: write here what it does");
            step.comments.push(comment);
            let image = image.replace(['"', '$', '`'], "");
            step.run = Some(format!("echo \"nothing yet instead of {image}\"\nexit 1\n"));
        }
        self.environment(&mut step, node);
        if let Some(when) = node.get("when") {
            step.when = self.when(when);
        }
        Some(step)
    }

    fn image(&mut self, node: &Node) -> Option<String> {
        let image = node.get("image")?;
        Some(self.names.field(image.text()?, image.location, self.notes))
    }

    /// `environment` with `from_secret`, and the older `secrets`.
    fn environment(&mut self, step: &mut Step, node: &Node) {
        step.env = node.pairs_of("environment");
        for entry in node.entries_of("environment") {
            if let Some(secret) = entry.node.text_of("from_secret") {
                step.takes_secret(secret, &entry.key.text);
            }
        }
        for item in node.items_of("secrets") {
            match (item.text(), item.text_of("source"), item.text_of("target")) {
                (Some(name), ..) => step.takes_secret(name, &name.to_uppercase()),
                (None, Some(source), Some(target)) => step.takes_secret(source, &target.to_uppercase()),
                _ => self
                    .notes
                    .add(item.location, "a secret without its name cannot be carried over"),
            }
        }
    }

    fn service(&mut self, job: &mut Job, name: &str, node: &Arc<Node>) {
        let known = [SERVICE_KEYS, &["detach", "settings", "when", "secrets"]].concat();
        self.notes.rest(node, &known, STEP_ANSWERS);
        let mut map = Map::default();
        let Some(image) = self.image(node) else {
            let text = "a service without an image cannot be carried over";
            self.notes.add(node.location, text);
            return;
        };
        map.put("image", Out::text(image));
        map.put_some("environment", Out::env(&node.pairs_of("environment")));
        for entry in node.entries_of("environment") {
            if entry.node.get("from_secret").is_some() {
                let text = "a service gets no secrets as environment: write a value, or give it as a file by `secrets`";
                self.notes.add(entry.node.location, text);
            }
        }
        let commands = node.texts_of("commands");
        match commands.is_empty() {
            true => map.put_texts("command", words_of(node, "command")),
            false => map.put_texts("command", ["sh", "-ec", &commands.join("\n")]),
        }
        map.put_texts("entrypoint", words_of(node, "entrypoint"));
        job.services.push((host_name(name), map));
    }

    /// A `when` of a step or of a whole pipeline.
    pub(crate) fn when(&mut self, node: &Arc<Node>) -> Option<Out> {
        any_of(&self.clauses(node))
    }

    /// Its clauses.
    pub(crate) fn clauses(&mut self, node: &Arc<Node>) -> Vec<Clause> {
        let items = node.items();
        items.iter().flat_map(|item| self.clause(item).divided()).collect()
    }

    fn clause(&mut self, node: &Arc<Node>) -> Clause {
        let mut clause = Clause::default();
        for entry in node.entries().unwrap_or_default() {
            let values = globs(&entry.node);
            match &*entry.key.text {
                "event" => clause.events = self.events(&entry.node, &values),
                "branch" => clause.branches = values,
                "status" => clause.status = values,
                "path" | "paths" => clause.paths = values,
                "ref" => self.reference(&mut clause, &entry.node, values),
                "matrix" => clause.matrix = node.pairs_of("matrix"),
                "repo" | "instance" | "platform" => {}
                "cron" => {
                    clause.events.push("schedule".to_owned());
                    let text = "`cron` names a schedule of the server: write it under `on.schedule`";
                    self.notes.add(entry.key.location, text);
                }
                key => self.cannot(&mut clause, entry.key.location, key),
            }
        }
        clause
    }

    fn cannot(&mut self, clause: &mut Clause, location: job_specs::source::Location, key: &str) {
        clause.events = Clause::by_hand().events;
        let text = format!("the condition `{key}` has no counterpart, so this runs only by hand now");
        self.notes.add(location, text);
    }

    fn reference(&mut self, clause: &mut Clause, node: &Node, refs: Vec<String>) {
        for reference in refs {
            let (not, path) = reference
                .strip_prefix('!')
                .map_or(("", &*reference), |path| ("!", path));
            match (path.strip_prefix("refs/heads/"), path.strip_prefix("refs/tags/")) {
                (Some(branch), _) => clause.branches.push(format!("{not}{branch}")),
                (_, Some(tag)) => {
                    clause.tags.push(format!("{not}{tag}"));
                    if clause.events.is_empty() {
                        clause.events.push("tag".to_owned());
                    }
                }
                _ => {
                    let text = format!("the reference `{reference}` is neither a branch nor a tag");
                    self.notes.add(node.location, text);
                }
            }
        }
    }

    fn events(&mut self, node: &Node, given: &[String]) -> Vec<String> {
        let mut events: Vec<String> = Vec::new();
        let all = given.first().is_some_and(|first| first == "**");
        events.extend(EVENTS.iter().filter(|_| all).map(|event| (*event).to_owned()));
        for event in given.iter().filter(|event| *event != "**") {
            let (not, name) = event
                .strip_prefix('!')
                .map_or((false, event.as_str()), |name| (true, name));
            let ours = match name {
                "push" | "tag" | "manual" => name,
                "pull_request" | "pull_request_closed" | "pull_request_metadata" => "pull_request",
                "cron" => {
                    let text = "builds by the clock: write their times under `on.schedule`";
                    self.notes.add(node.location, text);
                    "schedule"
                }
                "release" => "tag",
                "custom" | "promote" | "rollback" | "deployment" => {
                    let text = format!("the event `{name}` has no counterpart: builds of it are started by hand");
                    self.notes.add(node.location, text);
                    "manual"
                }
                _ => {
                    let text = format!("the event `{name}` has no counterpart");
                    self.notes.add(node.location, text);
                    continue;
                }
            };
            match not {
                true => events.retain(|event| event != ours),
                false if !events.iter().any(|event| event == ours) => events.push(ours.to_owned()),
                false => {}
            }
        }
        events
    }
}

/// The commands as one script.
pub(crate) fn script(commands: &[String]) -> String {
    match commands {
        [one] if !one.contains('\n') => one.clone(),
        _ => commands
            .iter()
            .map(|command| format!("{}\n", command.trim_end()))
            .collect(),
    }
}

fn words_of(node: &Node, key: &str) -> Vec<String> {
    match node.text_of(key) {
        Some(text) => shell_words::split(text).unwrap_or_default(),
        None => node.texts_of(key),
    }
}

/// The image of most steps becomes the job's.
pub(crate) fn settle_images(job: &mut Job) {
    let images: Vec<String> = job.steps.iter().filter_map(|step| step.image.clone()).collect();
    let count = |image: &String| images.iter().filter(|other| *other == image).count();
    let Some(most) = images.iter().map(count).max() else {
        return;
    };
    job.image = images.iter().find(|image| count(image) == most).cloned();
    for step in job.steps.iter_mut().filter(|step| step.image == job.image) {
        step.image = None;
    }
}
