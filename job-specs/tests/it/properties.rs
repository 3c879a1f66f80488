//! Whatever the text is, reading it neither panics nor contradicts itself.

use job_specs::diagnostics::Severity;
use job_specs::globs::Globs;
use job_specs::{Facts, Look, NoRepository, Outputs, expand, expand_job, fill_hashes, parse, render};
use proptest::prelude::*;

use crate::story::{examples, file, push};

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
        let mut facts = Facts {
            changed: Some(vec!["src/a.rs".into(), "é".into()]),
            ..push()
        };
        fill_hashes(&file, &NoRepository, &mut facts);
        let _ = (
            file.wants(&facts),
            file.needs_changed_paths(),
            file.schedules(),
            file.inputs(),
        );
        let outputs = every_output();
        for job in file.job_names() {
            let jobs = expand_job(&file, &facts, job, &outputs);
            assert_eq!(jobs, expand_job(&file, &facts, job, &outputs));
            assert!(jobs.is_err() || jobs.unwrap().iter().all(|job| !job.deferred));
        }
    }
}

/// What the examples' jobs give.
fn every_output() -> Outputs {
    let given = [
        ("cells", "[{\"shard\": 1, \"of\": 2}]"),
        ("axes", "{\"redis\": [7]}"),
        ("redis", "7"),
    ];
    let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Outputs::from([
        ("plan".to_owned(), given.clone().into()),
        ("version".to_owned(), given.into()),
    ])
}

/// One change to a text; positions are shares of its length.
#[derive(Debug, Clone)]
enum Change {
    Remove(usize, usize),
    Insert(usize, String),
    Repeat(usize, usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let location = 0usize..10_000;
    let change = prop_oneof![
        (location.clone(), 1usize..30).prop_map(|(at, length)| Change::Remove(at, length)),
        (location.clone(), token()).prop_map(|(at, token)| Change::Insert(at, token)),
        (location, 1usize..60).prop_map(|(at, length)| Change::Repeat(at, length)),
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
        "on:",
        "push:",
        "branches:",
        "paths:",
        "schedule:",
        "cron:",
        "inputs:",
        "concurrency:",
        "cache:",
        "artifacts:",
        "reports:",
        "retry:",
        "secrets:",
        "${{ needs.plan.outputs.cells }}",
        "${{ inputs.x }}",
        "${{ hash('**') }}",
        "always",
        "[**/*]",
        "0 0 * * *",
        "\u{1F600}",
        "\\",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

fn changed(text: &str, changes: &[Change]) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for change in changes {
        let location = |share: usize| share * letters.len() / 10_000;
        match change {
            Change::Remove(at, length) => {
                let at = location(*at);
                letters.drain(at..(at + length).min(letters.len()));
            }
            Change::Insert(at, token) => {
                let at = location(*at);
                letters.splice(at..at, token.chars());
            }
            Change::Repeat(at, length) => {
                let at = location(*at);
                let piece: Vec<char> = letters[at..(at + length).min(letters.len())].to_vec();
                letters.splice(at..at, piece);
            }
        }
    }
    letters.into_iter().collect()
}

fn json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        "[a-c.${}]{0,4}".prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    let key = "(include|exclude|fail_fast|allow_failure|[a-c]{1,2})";
    let value = scalar.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::btree_map(key, inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    });
    value.prop_map(|value| value.to_string())
}

/// Globs of `a`, `b`, `*`, `?` and `**`, some of which leave out.
fn globs() -> impl Strategy<Value = Vec<String>> {
    let part = prop::sample::select(vec!["a", "b", "*", "a*", "*b", "?", "a?", "ab"]);
    let parts = prop::collection::vec((part, any::<bool>()), 1..4);
    let glob = (parts, any::<bool>(), any::<bool>()).prop_map(|(parts, leaves_out, below)| {
        let deep = |(part, deep): &(&str, bool)| {
            if *deep {
                format!("**/{part}")
            } else {
                (*part).to_owned()
            }
        };
        let parts: Vec<String> = parts.iter().map(deep).collect();
        let start = if leaves_out { "!" } else { "" };
        format!("{start}{}{}", parts.join("/"), if below { "/**" } else { "" })
    });
    prop::collection::vec(glob, 1..4)
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]{1,2}", 1..5).prop_map(|parts| parts.join("/"))
}

