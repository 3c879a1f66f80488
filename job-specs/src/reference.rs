//! The reference pages of the language, made from what the reader itself uses: the tables of keys and the list of codes.
//! A page can therefore not say anything that is not so.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::codes;
use crate::diagnostics::Severity;
use crate::read::FILE;
use crate::reader::keys::{Level, Shape};
use crate::{Look, SourceFile, parse, render};

/// Every key as `table.key` (`services.image`, `step.run`; those of the file itself alone: `jobs`), in the order of the
/// page. Tests name them so in their marker comments.
pub fn keys() -> Vec<String> {
    let all = tables().into_iter();
    all.flat_map(|level| level.keys().map(move |key| path(level, key.name)))
        .collect()
}

/// `docs/reference/job-file.md`. `shown_by` holds, for each key of [`keys`], the tests that show it.
pub fn job_file(shown_by: &BTreeMap<String, Vec<String>>) -> String {
    let mut page = String::from(HEAD);
    for level in tables() {
        let _ = write!(
            page,
            "\n## {}\n\n{}\n\n| key | value | what | shown by |\n|---|---|---|---|\n",
            title(level),
            level.about()
        );
        for key in level.keys() {
            let tests = match shown_by.get(&path(level, key.name)).map(Vec::as_slice) {
                None | Some([]) => "the parser's tests".to_owned(),
                Some(tests) => in_code(tests),
            };
            let needed = if key.required { " (needed)" } else { "" };
            let _ = writeln!(
                page,
                "| `{}`{needed} | {} | {} | {tests} |",
                key.name,
                form(key.shape).replace('|', "\\|"),
                key.about.replace('|', "\\|")
            );
        }
    }
    page
}

const HEAD: &str = "\
# The job file

<!-- Made by `cargo xtask docs`; do not edit. -->

`.drover.yml`, or several files `.drover/*.yml`. YAML 1.2; an unknown key is an error. `drover lint` checks it, `drover lint --fix`
mends what is certain, and `drover schema` prints the JSON Schema, made from the same tables as this page; a coordinator serves it at
`/schema/v1.json`.

`${{ … }}` may stand in any value but `run`: scripts get values as environment variables (`MATRIX_POSTGRES`, `DROVER_BRANCH`,
`DROVER_SHA`, …), so that a branch name can never become code.

Globs are the same everywhere. `*` and `?` stop at `/`, `**` does not, `{a,b}` is one of both and `[a-z]` one of these characters. In
a list `!` leaves out again, and the last glob that matches counts; a list that begins with `!` begins with everything. Those of
`artifacts` and `reports` are relative to the workspace, and a folder means everything in it.
";

/// `docs/reference/diagnostics.md`. `examples` holds, for some codes, the smallest file that brings it.
pub fn diagnostics(examples: &BTreeMap<String, String>) -> String {
    let mut page = String::from(
        "# Diagnostics\n\n<!-- Made by `cargo xtask docs`; do not edit. -->\n\nEvery finding about a job file has a code, which never \
         changes its meaning. `drover explain CODE` prints its section.\n",
    );
    for code in codes::ALL {
        let severity = match code.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let _ = write!(
            page,
            "\n## {}: {}\n\n*{severity}.* {}\n",
            code.id, code.title, code.about
        );
        if let Some(example) = examples.get(code.id) {
            let shown = shown(code.id, example);
            let _ = write!(
                page,
                "\n```yaml\n{}```\n\n```text\n{shown}\n```\n",
                example.trim_start()
            );
        }
    }
    page
}

/// What `drover lint` prints about an example, for one code.
fn shown(code: &str, example: &str) -> String {
    let files = [SourceFile {
        name: ".drover.yml".to_owned(),
        text: example.to_owned(),
    }];
    let mut found = parse(&files).diagnostics;
    found.retain(|found| found.code == code);
    found.truncate(1);
    let look = Look {
        colour: false,
        width: 100,
    };
    let text = render(&found, &files, look);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[..lines.len().saturating_sub(1)].join("\n").trim_end().to_owned()
}

