//! `drover lint`: the coordinator's own reading of a job file, without a coordinator.

use std::io::Write;
use std::path::{Path, PathBuf};

use agent::local::WorkingTree;
use anyhow::Context;
use job_specs::diagnostics::{Diagnostic, Severity};
use job_specs::{Look, Parsed, SourceFile, codes};

use crate::args::Lint;
use crate::exit::{Exit, Stop};

/// Checks the files; exits with 3 when one of them cannot run.
pub fn lint(lint: &Lint) -> anyhow::Result<Exit> {
    if let Some(code) = &lint.explain {
        return explain(code);
    }
    let files = if lint.files.is_empty() {
        job_files(Path::new("."))?
    } else {
        read_all(&lint.files)?
    };
    let repository = WorkingTree::around(Path::new("."));
    let (files, parsed) = match lint.fix {
        true => mended(files, &repository)?,
        false => {
            let parsed = job_specs::parse_with(&files, &repository);
            (files, parsed)
        }
    };
    let valid = parsed.file.is_some();
    if lint.json {
        super::print_json(&parsed.diagnostics)?;
    } else {
        print_diagnostics(&parsed.diagnostics, &parsed.sources);
        let certain = parsed
            .diagnostics
            .iter()
            .filter(|found| !found.fixes.is_empty())
            .count();
        if certain > 0 && !lint.fix {
            anstream::eprintln!("`drover lint --fix` mends {certain} of them");
        }
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        match parsed.file {
            Some(_) => anstream::eprintln!("{}: valid{}", names.join(", "), warnings(&parsed.diagnostics)),
            None => anstream::eprintln!("{}: invalid", names.join(", ")),
        }
    }
    Ok(if valid { Exit::Passed } else { Exit::InvalidJobFile })
}

/// Mends the files, writes those that changed, and says what was done.
fn mended(files: Vec<SourceFile>, repository: &WorkingTree) -> anyhow::Result<(Vec<SourceFile>, Parsed)> {
    let fixed = job_specs::fix::fix(&files, repository);
    for (before, after) in files
        .iter()
        .zip(&fixed.files)
        .filter(|(before, after)| before.text != after.text)
    {
        replace(Path::new(&before.name), &after.text)?;
    }
    for change in &fixed.changes {
        let (before, after) = (one_line(&change.before), one_line(&change.after));
        anstream::eprintln!(
            "{}:{}: {before} is now {after} ({})",
            change.file,
            change.line,
            change.code
        );
    }
    Ok((fixed.files, fixed.parsed))
}

fn one_line(text: &str) -> String {
    match text.chars().all(char::is_whitespace) {
        true => format!("{text:?}"),
        false => format!("`{}`", text.replace(['\n', '\u{1b}'], " ")),
    }
}

/// Writes a file so that it is never half there; its permissions stay.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let path = path
        .canonicalize()
        .with_context(|| format!("find {}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(|| format!("write in {}", folder.display()))?;
    file.write_all(text.as_bytes()).context("write the mended file")?;
    let mode = std::fs::metadata(&path).with_context(|| format!("look at {}", path.display()))?;
    file.as_file()
        .set_permissions(mode.permissions())
        .context("keep the permissions")?;
    file.persist(&path)
        .with_context(|| format!("replace {}", path.display()))?;
    Ok(())
}

/// Prints the page of a code: `DRV0114`, `drv114` or `114`.
pub fn explain(code: &str) -> anyhow::Result<Exit> {
    let number = code.trim_start_matches(|c: char| !c.is_ascii_digit());
    let Some(found) = codes::find(&format!("DRV{number:0>4}")) else {
        return Err(Stop::new(Exit::NotFound, format!("there is no code `{code}`"))
            .help("codes look like DRV0114; `docs/reference/diagnostics.md` has them all")
            .into());
    };
    let severity = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    anstream::println!("{}: {} ({severity})\n\n{}", found.id, found.title, found.about);
    Ok(Exit::Passed)
}

/// Prints diagnostics with their source on stderr, as wide as the terminal.
pub fn print_diagnostics(diagnostics: &[Diagnostic], files: &[SourceFile]) {
    if diagnostics.is_empty() {
        return;
    }
    let look = Look {
        colour: true,
        width: crate::render::terminal_width(),
    };
    // anstream drops the colours where stderr does not take them.
    anstream::eprintln!("{}", job_specs::render(diagnostics, files, look));
}

/// The job files of a folder: `.drover.yml`, or all of `.drover/*.yml` in the order of their names.
pub fn job_files(folder: &Path) -> anyhow::Result<Vec<SourceFile>> {
    let single = [".drover.yml", ".drover.yaml"]
        .map(|name| folder.join(name))
        .into_iter()
        .find(|path| path.is_file());
    let mut paths: Vec<PathBuf> = single.into_iter().collect();
    if paths.is_empty() && folder.join(".drover").is_dir() {
        for entry in std::fs::read_dir(folder.join(".drover")).context("list .drover")? {
            let path = entry.context("list .drover")?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "yml" || extension == "yaml")
            {
                paths.push(path);
            }
        }
        paths.sort();
    }
    if paths.is_empty() {
        return Err(Stop::new(
            Exit::NotFound,
            "there is no job file here: no .drover.yml and no .drover/*.yml",
        )
        .help("`drover init` makes one")
        .into());
    }
    read_all(&paths)
}

/// Reads those files, each named as the user named it.
pub fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<SourceFile>> {
    paths.iter().map(|path| read_one(path)).collect()
}

fn read_one(path: &Path) -> anyhow::Result<SourceFile> {
    let name = path.strip_prefix("./").unwrap_or(path).display().to_string();
    match std::fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(SourceFile { name, text }),
            Err(_) => Err(Stop::new(Exit::InvalidJobFile, format!("{name} is not UTF-8 text")).into()),
        },
        Err(error) => Err(Stop::new(Exit::NotFound, format!("cannot read {name}: {error}")).into()),
    }
}

fn warnings(diagnostics: &[Diagnostic]) -> String {
    match diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Warning)
        .count()
    {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        many => format!(", {many} warnings"),
    }
}
