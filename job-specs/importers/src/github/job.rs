//! One job of a workflow.

use std::sync::Arc;

use job_specs::shell_words;
use job_specs::yaml::{Entry, Node, Value};

use super::{conditions, expressions, step, uses};
use crate::draft::Job;
use crate::names::{host_name, job_name};
use crate::notes::{Answer, Notes, about};
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
const ANSWERS: &[Answer] = &[
    about("uses")
        .say("calls a workflow of another file: import that file too, and put both into the folder `.drover/`"),
    about("permissions").say("has no counterpart: a job gets no token of the forge; give it one as a secret"),
    about("environment").say("has no counterpart yet: nothing is recorded as deployed"),
    about("concurrency").say("of a job has no counterpart: see `concurrency` of the file"),
    about("with").say("is for a called workflow"),
    about("secrets").say("is for a called workflow"),
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
    for step in node.items_of("steps") {
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
        let name = node.text_of("name").filter(|name| !name.contains("${{"));
        let name = name.filter(|name| job_name(name) != self.job.name);
        self.job.comments.extend(name.map(str::to_owned));
        if let Some(condition) = node.get("if") {
            self.job.when = conditions::when(condition, self.notes);
        }
        if let Some(env) = node.get("env") {
            self.job.env = expressions::env(env, &self.dropped_axes, self.notes);
        }
        for service in node.entries_of("services") {
            self.service(service);
        }
        self.job.timeout = node.text_of("timeout-minutes").and_then(minutes);
        self.job.allow_failure = node.get("continue-on-error").and_then(|allow| match allow.text()? {
            "true" => Some("true".to_owned()),
            "false" => None,
            text => self.field(text, allow),
        });
        for output in node.entries_of("outputs") {
            let value = output.node.text().unwrap_or_default();
            let name = &output.key.text;
            if !value
                .trim_end_matches("}}")
                .trim_end()
                .ends_with(&format!(".outputs.{name}"))
            {
                let text = format!("output `{name}` is renamed: write the line `{name}=…` to `$DROVER_OUTPUT`");
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
                label if is_arm(label) => self.job.runs_on.push(("arch".to_owned(), "arm64".to_owned())),
                label if label.starts_with("ubuntu") => {}
                label if label.starts_with("windows") || label.starts_with("macos") => {
                    let text = format!("`{label}`: jobs run in Linux containers only");
                    self.notes.add(location, text);
                }
                label if label.contains("${{") => {}
                label => {
                    let text = format!("the label `{label}` has no counterpart: write `runs_on: {{name: value}}`");
                    self.notes.add(location, text);
                }
            }
        }
        let Some(container) = node.get("container") else { return };
        let image = container.get("image").unwrap_or(container);
        self.job.image = image.text().and_then(|text| self.field(text, image));
        if let Some(env) = container.get("env") {
            let env = expressions::env(env, &self.dropped_axes, self.notes);
            self.job.env.extend(env);
        }
        let options = "of the engine has no counterpart: see `resources` and `user`";
        self.notes
            .rest(container, &["image", "env"], &[about("options").say(options)]);
    }

    fn service(&mut self, entry: &Entry) {
        let node = &entry.node;
        let known = ["image", "env", "ports", "options", "command", "entrypoint"];
        let credentials = "has no counterpart: the agent's engine logs in to registries";
        self.notes.rest(node, &known, &[about("credentials").say(credentials)]);
        let name = host_name(&entry.key.text);
        let mut map = Map::default();
        let image = node.get("image").and_then(|image| self.field(image.text()?, image));
        map.put("image", Out::text(image.unwrap_or_else(|| "busybox".to_owned())));
        if let Some(env) = node.get("env") {
            let env = expressions::env(env, &self.dropped_axes, self.notes);
            map.put_some("environment", Out::env(&env));
        }
        if let Some(options) = node.get("options") {
            map.put_flow("healthcheck", self.options(options));
        }
        if let Some(ports) = node.get("ports") {
            let first = ports.texts().into_iter().next().unwrap_or_default();
            let port = first.rsplit(':').next().unwrap_or_default().trim_end_matches("/tcp");
            let text = format!("steps reach the service as `{name}:{port}`, not as localhost");
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
                    let text =
                        format!("the option `{other}` is a key of its own here: `user`, `tmpfs`, `mem_limit`, …");
                    self.notes.add(node.location, text);
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
            let json = ["fromJson(", "fromJSON("]
                .iter()
                .find_map(|call| inner.strip_prefix(call));
            let name = json.and_then(|rest| rest.strip_suffix(')')).unwrap_or(inner);
            self.job.matrix = self.field(&format!("${{{{ {name} }}}}"), matrix).map(Out::Text);
            return;
        }
        let mut out = Map::default();
        for entry in matrix.entries().unwrap_or_default() {
            let axis = &*entry.key.text;
            let values = entry.node.texts();
            let is_plain = |item: &Arc<Node>| matches!(item.value, Value::Scalar(_));
            let is_machine = |value: &String| ["ubuntu", "windows", "macos"].iter().any(|os| value.starts_with(os));
            if matches!(axis, "include" | "exclude") {
                continue;
            }
            if !values.is_empty() && values.iter().all(is_machine) {
                self.dropped_axes.push(axis.to_owned());
                let text = format!("axis `{axis}` chooses machines: jobs run in Linux containers only");
                self.notes.add(entry.key.location, text);
            } else if values.is_empty() || !entry.node.items().iter().all(is_plain) {
                let text = format!("the values of axis `{axis}` are no plain texts: write them as `include`");
                self.notes.add(entry.key.location, text);
            } else {
                out.put(axis, Out::texts(values.iter().map(|value| uses::version(value))));
            }
        }
        for key in ["include", "exclude"] {
            let cells = matrix.items_of(key);
            out.put_list(key, cells.iter().filter_map(|cell| self.cell(cell)).collect());
        }
        if out.is_empty() {
            return;
        }
        if strategy
            .text_of("fail-fast")
            .is_none_or(|fail_fast| fail_fast == "true")
        {
            out.put_true("fail_fast");
        }
        let most = strategy.text_of("max-parallel").map(str::to_owned);
        out.put_some("max_parallel", most.map(Out::Bare));
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
        let known = globals.iter().chain(self.job.env.iter().map(|(name, _)| name));
        let is_known = |name: &str| known.clone().any(|known| known == name);
        let image = self.job.image.as_deref().unwrap_or_default();
        let mut names = image
            .split("${{ env.")
            .skip(1)
            .filter_map(|rest| rest.split(" }}").next());
        if !names.all(is_known) {
            let text = "the image reads a variable that only a step sets: write the image";
            self.notes.add(node.location, text);
            self.job.image = None;
        }
    }
}

/// Whether a label of a machine asks for ARM.
fn is_arm(label: &str) -> bool {
    matches!(label, "ARM64" | "arm64") || (label.starts_with("ubuntu") && label.ends_with("-arm"))
}

/// Minutes as a duration.
pub(super) fn minutes(text: &str) -> Option<String> {
    text.parse::<u32>().ok().map(|minutes| format!("{minutes}m"))
}
