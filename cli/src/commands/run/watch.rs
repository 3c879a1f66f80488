//! `--watch`: which files of the folder changed, once they have been quiet for a moment. Git's own folder and what Git
//! ignores do not count: jobs do not see them either.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// An editor writes several files at once, and a checkout many.
const QUIET: Duration = Duration::from_millis(300);
/// More paths than this are one change of everything.
const MAX_PATHS: usize = 10_000;

/// Changes of a folder.
pub struct Changes {
    paths: mpsc::UnboundedReceiver<PathBuf>,
    root: PathBuf,
    /// Changed, and not reported yet.
    seen: BTreeSet<String>,
    /// Looks as long as it lives.
    _watcher: RecommendedWatcher,
}

impl Changes {
    /// Begins to look.
    pub fn of(root: &Path) -> anyhow::Result<Changes> {
        let root = root
            .canonicalize()
            .with_context(|| format!("find {}", root.display()))?;
        let (sender, paths) = mpsc::unbounded_channel();
        let on_event = move |event: notify::Result<notify::Event>| match event {
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => {}
            Ok(event) => event.paths.into_iter().for_each(|path| drop(sender.send(path))),
            Err(error) => tracing::warn!(%error, "changes of this folder may be missed"),
        };
        let mut watcher = notify::recommended_watcher(on_event).context("watch this folder")?;
        watcher
            .watch(&root, RecursiveMode::Recursive)
            .with_context(|| format!("watch {}", root.display()))?;
        Ok(Changes {
            paths,
            root,
            seen: BTreeSet::new(),
            _watcher: watcher,
        })
    }

    /// The paths, relative to the folder, that changed since the last call, as soon as nothing else changes. May be
    /// dropped at any time: what it has seen is given by the next call.
    pub async fn next(&mut self) -> Vec<String> {
        loop {
            let changed = match self.seen.is_empty() {
                true => self.paths.recv().await,
                false => tokio::time::timeout(QUIET, self.paths.recv()).await.unwrap_or_default(),
            };
            match changed {
                Some(path) if self.seen.len() < MAX_PATHS => self.seen.extend(counted(&self.root, &path)),
                Some(_) => {}
                None if self.seen.is_empty() => std::future::pending().await,
                None => return std::mem::take(&mut self.seen).into_iter().collect(),
            }
        }
    }
}

/// Both, each once.
pub fn together(before: Vec<String>, new: Vec<String>) -> Vec<String> {
    let all: BTreeSet<String> = before.into_iter().chain(new).collect();
    all.into_iter().collect()
}

/// The path as jobs know it, if they can see it.
fn counted(root: &Path, path: &Path) -> Option<String> {
    let path = path.strip_prefix(root).ok().filter(|path| *path != Path::new(""))?;
    if path.components().any(|part| part.as_os_str() == ".git") {
        return None;
    }
    // Asked anew each time: the change may be one of `.gitignore`.
    let ignored = git2::Repository::open(root).and_then(|repository| repository.is_path_ignored(path));
    (!ignored.unwrap_or(false)).then(|| path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_reported_once_and_ignored_files_never() {
        let folder = tempfile::tempdir().unwrap();
        git2::Repository::init(folder.path()).unwrap();
        std::fs::write(folder.path().join(".gitignore"), "target\n").unwrap();
        std::fs::create_dir(folder.path().join("target")).unwrap();
        let mut changes = Changes::of(folder.path()).unwrap();
        std::fs::write(folder.path().join("target/out"), "1").unwrap();
        std::fs::write(folder.path().join(".git/x"), "1").unwrap();
        std::fs::write(folder.path().join("b"), "1").unwrap();
        std::fs::write(folder.path().join("a"), "1").unwrap();
        assert_eq!(changes.next().await, ["a", "b"]);
        std::fs::remove_file(folder.path().join("a")).unwrap();
        assert_eq!(changes.next().await, ["a"]);
    }
}
