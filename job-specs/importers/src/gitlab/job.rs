//! One job of a GitLab file: image, services and scripts; what it keeps stands in `files`, when it runs in `rules`.

use std::sync::Arc;

use job_specs::yaml::{Entry, Node, Value};

use super::{ANSWERS, File, JOB_KEYS, pairs, rules, templates};
use crate::conditions::{Clause, any_of};
use crate::draft::{Job, Step};
use crate::names::{host_name, job_name};
use crate::notes::Notes;
use crate::out::{Map, Out};
use crate::pipes;
use crate::shell::Names;
use crate::system::System;

/// Makes one job.
pub(super) struct Importer<'a> {
    pub(super) file: &'a File<'a>,
    pub(super) notes: &'a mut Notes,
    pub(super) env: Vec<String>,
    pub(super) axes: Vec<String>,
}

impl Importer<'_> {
    pub(super) fn job(mut self, entry: &Entry, globals: &[(String, String)]) -> Job {
        let node = &entry.node;
        self.notes.rest(node, JOB_KEYS, ANSWERS);
        for name in node.texts_of("extends") {
            if self.file.global(&name).is_none() {
                let text = format!("`{name}`, which `{}` extends, is not in this file", entry.key.text);
                self.notes.add(entry.key.location, text);
            }
        }
        let mut job = Job {
            name: job_name(&entry.key.text),
            env: self.file.variables(node, 0),
            ..Job::default()
        };
        self.env.extend(job.env.iter().map(|(name, _)| name.clone()));
        self.parallel(&mut job, node);
        if let Some(image) = self.file.get(node, "image") {
            let name = image.text().or_else(|| image.text_of("name")).unwrap_or_default();
            job.image = Some(self.field(name, &image));
        }
        let all: Vec<(String, String)> = globals.iter().chain(&job.env).cloned().collect();
        let services = self.file.get(node, "services");
        for service in services.map(|services| services.items()).unwrap_or_default() {
            self.service(&mut job, &service, &all);
        }
        self.scripts(&mut job, node);
        self.files(&mut job, node);
        self.limits(&mut job, node);
        job.when = self.when(node);
        let around = std::slice::from_ref(node);
        templates(&mut job.env, &self.env, &self.axes, around, self.notes);
        job
    }

    /// A text in which variables are replaced.
    pub(super) fn field(&mut self, text: &str, node: &Node) -> String {
        let names = Names {
            system: System::Gitlab,
            axes: &self.axes,
            env: &self.env,
        };
        names.field(text, node.location, self.notes)
    }

    fn service(&mut self, job: &mut Job, node: &Arc<Node>, variables: &[(String, String)]) {
        let Some(image) = node.text().or_else(|| node.text_of("name")) else {
            return;
        };
        let image = self.field(image, node);
        if image.contains("docker:") && image.contains("dind") {
            let text = "docker-in-docker is refused: build images by a step `image: {build: ., tags: […]}`";
            self.notes.add(node.location, text);
            return;
        }
        let base = image.split(['$', '@']).next().unwrap_or_default();
        let base = base.rsplit_once(':').map_or(base, |(name, _)| name);
        let prefix = format!("{}_", base.rsplit('/').next().unwrap_or_default().to_uppercase());
        let own = pairs(node.get("variables"));
        let shared = variables.iter().filter(|(name, _)| name.starts_with(&prefix));
        let given: Vec<(String, String)> = shared.chain(&own).cloned().collect();
        let mut map = Map::default().with("image", Out::text(image.clone()));
        map.put_some("environment", Out::env(&given));
        for key in ["entrypoint", "command"] {
            map.put_texts(key, node.texts_of(key));
        }
        let aliases = node.text_of("alias");
        let alias = aliases.and_then(|aliases| aliases.split([' ', ',']).next());
        let name = host_name(alias.unwrap_or(&base.replace('/', "-")));
        job.services.push((name, map));
    }

    fn scripts(&mut self, job: &mut Job, node: &Node) {
        let lines = |key: &str, this: &mut Self| {
            let script = this.file.get(node, key);
            script.map(|script| this.lines(&script)).unwrap_or_default()
        };
        let mut main = lines("before_script", self);
        main.extend(lines("script", self));
        if !main.is_empty() {
            job.steps.push(Step::run(pipes::script(&main)));
        }
        let after = lines("after_script", self);
        if !after.is_empty() {
            let status = vec!["success".to_owned(), "failure".to_owned()];
            let clause = Clause {
                status,
                ..Clause::default()
            };
            job.steps.push(Step {
                name: Some("after_script".to_owned()),
                when: clause.out(),
                allow_failure: true,
                ..Step::run(pipes::script(&after))
            });
        }
    }

    /// The lines of a script; lists inside are written out.
    fn lines(&mut self, node: &Arc<Node>) -> Vec<String> {
        let mut lines = Vec::new();
        for item in node.items() {
            match &item.value {
                Value::List(inner) if is_reference(inner) => {
                    let path: Vec<String> = item.texts();
                    let target = path.first().and_then(|name| self.file.global(name));
                    let found = target.and_then(|target| self.file.own(target, path.get(1)?, 0));
                    match found {
                        Some(found) => lines.extend(found.texts()),
                        None => {
                            let text = format!("`!reference [{}]` is not in this file", path.join(", "));
                            self.notes.add(item.location, text);
                        }
                    }
                }
                Value::List(_) => lines.extend(item.texts()),
                _ => lines.extend(item.text().map(str::to_owned)),
            }
        }
        lines.into_iter().map(|line| line.replace("${{", "$ {{")).collect()
    }

    fn when(&mut self, node: &Node) -> Option<Out> {
        let mut clauses = Vec::new();
        if let Some(rules) = self.file.get(node, "rules") {
            clauses = rules::rules(&rules, self.notes)?;
        } else if let Some(only) = self.file.get(node, "only") {
            clauses = rules::only(&only, self.notes);
        }
        if let Some(except) = self.file.get(node, "except") {
            rules::except(&mut clauses, &except, self.notes);
        }
        let when = self.file.get(node, "when");
        rules::job_when(&mut clauses, when.as_deref(), self.notes);
        any_of(&clauses)
    }
}

/// `[.name, script]`: what `!reference` stands before.
fn is_reference(items: &[Arc<Node>]) -> bool {
    let first = items.first().and_then(|item| item.text());
    (2..=3).contains(&items.len()) && first.is_some_and(|name| name.starts_with('.') && !name.contains(' '))
}
