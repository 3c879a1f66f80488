//! One job of a workflow.

use std::sync::Arc;

use job_specs::shell_words;
use job_specs::yaml::{Entry, Node, Value};

use super::{conditions, expressions, step, uses};
use crate::draft::Job;
use crate::names::{host_name, job_name};
use crate::notes::Notes;
use crate::out::{Map, Out};

const KEYS: &[&str] = &[
    "name",
    "needs",
    "if",
    "runs-on",
    "container",
    "services",
    "strategy",
    "env",
    "steps",
    "timeout-minutes",
    "continue-on-error",
    "outputs",
    "defaults",
];
const ANSWERS: &[(&str, &str)] = &[
    (
        "uses",
        "calls a workflow of another file: import that file too, and put both into the folder `.drover/`",
    ),
    (
        "permissions",
        "has no counterpart: a job gets no token of the forge; give it one as a secret",
    ),
    ("environment", "has no counterpart yet: nothing is recorded as deployed"),
    (
        "concurrency",
        "of a job has no counterpart: see `concurrency` of the file",
    ),
    ("with", "is for a called workflow"),
    ("secrets", "is for a called workflow"),
];

/// What the steps of a job need to know, and leave for the job.
pub(super) struct Around<'a> {
    pub(super) notes: &'a mut Notes,
    pub(super) job: Job,
    /// Axes that only choose GitHub's machines.
    pub(super) dropped_axes: Vec<String>,
    pub(super) defaults: Vec<Arc<Node>>,
}

pub(super) fn job(entry: &Entry, defaults: Option<&Arc<Node>>, globals: &[String], notes: &mut Notes) -> Job {
    let node = &entry.node;
    notes.rest(node, KEYS, ANSWERS);
    let mut around = Around {
        notes,
        job: Job {
            name: job_name(&entry.key.text),
            needs: node.texts_of("needs").iter().map(|need| job_name(need)).collect(),
            ..Job::default()
        },
        dropped_axes: Vec::new(),
        defaults: node.get("defaults").into_iter().chain(defaults).cloned().collect(),
    };
    around.matrix(node);
    around.machine(node);
    around.head(node);
    for step in node.get("steps").map(Node::items).unwrap_or_default() {
        step::step(&mut around, &step);
    }
    around.check_env(node, globals);
    around.job
}

