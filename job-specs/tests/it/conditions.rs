//! `when`: what is decided before anything runs, and what is left for then.

use job_specs::model::{JobSpec, WhenStatus};
use job_specs::{Facts, expand};

use crate::story::{checked, push};

/// The steps' `when`, one after the other, in one job with an axis `pg`.
fn steps(when: &[&str], facts: &Facts) -> Vec<String> {
    let steps: Vec<String> = when.iter().map(|when| format!("{{run: x, when: {when}}}")).collect();
    let text = format!(
        "jobs: {{t: {{image: a, matrix: {{pg: [\"17\"], include: [{{pg: \"9.6\"}}]}}, steps: [{}]}}}}\n",
        steps.join(", ")
    );
    let job = expand(&checked(&text), facts).unwrap().jobs.remove(0);
    job.steps
        .iter()
        .map(|step| said(step.skip.as_deref(), step.when))
        .collect()
}

fn said(skip: Option<&str>, when: WhenStatus) -> String {
    match (skip, when.success, when.failure) {
        (Some(skip), ..) => skip.to_owned(),
        (None, true, true) => "always".to_owned(),
        (None, true, false) => "success".to_owned(),
        (None, false, true) => "failure".to_owned(),
        (None, false, false) => "never".to_owned(),
    }
}

// key: job.matrix, when.branch, when.tag, when.paths, when.matrix, when.status
#[test]
fn every_key_of_a_clause_must_hold() {
    let facts = Facts {
        changed: Some(vec!["docs/a.md".into()]),
        ..push()
    };
    let when = [
        "{event: push}",
        "{event: [tag, schedule]}",
        "{branch: main}",
        "{branch: [\"release/**\", dev]}",
        "{tag: \"v*\"}",
        "{paths: \"docs/**\"}",
        "{paths: [\"src/**\"]}",
        "{matrix: {pg: \"17\"}}",
        "{matrix: {pg: \"9.*\"}}",
        "{matrix: {pg: [\"9.6\", \"1?\"]}}",
        "{event: push, branch: main, paths: \"src/**\", status: failure}",
    ];
    assert_eq!(
        steps(&when, &facts),
        [
            "success",
            "the event push is none of tag, schedule",
            "success",
            "branch `main` is none of `release/**`, `dev`",
            "there is no tag to match `v*`",
            "success",
            "no changed path matches `src/**`",
            "success",
            "`pg=17` is not `9.*`",
            "success",
            "no changed path matches `src/**`",
        ]
    );
}

// key: when.branch, when.status
#[test]
fn one_clause_of_a_list_is_enough() {
    let when = [
        "[{event: tag}, {branch: main}]",
        "[{event: push, status: success}, {event: tag, status: failure}]",
        "[{event: push}, {status: failure}]",
        "[{event: tag}, {branch: dev}, {event: tag}]",
        "{status: always}",
        "{status: [failure, success]}",
        "{status: failure}",
        "[{status: failure, branch: dev}]",
    ];
    assert_eq!(
        steps(&when, &push()),
        [
            "success",
            "success",
            "always",
            "the event push is not tag, and branch `main` is not `dev`",
            "always",
            "always",
            "failure",
            "branch `main` is not `dev`",
        ]
    );
}

// key: job.needs
#[test]
fn a_job_is_skipped_with_its_reason_and_keeps_what_its_needs_must_be() {
    let text = "\
jobs:
  build: {image: a, steps: [x]}
  deploy: {image: a, needs: build, when: {branch: release}, steps: [x]}
  clean: {image: a, needs: [build, deploy], when: {status: always}, steps: [x]}
";
    let jobs: Vec<JobSpec> = expand(&checked(text), &push()).unwrap().jobs;
    let said: Vec<String> = jobs.iter().map(|job| said(job.skip.as_deref(), job.when)).collect();
    assert_eq!(said, ["success", "branch `main` is not `release`", "always"]);
}

// key: job.matrix, when.paths, when.matrix
#[test]
fn a_cell_can_ask_for_its_own_folder() {
    let text = "\
jobs:
  t:
    image: a
    matrix: {app: [web, api]}
    when: {paths: [\"${{ matrix.app }}/**\", shared/**]}
    steps: [x]
";
    let facts = Facts {
        changed: Some(vec!["api/main.rs".into()]),
        ..push()
    };
    let jobs = expand(&checked(text), &facts).unwrap().jobs;
    assert_eq!(
        jobs[0].skip.as_deref(),
        Some("no changed path matches `web/**`, `shared/**`")
    );
    assert_eq!(jobs[1].skip, None);
}

// key: matrix.include, tag.tags, when.tag
#[test]
fn what_is_skipped_need_not_be_right() {
    let text = "\
jobs:
  t:
    matrix: {app: [web, api], include: [{app: web, tag: x}]}
    steps:
      - {image: {build: ., tags: \"app:${{ git.tag }}\"}, when: {tag: \"v*\"}}
      - {run: x, image: \"app:${{ matrix.tag }}\", when: {matrix: {app: web}}}
      - {run: x, image: a}
  u: {image: \"app:${{ git.tag }}\", when: {tag: \"v*\"}, steps: [x]}
";
    let jobs = expand(&checked(text), &push()).unwrap().jobs;
    assert_eq!(jobs[2].skip.as_deref(), Some("there is no tag to match `v*`"));
    let skips = |job: &JobSpec| job.steps.iter().map(|step| step.skip.is_some()).collect::<Vec<_>>();
    assert_eq!(skips(&jobs[0]), [true, false, false]);
    assert_eq!(skips(&jobs[1]), [true, true, false]);
}
