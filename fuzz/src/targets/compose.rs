//! Compose files as services of a job, with the files that they refer to. An input holds several files: a line
//! `# file: NAME` begins one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use job_specs::{Look, Repository, SourceFile, expand, parse_with, render};

use super::job::push;
use super::{Target, files, filled};
use crate::mutate::Examples;

const SEPARATOR: &str = "# file: ";
/// Names that the job file asks for, when it has none of its own.
const NAMES: [&str; 4] = [
    "docker-compose.yml",
    "compose.yml",
    "compose.yaml",
    "docker-compose.yaml",
];

pub(super) fn target() -> anyhow::Result<Target> {
    let mut folders: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for folder in [
        "job-specs/tests/corpus",
        "job-specs/importers/tests/files/compose",
        "job-specs/examples/compose",
    ] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
        for (path, text) in files(&[folder])? {
            let below = path.strip_prefix(&root).unwrap_or(&path);
            let mut parts = below.components();
            let first = parts
                .next()
                .map_or_else(String::new, |part| part.as_os_str().to_string_lossy().into_owned());
            let rest = parts.as_path();
            let name = if rest == Path::new("") {
                NAMES[0].to_owned()
            } else {
                rest.display().to_string()
            };
            let example = folders.entry(format!("{folder}/{first}")).or_default();
            example.extend(format!("{SEPARATOR}{name}\n").bytes());
            example.extend(text);
        }
    }
    Ok(Target {
        name: "compose",
        examples: Examples::new(folders.into_values().collect()),
        worst: Box::new(|| Ok(worst())),
        read: Box::new(read),
    })
}

/// Files by name.
struct Files(BTreeMap<String, Arc<str>>);

impl Files {
    fn of(text: &str) -> Files {
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        let mut name = NAMES[0].to_owned();
        for line in text.split_inclusive('\n') {
            match line.strip_prefix(SEPARATOR) {
                Some(next) => next.trim_end().clone_into(&mut name),
                None => files.entry(name.clone()).or_default().push_str(line),
            }
        }
        Files(files.into_iter().map(|(name, text)| (name, text.into())).collect())
    }
}

impl Repository for Files {
    fn read(&self, path: &str) -> Result<Option<Arc<str>>, String> {
        Ok(self.0.get(path).cloned())
    }

    fn list(&self) -> Result<Vec<(String, String)>, String> {
        Ok(self
            .0
            .keys()
            .map(|name| (name.clone(), "e69de29bb2d1".to_owned()))
            .collect())
    }
}

fn read(bytes: &[u8]) {
    let repository = Files::of(&String::from_utf8_lossy(bytes));
    let job = repository
        .0
        .get(".drover.yml")
        .map(ToString::to_string)
        .unwrap_or_else(|| {
            let name = NAMES
                .iter()
                .find(|name| repository.0.contains_key(**name))
                .unwrap_or(&NAMES[0]);
            format!("jobs: {{t: {{image: i, compose: {name}, steps: [x]}}}}\n")
        });
    let files = [SourceFile {
        name: ".drover.yml".to_owned(),
        text: job,
    }];
    let parsed = parse_with(&files, &repository);
    let look = Look {
        colour: false,
        width: 80,
    };
    render(&parsed.diagnostics, &files, look);
    if let Some(file) = &parsed.file {
        let _ = expand(file, &push());
    }
}

fn worst() -> Vec<(&'static str, Vec<u8>)> {
    let fill = |head: &str, one: &dyn Fn(usize) -> String, tail: &str| filled(255 * 1024, head, one, tail);
    vec![
        (
            "services",
            fill("services:\n", &|n| format!("  s{n}: {{image: a}}\n"), ""),
        ),
        (
            "a circle of extends",
            fill("services:\n", &|n| format!("  s{}: {{extends: s{}}}\n", n, n + 1), ""),
        ),
        (
            "a file that includes itself",
            fill(
                "include:\n",
                &|_| format!("  - {}\n", NAMES[0]),
                "services: {a: {image: b}}\n",
            ),
        ),
        (
            "variables inside variables",
            fill("services: {a: {image: \"", &|_| "${A:-".into(), "\"}}\n"),
        ),
        (
            "variables that name each other",
            fill(
                "services: {a: {image: '${A0}'}}\n# file: .env\n",
                &|n| format!("A{n}=${{A{}}}${{A{}}}\n", n + 1, n + 1),
                "",
            ),
        ),
        (
            "environment",
            fill(
                "services:\n  a:\n    image: b\n    environment:\n",
                &|n| format!("      K{n}: v\n"),
                "",
            ),
        ),
        (
            "ports",
            fill(
                "services:\n  a:\n    image: b\n    ports: [",
                &|_| "1-65535, ".into(),
                "]\n",
            ),
        ),
        (
            "everybody waits for everybody",
            fill(
                "services:\n",
                &|n| format!("  s{n}: {{image: a, depends_on: [s{}, s{}]}}\n", n + 1, n + 2),
                "",
            ),
        ),
    ]
}
