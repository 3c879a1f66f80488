//! Drone: each document of kind `pipeline` becomes a job, its `trigger` the job's `when`.

use std::sync::Arc;

use job_specs::yaml::Node;

use crate::draft::{Draft, Job};
use crate::names::job_name;
use crate::notes::{Answer, Notes, about};
use crate::pipes::Pipe;
use crate::shell::Names;
use crate::system::System;

const KEYS: &[&str] = &[
    "kind",
    "type",
    "name",
    "steps",
    "services",
    "trigger",
    "depends_on",
    "platform",
    "node",
];
const ANSWERS: &[Answer] = &[
    about("clone").say("is not needed: the workspace holds the commit"),
    about("workspace").say("has no counterpart: the workspace is /workspace"),
    about("volumes").say("has no counterpart: `cache` keeps folders from build to build"),
    about("image_pull_secrets").say("has no counterpart: the agent's engine logs in to registries"),
    about("concurrency").say("counts runs of this pipeline: see `concurrency` of the job file"),
    about("environment").say("of the pipeline has no counterpart: write it as `env` of the job"),
];

pub(crate) fn import(documents: &[Arc<Node>], notes: &mut Notes) -> Draft {
    let mut draft = Draft::default();
    for root in documents {
        match root.text_of("kind") {
            Some("pipeline") | None => draft.jobs.push(pipeline(root, notes)),
            Some("secret") => {
                let name = root.text_of("name").unwrap_or("…");
                let text = format!("secret `{name}` stays where it is: store it by `drover secret set`");
                notes.add(root.location, text);
            }
            Some(kind) => notes.add(root.location, format!("the kind `{kind}` has no counterpart")),
        }
    }
    let names: Vec<String> = draft.jobs.iter().map(|job| job.name.clone()).collect();
    for job in &mut draft.jobs {
        job.needs.retain(|need| names.contains(need));
    }
    draft
}

fn pipeline(root: &Arc<Node>, notes: &mut Notes) -> Job {
    notes.rest(root, KEYS, ANSWERS);
    let in_containers = |kind: &Node| matches!(kind.text(), Some("docker" | "kubernetes"));
    if let Some(kind) = root.get("type").filter(|kind| !in_containers(kind)) {
        let name = kind.text().unwrap_or_default();
        let text = format!("a pipeline of type `{name}` runs without containers: choose images");
        notes.add(kind.location, text);
    }
    let mut job = Job {
        name: job_name(root.text_of("name").unwrap_or("default")),
        needs: root.texts_of("depends_on").iter().map(|name| job_name(name)).collect(),
        ..Job::default()
    };
    platform(root, &mut job, notes);
    let names = Names {
        system: System::Drone,
        axes: &[],
        env: &[],
    };
    let mut pipe = Pipe { names, notes };
    pipe.fill(&mut job, root, "steps");
    if let Some(trigger) = root.get("trigger") {
        job.when = pipe.when(trigger);
    }
    job
}

fn platform(root: &Node, job: &mut Job, notes: &mut Notes) {
    if let Some(platform) = root.get("platform") {
        if let Some(arch) = platform.text_of("arch") {
            job.runs_on.push(("arch".to_owned(), arch.to_owned()));
        }
        if let Some(os) = platform.get("os").filter(|os| os.text() != Some("linux")) {
            notes.add(os.location, "jobs run in Linux containers only");
        }
    }
    job.runs_on.extend(root.pairs_of("node"));
}
