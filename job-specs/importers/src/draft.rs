//! The job file that an import makes: what its jobs and steps have, and how that becomes YAML with comments.

use crate::out::{self, Map, Out};

/// A file on its way.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// Lines above everything.
    pub(crate) comments: Vec<String>,
    pub(crate) on: Option<Out>,
    pub(crate) concurrency: Option<Out>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) jobs: Vec<Job>,
}

/// A job.
#[derive(Debug, Default)]
pub(crate) struct Job {
    pub(crate) name: String,
    /// Lines above it.
    pub(crate) comments: Vec<String>,
    pub(crate) needs: Vec<String>,
    /// Those of `needs` whose artifacts it takes.
    pub(crate) takes: Vec<String>,
    pub(crate) when: Option<Out>,
    pub(crate) image: Option<String>,
    pub(crate) matrix: Option<Out>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) compose: Option<Out>,
    pub(crate) services: Vec<(String, Map)>,
    pub(crate) steps: Vec<Step>,
    pub(crate) cache: Vec<Out>,
    pub(crate) artifacts: Vec<Out>,
    pub(crate) junit: Vec<String>,
    pub(crate) timeout: Option<String>,
    pub(crate) retry: Option<Out>,
    pub(crate) allow_failure: Option<String>,
    pub(crate) resources: Option<Out>,
    pub(crate) runs_on: Vec<(String, String)>,
}

/// A step.
#[derive(Debug, Default, Clone)]
pub(crate) struct Step {
    /// Lines above it.
    pub(crate) comments: Vec<String>,
    pub(crate) name: Option<String>,
    pub(crate) run: Option<String>,
    pub(crate) entrypoint: Vec<String>,
    pub(crate) shell: Option<String>,
    pub(crate) image: Option<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) workdir: Option<String>,
    pub(crate) user: Option<String>,
    /// Secrets: the name, and the variable that has it.
    pub(crate) secrets: Vec<(String, String)>,
    pub(crate) when: Option<Out>,
    pub(crate) timeout: Option<String>,
    pub(crate) retry: Option<String>,
    pub(crate) allow_failure: bool,
}

impl Draft {
    /// Renames the jobs whose names are taken, and takes the others; also makes names unique in this file.
    pub(crate) fn avoid(&mut self, taken: &mut Vec<String>, prefix: &str) {
        for at in 0..self.jobs.len() {
            let name = self.jobs[at].name.clone();
            if taken.contains(&name) {
                let free = |name: &String| !taken.contains(name);
                let mut names = std::iter::once(format!("{prefix}-{name}")).chain((2..).map(|n| format!("{name}-{n}")));
                let new = names.find(free).unwrap_or_default();
                self.rename(&name, &new, at);
            }
            taken.push(self.jobs[at].name.clone());
        }
    }

    /// Gives a job a new name, in `needs` and `${{ needs.… }}` too.
    fn rename(&mut self, old: &str, new: &str, at: usize) {
        new.clone_into(&mut self.jobs[at].name);
        let (before, after) = (format!("needs.{old}.outputs"), format!("needs.{new}.outputs"));
        for job in &mut self.jobs {
            for need in job.needs.iter_mut().chain(&mut job.takes).filter(|need| *need == old) {
                new.clone_into(need);
            }
            let of_steps = job.steps.iter_mut().flat_map(|step| &mut step.env);
            for (_, value) in job.env.iter_mut().chain(of_steps) {
                *value = value.replace(&before, &after);
            }
        }
    }

    /// The file's text. Above it stand the URL of the schema for editors, what the file was made from, and how to go on.
    pub(crate) fn write(&self, schema: &str, about: &str) -> String {
        let head = [
            format!("yaml-language-server: $schema={schema}"),
            about.to_owned(),
            "Check it with `drover lint`; run it here and now with `drover run`.".to_owned(),
        ];
        let mut map = Map::default();
        map.put_some("on", self.on.clone());
        map.put_some("concurrency", self.concurrency.clone());
        map.put_some("env", Out::env(&self.env));
        let mut jobs = Map::default();
        for job in &self.jobs {
            jobs.put_with(&job.name, Out::Map(job.map()), &job.comments);
        }
        map.put("jobs", Out::Map(jobs));
        let mut text: String = head.iter().chain(&self.comments).map(|line| comment(line)).collect();
        text.push_str(&out::write(&map));
        text
    }
}

