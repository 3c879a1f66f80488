//! Compose files of the repository as services: what is taken, what is said, and what bounds it.

use std::collections::BTreeMap;
use std::sync::Arc;

use job_specs::model::{FileContent, VolumeSource};
use job_specs::{Facts, JobSpec, Look, Parsed, Repository, SourceFile, expand, parse_with, render};

use crate::story::push;

/// Files by path.
pub struct Files(BTreeMap<String, String>);

impl Files {
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Files {
        Files(
            files
                .into_iter()
                .map(|(path, text)| (path.to_owned(), text.to_owned()))
                .collect(),
        )
    }
}

impl Repository for Files {
    fn read(&self, path: &str) -> Result<Option<Arc<str>>, String> {
        if path == "unreadable" {
            return Err("it is not text".to_owned());
        }
        Ok(self.0.get(path).map(|text| text.as_str().into()))
    }

    fn list(&self) -> Result<Vec<(String, String)>, String> {
        Ok(Vec::new())
    }
}

pub fn read(job: &str, files: &Files) -> Parsed {
    let file = SourceFile {
        name: ".drover.yml".into(),
        text: job.into(),
    };
    parse_with(&[file], files)
}

/// A job with more keys, one on each line.
fn job(keys: &str) -> String {
    format!(
        "jobs:\n  t:\n    image: i\n    steps: [x]\n    {}\n",
        keys.trim_end().replace('\n', "\n    ")
    )
}

/// `CODE file:line:column message` of every finding.
pub fn findings(keys: &str, files: &[(&str, &str)]) -> Vec<String> {
    let parsed = read(&job(keys), &Files::new(files.iter().copied()));
    let line = |found: &job_specs::Diagnostic| {
        let location = found
            .span
            .map_or(String::new(), |span| format!(":{}:{}", span.line, span.column));
        format!("{} {}{location} {}", found.code, found.file, found.message)
    };
    parsed.diagnostics.iter().map(line).collect()
}

fn spec_with(keys: &str, files: &[(&str, &str)], facts: &Facts) -> JobSpec {
    let parsed = read(&job(keys), &Files::new(files.iter().copied()));
    let errors: Vec<_> = parsed.diagnostics.iter().map(|found| &found.message).collect();
    let file = parsed.file.unwrap_or_else(|| panic!("{errors:?}"));
    expand(&file, facts).unwrap().jobs.remove(0)
}

fn spec(keys: &str, files: &[(&str, &str)]) -> JobSpec {
    spec_with(keys, files, &push())
}

#[test]
fn a_mistake_in_a_compose_file_is_shown_with_its_line() {
    let files = Files::new([(
        "deploy/compose.yml",
        "services:\n  db:\n    image: postgres:${VERSION}\n    privileged: true\n    ports: [\"5432:5432\"]\n",
    )]);
    let parsed = read(&job("compose: deploy/compose.yml"), &files);
    let look = Look {
        colour: false,
        width: 80,
    };
    insta::assert_snapshot!(render(&parsed.diagnostics, &parsed.sources, look));
}

#[test]
fn values_of_a_build_become_neither_code_nor_words() {
    let compose = "
services:
  app:
    image: app
    command: serve --branch $DROVER_BRANCH --copy=${COPY}
    environment: {BRANCH: \"$COPY\", OTHER: \"${DROVER_TAG:-none}\"}
    configs: [c]
configs: {c: {content: \"on ${DROVER_BRANCH}\"}}
";
    let facts = Facts {
        branch: Some("a b; rm -rf $HOME ${{ git.sha }}".into()),
        ..push()
    };
    let job = spec_with(
        "env: {COPY: \"${{ git.branch }}\"}\ncompose: c.yml",
        &[("c.yml", compose)],
        &facts,
    );
    let branch = facts.branch.unwrap();
    let app = &job.services[0];
    assert_eq!(
        app.command.as_deref().unwrap(),
        ["serve", "--branch", &branch, "--copy", &branch].map(str::to_owned)[..3]
            .iter()
            .cloned()
            .chain([format!("--copy={branch}")])
            .collect::<Vec<_>>()
    );
    assert_eq!(app.environment["BRANCH"], branch);
    assert_eq!(app.environment["OTHER"], "none");
    assert_eq!(app.files[0].content, FileContent::Text(format!("on {branch}")));
}

#[test]
fn variables_of_env_files_never_hide_a_value_of_the_build() {
    let files = [
        (".env", "NAME=release-$DROVER_BRANCH\nFIXED='a$b'\nJOB=from-file\n"),
        (
            "c.yml",
            "services: {a: {image: \"i:$NAME\", environment: {F: \"$FIXED\", J: \"$JOB\"}, healthcheck: {test: \"x $NAME\"}}}",
        ),
    ];
    let found = findings("compose: c.yml", &files);
    assert!(found[0].starts_with("DRV0114 c.yml"), "{found:?}");
    let files = [
        files[0],
        (
            "c.yml",
            "services: {a: {image: \"i:$NAME\", environment: {F: \"$FIXED\", J: \"$JOB\"}}}",
        ),
    ];
    let job = spec("env: {JOB: from-job}\ncompose: c.yml", &files);
    assert_eq!(job.services[0].image, "i:release-main");
    assert_eq!(job.services[0].environment["F"], "a$b");
    assert_eq!(job.services[0].environment["J"], "from-job");
}

#[test]
fn the_jobs_own_services_go_over_those_of_the_file() {
    let compose = "
services:
  db: {image: \"postgres:15\", environment: [A=1, B=2], ports: [\"5432:5432\"], volumes: [\"data:/data\"]}
  web: {image: web, depends_on: [db]}
";
    let own = "
compose: c.yml
services:
  db: {image: \"postgres:17\", environment: {B: \"3\"}, run_once: false, ready: {tcp: 5432}, volumes: [\"./x:/data\"]}
  extra: {image: extra, depends_on: [web]}
  web: {scale: 0}
";
    let job = spec(own.trim(), &[("c.yml", compose)]);
    let [db, web, extra] = &job.services[..] else { panic!() };
    assert_eq!(
        (db.image.as_str(), &db.environment["A"][..], &db.environment["B"][..]),
        ("postgres:17", "1", "3")
    );
    assert_eq!(db.volumes[0].source, VolumeSource::Workspace("x".into()));
    assert!(db.ready.is_some() && db.expose == [5432]);
    assert_eq!((web.scale, extra.depends_on[0].service.as_str()), (0, "web"));
}

#[test]
fn a_build_sees_what_was_read_when_the_file_was_checked() {
    let parsed = {
        let files = Files::new([
            (
                "c.yml",
                "services: {a: {image: \"i:${MATRIX_A}\", env_file: [e, {path: none, required: false}]}}",
            ),
            ("e", "A=$MATRIX_A\n"),
        ]);
        read(&job("matrix: {a: [\"1\", \"2\"]}\ncompose: c.yml"), &files)
    };
    let names: Vec<&str> = parsed.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, [".drover.yml", "c.yml", "e"]);
    let jobs = expand(&parsed.file.unwrap(), &push()).unwrap().jobs;
    let seen: Vec<(&str, &str)> = jobs
        .iter()
        .map(|job| {
            (
                job.services[0].image.as_str(),
                job.services[0].environment["A"].as_str(),
            )
        })
        .collect();
    assert_eq!(seen, [("i:1", "1"), ("i:2", "2")]);
}
