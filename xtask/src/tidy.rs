//! Rules that no compiler knows: sizes, openings, forbidden words, who may import whom, and a map that names every
//! folder. Each rule is a function from the sources to the places that break it.

use crate::{docs, process, say};
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod features;
mod images;
mod modules;

const MAX_LINES: usize = 400;

/// Who may import whom, from DESIGN's picture: `cli -> {coordinator, agent} -> protocol -> job-specs`,
/// `{coordinator, agent} -> git-cli`, `coordinator -> web -> job-specs` and `cli -> importers -> job-specs`.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    (
        "cli",
        &["coordinator", "agent", "protocol", "importers", "job-specs", "web"],
    ),
    ("coordinator", &["protocol", "job-specs", "web", "git-cli"]),
    ("agent", &["protocol", "job-specs", "gate", "git-cli"]),
    ("git-cli", &[]),
    ("agent/gate", &[]),
    ("web", &["job-specs"]),
    ("protocol", &["job-specs"]),
    ("job-specs", &[]),
    ("job-specs/importers", &["job-specs"]),
    (
        "fuzz",
        &["agent", "coordinator", "gate", "importers", "protocol", "job-specs"],
    ),
    ("xtask", &[]),
];
/// Crates that compute and nothing else.
const PURE: &[&str] = &["job-specs", "job-specs/importers", "protocol", "web"];
const IMPURE_CRATES: &[&str] = &[
    "tokio",
    "tokio-util",
    "reqwest",
    "sqlx",
    "bollard",
    "axum",
    "notify",
    "git2",
];
const IMPURE_PATHS: &[&str] = &["std::fs", "std::net", "std::process", "std::thread", "tokio::"];

/// What a rule is called, for people, and what it looks at.
struct Rule {
    /// A sentence that is true when the rule is kept.
    says: &'static str,
    check: fn(&Sources) -> Vec<String>,
}

/// Every rule.
const RULES: &[Rule] = &[
    Rule {
        says: "every source file has fewer than 400 lines",
        check: long_files,
    },
    Rule {
        says: "every Rust file opens with `//!`",
        check: openings,
    },
    Rule {
        says: "outside tests nothing is unwrapped, left to do or allowed",
        check: forbidden_words,
    },
    Rule {
        says: "crates import only whom they may",
        check: imports,
    },
    Rule {
        says: "modules import no circle, and the phases of an attempt only those before them",
        check: modules::wrong_ways,
    },
    Rule {
        says: "the engine's client and the database are named only by their owners",
        check: modules::owned_libraries,
    },
    Rule {
        says: "job-specs, its importers, protocol and web do no input or output",
        check: purity,
    },
    Rule {
        says: "ARCHITECTURE.md names every folder at the top",
        check: the_map,
    },
    Rule {
        says: "every image that is named is one that we make",
        check: |sources| images::strangers(&sources.root),
    },
    Rule {
        says: "the program has the libraries that its tests have",
        check: |_| features::differing(),
    },
    Rule {
        says: "docs/reference is what `cargo xtask docs` makes",
        check: |_| docs::differing(),
    },
];

/// `cargo xtask tidy`.
///
/// # Errors
/// When a file cannot be read.
pub fn run() -> anyhow::Result<ExitCode> {
    let mut kept = true;
    check(|_, broken| kept &= broken.is_empty())?;
    Ok(ExitCode::from(u8::from(!kept)))
}

/// Checks every rule, says how it went, and tells `each` what the rule says and where it is broken.
///
/// # Errors
/// When a file cannot be read.
pub fn check(mut each: impl FnMut(&str, &[String])) -> anyhow::Result<()> {
    say::heading("tidy: rules that no compiler knows");
    let sources = Sources::read()?;
    for rule in RULES {
        let broken = (rule.check)(&sources);
        say::line(format_args!(
            "{}: {}",
            rule.says,
            if broken.is_empty() { "yes" } else { "NO" }
        ));
        broken.iter().for_each(|place| say::line(format_args!("  {place}")));
        each(rule.says, &broken);
    }
    Ok(())
}

/// The workspace as text.
struct Sources {
    root: PathBuf,
    files: Vec<Source>,
}

struct Source {
    /// Relative to the root.
    path: PathBuf,
    text: String,
}

