//! What the tests share: one file in, one answer out.

use std::path::{Path, PathBuf};

use job_specs::diagnostics::Severity;
use job_specs::file::JobFile;
use job_specs::{Facts, JobSpec, Look, Parsed, SourceFile, expand, parse, render};

/// A file called `.drover.yml`.
pub fn file(text: &str) -> Vec<SourceFile> {
    vec![SourceFile {
        name: ".drover.yml".into(),
        text: text.into(),
    }]
}

/// A push to `main`.
pub fn push() -> Facts {
    Facts {
        event: "push".into(),
        branch: Some("main".into()),
        reference: "refs/heads/main".into(),
        sha: "0123456789abcdef0123456789abcdef01234567".into(),
        repository: "shop".into(),
        build: Some(7),
        ..Facts::default()
    }
}

/// What `drover lint` prints, without colours, 80 columns wide.
pub fn lint(text: &str) -> String {
    lint_with(
        text,
        Look {
            colour: false,
            width: 80,
        },
    )
}

/// What `drover lint` prints.
pub fn lint_with(text: &str, look: Look) -> String {
    let files = file(text);
    render(&parse(&files).diagnostics, &files, look)
}

/// What `drover lint` prints about each of these files, by their names.
pub fn table(files: &[(&str, &str)]) -> String {
    let shown = files.iter().map(|(name, text)| format!("==== {name}\n{}", lint(text)));
    shown.collect()
}

/// A text without its colours.
pub fn without_escapes(text: &str) -> String {
    let parts = text.split('\u{1b}');
    parts
        .enumerate()
        .map(|(at, part)| if at == 0 { part } else { part.split_once('m').unwrap().1 })
        .collect()
}

/// `CODE line:column message` of every finding.
pub fn findings(text: &str) -> Vec<String> {
    brief(&parse(&file(text)))
}

/// `CODE line:column message` of every finding.
pub fn brief(parsed: &Parsed) -> Vec<String> {
    let is_wrong = parsed
        .diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error);
    assert_eq!(
        parsed.file.is_none(),
        is_wrong,
        "a file is given if and only if there is no error"
    );
    let line = |diagnostic: &job_specs::Diagnostic| {
        let location = diagnostic
            .span
            .map_or("-".to_owned(), |span| format!("{}:{}", span.line, span.column));
        format!("{} {location} {}", diagnostic.code, diagnostic.message)
    };
    parsed.diagnostics.iter().map(line).collect()
}

/// A file without any finding.
pub fn checked(text: &str) -> JobFile {
    let parsed = parse(&file(text));
    assert!(parsed.diagnostics.is_empty(), "{}", lint(text));
    parsed.file.unwrap()
}

/// The jobs of a push to `main`; the file must be without any finding.
pub fn jobs(text: &str) -> Vec<JobSpec> {
    expand(&checked(text), &push()).unwrap().jobs
}

/// The only job of a file.
pub fn job(text: &str) -> JobSpec {
    let mut jobs = jobs(text);
    assert_eq!(jobs.len(), 1);
    jobs.remove(0)
}

/// Where the examples are.
pub fn example_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// The example files, sorted by name.
pub fn examples() -> Vec<SourceFile> {
    let entries = std::fs::read_dir(example_folder()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<SourceFile> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .map(|path| SourceFile {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            text: std::fs::read_to_string(path).unwrap(),
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

/// Owned texts, to compare with.
pub fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}
