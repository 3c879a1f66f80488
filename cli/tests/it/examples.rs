//! The example files of the job language, run as they stand: those whose images the tests have.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use job_specs::model::{JobSpec, StepAction};
use job_specs::{Facts, SourceFile};

use crate::stage::{Stage, output_text};

/// Compose files in the shapes that people use; those that can be run begin with `run-`.
const CORPUS: &str = "../job-specs/tests/corpus";
/// What examples need beside themselves: files of a small project.
const PROJECT: &str = "tests/data/project";

#[test]
fn the_examples_whose_images_are_here_run_green() {
    let here = images_here();
    let mut ran = Vec::new();
    for example in yml_in("../job-specs/examples") {
        let text = std::fs::read_to_string(&example).unwrap();
        let Some(jobs) = jobs(&example, &text) else { continue };
        let images: BTreeSet<String> = jobs.iter().flat_map(images_of).map(|image| whole(&image)).collect();
        if !images.is_subset(&here) {
            continue;
        }
        let stage = Stage::new();
        let secrets = jobs.iter().flat_map(JobSpec::secret_names);
        let secrets: String = secrets.map(|name| format!("{name}=a-secret-of-this-test\n")).collect();
        let secrets_file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&secrets_file, secrets).unwrap();
        copy(Path::new(PROJECT), stage.folder.path());
        std::fs::write(stage.folder.path().join(".drover.yml"), &text).unwrap();
        let output = stage.drover(&["run", "--secrets-file", secrets_file.path().to_str().unwrap()]);
        let name = example.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(output.status.code(), Some(0), "{name}: {}", output_text(&output));
        ran.push(name);
    }
    assert!(ran.len() >= AT_LEAST, "only these ran: {ran:?}");
}

/// So many examples can run with the images of the tests.
const AT_LEAST: usize = 8;

#[test]
fn the_compose_files_whose_images_are_here_are_ready() {
    let mut ran = 0;
    for compose in yml_in(CORPUS) {
        let name = compose.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("run-") {
            continue;
        }
        let stage = Stage::new();
        copy(Path::new(CORPUS), stage.folder.path());
        let job = format!("jobs: {{test: {{image: busybox, compose: {name}, steps: [echo all are ready]}}}}\n");
        std::fs::write(stage.folder.path().join(".drover.yml"), job).unwrap();
        let output = stage.drover(&["run"]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", output_text(&output));
        ran += 1;
    }
    assert!(ran >= 4, "only {ran} ran");
}

fn yml_in(folder: &str) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(folder).unwrap();
    let paths = folder.map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "yml"))
        .collect();
    files.sort();
    files
}

/// The jobs of a push. `None`: it refers to other files.
fn jobs(example: &Path, text: &str) -> Option<Vec<JobSpec>> {
    let file = SourceFile {
        name: example.display().to_string(),
        text: text.to_owned(),
    };
    let facts = Facts {
        event: "push".into(),
        branch: Some("main".into()),
        reference: "refs/heads/main".into(),
        ..Facts::default()
    };
    let jobs = job_specs::expand(&job_specs::parse(&[file]).file?, &facts).ok()?.jobs;
    Some(jobs)
}

fn images_of(job: &JobSpec) -> Vec<String> {
    let services = job.services.iter().map(|service| service.image.clone());
    let steps = job.steps.iter().map(|step| match step.action {
        StepAction::Image(_) => "not here".to_owned(),
        StepAction::Run { .. } | StepAction::Entrypoint(_) => step.image.clone(),
    });
    // What only an output tells is not known yet.
    services.chain(steps).filter(|image| !image.is_empty()).collect()
}

/// With its tag.
fn whole(image: &str) -> String {
    if image.contains(':') {
        image.to_owned()
    } else {
        format!("{image}:latest")
    }
}

/// Those that were made for the tests: what else somebody has must not decide which examples run.
fn images_here() -> BTreeSet<String> {
    let mut docker = Command::new("docker");
    docker.args([
        "images",
        "--filter",
        "label=test-image.recipe",
        "--format",
        "{{.Repository}}:{{.Tag}}",
    ]);
    let output = docker.output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