impl Around<'_> {
    /// A field's text.
    pub(super) fn field(&mut self, text: &str, node: &Node) -> Option<String> {
        expressions::field(text, node, &self.dropped_axes, self.notes)
    }

    fn head(&mut self, node: &Node) {
        if let Some(name) = node
            .text_of("name")
            .filter(|name| !name.contains("${{") && job_name(name) != self.job.name)
        {
            self.job.comments.push(name.to_owned());
        }
        if let Some(condition) = node.get("if") {
            self.job.when = conditions::when(condition, self.notes);
        }
        if let Some(env) = node.get("env") {
            self.job.env = expressions::env(env, &self.dropped_axes, self.notes);
        }
        for service in node
            .get("services")
            .and_then(|services| services.entries())
            .unwrap_or_default()
        {
            self.service(service);
        }
        self.job.timeout = node.text_of("timeout-minutes").and_then(minutes);
        self.job.allow_failure = node.get("continue-on-error").and_then(|allow| match allow.text()? {
            "true" => Some("true".to_owned()),
            "false" => None,
            text => self.field(text, allow),
        });
        for output in node
            .get("outputs")
            .and_then(|outputs| outputs.entries())
            .unwrap_or_default()
        {
            let value = output.node.text().unwrap_or_default();
            let same = format!(".outputs.{}", output.key.text);
            if !value.trim_end_matches("}}").trim_end().ends_with(&same) {
                let text = format!(
                    "output `{}` is renamed: write the line `{}=…` to `$DROVER_OUTPUT`",
                    output.key.text, output.key.text
                );
                self.notes.add(output.key.location, text);
            }
        }
    }

    /// `runs-on` and `container`.
    fn machine(&mut self, node: &Node) {
        let machines = node.get("runs-on");
        for label in machines.map(Node::texts).unwrap_or_default() {
            let location = machines.map_or(node.location, |machines| machines.location);
            match label.as_str() {
                "self-hosted" | "linux" | "Linux" | "X64" | "x64" => {}
                "ARM64" | "arm64" => self.job.runs_on.push(("arch".to_owned(), "arm64".to_owned())),
                "${{ matrix.os }}" => {}
                label if label.starts_with("ubuntu") && label.ends_with("-arm") => {
                    self.job.runs_on.push(("arch".to_owned(), "arm64".to_owned()));
                }
                label if label.starts_with("ubuntu") => {}
                label if label.starts_with("windows") || label.starts_with("macos") => {
                    self.notes
                        .add(location, format!("`{label}`: jobs run in Linux containers only"));
                }
                label if label.contains("${{") => {}
                label => self.notes.add(
                    location,
                    format!("the label `{label}` has no counterpart: write `runs_on: {{name: value}}`"),
                ),
            }
        }
        let Some(container) = node.get("container") else { return };
        let image = container.get("image").unwrap_or(container);
        self.job.image = image.text().and_then(|text| self.field(text, image));
        if let Some(env) = container.get("env") {
            self.job
                .env
                .extend(expressions::env(env, &self.dropped_axes, self.notes));
        }
        self.notes.rest(
            container,
            &["image", "env"],
            &[(
                "options",
                "of the engine has no counterpart: see `resources` and `user`",
            )],
        );
    }

    fn service(&mut self, entry: &Entry) {
        let node = &entry.node;
        let answers = &[
            ("ports", ""),
            (
                "credentials",
                "has no counterpart: the agent's engine logs in to registries",
            ),
        ];
        self.notes.rest(
            node,
            &["image", "env", "ports", "options", "command", "entrypoint"],
            answers,
        );
        let name = host_name(&entry.key.text);
        let mut map = Map::default();
        let image = node.get("image").and_then(|image| self.field(image.text()?, image));
        map.put("image", Out::text(image.unwrap_or_else(|| "busybox".to_owned())));
        let env = node
            .get("env")
            .map(|env| expressions::env(env, &self.dropped_axes, self.notes))
            .unwrap_or_default();
        map.put_some("environment", Out::env(&env));
        if let Some(options) = node.get("options") {
            let healthcheck = self.options(options);
            map.put_some(
                "healthcheck",
                (!healthcheck.is_empty()).then_some(Out::Flow(healthcheck)),
            );
        }
        if let Some(ports) = node.get("ports") {
            let port = ports
                .texts()
                .first()
                .and_then(|port| Some(port.rsplit(':').next()?.to_owned()))
                .unwrap_or_default();
            let text = format!(
                "steps reach the service as `{name}:{}`, not as localhost",
                port.trim_end_matches("/tcp")
            );
            self.notes.add(ports.location, text);
        }
        self.job.services.push((name, map));
    }

    /// `--health-cmd …` and its like.
    fn options(&mut self, node: &Node) -> Map {
        let mut map = Map::default();
        let words = shell_words::split(&node.text().unwrap_or_default().replace('\n', " ")).unwrap_or_default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let (option, value) = match word.split_once('=') {
                Some((option, value)) => (option.to_owned(), Some(value.to_owned())),
                None => (word, None),
            };
            let mut value = || value.clone().or_else(|| words.next()).unwrap_or_default();
            match option.as_str() {
                "--health-cmd" => map.put("test", Out::text(value())),
                "--health-interval" => map.put("interval", Out::text(value())),
                "--health-timeout" => map.put("timeout", Out::text(value())),
                "--health-start-period" => map.put("start_period", Out::text(value())),
                "--health-retries" => map.put("retries", Out::Bare(value())),
                other if other.starts_with('-') => {
                    self.notes.add(
                        node.location,
                        format!("the option `{other}` is a key of its own here: `user`, `tmpfs`, `mem_limit`, …"),
                    );
                }
                _ => {}
            }
        }
        map
    }

    fn matrix(&mut self, node: &Node) {
        let Some(strategy) = node.get("strategy") else { return };
        let Some(matrix) = strategy.get("matrix") else { return };
        if let Some(text) = matrix.text() {
            let inner = text.trim().trim_start_matches("${{").trim_end_matches("}}").trim();
            let json = inner
                .strip_prefix("fromJson(")
                .or_else(|| inner.strip_prefix("fromJSON("));
            let name = json.and_then(|rest| rest.strip_suffix(')')).unwrap_or(inner);
            self.job.matrix = self.field(&format!("${{{{ {name} }}}}"), matrix).map(Out::Text);
            return;
        }
        let mut out = Map::default();
        for entry in matrix.entries().unwrap_or_default() {
            let axis = &*entry.key.text;
            let values = entry.node.texts();
            let is_machine = |value: &String| ["ubuntu", "windows", "macos"].iter().any(|os| value.starts_with(os));
            if matches!(axis, "include" | "exclude") {
                continue;
            }
            if !values.is_empty() && values.iter().all(is_machine) {
                self.dropped_axes.push(axis.to_owned());
                self.notes.add(
                    entry.key.location,
                    format!("axis `{axis}` chooses machines: jobs run in Linux containers only"),
                );
            } else if values.is_empty()
                || entry
                    .node
                    .items()
                    .iter()
                    .any(|item| !matches!(item.value, Value::Scalar(_)))
            {
                self.notes.add(
                    entry.key.location,
                    format!("the values of axis `{axis}` are no plain texts: write them as `include`"),
                );
            } else {
                out.put(axis, Out::texts(values.iter().map(|value| uses::version(value))));
            }
        }
        for key in ["include", "exclude"] {
            let cells: Vec<Out> = matrix
                .get(key)
                .map(Node::items)
                .unwrap_or_default()
                .iter()
                .filter_map(|cell| self.cell(cell))
                .collect();
            if !cells.is_empty() {
                out.put(key, Out::List(cells));
            }
        }
        if out.is_empty() {
            return;
        }
        let fail_fast = strategy.text_of("fail-fast").unwrap_or("true");
        if fail_fast == "true" {
            out.put("fail_fast", Out::Bare("true".into()));
        }
        out.put_some(
            "max_parallel",
            strategy.text_of("max-parallel").map(|most| Out::Bare(most.to_owned())),
        );
        self.job.matrix = Some(Out::Map(out));
    }

    fn cell(&mut self, cell: &Arc<Node>) -> Option<Out> {
        let mut map = Map::default();
        for (axis, _, value) in cell.pairs() {
            if !self.dropped_axes.contains(&axis) {
                map.put(&axis, Out::text(uses::version(&value)));
            }
        }
        (!map.is_empty()).then_some(Out::Flow(map))
    }

    /// `${{ env.X }}` of a name that nothing sets would be an error.
    fn check_env(&mut self, node: &Node, globals: &[String]) {
        let known: Vec<String> = globals
            .iter()
            .cloned()
            .chain(self.job.env.iter().map(|(name, _)| name.clone()))
            .collect();
        let is_known = |text: &str| {
            let names = text
                .split("${{ env.")
                .skip(1)
                .filter_map(|rest| rest.split(" }}").next());
            names.into_iter().all(|name| known.iter().any(|known| known == name))
        };
        if self.job.image.as_deref().is_some_and(|image| !is_known(image)) {
            self.notes.add(
                node.location,
                "the image reads a variable that only a step sets: write the image",
            );
            self.job.image = None;
        }
    }
}

/// Minutes as a duration.
pub(super) fn minutes(text: &str) -> Option<String> {
    text.parse::<u32>().ok().map(|minutes| format!("{minutes}m"))
}
