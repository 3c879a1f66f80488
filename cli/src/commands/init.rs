//! `drover init`: a job file for this folder, from what is in it or from the file of another CI system.

use std::path::{Path, PathBuf};

use anyhow::Context;
use importers::{Imported, SCHEMA_URL, System};
use job_specs::SourceFile;

use super::lint::{print_diagnostics, read_all};
use crate::args::{From, Init};
use crate::exit::{Exit, Stop};

/// Makes the file or files; says what is left to do.
pub fn init(init: &Init, url: Option<&str>) -> anyhow::Result<Exit> {
    let names = names_here()?;
    let schema = url.map_or_else(
        || SCHEMA_URL.to_owned(),
        |url| format!("{}/schema/v1.json", url.trim_end_matches('/')),
    );
    let (paths, system) = sources(init, &names)?;
    let Some(system) = system else {
        return finish(init, vec![(".drover.yml".into(), importers::detect(&names, &schema))]);
    };
    let files = read_all(&paths)?;
    match importers::import_all(system, &files, &names, &schema) {
        Ok(all) => {
            let targets = files.iter().map(|file| target(file, files.len()));
            finish(init, targets.zip(all).collect())
        }
        Err(diagnostics) => {
            print_diagnostics(&diagnostics, &files);
            Ok(Exit::InvalidJobFile)
        }
    }
}

/// The files to read, and how. `None`: the folder itself tells.
fn sources(init: &Init, names: &[String]) -> anyhow::Result<(Vec<PathBuf>, Option<System>)> {
    let Some(from) = init.from else {
        let compose = importers::compose_file(names).map(PathBuf::from);
        let system = compose.is_some().then_some(System::Compose);
        return Ok((compose.into_iter().collect(), system));
    };
    let system = match from {
        From::Compose => System::Compose,
        From::Woodpecker => System::Woodpecker,
        From::Gitlab => System::Gitlab,
        From::Github => System::Github,
        From::Drone => System::Drone,
    };
    if let Some(file) = &init.file {
        return Ok((vec![file.clone()], Some(system)));
    }
    for path in system.paths() {
        let found = match path.strip_suffix('/') {
            Some(folder) => yaml_files(Path::new(folder))?,
            None => Some(PathBuf::from(path))
                .into_iter()
                .filter(|path| path.is_file())
                .collect(),
        };
        if !found.is_empty() {
            return Ok((found, Some(system)));
        }
    }
    let paths = system.paths().join(", ");
    let message = format!("there is no file of {} here: looked for {paths}", system.title());
    Err(Stop::new(Exit::NotFound, message)
        .help("name it: `drover init --from … FILE`")
        .into())
}

fn yaml_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry.with_context(|| format!("list {}", folder.display()))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yml" || extension == "yaml")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn names_here() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(".").context("list this folder")? {
        names.push(
            entry
                .context("list this folder")?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    names.sort();
    Ok(names)
}

/// One file becomes `.drover.yml`, several become `.drover/NAME.yml`.
fn target(file: &SourceFile, of: usize) -> PathBuf {
    let name = Path::new(&file.name).file_name().unwrap_or_default();
    match of {
        1 => PathBuf::from(".drover.yml"),
        _ => Path::new(".drover").join(name),
    }
}

fn finish(init: &Init, made: Vec<(PathBuf, Imported)>) -> anyhow::Result<Exit> {
    if init.json {
        let files: Vec<serde_json::Value> = made
            .iter()
            .map(|(path, imported)| serde_json::json!({"path": path, "text": imported.text, "notes": imported.notes}))
            .collect();
        if !init.stdout {
            write_all(init, &made)?;
        }
        return super::print_json(&files);
    }
    for note in made.iter().flat_map(|(_, imported)| &imported.notes) {
        anstream::eprintln!("{}:{}: {}", note.file, note.line, note.text);
    }
    if init.stdout {
        made.iter()
            .for_each(|(_, imported)| anstream::print!("{}", imported.text));
        return Ok(Exit::Passed);
    }
    write_all(init, &made)?;
    let names: Vec<String> = made.iter().map(|(path, _)| path.display().to_string()).collect();
    let notes: usize = made.iter().map(|(_, imported)| imported.notes.len()).sum();
    anstream::eprintln!("wrote {}", names.join(", "));
    match notes {
        0 => anstream::eprintln!("next: drover run"),
        1 => anstream::eprintln!("1 thing could not be carried over (above); next: drover lint, then drover run"),
        many => {
            anstream::eprintln!("{many} things could not be carried over (above); next: drover lint, then drover run")
        }
    }
    Ok(Exit::Passed)
}

fn write_all(init: &Init, made: &[(PathBuf, Imported)]) -> anyhow::Result<()> {
    let others = [".drover.yml", ".drover.yaml"].map(PathBuf::from);
    let in_the_way = made
        .iter()
        .map(|(path, _)| path)
        .chain(&others)
        .find(|path| path.exists());
    if let Some(path) = in_the_way.filter(|_| !init.force) {
        let message = format!("{} is there already", path.display());
        return Err(Stop::new(Exit::Usage, message)
            .help("`--force` overwrites it; `--stdout` prints what would be written")
            .into());
    }
    for (path, imported) in made {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        }
        std::fs::write(path, &imported.text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
