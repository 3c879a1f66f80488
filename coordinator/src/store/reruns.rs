//! A build once more: all of it, what failed, or some of its jobs. It is a new build of the same commit with at most the
//! trust of the first one; what it does not run again counts as it ended there.

use std::collections::{BTreeSet, HashSet};

use job_specs::Facts;
use job_specs::model::JobSpec;
use job_specs::status::JobStatus;
use protocol::attempt::ReasonCode;
use protocol::ids::{JobId, RepositoryId};

use super::audit::{Action, Subject};
use super::builds::{self, Created, NewBuild, NewJob, Order, Rerun, UNTRUSTED};
use super::facts::{self, Trust, fact_columns};
use super::new_builds::Insert;
use super::{Actor, Micros, Store, StoreError, ended, from_word, jobs};
use crate::db::{DbError, Row, Tx, args};

/// Makes a new build of the same commit, trusted only if the first one was and `trusted` says so; gives its number.
///
/// # Errors
/// `NotFound`; `Refused` when the build is not over, or nothing of it is to run again.
pub async fn rerun(
    store: &Store,
    actor: &Actor,
    number: i64,
    (which, trusted): (Rerun, bool),
) -> Result<i64, StoreError> {
    let now = store.now();
    store
        .act(actor, Action::RerunBuild, move |tx| {
            Box::pin(async move {
                let made = repeat(tx, number, (which, trusted), now).await?;
                Ok((made, Subject::named(number.to_string()).in_build(made)))
            })
        })
        .await
}

async fn repeat(tx: &mut Tx, number: i64, (which, trusted): (Rerun, bool), now: Micros) -> Result<i64, StoreError> {
    ended::lock_build(tx, number).await?;
    let sql = concat!(
        "select b.repository, b.concurrency, b.concurrency_mode, b.cache_scope, b.message, ",
        fact_columns!(),
        " from builds b join repositories r on r.id = b.repository where b.number = $1"
    );
    let row = tx.one(sql, args![number], "build").await?;
    let open =
        "select id from jobs where build = $1 and status in ('waiting', 'queued', 'assigned', 'running') limit 1";
    if tx.first(open, args![number]).await?.is_some() {
        return Err(StoreError::Refused(format!(
            "build {number} is not over: cancel it first"
        )));
    }
    let jobs = again(tx, number, &which).await?;
    if jobs.is_empty() {
        let why = match which {
            Rerun::All => format!("build {number} has no jobs to run again: push a new commit"),
            Rerun::Failed => format!("nothing of build {number} failed"),
            Rerun::Jobs(_) => format!("build {number} has no such jobs"),
        };
        return Err(StoreError::Refused(why));
    }
    let mut new = NewBuild {
        repository: RepositoryId(row.get("repository")?),
        delivery: None,
        due: None,
        facts: Facts {
            build: None,
            ..facts::from_row(&row)?
        },
        trust: Trust::of(&row)?,
        concurrency: builds::concurrency(&row)?,
        order: Order::default(),
        cache_scope: row.get("cache_scope")?,
        files: None,
        diagnostics: Vec::new(),
        message: None,
        jobs,
    };
    if new.trust.is_trusted() && !trusted {
        new.trust = Trust::NoBranch;
        new.message = Some(UNTRUSTED.to_owned());
        new.concurrency = new.concurrency.map(|wanted| builds::apart(wanted, &new.facts));
    } else if !new.trust.is_trusted() {
        // Why it is not.
        new.message = row.get("message")?;
    }
    let insert = Insert {
        new,
        rerun_of: Some(number),
        now,
    };
    match insert.run(tx).await? {
        Created::New(number) | Created::Known(number) => Ok(number),
        Created::Moved => Err(StoreError::Refused("the build is of no push".into())),
    }
}

/// A job of the build that is repeated.
struct Old {
    id: JobId,
    status: JobStatus,
    reason: Option<ReasonCode>,
    job: NewJob,
    /// What it was expanded from.
    placeholder: Option<JobSpec>,
}

