//! Job files, and files of other systems: parsed, checked, rendered, mended, expanded, imported.

use importers::{SCHEMA_URL, System, import};
use job_specs::fix::fix;
use job_specs::{Facts, Look, NoRepository, SourceFile, expand, parse, render};

use super::{Target, files, filled};
use crate::mutate::Examples;
use crate::random::Random;

const SYSTEMS: [System; 5] = [
    System::Compose,
    System::Woodpecker,
    System::Gitlab,
    System::Github,
    System::Drone,
];

pub(super) fn target() -> anyhow::Result<Target> {
    let examples = files(&[
        "job-specs/examples",
        "job-specs/tests/codes",
        "job-specs/importers/tests/files",
    ])?;
    Ok(Target {
        name: "job",
        examples: Examples::new(examples.into_iter().map(|(_, text)| text).collect()),
        worst: Box::new(|| Ok(worst())),
        read: Box::new(read),
    })
}

/// Everything that can be done with a text.
fn read(bytes: &[u8]) {
    let mut random = Random::of_bytes(bytes);
    let text = String::from_utf8_lossy(bytes).into_owned();
    let files = [SourceFile {
        name: ".drover.yml".to_owned(),
        text,
    }];
    if random.once_in(3) {
        other_system(&files[0], random.pick(&SYSTEMS));
    }
    let parsed = parse(&files);
    assert!(parsed.diagnostics.len() <= 201, "the list of findings is bounded");
    for edit in parsed.diagnostics.iter().flat_map(|found| &found.fixes) {
        let place = edit.span.start..edit.span.end;
        assert!(files[0].text.get(place).is_some(), "an edit cuts a character");
    }
    let look = Look {
        colour: random.once_in(2),
        width: 80,
    };
    render(&parsed.diagnostics, &files, look);
    if let Some(parsed) = &parsed.file {
        let _ = expand(parsed, &push());
    }
    if random.once_in(4) {
        let fixed = fix(&files, &NoRepository);
        assert_eq!(fixed.changes.is_empty(), fixed.files == files, "a change changes");
    }
}

/// What is made of another system's file is read without a panic too.
fn other_system(file: &SourceFile, system: System) {
    if let Ok(imported) = import(system, file, &[], SCHEMA_URL) {
        parse(&[SourceFile {
            name: ".drover.yml".to_owned(),
            text: imported.text,
        }]);
    }
}

/// A push to `main`.
pub(super) fn push() -> Facts {
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

/// The biggest and nastiest that is still read: 256 KiB each.
fn worst() -> Vec<(&'static str, Vec<u8>)> {
    let fill = |head: &str, one: &dyn Fn(usize) -> String, tail: &str| filled(255 * 1024, head, one, tail);
    let job = "jobs:\n  t:\n    image: a\n    steps: [x]\n";
    let in_job = |keys: &str| format!("{job}    {keys}");
    vec![
        ("lists inside lists", fill("jobs: ", &|_| "[".into(), "")),
        ("maps inside maps", fill("", &|_| "{a: ".into(), "")),
        (
            "keys below keys",
            fill("", &|n| format!("{}a:\n", " ".repeat(n.min(500))), ""),
        ),
        (
            "jobs",
            fill("jobs:\n", &|n| format!("  j{n}: {{image: a, steps: [x]}}\n"), ""),
        ),
        (
            "steps",
            fill(&job.replace("[x]", "\n"), &|n| format!("      - s{n}\n"), ""),
        ),
        (
            "services",
            fill(&in_job("services:\n"), &|n| format!("      s{n}: {{image: a}}\n"), ""),
        ),
        (
            "values of one axis",
            fill(&in_job("matrix:\n      a: ["), &|n| format!("v{n}, "), "]\n"),
        ),
        (
            "axes",
            fill(&in_job("matrix:\n"), &|n| format!("      a{n}: [x, y]\n"), ""),
        ),
        (
            "excludes",
            fill(
                &in_job("matrix:\n      a: [x]\n      exclude:\n"),
                &|n| format!("        - {{a: v{n}}}\n"),
                "",
            ),
        ),
        ("unknown keys", fill(job, &|n| format!("    zz{n}: 1\n"), "")),
        ("aliases", fill("a: &a [x]\nb:\n", &|_| "  - *a\n".into(), "")),
        ("merges", fill("a: &a {k: v}\nb:\n  <<: [*a", &|_| ", *a".into(), "]\n")),
        ("one long text", fill("jobs: \"", &|_| "long ".into(), "\"\n")),
        ("one long key", fill("", &|_| "k".into(), ": 1\n")),
        (
            "templates",
            fill(&in_job("env: {A: \""), &|_| "${{ git.sha }}".into(), "\"}\n"),
        ),
        (
            "broken templates",
            fill(&in_job("env: {A: \""), &|_| "${{ ".into(), "\"}\n"),
        ),
        ("anchors", fill("", &|n| format!("k{n}: &a{n} x\n"), "")),
        ("tabs", fill("jobs:\n", &|n| format!("\tj{n}:\n"), "")),
        ("a circle of needs", fill("jobs:\n", &circle, "")),
        (
            "documents",
            fill("", &|n| format!("---\nkind: pipeline\nname: p{n}\n"), ""),
        ),
        (
            "globs",
            fill("on: {push: {branches: [", &|n| format!("'**/a{n}*{{b,c}}', "), "]}}\n"),
        ),
        (
            "inputs",
            fill(
                "on: {manual: {inputs: {",
                &|n| format!("i{n}: {{type: flag}}, "),
                "}}}\n",
            ),
        ),
        ("comments", fill(job, &|n| format!("# {n}\n"), "")),
        (
            "times that never come",
            fill(
                "on:\n  schedule:\n",
                &|n| format!("  - {{cron: '{} 0 31 2,4,6,9,11 *'}}\n", n % 60),
                job,
            ),
        ),
        (
            "rare times",
            fill(
                "on:\n  schedule:\n",
                &|n| format!("  - {{cron: '{} 0 29W 2 +SUN#5'}}\n", n % 60),
                job,
            ),
        ),
    ]
}

fn circle(n: usize) -> String {
    format!(
        "  j{}: {{image: a, needs: [j{}], steps: [x]}}\n",
        n % 100,
        (n + 1) % 100
    )
}
