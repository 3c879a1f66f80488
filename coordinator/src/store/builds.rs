//! Builds: one event at one commit, and its jobs. A build's status is derived from its jobs, and stored with them
//! (`build_status`); its times are read from theirs.

use std::collections::BTreeMap;

use job_specs::Facts;
use job_specs::diagnostics::Diagnostic;
use job_specs::model::{Env, JobSpec, Need};
use job_specs::status::JobStatus;
use job_specs::triggers::Concurrency;
use protocol::ids::{DeliveryId, JobId, RepositoryId};

use super::approvals::Approved;
use super::audit::{self, Action, Subject};
use super::facts::Trust;
use super::jobs::{self, Job};
use super::new_builds::Insert;
use super::order::{Observed, Push};
use super::origins::BuildFiles;
use super::{Actor, Micros, Store, StoreError, counters, ended, pages};
use crate::db::{DbError, Row, args};

/// A build to make.
#[derive(Debug, Clone)]
pub struct NewBuild {
    /// Whose.
    pub repository: RepositoryId,
    /// The delivery that made it; the same delivery never makes two builds.
    pub delivery: Option<DeliveryId>,
    /// The schedule and the time that it is for; the same one never makes two builds.
    pub due: Option<String>,
    /// What happened. Its number is from [`reserve_number`]; `None`: the next one.
    pub facts: Facts,
    /// Whose code it is.
    pub trust: Trust,
    /// Its concurrency group.
    pub concurrency: Option<Concurrency>,
    /// Where it belongs among the others of its group.
    pub order: Order,
    /// Whose caches it may write, when that is not its reference.
    pub cache_scope: Option<String>,
    /// The texts that it is made from; its deferred jobs are expanded from them.
    pub files: Option<BuildFiles>,
    /// What is wrong with the job file, if anything is.
    pub diagnostics: Vec<Diagnostic>,
    /// Why there are no jobs, or what else people should know, in words.
    pub message: Option<String>,
    /// In the order of the file. Empty: the build has failed.
    pub jobs: Vec<NewJob>,
}

/// Why the code of a build is not trusted although its event would be.
pub const UNTRUSTED: &str = "built as untrusted: the commit is on no branch or tag of the repository";

/// The concurrency group of code that is not ours. Its job file says which group it is in: it must not stop our builds
/// with that, so each such pull request, and everything else, has groups of its own.
pub fn apart(wanted: Concurrency, facts: &Facts) -> Concurrency {
    let group = match facts.pull_request {
        Some(number) => format!("pull request {number}: {}", wanted.group),
        None => format!("untrusted: {}", wanted.group),
    };
    Concurrency { group, ..wanted }
}

/// Where a build belongs among others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    /// When somebody asked for it, or its delivery came; `None`: now.
    pub at: Option<Micros>,
    /// The push that it is for, and what its repository said about it.
    pub push: Option<(Push, Observed)>,
}

/// What became of a build to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is new.
    New(i64),
    /// The same delivery, push or due time had made this one.
    Known(i64),
    /// Other pushes of the reference were processed since its repository was asked: ask it again.
    Moved,
}

/// A job to make.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// What runs.
    pub spec: JobSpec,
    /// Labels that its agent must have.
    pub labels: Env,
    /// Higher goes first; 0 by default.
    pub priority: i64,
    /// Further attempts after one that *errored* or lost its agent.
    pub retries: u32,
    /// Jobs that it needs and that are not in the build: they passed in the one that it repeats.
    pub met: Vec<String>,
}

impl NewJob {
    /// With priority 0; labels and retries as the job says.
    pub fn new(spec: JobSpec) -> NewJob {
        NewJob {
            labels: spec.runs_on.clone(),
            retries: job_specs::dag::retry::of_infrastructure(&spec),
            spec,
            priority: 0,
            met: Vec::new(),
        }
    }

    /// The needs that are not met yet.
    pub(super) fn waits_for(&self) -> impl Iterator<Item = &Need> {
        let needs = self.spec.needs.iter();
        needs.filter(|need| !self.met.contains(&need.job))
    }
}

/// One build, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Unique within a coordinator.
    pub number: i64,
    /// Whose.
    pub repository_id: RepositoryId,
    /// Its repository's name.
    pub repository: String,
    /// Anybody may read it.
    pub public: bool,
    /// What happened.
    pub facts: Facts,
    /// Whose code it is.
    pub trust: Trust,
    /// From its jobs.
    pub status: JobStatus,
    /// How many jobs stand where; by [`JobStatus::name`].
    pub counts: BTreeMap<&'static str, u32>,
    /// Why there are no jobs, or what else people should know.
    pub message: Option<String>,
    /// The build that this one repeats.
    pub rerun_of: Option<i64>,
    /// Its concurrency group.
    pub concurrency: Option<Concurrency>,
    /// It waits for another build of its group.
    pub waits_for_group: bool,
    /// Whether somebody has looked at its commit; `None`: nobody must.
    pub approval: Option<Approved>,
    /// When it was made.
    pub created_at: Micros,
    /// When its first attempt began.
    pub started_at: Option<Micros>,
    /// When its last job ended.
    pub finished_at: Option<Micros>,
}

