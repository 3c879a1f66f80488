//! `drover lint --fix`: what is certain is mended, the rest of the file stays byte for byte.

use job_specs::fix::{Fixed, fix};
use job_specs::{NoRepository, SourceFile};

use crate::story::{brief, file};

fn fixed(text: &str) -> Fixed {
    fix(&file(text), &NoRepository)
}

fn report(text: &str) -> String {
    let fixed = fixed(text);
    let change = |change: &job_specs::fix::Change| {
        format!(
            "{} {}: {:?} -> {:?}\n",
            change.code, change.line, change.before, change.after
        )
    };
    let changes: String = fixed.changes.iter().map(change).collect();
    format!(
        "{}----\n{changes}{}",
        fixed.files[0].text,
        brief(&fixed.parsed).join("\n")
    )
}

#[test]
fn keys_numbers_flags_and_names_are_mended_and_comments_stay() {
    let text = "\
# first
jobs:
  lint: {image: busybox, steps: [x]}
  test:   # spaces   stay
    imgae:   \"rust:1.90\"  # and this
    depends_on: [lnit]
    allow_failure: yes
    matrix:
      python: [3.9, 3.10,   3.11]
      fail-fast: true
    steps:
      - run: make
        working-directory: app
        shell: bsh
";
    insta::assert_snapshot!(report(text));
}

#[test]
fn tabs_become_as_many_spaces_as_the_line_above_asks_for() {
    let text = "jobs:\n  test:\n\t\timage: busybox # a\ttab\n\t\tsteps:\n\t\t\t- echo\tx\n";
    insta::assert_snapshot!(report(text));
}

#[test]
fn templates_in_flow_maps_are_quoted_one_after_the_other() {
    let text = "\
jobs:
  a: {image: node:${{ matrix.node }}, matrix: {node: [\"20\"]}, steps: [{entrypoint: [echo, ${{ git.sha }}]}]}
";
    insta::assert_snapshot!(report(text));
}

#[test]
fn what_is_not_certain_is_left_alone() {
    let same = [
        // Both keys are there.
        "jobs:\n  t: {image: a, imgae: b, steps: [x]}\n",
        // Two names are equally near.
        "jobs:\n  ab: {image: a, steps: [x]}\n  ac: {image: a, steps: [x]}\n  t: {image: a, needs: [ad], steps: [x]}\n",
        // Seconds or minutes?
        "jobs:\n  t: {image: a, timeout: 10, steps: [x]}\n",
        // Nothing is wrong.
        "jobs:\n\n  t: {image: a,   steps: [x]}   # fine\n",
        "",
        "\u{feff}jobs: {t: {image: a, steps: [x]}}\r\n",
    ];
    for text in same {
        let fixed = fixed(text);
        assert_eq!(fixed.files[0].text, text);
        assert!(fixed.changes.is_empty());
    }
}

#[test]
fn several_files_are_mended_each_in_its_place() {
    let name = |name: &str, text: &str| SourceFile {
        name: name.into(),
        text: text.into(),
    };
    let files = [
        name(".drover/a.yml", "jobs:\n  build: {imagee: a, steps: [x]}\n"),
        name(
            ".drover/b.yml",
            "jobs:\n  test: {image: a, need: [biuld], steps: [x]}\n",
        ),
    ];
    let fixed = fix(&files, &NoRepository);
    assert!(fixed.parsed.diagnostics.is_empty(), "{:?}", brief(&fixed.parsed));
    assert_eq!(
        fixed.files[1].text,
        "jobs:\n  test: {image: a, needs: [build], steps: [x]}\n"
    );
    assert_eq!(fixed.changes.len(), 3);
}
