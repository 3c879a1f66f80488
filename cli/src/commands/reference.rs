//! (inner) `drover __reference`: writes the reference pages into the sources, or tells which of them are not true any
//! more. `cargo xtask docs` and `cargo xtask tidy` call it.
//!
//! A test says which keys of the language it shows by a comment above it, `// key: services.ulimits, step.retry`; the
//! names are those of [`job_specs::reference::keys`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::CommandFactory;
use job_specs::reference;

use crate::args::Arguments;
use crate::exit::Exit;

/// Columns of the help on the page.
const WIDTH: usize = 100;

/// Writes the pages under `root/docs/reference`, or prints the names of those that differ.
pub fn reference(root: &Path, check: bool) -> anyhow::Result<Exit> {
    let pages = [
        ("job-file.md", reference::job_file(&markers(root)?)),
        ("diagnostics.md", reference::diagnostics(&examples(root)?)),
        ("cli.md", cli()),
    ];
    let mut exit = Exit::Passed;
    for (name, text) in pages {
        let path = root.join("docs/reference").join(name);
        if std::fs::read_to_string(&path).is_ok_and(|there| there == text) {
            continue;
        }
        if check {
            anstream::println!("docs/reference/{name}: not what `cargo xtask docs` makes");
            exit = Exit::Failed;
        } else {
            std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
            anstream::println!("wrote docs/reference/{name}");
        }
    }
    Ok(exit)
}

/// The tests that show each key, by the marker comments in all sources.
fn markers(root: &Path) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let keys = reference::keys();
    let mut shown_by: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in sources(root)? {
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let mut open: Vec<String> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if let Some(names) = line.strip_prefix("// key:") {
                open.extend(names.split(',').map(|name| name.trim().to_owned()));
            } else if let Some(test) = test_name(line).filter(|_| !open.is_empty()) {
                for name in open.drain(..) {
                    match resolved(&name, &keys) {
                        Some(key) => shown_by.entry(key).or_default().push(test.to_owned()),
                        None => anstream::eprintln!("{}:{}: `{name}` is no key", path.display(), number + 1),
                    }
                }
            }
        }
    }
    for tests in shown_by.values_mut() {
        tests.sort();
        tests.dedup();
    }
    Ok(shown_by)
}

/// The key that a marker means: `steps.retry` is `step.retry`, and a name alone is a key of jobs if it is none of files.
fn resolved(name: &str, keys: &[String]) -> Option<String> {
    let of_step = name.strip_prefix("steps.").map(|key| format!("step.{key}"));
    let candidates = [Some(name.to_owned()), of_step, Some(format!("job.{name}"))];
    candidates
        .into_iter()
        .flatten()
        .find(|candidate| keys.contains(candidate))
}

/// The name in `fn name(`.
fn test_name(line: &str) -> Option<&str> {
    let rest = line.split_once("fn ")?.1;
    rest.split(['(', '<']).next().filter(|_| line.contains('('))
}

/// Every Rust file of the crates, in the order of their paths.
fn sources(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let crates = ["job-specs", "agent", "coordinator", "cli", "web", "protocol"];
    let mut folders: Vec<PathBuf> = crates
        .iter()
        .flat_map(|name| ["src", "tests"].map(|part| root.join(name).join(part)))
        .filter(|folder| folder.is_dir())
        .collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry.with_context(|| format!("list {}", folder.display()))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The smallest file for each code.
fn examples(root: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let folder = root.join("job-specs/tests/codes");
    let mut examples = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry.context("list examples")?.path();
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let code = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // Several files in one cannot be shown as one.
        if !text.starts_with("# ==== ") {
            examples.insert(code, text);
        }
    }
    Ok(examples)
}

/// Every command with its help.
fn cli() -> String {
    let mut page = String::from("# Command line\n\n<!-- Made by `cargo xtask docs`; do not edit. -->\n\n");
    page.push_str(EXIT_CODES);
    let command = Arguments::command().term_width(WIDTH);
    describe(&mut page, &command, "drover");
    page
}

const EXIT_CODES: &str = "\
Exit codes: 0 passed · 1 the build failed · 2 usage · 3 invalid job file · 4 auth · 5 not found · 6 infrastructure ·
7 timeout · 8 still pending · 9 coordinator unreachable · 130 Ctrl-C. Data goes to stdout, progress to stderr.
";

fn describe(page: &mut String, command: &clap::Command, name: &str) {
    let mut own = command
        .clone()
        .bin_name(name.to_owned())
        .term_width(WIDTH)
        .disable_version_flag(true)
        .mut_args(|argument| argument.hide_env_values(true));
    let help = own.render_help().to_string();
    let help: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    page.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", help.join("\n")));
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set() && below.get_name() != "help")
    {
        describe(page, below, &format!("{name} {}", below.get_name()));
    }
}