/// A build with everything about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildDetail {
    /// What lists show.
    pub build: Build,
    /// What is wrong with its job file.
    pub diagnostics: Vec<Diagnostic>,
    /// In the order of the file.
    pub jobs: Vec<Job>,
}

/// Which builds to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this repository only.
    pub repository: Option<RepositoryId>,
    /// On this branch only.
    pub branch: Option<String>,
    /// At this commit only.
    pub commit: Option<String>,
    /// With this status only.
    pub status: Option<JobStatus>,
    /// Of public repositories only.
    pub public_only: bool,
    /// Older than this number: for the next page.
    pub before: Option<i64>,
    /// At most so many; 0 means 50.
    pub limit: u32,
}

/// Which jobs to run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rerun {
    /// All.
    All,
    /// Those that did not pass; what they need and has passed counts as passed.
    Failed,
    /// These, and those that were skipped only because of them.
    Jobs(Vec<JobId>),
}

pub use super::reruns::rerun;

/// The counter of build numbers.
pub(super) const NUMBERS: &str = "builds";

/// Takes the next build number, so that it can stand in the jobs' values.
///
/// # Errors
/// The database.
pub async fn reserve_number(store: &Store) -> Result<i64, StoreError> {
    store
        .write(move |tx| Box::pin(async move { Ok(counters::next(tx, NUMBERS).await?) }))
        .await
}

/// Makes a build and its jobs; those without needs are queued at once. A delivery, a push, or a due time, that has made its
/// build already gives the number of that build.
///
/// # Errors
/// `Refused` when a job needs one that is not in the build; `NotFound`: the repository.
pub async fn create(store: &Store, new: NewBuild) -> Result<i64, StoreError> {
    match create_in_order(store, None, new).await? {
        Created::New(number) | Created::Known(number) => Ok(number),
        Created::Moved => Err(StoreError::Refused("the reference moved: try again".into())),
    }
}

/// The same for the build of a push, which may be late or come again, and for one that a person asks for.
///
/// # Errors
/// As [`create`].
pub async fn create_in_order(store: &Store, by: Option<&Actor>, new: NewBuild) -> Result<Created, StoreError> {
    let (by, now) = (by.cloned(), store.now());
    let insert = Insert {
        new,
        rerun_of: None,
        now,
    };
    store
        .write(move |tx| {
            Box::pin(async move {
                let created = insert.run(tx).await?;
                if let (Some(actor), Created::New(number)) = (by, created) {
                    audit::record(tx, (&actor, Action::TriggerBuild), &Subject::build(number), now).await?;
                }
                Ok(created)
            })
        })
        .await
}

/// Builds, newest first.
///
/// # Errors
/// The database.
pub async fn list(store: &Store, filter: &Filter) -> Result<Vec<Build>, StoreError> {
    let limit = if filter.limit == 0 { 50 } else { filter.limit };
    pages::read(store, &pages::values(filter, limit)).await
}

/// The newest build of a pull request, and where it stands.
///
/// # Errors
/// The database.
pub async fn newest_of_request(
    store: &Store,
    repository: &RepositoryId,
    pull_request: i64,
) -> Result<Option<(i64, JobStatus)>, StoreError> {
    let sql = "select b.number, s.status from builds b join build_status s on s.build = b.number
               where b.repository = $1 and b.pull_request = $2 order by b.number desc limit 1";
    let row = store.db.first(sql, args![repository, pull_request]).await?;
    Ok(row
        .map(|row| Ok::<_, DbError>((row.get("number")?, jobs::status(&row)?)))
        .transpose()?)
}

/// The concurrency group of the build in a row.
pub(super) fn concurrency(row: &Row) -> Result<Option<Concurrency>, DbError> {
    let (group, mode): (Option<String>, Option<String>) = (row.get("concurrency")?, row.get("concurrency_mode")?);
    let (Some(group), Some(mode)) = (group, mode) else {
        return Ok(None);
    };
    let mode = super::from_word("concurrency_mode", &mode)?;
    Ok(Some(Concurrency { group, mode }))
}

/// One build with its jobs.
///
/// # Errors
/// `NotFound`.
pub async fn show(store: &Store, number: i64) -> Result<BuildDetail, StoreError> {
    let only = Filter {
        before: number.checked_add(1),
        ..Filter::default()
    };
    let build = pages::read(store, &pages::values(&only, 1))
        .await?
        .into_iter()
        .find(|build| build.number == number);
    let build = build.ok_or(StoreError::NotFound("build"))?;
    let diagnostics = store
        .db
        .first("select diagnostics from builds where number = $1", args![number])
        .await?;
    Ok(BuildDetail {
        build,
        diagnostics: diagnostics.ok_or(StoreError::NotFound("build"))?.json("diagnostics")?,
        jobs: jobs::of_build(store, number).await?,
    })
}

/// Stops it: jobs that nobody works on are cancelled at once, the others by their agents. A build that is over stays as
/// it is.
///
/// # Errors
/// `NotFound`.
pub async fn cancel(store: &Store, actor: &Actor, number: i64) -> Result<(), StoreError> {
    let (why, now) = (job_specs::dag::cancelled_by(actor.name()), store.now());
    store
        .act(actor, Action::CancelBuild, move |tx| {
            Box::pin(async move {
                ended::cancel_build(tx, number, &why, now).await?;
                Ok(((), Subject::build(number)))
            })
        })
        .await
}
