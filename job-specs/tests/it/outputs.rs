//! Jobs that depend on what other jobs gave, and on files of the repository.

use std::collections::BTreeMap;
use std::sync::Arc;

use job_specs::diagnostics::Severity;
use job_specs::model::{AxisValue, Need};
use job_specs::{
    Diagnostic, Facts, Look, Outputs, Repository, expand, expand_job, fill_hashes, hash_files, parse_with, render,
};

use crate::story::{brief, checked, file, push};

fn outputs(pairs: &[(&str, &str, &str)]) -> Outputs {
    let mut outputs = Outputs::new();
    for (job, name, value) in pairs {
        let given = outputs.entry((*job).to_owned()).or_default();
        given.insert((*name).to_owned(), (*value).to_owned());
    }
    outputs
}

const TEXT: &str = "\
jobs:
  plan: {image: a, steps: [x]}
  build:
    image: app:${{ needs.plan.outputs.version }}
    needs: plan
    matrix: {os: [one, two]}
    env: {VERSION: \"${{ needs.plan.outputs.version }}\", OS: \"${{ matrix.os }}\"}
    timeout: ${{ needs.plan.outputs.minutes }}m
    steps: [x]
";

#[test]
fn a_job_that_needs_outputs_is_deferred_and_keeps_its_cells() {
    let jobs = expand(&checked(TEXT), &push()).unwrap().jobs;
    let seen: Vec<String> = jobs
        .iter()
        .map(|job| format!("{} {} {:?} {}", job.title(), job.deferred, job.image, job.timeout_secs))
        .collect();
    assert_eq!(
        seen,
        [
            "plan false \"a\" 3600",
            "build (os=one) true \"\" 3600",
            "build (os=two) true \"\" 3600"
        ]
    );
    assert_eq!(jobs[1].env["OS"], "one");
    assert!(!jobs[1].env.contains_key("VERSION"));
}

#[test]
fn a_job_that_is_skipped_waits_for_no_output() {
    let text = "\
jobs:
  plan: {image: a, steps: [x]}
  t: {image: \"a:${{ needs.plan.outputs.x }}\", needs: plan, when: {event: tag}, steps: [x]}
  u: {image: a, needs: plan, matrix: \"${{ needs.plan.outputs.x }}\", when: {event: tag}, steps: [x]}
";
    let jobs = expand(&checked(text), &push()).unwrap().jobs;
    for job in &jobs[1..] {
        assert_eq!(
            (job.deferred, job.skip.as_deref()),
            (false, Some("the event push is not tag"))
        );
    }
}

#[test]
fn with_the_outputs_it_is_whole() {
    let file = checked(TEXT);
    let given = outputs(&[("plan", "version", "1.2"), ("plan", "minutes", "5")]);
    let jobs = expand_job(&file, &push(), "build", &given).unwrap();
    let seen: Vec<String> = jobs
        .iter()
        .map(|job| format!("{} {} {} {}", job.title(), job.deferred, job.image, job.timeout_secs))
        .collect();
    assert_eq!(
        seen,
        ["build (os=one) false app:1.2 300", "build (os=two) false app:1.2 300"]
    );
    assert_eq!(jobs[1].env["VERSION"], "1.2");
    assert_eq!(expand_job(&file, &push(), "nothing", &given).unwrap(), []);
}

fn said(found: &[Diagnostic]) -> Vec<String> {
    let line = |found: &Diagnostic| {
        let span = found.span.unwrap();
        format!(
            "{} {}:{} {} ({})",
            found.code,
            span.line,
            span.column,
            found.message,
            found.notes.join("; ")
        )
    };
    found.iter().map(line).collect()
}

// key: job.needs
#[test]
fn an_output_that_is_missing_or_wrong_is_named() {
    let file = checked(TEXT);
    let given = outputs(&[("plan", "versoin", "1.2"), ("plan", "minutes", "many")]);
    let found = expand_job(&file, &push(), "build", &given).unwrap_err();
    assert_eq!(
        said(&found),
        [
            "DRV0149 4:16 job `plan` gave no output `version` (its outputs: minutes, versoin)",
            "DRV0149 7:21 job `plan` gave no output `version` (its outputs: minutes, versoin)",
            "DRV0124 8:14 `manym` is not a duration (in the cell os=one)",
        ]
    );
    assert_eq!(found[0].label.as_deref(), Some("did you mean `versoin`?"));
    let found = expand_job(&file, &push(), "build", &Outputs::new()).unwrap_err();
    assert_eq!(found[0].notes, ["its outputs: none"]);
}

const CELLS: &str = "\
jobs:
  plan: {image: a, steps: [x]}
  test:
    image: postgres:${{ matrix.pg }}
    needs: plan
    matrix: ${{ needs.plan.outputs.cells }}
    when: {matrix: {pg: \"1*\"}}
    steps: [{run: x, env: {PG: \"${{ matrix.pg }}\"}}]
";

/// The titles of the cells that an output makes, or what is wrong with it.
fn cells(output: &str) -> Vec<String> {
    match expand_job(&checked(CELLS), &push(), "test", &outputs(&[("plan", "cells", output)])) {
        Ok(jobs) => jobs
            .iter()
            .map(|job| {
                format!(
                    "{} {}{}",
                    job.title(),
                    job.image,
                    if job.allow_failure { " may fail" } else { "" }
                )
            })
            .collect(),
        Err(found) => said(&found),
    }
}

#[test]
fn a_matrix_can_be_an_output() {
    let jobs = expand(&checked(CELLS), &push()).unwrap().jobs;
    assert_eq!(
        (jobs[1].title().as_str(), jobs[1].deferred, jobs.len()),
        ("test", true, 2)
    );
    assert_eq!(
        cells("[{\"pg\": \"15\"}, {\"pg\": 17, \"allow_failure\": true}]"),
        ["test (pg=15) postgres:15", "test (pg=17) postgres:17 may fail"]
    );
    assert_eq!(
        cells("{\"pg\": [\"15\", \"17\"], \"arch\": [\"x\", \"y\"], \"exclude\": [{\"pg\": \"15\", \"arch\": \"y\"}]}"),
        [
            "test (pg=15, arch=x) postgres:15",
            "test (pg=17, arch=x) postgres:17",
            "test (pg=17, arch=y) postgres:17"
        ]
    );
}

#[test]
fn a_matrix_from_an_output_may_have_no_cells() {
    for none in ["[]", "{}", "{\"pg\": []}", "{\"pg\": [1], \"exclude\": [{\"pg\": 1}]}"] {
        assert_eq!(cells(none), [""; 0], "{none}");
    }
}

#[test]
fn an_output_that_is_no_matrix_is_shown() {
    let start = "DRV0150 6:13 output `cells` of job `plan` is no matrix:";
    let long = format!("[{}]", "{\"pg\": 1},".repeat(400).trim_end_matches(','));
    let many = format!(
        "{{\"pg\": [{}]}}",
        (0..300).map(|n| n.to_string()).collect::<Vec<_>>().join(",")
    );
    let starts = |output: &str, words: &str| {
        let said = cells(output);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with(&format!("{start} {words}")), "{said:?}");
        assert!(said[0].len() < 700, "{said:?}");
    };
    assert_eq!(
        cells("pg=15"),
        [format!(
            "{start} it is not JSON: expected value at line 1 column 1 (the output was: pg=15)"
        )]
    );
    starts("", "it is not JSON");
    starts("[] x", "it is not JSON: trailing characters");
    starts("3", "it is neither a list of cells nor a map of axes");
    starts("{\"pg\": \"15\"}", "axis `pg` takes a list of values");
    starts("[[1]]", "an item of `include` takes a map");
    starts("{\"a\": [1], \"a\": [2]}", "it is not JSON: the key `a` stands twice");
    starts("{\"pg\": [\"${{ git.sha }}\"]}", "`${{ }}` cannot be used");
    starts(&many, "the matrix of job `test` has 300 cells; at most 256");
    starts(&long, "`include` has 400 entries");
    starts(
        "[{\"pg\": \"1\"}, {\"pg\": \"1\"}]",
        "the matrix of job `test` has the cell pg=1 twice",
    );
    starts(&"[".repeat(100_000), "it is not JSON: recursion limit");
}

#[test]
fn an_axis_that_the_output_lacks_is_found() {
    assert_eq!(
        cells("[{\"php\": \"8\"}]")[0],
        "DRV0109 4:32 `${{ matrix.pg }}` has no value (axes: php)"
    );
}

#[test]
fn needs_can_be_cells_and_bring_artifacts() {
    let file = checked(
        "\
jobs:
  build: {image: a, matrix: {os: [one, two]}, artifacts: {name: app, paths: app}, steps: [x]}
  test:
    image: a
    needs:
      - {job: build, matrix: {os: one}, artifacts: true}
      - {job: build, matrix: {os: two}}
    steps: [x]
",
    );
    let jobs = expand(&file, &push()).unwrap().jobs;
    let need = |os: &str, artifacts| Need {
        job: "build".into(),
        cell: vec![AxisValue {
            axis: "os".into(),
            value: os.into(),
        }],
        artifacts,
    };
    assert_eq!(jobs[2].needs, [need("one", true), need("two", false)]);
    assert!(jobs[2].needs[0].counts(&jobs[0].matrix) && !jobs[2].needs[0].counts(&jobs[1].matrix));
}

/// A repository of a few files.
struct Files(Result<Vec<(String, String)>, String>);

impl Repository for Files {
    fn read(&self, _: &str) -> Result<Option<Arc<str>>, String> {
        Ok(None)
    }

    fn list(&self) -> Result<Vec<(String, String)>, String> {
        self.0.clone()
    }
}

const HASHED: &str = "\
jobs:
  t:
    image: a
    cache: [{key: \"cargo-${{ hash('Cargo.lock') }}\", paths: [x]}, {key: \"npm-${{ hash('no.lock', 'x/**') }}\", paths: [y]}]
    steps: [x]
";

#[test]
fn a_hash_stands_for_files_of_the_repository() {
    let listed = vec![("Cargo.lock".to_owned(), "ab12".to_owned())];
    let repository = Files(Ok(listed.clone()));
    let parsed = parse_with(&file(HASHED), &repository);
    assert_eq!(
        brief(&parsed),
        ["DRV0155 4:73 `hash('no.lock', 'x/**')` matches no file"]
    );
    let file = parsed.file.unwrap();
    assert_eq!(file.hash_globs(), ["'Cargo.lock'", "'no.lock', 'x/**'"]);
    let mut facts = push();
    let found = fill_hashes(&file, &repository, &mut facts);
    assert_eq!(
        found.iter().map(|found| found.severity).collect::<Vec<_>>(),
        [Severity::Warning]
    );
    let hash = hash_files(&["Cargo.lock"], &listed).unwrap();
    let expected = [
        ("'Cargo.lock'".to_owned(), hash.clone()),
        ("'no.lock', 'x/**'".to_owned(), String::new()),
    ];
    assert_eq!(facts.hashes, BTreeMap::from(expected));
    let job = &expand(&file, &facts).unwrap().jobs[0];
    assert_eq!(
        (job.caches[0].key.as_str(), job.caches[1].key.as_str()),
        (format!("cargo-{hash}").as_str(), "npm-")
    );
}

#[test]
fn files_that_cannot_be_listed_are_an_error() {
    let broken = Files(Err("the mirror is gone".into()));
    let found = fill_hashes(&checked(HASHED), &broken, &mut Facts::default());
    assert_eq!(
        found[0].message,
        "the files of the repository cannot be listed: the mirror is gone"
    );
    let parsed = parse_with(&file(HASHED), &broken);
    assert_eq!(brief(&parsed), Vec::<String>::new(), "it is no fault of the file");
}

#[test]
fn paths_that_match_no_file_are_a_warning() {
    let files = ["src/lib.rs", "docs/a.md", "web/package.json"];
    let repository = Files(Ok(files.map(|path| (path.to_owned(), "ab12".to_owned())).into()));
    let text = "\
on: {push: {paths: [\"src/**\", srcs/**, docs, \"!gone/**\"]}}
jobs:
  t:
    image: a
    when: {paths: package.json}
    steps: [{run: x, when: [{paths: [\"**/*.md\", \"*.md\"]}, {branch: main}]}]
";
    let found = parse_with(&file(text), &repository);
    assert_eq!(
        brief(&found),
        [
            "DRV0155 1:31 `srcs/**` matches no file of the repository",
            "DRV0155 1:40 `docs` matches no file of the repository",
            "DRV0155 5:19 `package.json` matches no file of the repository",
            "DRV0155 6:49 `*.md` matches no file of the repository",
        ]
    );
    let help: Vec<_> = found
        .diagnostics
        .iter()
        .filter_map(|found| found.help.as_deref())
        .collect();
    assert_eq!(
        help,
        [
            "it is a folder: write `docs/**`",
            "it is in a folder: write `**/package.json`"
        ]
    );
}

/// What a person sees, 80 columns wide.
fn shown(text: &str, found: &[Diagnostic]) -> String {
    let look = Look {
        colour: false,
        width: 80,
    };
    render(found, &file(text), look)
}

#[test]
fn findings_of_a_build_are_shown_at_their_places() {
    let missing = expand_job(&checked(TEXT), &push(), "build", &outputs(&[("plan", "minutes", "5")]));
    let no_cells = expand_job(
        &checked(CELLS),
        &push(),
        "test",
        &outputs(&[("plan", "cells", "{\"pg\": 15}")]),
    );
    let broken = Files(Err("the mirror is gone".into()));
    let unlisted = fill_hashes(&checked(HASHED), &broken, &mut push());
    let no_file = parse_with(&file(HASHED), &Files(Ok(vec![("Cargo.lock".into(), "ab12".into())])));
    let all = [
        shown(TEXT, &missing.unwrap_err()),
        shown(CELLS, &no_cells.unwrap_err()),
        shown(HASHED, &unlisted),
        shown(HASHED, &no_file.diagnostics),
    ];
    insta::assert_snapshot!(all.join("\n----\n"));
}
