//! One example for every code: the smallest file that brings it. All are shown in one table, at 80 columns, and at 120
//! where that differs; colours change nothing but colours. To add one for a new code, write `tests/codes/DRVnnnn.yml`; several files stand in one, each under a line
//! `# ==== NAME`. What only a build or a program can bring belongs into [`NOT_BY_A_FILE`], with the reason.

use std::path::Path;
use std::sync::Arc;

use job_specs::codes::{self, Code};
use job_specs::{Look, Repository, SourceFile, parse_with, render};

use crate::story::without_escapes;

/// Codes that no file alone brings, and what does.
const NOT_BY_A_FILE: &[(&str, &str)] = &[
    ("DRV0149", "outputs of jobs that have ended"),
    ("DRV0150", "outputs of jobs that have ended"),
    ("DRV0155", "the files of a repository"),
    ("DRV0158", "the files of a repository that cannot be listed"),
    ("DRV0332", "Compose files of many megabytes"),
];

/// Codes of limits: their files are too big to be kept.
fn made(code: &str) -> Option<String> {
    let many = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    let job = |rest: &str| format!("jobs:\n  test:\n    image: busybox\n    steps: [make]\n{rest}");
    Some(match code {
        "DRV0001" => job(&format!("# {}\n", "x".repeat(256 * 1024))),
        "DRV0002" => format!("jobs: {}{}\n", "[".repeat(33), "]".repeat(33)),
        "DRV0003" => {
            let level = |n: usize| format!("x-{}: &a{} [{}]\n", n + 1, n + 1, vec![format!("*a{n}"); 9].join(", "));
            format!("x-0: &a0 [lol]\n{}{}", many(7, &level), job(""))
        }
        "DRV0004" => format!(
            "jobs:\n{}",
            many(101, &|n| format!("  j{n}: {{image: busybox, steps: [make]}}\n"))
        ),
        "DRV0005" => format!(
            "jobs:\n  test:\n    image: busybox\n    steps:\n{}",
            many(101, &|_| "      - make\n".into())
        ),
        "DRV0006" => job(&format!(
            "    services:\n{}",
            many(31, &|n| format!("      s{n}: {{image: redis}}\n"))
        )),
        "DRV0007" => job(&format!(
            "    matrix: {{a: [{0}], b: [{0}]}}\n",
            many(17, &|n| format!("\"{n}\", "))
        )),
        "DRV0008" => job(&many(201, &|n| format!("    zz{n}: 1\n"))),
        "DRV0159" => format!(
            "on: {{push: {{branches: [{}]}}}}\n{}",
            many(101, &|n| format!("b{n}, ")),
            job("")
        ),
        _ => return None,
    })
}

fn example(code: &Code) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/codes/{}.yml", code.id));
    std::fs::read_to_string(path).ok().or_else(|| made(code.id))
}

/// The files of an example.
fn files(text: &str) -> Vec<SourceFile> {
    let mut files: Vec<SourceFile> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("# ==== ") {
            files.push(SourceFile {
                name: name.trim().to_owned(),
                text: String::new(),
            });
            continue;
        }
        if files.is_empty() {
            files.push(SourceFile {
                name: ".drover.yml".into(),
                text: String::new(),
            });
        }
        files.last_mut().unwrap().text.push_str(line);
    }
    files
}

/// Files of the repository that an example refers to: those whose name does not begin with a point.
struct Others(Vec<SourceFile>);

impl Repository for Others {
    fn read(&self, path: &str) -> Result<Option<Arc<str>>, String> {
        let found = self.0.iter().find(|file| file.name == path);
        Ok(found.map(|file| file.text.as_str().into()))
    }

    fn list(&self) -> Result<Vec<(String, String)>, String> {
        Ok(self.0.iter().map(|file| (file.name.clone(), String::new())).collect())
    }
}

fn split(files: Vec<SourceFile>) -> (Vec<SourceFile>, Others) {
    let (files, others) = files.into_iter().partition(|file| file.name.starts_with('.'));
    (files, Others(others))
}

#[test]
fn every_code_has_an_example_or_a_reason() {
    let without: Vec<&str> = codes::ALL
        .iter()
        .filter(|code| example(code).is_none() && !NOT_BY_A_FILE.iter().any(|(id, _)| *id == code.id))
        .map(|code| code.id)
        .collect();
    assert_eq!(without, Vec::<&str>::new(), "write tests/codes/<code>.yml");
    for (id, _) in NOT_BY_A_FILE {
        let code = codes::find(id).unwrap();
        assert!(example(code).is_none(), "{id} has an example after all");
    }
}

#[test]
fn every_example_brings_its_code_and_is_shown() {
    let mut table = String::new();
    for code in codes::ALL {
        let Some(text) = example(code) else { continue };
        let (files, repository) = split(files(&text));
        let parsed = parse_with(&files, &repository);
        let (all, files) = (parsed.diagnostics, parsed.sources);
        let found: Vec<_> = all
            .iter()
            .filter(|found| found.code == code.id)
            .take(1)
            .cloned()
            .collect();
        assert_eq!(found.len(), 1, "{} is not brought by its example: {all:#?}", code.id);
        assert_eq!(found[0].severity, code.severity, "{}", code.id);
        let look = |width, colour| render(&found, &files, Look { colour, width });
        let (narrow, wide) = (look(80, false), look(120, false));
        table.push_str(&format!("==== {}\n{narrow}", code.id));
        if wide != narrow {
            table.push_str(&format!("==== {} at 120 columns\n{wide}", code.id));
        }
        assert_eq!(without_escapes(&look(80, true)), narrow);
        assert_eq!(without_escapes(&look(120, true)), wide);
    }
    insta::assert_snapshot!(table);
}

/// The twelve of the gallery that people are to quote to each other. Two of them come from the coordinator: a secret
/// that a fork may not have, and a job that no agent can run; one from the engine: a service that is not ready.
#[test]
fn the_gallery_of_the_twelve_is_whole() {
    let of_a_file = [
        "DRV0101", "DRV0102", "DRV0103", "DRV0104", "DRV0105", "DRV0106", "DRV0107", "DRV0109", "DRV0110",
    ];
    for id in of_a_file {
        assert!(codes::find(id).and_then(example).is_some(), "{id}");
    }
}

#[test]
fn examples_are_small_and_belong_to_a_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/codes");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let id = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(codes::find(&id).is_some(), "{id} is no code");
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 12, "{id} has {lines} lines; the smallest file says most");
    }
}
