//! Builds: one event at one commit, and its jobs. A build's status is always derived from its jobs by
//! [`job_specs::status::rollup`], and so are its times.

use std::collections::BTreeMap;

use job_specs::diagnostics::Diagnostic;
use job_specs::model::{Env, JobSpec};
use job_specs::status::{JobStatus, rollup};
use protocol::ids::{DeliveryId, RepositoryId};
use serde::Serialize;

use super::jobs::{self, Job};
use super::{Change, Micros, Store, StoreError, counters, ended, new_jobs};
use crate::db::{DbError, Row, Tx, Value, args};

/// What happened in the repository: the part of a build that is known before its jobs are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// `push`, `tag`, `pull_request`, `schedule`, `manual`.
    pub event: String,
    /// The branch, if it is on one.
    pub branch: Option<String>,
    /// The tag, if it is one.
    pub tag: Option<String>,
    /// `refs/heads/main`
    pub reference: String,
    /// Full object id.
    pub commit: String,
    /// First line of the commit's message.
    pub title: String,
    /// The commit's author, for people; authority never comes from here.
    pub author: String,
    /// Whether the code is ours: it may have secrets and reuse sandboxes.
    pub trusted: bool,
}

/// A build to make.
#[derive(Debug, Clone)]
pub struct NewBuild {
    /// Whose.
    pub repository: RepositoryId,
    /// From [`reserve_number`]; `None`: the next one.
    pub number: Option<i64>,
    /// The delivery that made it; the same delivery never makes two builds.
    pub delivery: Option<DeliveryId>,
    /// What happened.
    pub cause: Cause,
    /// What is wrong with the job file, if anything is.
    pub diagnostics: Vec<Diagnostic>,
    /// Why there are no jobs, or what else people should know, in words.
    pub message: Option<String>,
    /// In the order of the file. Empty: the build has failed.
    pub jobs: Vec<NewJob>,
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
}

impl NewJob {
    /// With no labels, priority 0 and [`super::queue::RETRIES`].
    pub fn new(spec: JobSpec) -> NewJob {
        NewJob {
            spec,
            labels: Env::new(),
            priority: 0,
            retries: super::queue::RETRIES,
        }
    }
}

/// One build, for lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    #[serde(flatten)]
    pub cause: Cause,
    /// From its jobs.
    pub status: JobStatus,
    /// How many jobs stand where; by [`JobStatus::name`].
    pub counts: BTreeMap<&'static str, u32>,
    /// Why there are no jobs, or what else people should know.
    pub message: Option<String>,
    /// The build that this one repeats.
    pub rerun_of: Option<i64>,
    /// When it was made.
    pub created_at: Micros,
    /// When its first attempt began.
    pub started_at: Option<Micros>,
    /// When its last job ended.
    pub finished_at: Option<Micros>,
}

/// A build with everything about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuildDetail {
    /// What lists show.
    #[serde(flatten)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rerun {
    /// All.
    All,
    /// Those that did not pass; what they need and has passed counts as passed.
    Failed,
}

/// The counter of build numbers.
const NUMBERS: &str = "builds";

/// Takes the next build number, so that it can stand in the jobs' values.
///
/// # Errors
/// The database.
pub async fn reserve_number(store: &Store) -> Result<i64, StoreError> {
    store
        .write(move |tx| Box::pin(async move { Ok(counters::next(tx, NUMBERS).await?) }))
        .await
}

/// Makes a build and its jobs; those without needs are queued at once. A delivery that has made its build already
/// gives the number of that build.
///
/// # Errors
/// `Refused` when a job needs one that is not in the build; `NotFound`: the repository.
pub async fn create(store: &Store, new: NewBuild) -> Result<i64, StoreError> {
    let now = store.now();
    store
        .write(move |tx| Box::pin(async move { insert(tx, new, None, now).await }))
        .await
}