/// Every table, each once, in the order in which a file leads to them.
fn tables() -> Vec<&'static dyn Level> {
    let mut tables: Vec<&'static dyn Level> = vec![&FILE];
    let mut at = 0;
    while at < tables.len() {
        for key in tables[at].keys() {
            below(key.shape, &mut tables);
        }
        at += 1;
    }
    tables
}

fn below(shape: &'static Shape, tables: &mut Vec<&'static dyn Level>) {
    match shape {
        Shape::Object(level) if !tables.iter().any(|known| std::ptr::addr_eq(*known, *level)) => tables.push(*level),
        Shape::List(inner) | Shape::OneOrMany(inner) | Shape::Map(inner) => below(inner, tables),
        Shape::AnyOf(shapes) => shapes.iter().for_each(|shape| below(shape, tables)),
        _ => {}
    }
}

/// What a table is called in paths of keys.
fn name(level: &dyn Level) -> &'static str {
    match level.what() {
        "service" => "services",
        what => what.trim_matches('`'),
    }
}

fn path(level: &dyn Level, key: &str) -> String {
    match level.what() {
        "file" => key.to_owned(),
        _ => format!("{}.{key}", name(level)),
    }
}

fn title(level: &dyn Level) -> String {
    match level.what() {
        "file" => "The file".to_owned(),
        what if what.starts_with('`') => what.to_owned(),
        what if what.starts_with(['a', 'e', 'i', 'o']) => format!("An {what}"),
        what => format!("A {what}"),
    }
}

/// What a value looks like, in words.
fn form(shape: &Shape) -> String {
    match shape {
        Shape::Text | Shape::Name => "text".to_owned(),
        Shape::Scalar => "text, number, true or false".to_owned(),
        Shape::Script => "script".to_owned(),
        Shape::Flag => "true or false".to_owned(),
        Shape::Switch => "on or off".to_owned(),
        Shape::Whole(min, max) => format!("{min} to {max}"),
        Shape::Number => "number".to_owned(),
        Shape::Duration => "duration: `500ms`, `10m`".to_owned(),
        Shape::Size => "size: `512m`, `4g`".to_owned(),
        Shape::Choice(words) => in_code(words),
        Shape::Empty => "nothing".to_owned(),
        Shape::List(item) => format!("list of {}", form(item)),
        Shape::OneOrMany(one) => format!("{}, or a list", form(one)),
        Shape::Map(value) => format!("map from names to {}", form(value)),
        Shape::Object(level) => format!("[map](#{})", anchor(&title(*level))),
        Shape::AnyOf(shapes) => shapes.iter().map(form).collect::<Vec<_>>().join(" or "),
    }
}

/// `` `a`, `b` ``
fn in_code<T: std::fmt::Display>(words: &[T]) -> String {
    let words = words.iter().map(|word| format!("`{word}`"));
    words.collect::<Vec<_>>().join(", ")
}

/// The anchor that Markdown gives a heading.
fn anchor(title: &str) -> String {
    let kept = title
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::keys::Foreign;

    #[test]
    fn every_key_has_its_own_path() {
        let keys = keys();
        for wanted in [
            "on",
            "jobs",
            "job.image",
            "step.run",
            "services.healthcheck",
            "matrix.include",
            "when.status",
        ] {
            assert!(keys.iter().any(|key| key == wanted), "{wanted}");
        }
    }

    #[test]
    fn a_page_links_to_its_own_headings_only() {
        let page = job_file(&BTreeMap::new());
        let headings: Vec<String> = page
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .map(anchor)
            .collect();
        for link in page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(headings.iter().any(|heading| heading == link), "{link}");
        }
    }

    #[test]
    fn no_key_is_both_ours_and_foreign() {
        for level in tables() {
            for answer in level.all_foreign() {
                for name in answer.keys {
                    assert!(!level.has(name), "{} {name}", level.what());
                }
                if let Foreign::Means(ours) = answer.answer {
                    assert!(level.has(ours), "{} {:?} -> {ours}", level.what(), answer.keys);
                }
            }
        }
    }
}