impl Sources {
    /// Reads the workspace.
    fn read() -> anyhow::Result<Sources> {
        let mut sources = Sources {
            root: process::workspace().to_owned(),
            files: Vec::new(),
        };
        let root = sources.root.clone();
        sources.walk(&root)?;
        sources.files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(sources)
    }

    fn walk(&mut self, folder: &Path) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry.context("list a folder")?.path();
            if path.is_dir() && is_ours(&path) {
                self.walk(&path)?;
            } else if is_source(&path) {
                let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
                let path = path.strip_prefix(&self.root).unwrap_or(&path).to_owned();
                self.files.push(Source { path, text });
            }
        }
        Ok(())
    }

    fn rust(&self) -> impl Iterator<Item = &Source> {
        self.files.iter().filter(|source| has_extension(&source.path, &["rs"]))
    }
}

impl Source {
    /// The lines before the tests of the file, with their numbers; none for a file of tests.
    fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test = self.path.components().any(|part| part.as_os_str() == "tests")
            || self.path.file_name().is_some_and(|name| name == "tests.rs");
        let limit = if is_test { 0 } else { usize::MAX };
        let lines = self.text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
        lines.take(limit).enumerate().map(|(index, line)| (index + 1, line))
    }

    fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path.display())
    }
}

/// Folders that hold what we wrote: nothing hidden, nothing built.
fn is_ours(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or(".");
    !name.starts_with('.') && name != "target" && name != "node_modules"
}

fn is_source(path: &Path) -> bool {
    has_extension(path, &["rs", "js", "css", "html", "sh", "sql"])
        || path.file_name().is_some_and(|name| name == "Cargo.toml")
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| extensions.contains(&extension))
}

fn long_files(sources: &Sources) -> Vec<String> {
    let long = sources.files.iter().map(|source| (source, source.text.lines().count()));
    long.filter(|(_, lines)| *lines >= MAX_LINES)
        .map(|(source, lines)| source.at(lines, "too long: divide it by what it does"))
        .collect()
}

fn openings(sources: &Sources) -> Vec<String> {
    let closed = sources.rust().filter(|source| !source.text.starts_with("//!"));
    closed
        .map(|source| source.at(1, "say with `//!` what the file owns and why it is separate"))
        .collect()
}

fn forbidden_words(sources: &Sources) -> Vec<String> {
    // Divided, so that this file keeps the rule.
    let words = [
        concat!(".unw", "rap()"),
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("#[al", "low("),
        concat!("#![al", "low("),
        concat!("// TO", "DO"),
        concat!("// FIX", "ME"),
    ];
    let mut found = Vec::new();
    for source in sources.rust() {
        for (number, line) in source.production() {
            found.extend(
                words
                    .iter()
                    .filter(|word| line.contains(*word))
                    .map(|word| source.at(number, word)),
            );
        }
    }
    found
}

fn imports(sources: &Sources) -> Vec<String> {
    let ours: Vec<&str> = MAY_IMPORT.iter().map(|(crate_path, _)| name_of(crate_path)).collect();
    let mut found = Vec::new();
    for (crate_path, allowed) in MAY_IMPORT {
        for (manifest, number, dependency) in dependencies(sources, crate_path) {
            if ours.contains(&dependency.as_str()) && !allowed.contains(&dependency.as_str()) {
                found.push(manifest.at(number, &format!("{crate_path} may not import {dependency}")));
            }
        }
    }
    let known = |folder: &Path| MAY_IMPORT.iter().any(|(crate_path, _)| Path::new(crate_path) == folder);
    for source in sources
        .files
        .iter()
        .filter(|source| source.path.ends_with("Cargo.toml"))
    {
        let folder = source.path.parent().unwrap_or(Path::new(""));
        if folder != Path::new("") && !known(folder) {
            found.push(source.at(1, "a new crate: say in xtask/src/tidy.rs whom it may import"));
        }
    }
    found
}

fn purity(sources: &Sources) -> Vec<String> {
    let mut found = Vec::new();
    for crate_path in PURE {
        for (manifest, number, dependency) in dependencies(sources, crate_path) {
            if IMPURE_CRATES.contains(&dependency.as_str()) {
                found.push(manifest.at(number, &format!("{crate_path} is pure; {dependency} is not")));
            }
        }
        let folder = Path::new(crate_path).join("src");
        for source in sources.rust().filter(|source| source.path.starts_with(&folder)) {
            for (number, line) in source.production() {
                let used = IMPURE_PATHS.iter().filter(|path| line.contains(*path));
                found.extend(used.map(|path| source.at(number, &format!("{crate_path} is pure; `{path}` is not"))));
            }
        }
    }
    found
}