fn comment(line: &str) -> String {
    format!("# {line}\n").replace("# \n", "#\n")
}

impl Job {
    fn map(&self) -> Map {
        let mut map = Map::default();
        map.put_list("needs", self.needs.iter().map(|need| self.need(need)).collect());
        map.put_some("when", self.when.clone());
        match &self.image {
            Some(image) => map.put("image", Out::text(image)),
            None => {
                let why = "no image was named: choose one that has what the steps need".to_owned();
                map.put_with("image", Out::text("debian:bookworm"), &[why]);
            }
        }
        map.put_some("matrix", self.matrix.clone());
        map.put_some("env", Out::env(&self.env));
        map.put_some("compose", self.compose.clone());
        if !self.services.is_empty() {
            let service = |map: Map, (name, service): &(String, Map)| map.with(name, Out::Map(service.clone()));
            let services = self.services.iter().fold(Map::default(), service);
            map.put("services", Out::Map(services));
        }
        self.put_steps(&mut map);
        self.put_rest(&mut map);
        map
    }

    fn need(&self, need: &str) -> Out {
        if !self.takes.iter().any(|taken| taken == need) {
            return Out::text(need);
        }
        let mut map = Map::default().with("job", Out::text(need));
        map.put_true("artifacts");
        Out::Flow(map)
    }

    fn put_steps(&self, map: &mut Map) {
        if self.steps.is_empty() {
            let why = "nothing that it did could be carried over: write its steps here".to_owned();
            map.put_with("steps", Out::texts(["true"]), &[why]);
            return;
        }
        map.put("steps", Out::Lines(self.steps.iter().map(Step::out).collect()));
    }

    fn put_rest(&self, map: &mut Map) {
        map.put_list("cache", self.cache.clone());
        map.put_list("artifacts", self.artifacts.clone());
        let mut reports = Map::default();
        reports.put_one_or_many("junit", &self.junit);
        map.put_flow("reports", reports);
        map.put_some("timeout", self.timeout.as_ref().map(Out::text));
        map.put_some("retry", self.retry.clone());
        map.put_some("allow_failure", self.allow_failure.clone().map(Out::Bare));
        map.put_some("resources", self.resources.clone());
        map.put_flow("runs_on", Map::of(&self.runs_on));
    }
}

impl Step {
    /// A step that is a script and nothing else.
    pub(crate) fn run(script: impl Into<String>) -> Step {
        Step {
            run: Some(script.into()),
            ..Step::default()
        }
    }

    /// Names a secret and the variable that has it.
    pub(crate) fn takes_secret(&mut self, name: &str, variable: &str) {
        let pair = (name.to_owned(), variable.to_owned());
        if !self.secrets.contains(&pair) {
            self.secrets.push(pair);
        }
    }

    fn out(&self) -> Out {
        let mut map = Map::default();
        map.put_some("name", self.name.as_ref().map(Out::text));
        map.put_some("image", self.image.as_ref().map(Out::text));
        map.put_some("run", self.run.as_ref().map(Out::text));
        map.put_texts("entrypoint", &self.entrypoint);
        map.put_some("shell", self.shell.as_ref().map(Out::text));
        map.put_some("workdir", self.workdir.as_ref().map(Out::text));
        map.put_some("user", self.user.as_ref().map(Out::text));
        map.put_some("env", Out::env(&self.env));
        map.put_list("secrets", self.secrets.iter().map(secret).collect());
        map.put_some("when", self.when.clone());
        map.put_some("timeout", self.timeout.as_ref().map(Out::text));
        map.put_some("retry", self.retry.clone().map(Out::Bare));
        if self.allow_failure {
            map.put_true("allow_failure");
        }
        let only_run = self.run.is_some() && map.len() == 1;
        match &self.run {
            Some(run) if only_run && self.comments.is_empty() => Out::text(run),
            _ => Out::Map(map.commented(&self.comments)),
        }
    }
}

fn secret((name, variable): &(String, String)) -> Out {
    if name == variable {
        return Out::text(name);
    }
    let map = Map::default().with("name", Out::text(name));
    Out::Flow(map.with("env", Out::text(variable)))
}