async fn insert(tx: &mut Tx, new: NewBuild, rerun_of: Option<i64>, now: Micros) -> Result<i64, StoreError> {
    if let Some(delivery) = &new.delivery {
        // The lock makes a second processor of the same delivery wait, and then see the first one's build.
        tx.first("select id from deliveries where id = $1 for update", args![delivery])
            .await?;
        if let Some(row) = tx
            .first("select number from builds where delivery = $1", args![delivery])
            .await?
        {
            return Ok(row.get("number")?);
        }
    }
    super::repositories::must_exist(tx, &new.repository).await?;
    let number = match new.number {
        Some(number) => number,
        None => counters::next(tx, NUMBERS).await?,
    };
    let cause = &new.cause;
    tx.run(
        "insert into builds (number, repository, delivery, event, branch, tag, reference, sha, title, author, trusted,
         diagnostics, message, rerun_of, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        args![
            number,
            &new.repository,
            new.delivery.as_ref().map(DeliveryId::as_str),
            &cause.event,
            &cause.branch,
            &cause.tag,
            &cause.reference,
            &cause.commit,
            &cause.title,
            &cause.author,
            i64::from(cause.trusted),
            super::to_json(&new.diagnostics),
            &new.message,
            rerun_of,
            now
        ],
    )
    .await?;
    new_jobs::insert(tx, number, &new.repository, &new.jobs, now).await?;
    tx.tell(Change::Build(number));
    Ok(number)
}

/// The builds of a page: one text for the builds and for the counts of their jobs.
macro_rules! page {
    ($columns:literal) => {
        concat!(
            "select ",
            $columns,
            " from builds b join repositories r on r.id = b.repository
             where ($1 is null or b.repository = $1) and ($2 is null or b.branch = $2) and ($3 is null or b.sha = $3)
             and ($4 = 0 or r.public = 1) and ($5 is null or b.number < $5)
             and ($6 is null or ($6 = 1) = exists (select 1 from jobs o where o.build = b.number
               and o.status in ('waiting', 'queued', 'assigned', 'running')))
             order by b.number desc limit $7"
        )
    };
}

/// As far as a page is chosen by the database.
fn page_values(filter: &Filter, before: Option<i64>, limit: u32) -> Vec<Value> {
    let is_open = filter.status.map(|status| i64::from(!status.is_final()));
    vec![
        filter.repository.as_ref().map(RepositoryId::as_str).into(),
        (&filter.branch).into(),
        (&filter.commit).into(),
        i64::from(filter.public_only).into(),
        before.into(),
        is_open.into(),
        limit.into(),
    ]
}

/// Builds, newest first.
///
/// # Errors
/// The database.
pub async fn list(store: &Store, filter: &Filter) -> Result<Vec<Build>, StoreError> {
    let limit = if filter.limit == 0 { 50 } else { filter.limit };
    let mut found: Vec<Build> = Vec::new();
    let mut before = filter.before;
    loop {
        let page = read_page(store, &page_values(filter, before, limit)).await?;
        let is_last = page.len() < limit as usize;
        before = page.last().map(|build| build.number);
        // A status is derived, so the database cannot choose by it.
        found.extend(
            page.into_iter()
                .filter(|build| filter.status.is_none_or(|status| build.status == status)),
        );
        if is_last || found.len() >= limit as usize {
            found.truncate(limit as usize);
            return Ok(found);
        }
    }
}