fn the_map(sources: &Sources) -> Vec<String> {
    let map = std::fs::read_to_string(sources.root.join("ARCHITECTURE.md")).unwrap_or_default();
    let entries = std::fs::read_dir(&sources.root).into_iter().flatten().flatten();
    let mut folders: Vec<String> = entries
        .filter(|entry| entry.path().is_dir() && is_ours(&entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    let missing = folders
        .into_iter()
        .filter(|folder| !map.contains(&format!("{folder}/")));
    missing
        .map(|folder| format!("ARCHITECTURE.md does not name `{folder}/`"))
        .collect()
}

/// The direct dependencies of a crate, as its manifest names them (tests may import what they like).
fn dependencies<'a>(sources: &'a Sources, crate_path: &str) -> Vec<(&'a Source, usize, String)> {
    let path = Path::new(crate_path).join("Cargo.toml");
    let Some(manifest) = sources.files.iter().find(|source| source.path == path) else {
        return Vec::new();
    };
    let mut within = false;
    let mut found = Vec::new();
    for (number, line) in manifest.text.lines().enumerate() {
        if line.starts_with('[') {
            within = line.ends_with("dependencies]") && !line.contains("dev-");
        } else if within && let Some(name) = line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty()) {
            found.push((manifest, number + 1, name.to_owned()));
        }
    }
    found
}

fn name_of(crate_path: &str) -> &str {
    crate_path.rsplit('/').next().unwrap_or(crate_path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(rule: fn(&Sources) -> Vec<String>, path: &str, text: &str) -> Vec<String> {
        let source = Source {
            path: path.into(),
            text: text.into(),
        };
        rule(&Sources {
            root: "/nowhere".into(),
            files: vec![source],
        })
    }

    #[test]
    fn a_file_of_four_hundred_lines_is_too_long() {
        assert_eq!(
            broken(long_files, "a/src/lib.rs", &"\n".repeat(399)),
            Vec::<String>::new()
        );
        let found = broken(long_files, "a/src/lib.rs", &"\n".repeat(400));
        assert_eq!(found, ["a/src/lib.rs:400: too long: divide it by what it does"]);
    }

    #[test]
    fn a_file_begins_by_saying_what_it_owns() {
        assert!(broken(openings, "a/src/lib.rs", "//! Leases.\n").is_empty());
        assert_eq!(broken(openings, "a/src/lib.rs", "use std::fs;\n").len(), 1);
    }

    #[test]
    fn only_tests_unwrap() {
        let text = "//! A.\nfn a() { b().unwrap() }\n#[cfg(test)]\nmod tests { fn c() { d().unwrap() } }\n";
        assert_eq!(
            broken(forbidden_words, "a/src/lib.rs", text),
            ["a/src/lib.rs:2: .unwrap()"]
        );
        assert!(broken(forbidden_words, "a/tests/it/main.rs", text).is_empty());
    }

    #[test]
    fn agent_and_coordinator_never_import_each_other() {
        let manifest = "[package]\nname = \"agent\"\n[dependencies]\nprotocol.workspace = true\n\
                        coordinator.workspace = true\n[dev-dependencies]\nweb.workspace = true\n";
        let found = broken(imports, "agent/Cargo.toml", manifest);
        assert_eq!(found, ["agent/Cargo.toml:5: agent may not import coordinator"]);
    }

    #[test]
    fn a_pure_crate_opens_no_file() {
        assert_eq!(broken(purity, "web/src/lib.rs", "//! W.\nuse std::fs;\n").len(), 1);
        assert_eq!(
            broken(purity, "protocol/Cargo.toml", "[dependencies]\ntokio = \"1\"\n").len(),
            1
        );
        assert!(broken(purity, "agent/src/lib.rs", "//! A.\nuse std::fs;\n").is_empty());
    }

    #[test]
    fn a_crate_that_nobody_placed_is_found() {
        let found = broken(imports, "helper/Cargo.toml", "[package]\n");
        assert_eq!(found.len(), 1);
    }
}
