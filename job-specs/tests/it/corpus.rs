//! The corpus: Compose files in the shapes that people use. Each is imported by a job file, and what comes of it is a
//! snapshot: services, warnings, errors. `NAME.yml` is imported as it is; a folder has a job file of its own. Files
//! whose names begin with `run-` are made of images that every test machine has, and run in the engine's tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use job_specs::model::ServiceSpec;
use job_specs::{Repository, SourceFile, expand, parse_with};
use serde_json::Value;

use crate::story::push;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// A folder as a repository.
pub struct Folder(pub PathBuf);

impl Repository for Folder {
    fn read(&self, path: &str) -> Result<Option<Arc<str>>, String> {
        match fs::read_to_string(self.0.join(path)) {
            Ok(text) => Ok(Some(text.into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn list(&self) -> Result<Vec<(String, String)>, String> {
        Ok(Vec::new())
    }
}

/// Every entry: its name, its repository and its job file.
fn entries() -> Vec<(String, Folder, String)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(corpus())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut entries = Vec::new();
    for path in paths {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let job = fs::read_to_string(path.join(".drover.yml")).unwrap();
            entries.push((name, Folder(path), job));
        } else {
            let job = format!("jobs: {{test: {{image: busybox, compose: {name}.yml, steps: [make test]}}}}\n");
            entries.push((name, Folder(corpus()), job));
        }
    }
    entries
}

/// What differs from a service of which nothing is said.
fn shown(service: &ServiceSpec) -> String {
    let plain = serde_json::to_value(ServiceSpec::default()).unwrap();
    let mut value = serde_json::to_value(service).unwrap();
    value.sort_all_objects();
    let mut lines = vec![format!("service {} {}", service.name, service.image)];
    for (key, value) in value.as_object().unwrap() {
        if plain[key] != *value && key != "name" && key != "image" {
            lines.push(format!("  {key}: {}", short(value)));
        }
    }
    lines.join("\n")
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(300) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// Services and findings of an entry.
fn imported(repository: &dyn Repository, job: &str) -> String {
    let files = [SourceFile {
        name: ".drover.yml".into(),
        text: job.into(),
    }];
    let parsed = parse_with(&files, repository);
    let mut lines = Vec::new();
    if let Some(file) = &parsed.file {
        for job in expand(file, &push()).unwrap().jobs {
            lines.push(format!("job {}", job.title()));
            lines.extend(job.services.iter().map(shown));
        }
    }
    for found in &parsed.diagnostics {
        let location = found
            .span
            .map_or(String::new(), |span| format!(":{}:{}", span.line, span.column));
        lines.push(format!(
            "{:?} {} {}{location} {}",
            found.severity, found.code, found.file, found.message
        ));
        assert!(
            parsed.sources.iter().any(|source| source.name == found.file),
            "{found:?}"
        );
    }
    lines.join("\n")
}

#[test]
fn the_corpus_is_imported() {
    for (name, repository, job) in entries() {
        insta::with_settings!({snapshot_path => "../corpus-snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(name.clone(), imported(&repository, &job));
        });
    }
}

#[test]
fn the_corpus_is_big_enough() {
    let entries = entries();
    assert!(entries.len() >= 30, "{}", entries.len());
    assert!(entries.iter().filter(|(name, ..)| name.starts_with("run-")).count() >= 4);
}
