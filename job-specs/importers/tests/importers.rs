//! `drover init --from …`: files as people have them become job files that our own reading takes, and what could not
//! be carried over is told with its line.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::path::{Path, PathBuf};

use importers::{Imported, SCHEMA_URL, System, compose_file, detect, import, import_all};
use job_specs::diagnostics::Severity;
use job_specs::{Repository, SourceFile, parse_with};

/// Owned texts, as the importers take them.
fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// A repository that has the imported file and whatever else is asked for.
struct Here(Vec<(String, String)>);

impl Repository for Here {
    fn read(&self, path: &str) -> Result<Option<std::sync::Arc<str>>, String> {
        let found = self.0.iter().find(|(name, _)| name == path);
        Ok(found.map(|(_, text)| text.as_str().into()))
    }

    fn list(&self) -> Result<Vec<(String, String)>, String> {
        Ok(self.0.iter().map(|(name, _)| (name.clone(), "0".repeat(40))).collect())
    }
}

/// Errors of our own reading; keys that this version does not read yet do not count.
fn errors(imported: &Imported, repository: &Here) -> Vec<String> {
    let file = SourceFile {
        name: ".drover.yml".into(),
        text: imported.text.clone(),
    };
    let parsed = parse_with(&[file], repository);
    let found = parsed
        .diagnostics
        .into_iter()
        .filter(|found| found.severity == Severity::Error);
    let line = |found: job_specs::Diagnostic| {
        let location = found.span.map_or(0, |span| span.line);
        format!("{} line {location} {}", found.code, found.message)
    };
    found.map(line).filter(|found| !found.starts_with("DRV0117")).collect()
}

fn files(system: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(system);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn all_of(folder: &str, system: System, names: &[&str]) {
    let files = files(folder);
    assert!(files.len() >= 4, "four shapes of {folder} at least");
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let name = match system {
            System::Woodpecker => format!(".woodpecker/{stem}.yml"),
            System::Compose => "docker-compose.yml".to_owned(),
            _ => system.paths()[0].replace("workflows/", "workflows/ci.yml"),
        };
        let repository = Here(vec![(name.clone(), text.clone())]);
        let file = SourceFile { name, text };
        let imported = import(system, &file, &texts(names), SCHEMA_URL).unwrap();
        let notes: Vec<String> = imported
            .notes
            .iter()
            .map(|note| format!("{}:{}: {}", note.file, note.line, note.text))
            .collect();
        insta::assert_snapshot!(
            format!("{folder}_{stem}"),
            format!("{}----\n{}", imported.text, notes.join("\n"))
        );
        assert_eq!(
            errors(&imported, &repository),
            Vec::<String>::new(),
            "{}",
            imported.text
        );
    }
}

#[test]
fn compose_files_become_services() {
    all_of(
        "compose",
        System::Compose,
        &["package.json", "package-lock.json", "docker-compose.yml"],
    );
}

#[test]
fn woodpecker_workflows_become_jobs() {
    all_of("woodpecker", System::Woodpecker, &[]);
}

#[test]
fn gitlab_stages_become_needs() {
    all_of("gitlab", System::Gitlab, &[]);
}

#[test]
fn github_workflows_become_job_files() {
    all_of("github", System::Github, &[]);
}

#[test]
fn drone_pipelines_become_jobs() {
    all_of("drone", System::Drone, &[]);
}

#[test]
fn a_project_is_known_by_its_files() {
    let projects: &[&[&str]] = &[
        &["Cargo.toml", "Cargo.lock", "Makefile"],
        &["package.json", "pnpm-lock.yaml"],
        &["package.json", "yarn.lock"],
        &["package.json"],
        &["go.mod", "go.sum", "package.json", "package-lock.json"],
        &["pyproject.toml", "uv.lock"],
        &["requirements.txt"],
        &["pom.xml"],
        &["build.gradle.kts", "gradlew"],
        &["Makefile"],
        &["README.md"],
    ];
    let mut all = String::new();
    for names in projects {
        let made = detect(&texts(names), SCHEMA_URL);
        let repository = Here(names.iter().map(|name| ((*name).to_owned(), String::new())).collect());
        assert_eq!(errors(&made, &repository), Vec::<String>::new(), "{}", made.text);
        all.push_str(&format!("==== {}\n{}", names.join(" "), made.text));
    }
    insta::assert_snapshot!(all);
    assert_eq!(
        compose_file(&texts(&["a", "docker-compose.yml", "compose.yaml"])),
        Some("compose.yaml")
    );
}

#[test]
fn jobs_of_several_files_keep_apart() {
    let text =
        "jobs:\n  build: {runs-on: x, steps: [{run: make}]}\n  test: {needs: build, steps: [{run: make test}]}\n";
    let file = |name: &str| SourceFile {
        name: format!(".github/workflows/{name}.yml"),
        text: text.into(),
    };
    let all = import_all(System::Github, &[file("ci"), file("nightly")], &[], SCHEMA_URL).unwrap();
    let files: Vec<SourceFile> = all
        .iter()
        .zip(["ci", "nightly"])
        .map(|(imported, name)| SourceFile {
            name: format!(".drover/{name}.yml"),
            text: imported.text.clone(),
        })
        .collect();
    let parsed = job_specs::parse(&files);
    let names: Vec<String> = parsed.file.unwrap().job_names().map(str::to_owned).collect();
    assert_eq!(names, ["build", "test", "nightly-build", "nightly-test"]);
    assert!(all[1].text.contains("needs: [nightly-build]"), "{}", all[1].text);
}

#[test]
fn a_file_that_is_no_yaml_is_shown_with_its_place() {
    let file = SourceFile {
        name: ".gitlab-ci.yml".into(),
        text: "test:\n  script: [a\n".into(),
    };
    let wrong = import(System::Gitlab, &file, &[], SCHEMA_URL).unwrap_err();
    assert_eq!(
        (wrong[0].code.as_str(), wrong[0].file.as_str()),
        ("DRV0102", ".gitlab-ci.yml")
    );
}

#[test]
fn files_without_anything_known_become_a_job_to_fill_in() {
    for system in [
        System::Compose,
        System::Woodpecker,
        System::Gitlab,
        System::Github,
        System::Drone,
    ] {
        for text in [
            "",
            "a: b\n",
            "[]\n",
            "jobs: 1\nsteps: 2\nservices: 3\n",
            "--- \n---\n",
            "x: &a {b: *a}\n",
        ] {
            let file = SourceFile {
                name: "f.yml".into(),
                text: text.into(),
            };
            if let Ok(imported) = import(system, &file, &[], SCHEMA_URL) {
                assert_eq!(
                    errors(&imported, &Here(vec![])),
                    Vec::<String>::new(),
                    "{system:?} {}",
                    imported.text
                );
            }
        }
    }
}

/// Names are made unique by looking at all others: of a great many jobs that would take hours.
#[test]
fn of_too_many_pipelines_the_first_are_taken_and_the_rest_is_said() {
    let file = SourceFile {
        name: ".drone.yml".to_owned(),
        text: "kind: pipeline\n---\n".repeat(2_000),
    };
    let imported = import(System::Drone, &file, &[], SCHEMA_URL).unwrap();
    assert!(
        imported
            .notes
            .iter()
            .any(|note| note.text.contains(" jobs are left out")),
        "{:?}",
        imported.notes.first()
    );
    assert_eq!(errors(&imported, &Here(vec![])), Vec::<String>::new());
}
