//! Whatever the text is, reading it neither panics nor contradicts itself.

use std::path::Path;

use job_specs::diagnostics::Severity;
use job_specs::{Facts, Look, expand, parse, render};
use proptest::prelude::*;

use crate::story::{file, push};

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    }
}

/// Reads a text in every way there is.
fn read(text: &str) {
    let files = file(text);
    let parsed = parse(&files);
    let is_wrong = parsed.diagnostics.iter().any(|found| found.severity == Severity::Error);
    assert_eq!(parsed.file.is_none(), is_wrong);
    for found in &parsed.diagnostics {
        if let Some(span) = found.span {
            assert!(text.get(span.start..span.end).is_some(), "{found:?}");
        }
    }
    assert_eq!(parse(&files).diagnostics, parsed.diagnostics);
    for width in [0, 80, 120] {
        for colour in [false, true] {
            render(&parsed.diagnostics, &files, Look { colour, width });
        }
    }
    if let Some(file) = parsed.file {
        assert_eq!(expand(&file, &push()), expand(&file, &push()));
        let _ = expand(&file, &Facts::default());
    }
}

fn examples() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

/// One change to a text; positions are shares of its length.
#[derive(Debug, Clone)]
enum Change {
    Remove(usize, usize),
    Insert(usize, String),
    Repeat(usize, usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let place = 0usize..10_000;
    let change = prop_oneof![
        (place.clone(), 1usize..30).prop_map(|(at, length)| Change::Remove(at, length)),
        (place.clone(), token()).prop_map(|(at, token)| Change::Insert(at, token)),
        (place, 1usize..60).prop_map(|(at, length)| Change::Repeat(at, length)),
    ];
    prop::collection::vec(change, 1..8)
}

/// Pieces that mean something to YAML or to the language.
fn token() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "\n",
        " ",
        "  ",
        "\t",
        ": ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "\"",
        "'",
        "|",
        ">",
        "#",
        "&a ",
        "*a",
        "!x ",
        "<<: ",
        "---\n",
        "...\n",
        "${{",
        "}}",
        "${{ matrix.a }}",
        "${{ git.branch }}",
        "~",
        "3.10",
        "true",
        "é",
        "\u{0}",
        "\r\n",
        "jobs:",
        "steps:",
        "matrix:",
        "services:",
        "needs:",
        "run:",
        "image:",
        "env:",
        "include:",
        "ready:",
        "when:",
        "depends_on:",
        "healthcheck:",
        "test:",
        "\u{1F600}",
        "\\",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

fn changed(text: &str, changes: &[Change]) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for change in changes {
        let place = |share: usize| share * letters.len() / 10_000;
        match change {
            Change::Remove(at, length) => {
                let at = place(*at);
                letters.drain(at..(at + length).min(letters.len()));
            }
            Change::Insert(at, token) => {
                let at = place(*at);
                letters.splice(at..at, token.chars());
            }
            Change::Repeat(at, length) => {
                let at = place(*at);
                let piece: Vec<char> = letters[at..(at + length).min(letters.len())].to_vec();
                letters.splice(at..at, piece);
            }
        }
    }
    letters.into_iter().collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_text_is_read(text in "\\PC{0,300}") {
        read(&text);
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_tokens_are_read(tokens in prop::collection::vec(token(), 0..80)) {
        read(&tokens.concat());
    }

    #[test]
    fn a_changed_example_is_read(which in 0usize..1000, changes in changes()) {
        let examples = examples();
        read(&changed(&examples[which % examples.len()], &changes));
    }

    #[test]
    fn a_value_never_becomes_more_than_one_argument(branch in "[ -~]{1,40}") {
        let text = "jobs: {t: {image: i, steps: [{entrypoint: 'say --to=${{ git.branch }} done'}]}}\n";
        let facts = Facts { branch: Some(branch.clone()), ..push() };
        let jobs = expand(&parse(&file(text)).file.unwrap(), &facts).unwrap().jobs;
        let job_specs::model::StepAction::Entrypoint(arguments) = &jobs[0].steps[0].action else { panic!() };
        prop_assert_eq!(arguments, &["say".to_owned(), format!("--to={branch}"), "done".to_owned()]);
    }
}
