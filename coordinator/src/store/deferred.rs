//! Deferred jobs: those whose definition needs outputs of other jobs. A placeholder stands for each until the jobs
//! that it needs have ended; then it is due, and whoever finds it expands it and puts the cells in its context. Nothing
//! of it is kept in memory, so a coordinator that dies in between costs nothing.

use job_specs::dag::outputs::Seen;
use job_specs::dag::{Expanded, begins_blocked, cells_of};
use job_specs::diagnostics::Diagnostic;
use job_specs::model::{JobSpec, Need};
use job_specs::status::{JobEvent, JobStatus};
use protocol::api::Approval;
use protocol::attempt::{Reason, ReasonCode};
use protocol::ids::{JobId, RepositoryId};

use super::builds::NewJob;
use super::ended::{self, BuildLock};
use super::facts::Trust;
use super::groups::GroupState;
use super::jobs::{self, Expansion, Locked};
use super::lanes::Lane;
use super::new_jobs::{BuildContext, NewRow, first_event};
use super::origins::{self, Origin};
use super::outputs;
use super::{Change, Micros, Store, StoreError, approvals, to_json};
use crate::db::{Tx, args};

/// A job that can be expanded now.
#[derive(Debug)]
pub struct Due {
    /// The placeholder.
    pub job: JobId,
    /// Its build.
    pub build: i64,
    /// Its key in the file.
    pub name: String,
    /// What its build was made from; `None`: it is not kept.
    pub origin: Option<Origin>,
    /// What it may use.
    pub seen: Seen,
}

/// Every job that is due, oldest build first.
///
/// # Errors
/// The database.
pub async fn due(store: &Store) -> Result<Vec<Due>, StoreError> {
    let sql = "select j.id, j.build, j.name, s.spec from jobs j join specs s on s.job = j.id
               where j.expansion = 'due' and j.status = 'waiting' order by j.build, j.position";
    let mut all = Vec::new();
    for row in store.db.all(sql, args![]).await? {
        let (build, spec): (i64, JobSpec) = (row.get("build")?, row.json("spec")?);
        all.push(Due {
            job: JobId(row.get("id")?),
            build,
            name: row.get("name")?,
            origin: origins::of(store, build).await?,
            seen: outputs::seen_by(store, build, &spec.needs).await?,
        });
    }
    Ok(all)
}

/// Puts the cells in the context of a job that was due. One that is not any more stays as it is.
///
/// # Errors
/// `NotFound`.
pub async fn expand(store: &Store, job: &JobId, expanded: Expanded) -> Result<(), StoreError> {
    let (job, now) = (job.clone(), store.now());
    store
        .write(move |tx| Box::pin(async move { replace(tx, &job, expanded, now).await }))
        .await
}

