//! Whatever Compose files, env files and variables are, taking services from them neither panics nor contradicts itself.

use std::path::Path;

use job_specs::{Look, expand, render};
use proptest::prelude::*;

use crate::compose::{Files, read};
use crate::story::push;

const JOB: &str = "
jobs:
  t:
    image: i
    steps: [x]
    env: {A: b, BRANCH: \"${{ git.branch }}\"}
    matrix: {version: [\"1\", \"2\"]}
    compose: {file: [c.yml, d.yml], profiles: [p]}
    services: {own: {image: i, env_file: .env}, db: {environment: {X: y}, ports: [1]}}
";

/// Takes the services of these files in every way there is.
fn take(compose: &str, other: &str, env: &str) {
    let files = Files::new([("c.yml", compose), ("d.yml", other), (".env", env)]);
    let parsed = read(JOB, &files);
    for found in &parsed.diagnostics {
        let source = parsed.sources.iter().find(|source| source.name == found.file).unwrap();
        if let Some(span) = found.span {
            assert!(source.text.get(span.start..span.end).is_some(), "{found:?}");
        }
    }
    assert_eq!(read(JOB, &files).diagnostics, parsed.diagnostics);
    for colour in [false, true] {
        render(&parsed.diagnostics, &parsed.sources, Look { colour, width: 80 });
    }
    if let Some(file) = &parsed.file {
        assert_eq!(expand(file, &push()), expand(file, &push()));
    }
}

fn corpus() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

/// Pieces that mean something to YAML or to Compose.
fn token() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "\n",
        "\n  ",
        "\n    ",
        " ",
        ": ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "\"",
        "'",
        "|\n",
        "#",
        "&a ",
        "*a",
        "!reset ",
        "!override ",
        "<<: *a",
        "services:",
        "db:",
        "web:",
        "image: i",
        "extends: db",
        "extends:",
        "file: c.yml",
        "include:",
        "include: [c.yml]",
        "$A",
        "${A",
        "${A:-",
        "${X:?",
        "${BRANCH}",
        "$$",
        "${{",
        "}}",
        "$MATRIX_VERSION",
        "$DROVER_BRANCH",
        "environment:",
        "env_file: .env",
        "ports:",
        "80:80",
        "volumes:",
        "./x:/y",
        "../x:/y",
        "a:/b:ro",
        "configs:",
        "secrets:",
        "content:",
        "file:",
        "external: true",
        "depends_on:",
        "condition:",
        "service_healthy",
        "healthcheck:",
        "test:",
        "CMD",
        "profiles: [p]",
        "networks:",
        "aliases:",
        "build:",
        "context: .",
        "deploy:",
        "ulimits:",
        "command: sh -c",
        "null",
        "~",
        "1",
        "true",
        "é",
        "\u{0}",
        "x-a:",
    ]);
    prop_oneof![6 => known.prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

fn tokens(count: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(token(), 0..count).prop_map(|tokens| tokens.concat())
}

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_text_is_taken(text in "\\PC{0,300}", env in "\\PC{0,100}") {
        take(&text, "services: {}", &env);
    }

    #[test]
    fn any_tokens_are_taken(compose in tokens(60), other in tokens(30), env in tokens(10)) {
        take(&compose, &other, &env);
        take(&format!("services:\n  db:\n    {compose}"), &format!("services:\n  db:\n    {other}"), &env);
    }

    #[test]
    fn a_changed_file_of_the_corpus_is_taken(
        which in 0usize..1000,
        at in 0usize..10_000,
        length in 0usize..40,
        piece in tokens(4),
        other in tokens(10),
    ) {
        let corpus = corpus();
        let mut letters: Vec<char> = corpus[which % corpus.len()].chars().collect();
        let at = at * letters.len() / 10_000;
        let end = (at + length).min(letters.len());
        letters.splice(at..end, piece.chars());
        take(&letters.into_iter().collect::<String>(), &other, "A=1\n");
    }
}
