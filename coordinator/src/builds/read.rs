//! Reading the job files of a commit, with the files that they refer to, from the mirror or from what a build keeps.

use std::sync::Arc;

use job_specs::diagnostics::{Diagnostic, Severity};
use job_specs::file::JobFile;
use job_specs::{Facts, Parsed, SourceFile};

use super::NoBuild;
use crate::app::App;
use crate::git::{CommitTree, GitError, KeptFiles, ObjectId};
use crate::store::builds::Build;
use crate::store::origins::{self, BuildFiles};

/// Parses the job files of a commit that is in the mirror.
pub(super) async fn parse(
    app: &App,
    (repository, commit): (&str, &ObjectId),
    files: Vec<SourceFile>,
) -> Result<(Parsed, BuildFiles), NoBuild> {
    let read = move |tree: CommitTree| {
        let parsed = job_specs::parse_with(&files, &tree);
        let text = |text: Option<Arc<str>>| text.map(|text| text.as_ref().to_owned());
        let others = tree.into_given().into_iter();
        let kept = BuildFiles {
            job_files: files.into_iter().map(|file| (file.name, file.text)).collect(),
            others: others.map(|(path, content)| (path, text(content))).collect(),
        };
        (parsed, kept)
    };
    let found = app.mirrors.read_at(repository, commit, read).await?;
    found.ok_or_else(|| gone().into())
}

/// Fills in the values of `hash('…')` that the file asks for. A glob that matches nothing was told by [`parse`].
pub(super) async fn fill_hashes(
    app: &App,
    (repository, commit): (&str, &ObjectId),
    file: &JobFile,
    facts: &mut Facts,
) -> Result<Vec<Diagnostic>, NoBuild> {
    if file.hash_globs().is_empty() {
        return Ok(Vec::new());
    }
    let (file, mut filled) = (file.clone(), facts.clone());
    let read = move |tree: CommitTree| {
        let mut found = job_specs::fill_hashes(&file, &tree, &mut filled);
        found.retain(|found| found.severity == Severity::Error);
        (filled, found)
    };
    let found = app.mirrors.read_at(repository, commit, read).await?;
    let (filled, errors) = found.ok_or_else(gone)?;
    *facts = filled;
    Ok(errors)
}

fn gone() -> GitError {
    GitError::Mirror("what was fetched is not there".into())
}

/// Parses what a build keeps; the same as when it was made.
pub(super) fn parse_kept(files: &BuildFiles) -> Parsed {
    let others = files.others.iter();
    let others = others.map(|(path, text)| (path.clone(), text.as_deref().map(Arc::from)));
    job_specs::parse_with(&files.sources(), &KeptFiles(others.collect()))
}

/// The job files of a build: as it keeps them, or as long as its commit is in the mirror.
pub(crate) async fn job_files(app: &App, build: &Build) -> Vec<SourceFile> {
    if let Ok(Some(origin)) = origins::of(&app.store, build.number).await {
        return origin.files.sources();
    }
    let Ok(id) = ObjectId::parse(&build.facts.sha) else {
        return Vec::new();
    };
    let files = app.mirrors.job_files(build.repository_id.as_str(), &id).await;
    files.ok().flatten().unwrap_or_default()
}
