//! The example files are correct, and stay so.

use std::path::Path;

use job_specs::{SourceFile, expand, parse};

use crate::story::{brief, push};

fn examples() -> Vec<SourceFile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files: Vec<SourceFile> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yml"))
        .map(|path| SourceFile {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            text: std::fs::read_to_string(path).unwrap(),
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

#[test]
fn every_example_is_without_any_finding() {
    assert!(examples().len() >= 18);
    for example in examples() {
        let head = example.text.lines().take_while(|line| line.starts_with("# ")).count();
        assert_eq!(head, 2, "{} says in two lines what it shows", example.name);
        let parsed = parse(std::slice::from_ref(&example));
        assert_eq!(brief(&parsed), Vec::<String>::new(), "{}", example.name);
        assert!(
            !expand(&parsed.file.unwrap(), &push()).unwrap().jobs.is_empty(),
            "{}",
            example.name
        );
    }
}

#[test]
fn an_example_becomes_the_jobs_that_it_says() {
    let example = examples()
        .into_iter()
        .find(|file| file.name == "rust-postgres-matrix.yml")
        .unwrap();
    let jobs = expand(&parse(&[example]).file.unwrap(), &push()).unwrap().jobs;
    let titles: Vec<String> = jobs.iter().map(|job| job.title()).collect();
    assert_eq!(
        titles,
        ["lint", "test (postgres=15)", "test (postgres=17)", "test (postgres=18)"]
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&jobs[3]).unwrap());
}