async fn read_page(store: &Store, values: &[Value]) -> Result<Vec<Build>, StoreError> {
    let columns = page!(
        "b.number, b.repository, r.name as repository_name, r.public, b.event, b.branch, b.tag, b.reference, b.sha,
         b.title, b.author, b.trusted, b.message, b.rerun_of, b.created_at"
    );
    let counts = concat!(
        "select j.build, j.status, j.allow_failure, count(*) as n, min(j.started_at) as started_at,
         max(j.finished_at) as finished_at from jobs j
         where j.build in (select number from (",
        page!("b.number"),
        ") p) group by j.build, j.status, j.allow_failure"
    );
    let mut tallies: BTreeMap<i64, Tally> = BTreeMap::new();
    for row in store.db.all(counts, values).await? {
        tallies.entry(row.get("build")?).or_default().add(&row)?;
    }
    let rows = store.db.all(columns, values).await?;
    let build = |row: &Row| from_row(row, tallies.get(&row.get("number")?).unwrap_or(&Tally::default()));
    Ok(rows.iter().map(build).collect::<Result<_, _>>()?)
}

/// How the jobs of one build stand.
#[derive(Default)]
struct Tally {
    jobs: Vec<(JobStatus, bool)>,
    counts: BTreeMap<&'static str, u32>,
    started_at: Option<Micros>,
    finished_at: Option<Micros>,
}

impl Tally {
    fn add(&mut self, row: &Row) -> Result<(), DbError> {
        let status = jobs::status(row)?;
        self.jobs.push((status, row.flag("allow_failure")?));
        *self.counts.entry(status.name()).or_default() += u32::try_from(row.get::<i64>("n")?).unwrap_or(u32::MAX);
        let started_at: Option<Micros> = row.get("started_at")?;
        self.started_at = [self.started_at, started_at].into_iter().flatten().min();
        self.finished_at = self.finished_at.max(row.get("finished_at")?);
        Ok(())
    }
}

fn from_row(row: &Row, tally: &Tally) -> Result<Build, DbError> {
    let (status, created_at) = (rollup(tally.jobs.iter().copied()), row.get("created_at")?);
    Ok(Build {
        number: row.get("number")?,
        repository_id: RepositoryId(row.get("repository")?),
        repository: row.get("repository_name")?,
        public: row.flag("public")?,
        cause: cause(row, "title")?,
        status,
        counts: tally.counts.clone(),
        message: row.get("message")?,
        rerun_of: row.get("rerun_of")?,
        created_at,
        started_at: tally.started_at,
        finished_at: match status.is_final() {
            // A build without jobs ended when it was made.
            true => tally.finished_at.or(Some(created_at)),
            false => None,
        },
    })
}

/// The cause of the build in a row; `title` is the column of the commit's title.
pub(super) fn cause(row: &Row, title: &str) -> Result<Cause, DbError> {
    Ok(Cause {
        event: row.get("event")?,
        branch: row.get("branch")?,
        tag: row.get("tag")?,
        reference: row.get("reference")?,
        commit: row.get("sha")?,
        title: row.get(title)?,
        author: row.get("author")?,
        trusted: row.flag("trusted")?,
    })
}

/// One build with its jobs.
///
/// # Errors
/// `NotFound`.
pub async fn show(store: &Store, number: i64) -> Result<BuildDetail, StoreError> {
    let page = page_values(&Filter::default(), number.checked_add(1), 1);
    let build = read_page(store, &page)
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

/// Stops it: jobs that nobody works on are cancelled at once, the others by their agents. A build that is over stays
/// as it is.
///
/// # Errors
/// `NotFound`.
pub async fn cancel(store: &Store, number: i64) -> Result<(), StoreError> {
    let now = store.now();
    store
        .write(move |tx| Box::pin(async move { ended::cancel_build(tx, number, "cancelled", now).await }))
        .await
}

/// Makes a new build of the same commit, with the trust of the first one; gives its number.
///
/// # Errors
/// `NotFound`; `Refused` when the build is not over, or nothing of it failed.
pub async fn rerun(store: &Store, number: i64, which: Rerun) -> Result<i64, StoreError> {
    let now = store.now();
    store
        .write(move |tx| Box::pin(async move { repeat(tx, number, which, now).await }))
        .await
}

async fn repeat(tx: &mut Tx, number: i64, which: Rerun, now: Micros) -> Result<i64, StoreError> {
    let sql = "select repository, event, branch, tag, reference, sha, title, author, trusted from builds
               where number = $1 for update";
    let row = tx
        .first(sql, args![number])
        .await?
        .ok_or(StoreError::NotFound("build"))?;
    let open =
        "select id from jobs where build = $1 and status in ('waiting', 'queued', 'assigned', 'running') limit 1";
    if tx.first(open, args![number]).await?.is_some() {
        return Err(StoreError::Refused(format!(
            "build {number} is not over: cancel it first"
        )));
    }
    let jobs = new_jobs::again(tx, number, which).await?;
    if jobs.is_empty() {
        let why = match which {
            Rerun::All => format!("build {number} has no jobs to run again: push a new commit"),
            Rerun::Failed => format!("nothing of build {number} failed"),
        };
        return Err(StoreError::Refused(why));
    }
    let new = NewBuild {
        repository: RepositoryId(row.get("repository")?),
        number: None,
        delivery: None,
        cause: cause(&row, "title")?,
        diagnostics: Vec::new(),
        message: None,
        jobs,
    };
    insert(tx, new, Some(number), now).await
}
