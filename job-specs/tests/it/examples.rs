//! The example files are correct, and stay so.

use job_specs::{expand, parse, parse_with};

use crate::corpus::Folder;
use crate::story::{brief, example_folder, examples, push};

#[test]
fn every_example_is_without_any_finding() {
    assert!(examples().len() >= 18);
    for example in examples() {
        let head = example.text.lines().take_while(|line| line.starts_with("# ")).count();
        assert_eq!(head, 2, "{} says in two lines what it shows", example.name);
        let parsed = parse_with(std::slice::from_ref(&example), &Folder(example_folder()));
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