fn wants(key: &str, globs: &[String], facts: &Facts) -> bool {
    let globs: Vec<String> = globs.iter().map(|glob| format!("\"{glob}\"")).collect();
    let globs = globs.join(", ");
    let text = format!("on: {{push: {{{key}: [{globs}]}}}}\njobs: {{t: {{image: i, steps: [x]}}}}\n");
    parse(&file(&text)).file.unwrap().wants(facts).is_ok()
}

/// The last glob that matches decides; before the first one stands its opposite.
fn plain_list(globs: &[String], text: &str) -> bool {
    let mut wanted = globs[0].starts_with('!');
    for glob in globs {
        let parts: Vec<&str> = glob.trim_start_matches('!').split('/').collect();
        if plain_parts(&parts, &text.split('/').collect::<Vec<_>>()) {
            wanted = !glob.starts_with('!');
        }
    }
    wanted
}

fn plain_parts(globs: &[&str], parts: &[&str]) -> bool {
    match globs {
        [] => parts.is_empty(),
        ["**"] => !parts.is_empty(),
        ["**", rest @ ..] => (0..=parts.len()).any(|skipped| plain_parts(rest, &parts[skipped..])),
        [first, rest @ ..] => parts
            .split_first()
            .is_some_and(|(part, parts)| plain_part(first.as_bytes(), part.as_bytes()) && plain_parts(rest, parts)),
    }
}

fn plain_part(glob: &[u8], part: &[u8]) -> bool {
    match (glob, part) {
        ([], part) => part.is_empty(),
        ([b'*', rest @ ..], part) => (0..=part.len()).any(|skipped| plain_part(rest, &part[skipped..])),
        ([b'?', rest @ ..], [_, part @ ..]) => plain_part(rest, part),
        ([letter, rest @ ..], [first, part @ ..]) => letter == first && plain_part(rest, part),
        (_, []) => false,
    }
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
        read(&changed(&examples[which % examples.len()].text, &changes));
    }

    #[test]
    fn any_output_is_a_matrix_or_is_refused(json in json()) {
        let text = "jobs:\n  plan: {image: i, steps: [x]}\n  t: {image: i, needs: plan, steps: [x], \
                    matrix: \"${{ needs.plan.outputs.cells }}\"}\n";
        let given = [("cells".to_owned(), json)].into();
        let outputs = Outputs::from([("plan".to_owned(), given)]);
        match expand_job(&parse(&file(text)).file.unwrap(), &push(), "t", &outputs) {
            Ok(jobs) => prop_assert!(jobs.len() <= 256),
            Err(found) => prop_assert!(!found.is_empty()),
        }
    }

    #[test]
    fn a_branch_is_wanted_as_a_plain_reading_of_the_globs_says(globs in globs(), branch in path()) {
        let facts = Facts { branch: Some(branch.clone()), ..push() };
        let wanted = plain_list(&globs, &branch);
        prop_assert_eq!(wants("branches", &globs, &facts), wanted);
        prop_assert_eq!(Globs::new(globs.iter().map(String::as_str)).unwrap().matches(&branch), wanted);
    }

    #[test]
    fn paths_are_wanted_as_a_plain_reading_of_the_globs_says(globs in globs(), paths in prop::collection::vec(path(), 0..4)) {
        let facts = Facts { changed: Some(paths.clone()), ..push() };
        let expected = paths.iter().any(|path| plain_list(&globs, path));
        prop_assert_eq!(wants("paths", &globs, &facts), expected);
        let left = paths.iter().any(|path| !plain_list(&globs, path));
        prop_assert_eq!(wants("paths_ignore", &globs, &facts), left);
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
