//! What a local run knows of this machine: the folder and its commit, the secrets' file, where to keep things.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use agent::local::WorkingTree;
use anyhow::Context;
use job_specs::Facts;
use protocol::work::SecretValue;

use crate::exit::{Exit, Stop};

/// The folder that jobs see (the repository's top, or this folder), and what can be said of its commit.
pub fn working_tree() -> anyhow::Result<(WorkingTree, Facts)> {
    let here = std::env::current_dir().context("find this folder")?;
    let tree = WorkingTree::around(&here);
    let head = tree.head().clone();
    let facts = facts_of(tree.root(), head.branch, head.commit.unwrap_or_default());
    Ok((tree, facts))
}

fn facts_of(tree: &Path, branch: Option<String>, sha: String) -> Facts {
    Facts {
        event: "manual".to_owned(),
        reference: branch
            .as_ref()
            .map_or(String::new(), |branch| format!("refs/heads/{branch}")),
        branch,
        sha,
        repository: tree
            .file_name()
            .map_or("local".to_owned(), |name| name.to_string_lossy().into_owned()),
        ..Facts::default()
    }
}

/// A file of secrets, see [`job_specs::secret_lines`].
pub fn secrets(file: Option<&Path>) -> anyhow::Result<BTreeMap<String, SecretValue>> {
    let Some(file) = file else { return Ok(BTreeMap::new()) };
    let text = std::fs::read_to_string(file)
        .map_err(|error| Stop::new(Exit::Usage, format!("cannot read {}: {error}", file.display())))?;
    let secrets = job_specs::secret_lines(&text).map_err(|wrong| {
        let places: Vec<String> = wrong
            .iter()
            .map(|(line, why)| format!("{}:{line}: {why}", file.display()))
            .collect();
        Stop::new(Exit::Usage, places.join("\n"))
    })?;
    let secrets = secrets.into_iter().map(|(name, value)| (name, SecretValue(value)));
    Ok(secrets.collect())
}

/// Where gates and running attempts, caches and artifacts are kept: in `data` where somebody says so, beside what a
/// coordinator or agent keeps there.
pub fn data_folder(data: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(data) = data {
        return std::path::absolute(data.join("run")).context("find the data folder");
    }
    let home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")));
    Ok(home.unwrap_or_else(std::env::temp_dir).join("drover"))
}
