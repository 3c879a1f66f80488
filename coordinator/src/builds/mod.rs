//! From "something happened in a repository" to a build with queued jobs: fetch the commit, read its job files, ask
//! whether they want the event, expand, store. Deliveries and triggers by hand take the same way.

mod deliveries;
mod worker;

use job_specs::diagnostics::{Diagnostic, Severity};
use job_specs::{Facts, JobSpec, SourceFile};
use protocol::ids::DeliveryId;

use crate::app::App;
use crate::git::{Address, BadAddress, BadName, Commit, GitError, ObjectId, Reference, Wanted};
use crate::store::builds::{self, Build, Cause, NewBuild, NewJob};
use crate::store::repositories::Repository;
use crate::store::{StoreError, repositories};

pub(crate) use deliveries::process;
pub(crate) use worker::work;

/// Why there is no build. Each is a sentence for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoBuild {
    /// The commit cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The name of the branch or tag, or the commit's id, is malformed.
    #[error(transparent)]
    Name(#[from] BadName),
    /// The repository's address is not allowed any more.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// There is nothing to build there.
    #[error("there is no .drover.yml (and no .drover/*.yml) at {0}")]
    NoJobFile(String),
    /// The job file does not want such an event.
    #[error("no build of {commit}: {why}")]
    NotWanted {
        /// The commit.
        commit: String,
        /// In one sentence.
        why: String,
    },
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What to build.
#[derive(Debug, Clone)]
struct Target {
    event: &'static str,
    reference: Reference,
    /// `None`: whatever the reference points at.
    id: Option<ObjectId>,
    delivery: Option<DeliveryId>,
}

/// Builds a branch, tag or commit that somebody asked for by hand; gives the build's number. A plain name is a branch,
/// or else a tag.
pub(crate) async fn trigger(app: &App, repository: &Repository, wanted: Option<&str>) -> Result<i64, NoBuild> {
    let (reference, id) = match wanted.map(ObjectId::parse) {
        None => (default_branch(app, repository).await?, None),
        Some(Ok(id)) => (default_branch(app, repository).await?, Some(id)),
        Some(Err(_)) => (Reference::from_people(wanted.unwrap_or_default())?, None),
    };
    let manual = |reference| Target {
        event: "manual",
        reference,
        id,
        delivery: None,
    };
    let name = wanted.filter(|name| !name.starts_with("refs/") && Some(*name) == reference.branch());
    match (build(app, repository, manual.clone()(reference)).await, name) {
        (Err(NoBuild::Git(GitError::NoSuchReference(_))), Some(name)) => {
            let tag = Reference::parse(&format!("refs/tags/{name}"))?;
            match build(app, repository, manual(tag)).await {
                Err(NoBuild::Git(GitError::NoSuchReference(_))) => {
                    Err(GitError::NoSuchReference(format!("branch or tag {name}")).into())
                }
                other => other,
            }
        }
        (other, _) => other,
    }
}

async fn default_branch(app: &App, repository: &Repository) -> Result<Reference, NoBuild> {
    let address = Address::parse(&repository.git, &app.config.git.protocols)?;
    Ok(app.mirrors.default_branch(repository.id.as_str(), &address).await?)
}

/// The job files of a build, as long as its commit is in the mirror.
pub(crate) async fn job_files(app: &App, build: &Build) -> Vec<SourceFile> {
    let Ok(id) = ObjectId::parse(&build.cause.commit) else {
        return Vec::new();
    };
    let files = app.mirrors.job_files(build.repository_id.as_str(), &id).await;
    files.ok().flatten().unwrap_or_default()
}

async fn build(app: &App, repository: &Repository, target: Target) -> Result<i64, NoBuild> {
    let address = Address::parse(&repository.git, &app.config.git.protocols)?;
    let wanted = Wanted {
        repository: repository.id.as_str(),
        address: &address,
        reference: &target.reference,
        id: target.id.as_ref(),
    };
    let (commit, files) = app.mirrors.fetch(wanted).await?;
    let short = commit.sha.get(..10).unwrap_or(&commit.sha).to_owned();
    if files.is_empty() {
        return Err(NoBuild::NoJobFile(short));
    }
    // Removed while we fetched: then its mirror must go again, and nothing is built.
    repositories::by_id(&app.store, &repository.id).await?;
    let parsed = job_specs::parse(&files);
    let mut facts = facts(repository, &target, &commit);
    if let Some(file) = &parsed.file
        && let Err(why) = file.wants(&facts)
    {
        return Err(NoBuild::NotWanted { commit: short, why });
    }
    let number = builds::reserve_number(&app.store).await?;
    facts.build = Some(number);
    let (jobs, diagnostics) = match parsed.file.map(|file| job_specs::expand(&file, &facts)) {
        Some(Ok(expansion)) => (expansion.jobs, parsed.diagnostics),
        Some(Err(found)) => (Vec::new(), [parsed.diagnostics, found].concat()),
        None => (Vec::new(), parsed.diagnostics),
    };
    let number = builds::create(
        &app.store,
        new_build(repository, target, commit, (number, jobs, diagnostics)),
    )
    .await?;
    metrics::counter!("drover_builds_total").increment(1);
    tracing::info!(build = number, repository.name, "a build is made");
    Ok(number)
}

fn facts(repository: &Repository, target: &Target, commit: &Commit) -> Facts {
    Facts {
        event: target.event.to_owned(),
        branch: target.reference.branch().map(str::to_owned),
        tag: target.reference.tag().map(str::to_owned),
        reference: target.reference.as_str().to_owned(),
        sha: commit.sha.clone(),
        repository: repository.name.clone(),
        title: Some(commit.title.clone()),
        author: Some(commit.author.clone()),
        ..Facts::default()
    }
}

fn new_build(
    repository: &Repository,
    target: Target,
    commit: Commit,
    (number, jobs, diagnostics): (i64, Vec<JobSpec>, Vec<Diagnostic>),
) -> NewBuild {
    let message = jobs.is_empty().then(|| why_no_jobs(&diagnostics));
    NewBuild {
        repository: repository.id.clone(),
        number: Some(number),
        delivery: target.delivery,
        cause: Cause {
            event: target.event.to_owned(),
            branch: target.reference.branch().map(str::to_owned),
            tag: target.reference.tag().map(str::to_owned),
            reference: target.reference.as_str().to_owned(),
            commit: commit.sha,
            title: commit.title,
            author: commit.author,
            // Whoever may push to the repository itself is trusted with its secrets.
            trusted: true,
        },
        diagnostics,
        message,
        jobs: jobs.into_iter().map(NewJob::new).collect(),
    }
}

fn why_no_jobs(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .count();
    match errors {
        0 => "the job file has no jobs".to_owned(),
        1 => "the job file has an error".to_owned(),
        errors => format!("the job file has {errors} errors"),
    }
}