async fn replace(tx: &mut Tx, id: &JobId, expanded: Expanded, now: Micros) -> Result<(), StoreError> {
    let build = ended::lock_for(tx, id).await?;
    let mut job = jobs::lock(tx, id).await?;
    let sql =
        "select j.position, j.repository, j.linked, j.needs, b.trust, b.group_state, b.approval, b.approved_by, s.spec
               from jobs j join builds b on b.number = j.build join specs s on s.job = j.id where j.id = $1";
    let row = tx.one(sql, args![id], "job").await?;
    if job.status != JobStatus::Waiting || job.expansion != Expansion::Due {
        return Ok(());
    }
    let repository = RepositoryId(row.get("repository")?);
    let context = BuildContext {
        build: build.number,
        repository: &repository,
        trusted: Trust::of(&row)?.is_trusted(),
        grouped: build.group.is_some(),
        waits: GroupState::of(&row)? == Some(GroupState::Waiting),
        unapproved: approvals::from_row(&row)?.is_some_and(|approved| approved.state == Approval::Needed),
        now,
    };
    let placeholder: JobSpec = row.json("spec")?;
    let waited_for: Vec<Need> = row.json("needs")?;
    let cells = match expanded {
        Expanded::Refused { sentence, diagnostics } => {
            add_diagnostics(tx, build.number, diagnostics).await?;
            return refuse(tx, &build, job, sentence, now).await;
        }
        Expanded::Cells(cells) => cells_of(&placeholder, cells),
    };
    let mut cells = cells.into_iter();
    let Some(first) = cells.next() else {
        let why = Reason::new(ReasonCode::ConditionNotMet, "the matrix has no cells");
        jobs::record(tx, &mut job, JobEvent::Skip, Some(why), now).await?;
        return ended::propagate(tx, &build, vec![job], now).await;
    };
    let met = |spec: &JobSpec| met(spec, &waited_for);
    let linked = row.flag("linked")?;
    become_first(tx, &mut job, (&context, &placeholder), &first).await?;
    let mut over: Vec<Locked> = job.status.is_final().then_some(job).into_iter().collect();
    for (before, spec) in (1..).zip(cells) {
        let row = NewRow {
            position: row.get::<i64>("position")? + i64::from(before),
            blocked: begins_blocked(&spec, before),
            linked,
            placeholder: Some(&placeholder),
        };
        let mut new = NewJob::new(spec);
        new.met = met(&new.spec);
        over.extend(row.insert(tx, &context, &new).await?);
    }
    tx.notify(Change::Queue);
    ended::propagate(tx, &build, over, now).await
}

/// What of the needs was met before this build.
fn met(spec: &JobSpec, waited_for: &[Need]) -> Vec<String> {
    let names = spec.needs.iter().map(|need| &need.job);
    let met = names.filter(|name| !waited_for.iter().any(|need| need.job == **name));
    met.cloned().collect()
}

/// The placeholder's row becomes the first cell.
async fn become_first(
    tx: &mut Tx,
    job: &mut Locked,
    (context, placeholder): (&BuildContext<'_>, &JobSpec),
    spec: &JobSpec,
) -> Result<(), StoreError> {
    let new = NewJob::new(spec.clone());
    let labels = to_json(&new.labels);
    tx.run(
        "update jobs set title = $2, matrix = $3, labels = $4, lane = $5, retries = $6, max_parallel = $7,
         fail_fast = $8, allow_failure = $9, expansion = 'no' where id = $1",
        args![
            &job.id,
            spec.title(),
            to_json(&spec.matrix),
            &labels,
            Lane::name(context.repository, spec.asked_memory(), &labels),
            new.retries,
            spec.max_parallel.map(i64::from),
            i64::from(spec.fail_fast),
            i64::from(spec.allow_failure)
        ],
    )
    .await?;
    let sql = "update specs set spec = $2, placeholder = $3 where job = $1";
    tx.run(sql, args![&job.id, to_json(spec), to_json(placeholder)]).await?;
    *job = jobs::lock(tx, &job.id).await?;
    let (event, why) = first_event(spec, context.trusted);
    jobs::record(tx, job, event, why, context.now).await
}

async fn refuse(
    tx: &mut Tx,
    build: &BuildLock,
    mut job: Locked,
    sentence: String,
    now: Micros,
) -> Result<(), StoreError> {
    let why = Reason::new(ReasonCode::InvalidJob, sentence);
    jobs::record(tx, &mut job, JobEvent::Refuse, Some(why), now).await?;
    ended::propagate(tx, build, vec![job], now).await
}

async fn add_diagnostics(tx: &mut Tx, build: i64, new: Vec<Diagnostic>) -> Result<(), StoreError> {
    let sql = "select diagnostics from builds where number = $1 for update";
    let row = tx.one(sql, args![build], "build").await?;
    let mut all: Vec<Diagnostic> = row.json("diagnostics")?;
    all.extend(new);
    let sql = "update builds set diagnostics = $2 where number = $1";
    tx.run(sql, args![build, to_json(&all)]).await?;
    Ok(())
}