impl Old {
    fn from_row(row: &Row) -> Result<Old, DbError> {
        let mut job = NewJob::new(row.json("spec")?);
        job.labels = row.json("labels")?;
        job.priority = row.get("priority")?;
        job.retries = u32::try_from(row.get::<i64>("retries")?).unwrap_or(0);
        let (placeholder, reason): (Option<String>, Option<String>) =
            (row.get("placeholder")?, row.get("reason_code")?);
        Ok(Old {
            id: JobId(row.get("id")?),
            status: jobs::status(row)?,
            reason: reason.map(|code| from_word("reason_code", &code)).transpose()?,
            job,
            placeholder: placeholder.map(|_| row.json("placeholder")).transpose()?,
        })
    }

    /// It needs no repetition. A job that may fail and did is repeated with those that failed.
    fn has_passed(&self) -> bool {
        self.status.meets_needs(self.reason, false)
    }
}

/// The jobs of a build that is over, to run again.
async fn again(tx: &mut Tx, build: i64, which: &Rerun) -> Result<Vec<NewJob>, StoreError> {
    let sql = "select j.id, j.status, j.reason_code, j.labels, j.priority, j.retries, s.spec, s.placeholder
               from jobs j join specs s on s.job = j.id where j.build = $1 order by j.position";
    let rows = tx.all(sql, args![build]).await?;
    let old: Vec<Old> = rows.iter().map(Old::from_row).collect::<Result<_, _>>()?;
    let chosen: Vec<&Old> = match which {
        Rerun::All => old.iter().collect(),
        Rerun::Failed => old.iter().filter(|job| !job.has_passed()).collect(),
        Rerun::Jobs(ids) => with_followers(&old, ids),
    };
    let names: HashSet<&str> = chosen.iter().map(|old| old.job.spec.name.as_str()).collect();
    let (mut new, mut placeholders): (Vec<NewJob>, BTreeSet<String>) = (Vec::new(), BTreeSet::new());
    for old in chosen {
        let mut job = old.job.clone();
        let needs_run_again = job.spec.needs.iter().any(|need| names.contains(need.job.as_str()));
        if let Some(placeholder) = old.placeholder.as_ref().filter(|_| needs_run_again) {
            // Its needs may give other outputs this time: it is expanded again.
            if !placeholders.insert(placeholder.title()) {
                continue;
            }
            job = NewJob::new(placeholder.clone());
            job.priority = old.job.priority;
        }
        // What a job needs and is not here has passed.
        let needs = job.spec.needs.iter().map(|need| &need.job);
        job.met = needs.filter(|name| !names.contains(name.as_str())).cloned().collect();
        new.push(job);
    }
    Ok(new)
}

/// These jobs, and those that were skipped only because of them.
fn with_followers<'o>(old: &'o [Old], ids: &[JobId]) -> Vec<&'o Old> {
    let mut chosen: Vec<bool> = old.iter().map(|job| ids.contains(&job.id)).collect();
    loop {
        let can_follow = |at: usize, chosen: &[bool]| {
            let job = &old[at];
            let needs = &job.job.spec.needs;
            let counting = |name: &str| {
                let name = name.to_owned();
                (0..old.len()).filter(move |other| old[*other].job.spec.name == name)
            };
            job.reason == Some(ReasonCode::NeedsFailed)
                && needs.iter().any(|need| counting(&need.job).any(|other| chosen[other]))
                && needs
                    .iter()
                    .all(|need| counting(&need.job).all(|other| chosen[other] || old[other].has_passed()))
        };
        let more = (0..old.len()).find(|at| !chosen[*at] && can_follow(*at, &chosen));
        match more {
            Some(at) => chosen[at] = true,
            None => break,
        }
    }
    let pairs = old.iter().zip(&chosen);
    pairs.filter(|(_, chosen)| **chosen).map(|(job, _)| job).collect()
}
