//! Making one build of one target.

use std::collections::BTreeMap;

use job_specs::diagnostics::{Diagnostic, Severity};
use job_specs::file::JobFile;
use job_specs::triggers::{Input, check_inputs, default_inputs};
use job_specs::{Expansion, Facts};

use super::commit_check::CommitCheck;
use super::{NoBuild, Target, read, schedules};
use crate::app::App;
use crate::git::{Address, Commit, Comparison, GitError, JobFiles, ObjectId, Reference, Wanted};
use crate::store::approvals;
use crate::store::builds::{self, Created, NewBuild, NewJob, Order, UNTRUSTED};
use crate::store::facts::Trust;
use crate::store::order::Observed;
use crate::store::origins::BuildFiles;
use crate::store::repositories::{self, Repository};

/// A target whose commit is in the mirror.
struct Found<'a> {
    app: &'a App,
    repository: &'a Repository,
    address: &'a Address,
    target: &'a Target,
    commit: &'a Commit,
    id: &'a ObjectId,
}

/// How often the order of a push is looked at anew because others came in between.
const LOOKS: usize = 10;

/// Builds a target; gives the build's number.
pub(super) async fn build(app: &App, repository: &Repository, mut target: Target) -> Result<i64, NoBuild> {
    let address = Address::parse(&repository.git, &app.config.git.protocols)?;
    let wanted = Wanted {
        repository: repository.id.as_str(),
        address: &address,
        reference: &target.reference,
        id: target.id.as_ref(),
    };
    let (commit, files) = app.mirrors.fetch(wanted).await?;
    let id = ObjectId::parse(&commit.sha)?;
    let looked = CommitCheck {
        app,
        repository,
        address: &address,
        commit: &id,
    };
    let observed = looked.settle(&mut target).await?;
    if let Some(number) = looked.built(&target, observed.as_ref()).await? {
        return Err(NoBuild::SamePush(number));
    }
    let found = Found {
        app,
        repository,
        address: &address,
        target: &target,
        commit: &commit,
        id: &id,
    };
    let new = match found.plan(files).await {
        Err(nothing @ (NoBuild::NoJobFile(_) | NoBuild::NotWanted { .. })) => {
            looked.note(&target, observed.as_ref()).await?;
            return Err(nothing);
        }
        planned => planned?,
    };
    let number = store(&looked, (new, &target), observed).await?;
    metrics::counter!("drover_builds_total").increment(1);
    tracing::info!(build = number, repository.name, "a build is made");
    Ok(number)
}

/// Stores the build where it belongs among others.
async fn store(
    looked: &CommitCheck<'_>,
    (mut new, target): (NewBuild, &Target),
    mut observed: Option<Observed>,
) -> Result<i64, NoBuild> {
    for _ in 0..LOOKS {
        new.order = Order {
            at: Some(target.at),
            push: target.push.clone().zip(observed),
        };
        match builds::create_in_order(&looked.app.store, target.by.as_ref(), new.clone()).await? {
            Created::New(number) => {
                if target.pull_request.is_some() {
                    approvals::cancel_older(&looked.app.store, number).await?;
                }
                return Ok(number);
            }
            // By the same delivery, which another worker had, or by another one of the same push.
            Created::Known(number) if target.delivery.is_none() => return Ok(number),
            Created::Known(number) => return Err(NoBuild::SamePush(number)),
            Created::Moved => observed = looked.check_again(target).await?,
        }
    }
    Err(NoBuild::Moving)
}

/// Takes over what the job file of the default branch says about schedules and inputs, and builds nothing.
pub(super) async fn look(app: &App, repository: &Repository, branch: Reference) -> Result<(), NoBuild> {
    let address = Address::parse(&repository.git, &app.config.git.protocols)?;
    let wanted = Wanted {
        repository: repository.id.as_str(),
        address: &address,
        reference: &branch,
        id: None,
    };
    let (commit, files) = app.mirrors.fetch(wanted).await?;
    repositories::by_id(&app.store, &repository.id).await?;
    let id = ObjectId::parse(&commit.sha)?;
    let (parsed, _) = read::parse(app, (repository.id.as_str(), &id), files).await?;
    match &parsed.file {
        Some(file) => schedules::refresh(app, (repository, &branch), file).await,
        None => Ok(()),
    }
}

fn nothing() -> Expansion {
    Expansion {
        jobs: Vec::new(),
        concurrency: None,
    }
}

impl Found<'_> {
    /// Reads the job files and expands them, unless they do not want such an event.
    async fn plan(&self, files: JobFiles) -> Result<NewBuild, NoBuild> {
        let (app, repository, commit) = (self.app, self.repository, self.commit);
        let short = commit.sha.get(..10).unwrap_or(&commit.sha).to_owned();
        let unwanted = |why: String| NoBuild::NotWanted {
            commit: short.clone(),
            why,
        };
        let can_skip = matches!(self.target.event, "push" | "pull_request");
        if let Some(mark) = commit.skip_mark.filter(|_| can_skip) {
            return Err(unwanted(format!("its message says {mark}")));
        }
        if files.is_empty() {
            return Err(NoBuild::NoJobFile(short));
        }
        // Removed while we fetched: then its mirror must go again, and nothing is built.
        repositories::by_id(&app.store, &repository.id).await?;
        let (parsed, files) = read::parse(app, (repository.id.as_str(), self.id), files).await?;
        let (mut facts, mut errors) = (self.facts(), Vec::new());
        if let Some(file) = &parsed.file {
            self.refresh_schedules(file).await?;
            errors = self.complete(file, &mut facts).await?;
            file.wants(&facts).map_err(&unwanted)?;
        }
        let number = builds::reserve_number(&app.store).await?;
        facts.build = Some(number);
        let expansion = match parsed.file.map(|file| job_specs::expand(&file, &facts)) {
            Some(Ok(expansion)) if errors.is_empty() => expansion,
            Some(Err(found)) => {
                errors.extend(found);
                nothing()
            }
            Some(Ok(_)) | None => nothing(),
        };
        let diagnostics = [parsed.diagnostics, errors].concat();
        Ok(self.new_build(facts, files, expansion, diagnostics))
    }

    /// What is known without the job file.
    fn facts(&self) -> Facts {
        let (target, commit) = (self.target, self.commit);
        let pull_request = target.pull_request.as_ref();
        Facts {
            event: target.event.to_owned(),
            branch: target.branch.clone(),
            tag: target.reference.tag().map(str::to_owned),
            reference: target.reference.as_str().to_owned(),
            sha: commit.sha.clone(),
            repository: self.repository.name.clone(),
            title: Some(commit.title.clone()),
            author: Some(commit.author.clone()),
            base: pull_request.map(|pull_request| pull_request.base.clone()),
            pull_request: pull_request.map(|pull_request| pull_request.number),
            ..Facts::default()
        }
    }

    /// Schedules and inputs are as the default branch says now. What is built does not depend on it: a repository
    /// that cannot say what its default branch is keeps those that it has.
    async fn refresh_schedules(&self, file: &JobFile) -> Result<(), NoBuild> {
        if self.target.pull_request.is_some() {
            return Ok(());
        }
        let refreshed = schedules::refresh(self.app, (self.repository, &self.target.reference), file).await;
        if let Err(NoBuild::Git(error)) = &refreshed {
            tracing::warn!(self.repository.name, %error, "schedules cannot be refreshed");
            return Ok(());
        }
        refreshed
    }

    /// What only the job file asks for: inputs, changed paths, hashes of files.
    async fn complete(&self, file: &JobFile, facts: &mut Facts) -> Result<Vec<Diagnostic>, NoBuild> {
        facts.inputs = self.inputs(&file.inputs())?;
        if file.needs_changed_paths() {
            let comparison = Comparison {
                repository: self.repository.id.as_str(),
                address: self.address,
                reference: &self.target.reference,
                commit: self.id,
                with: &self.target.compare,
            };
            facts.changed = match self.app.mirrors.changed(comparison).await {
                // The default branch may be gone: there is nothing to compare with then.
                Err(GitError::NoSuchReference(_)) => None,
                changed => changed?,
            };
        }
        read::fill_hashes(self.app, (self.repository.id.as_str(), self.id), file, facts).await
    }

    /// Values of inputs. Who pushes cannot give any: then a missing one is empty.
    fn inputs(&self, wanted: &[Input]) -> Result<BTreeMap<String, String>, NoBuild> {
        if matches!(self.target.event, "manual" | "schedule") {
            return check_inputs(wanted, &self.target.inputs).map_err(NoBuild::Inputs);
        }
        Ok(default_inputs(wanted))
    }

    fn new_build(
        &self,
        facts: Facts,
        files: BuildFiles,
        expansion: Expansion,
        diagnostics: Vec<Diagnostic>,
    ) -> NewBuild {
        let target = self.target;
        let no_jobs = expansion.jobs.is_empty().then(|| why_no_jobs(&diagnostics));
        let is_on_no_branch = target.trust == Trust::NoBranch;
        let apart = |wanted| match target.trust.is_trusted() {
            true => wanted,
            false => builds::apart(wanted, &facts),
        };
        NewBuild {
            repository: self.repository.id.clone(),
            delivery: target.delivery.clone(),
            due: target.due.clone(),
            trust: target.trust,
            concurrency: expansion.concurrency.map(apart),
            order: Order::default(),
            cache_scope: target.cache_scope.clone(),
            diagnostics,
            message: no_jobs.or_else(|| is_on_no_branch.then(|| UNTRUSTED.to_owned())),
            jobs: expansion.jobs.into_iter().map(NewJob::new).collect(),
            facts,
            files: Some(files),
        }
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
