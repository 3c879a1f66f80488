//! Jobs as they begin: the rows of a new build's jobs, and the jobs of an old one to run again.

use std::collections::{HashMap, HashSet};

use job_specs::status::{JobEvent, JobStatus};
use protocol::ids::{JobId, RepositoryId};

use super::builds::{NewJob, Rerun};
use super::queue::Lane;
use super::{Change, Micros, StoreError, jobs, to_json};
use crate::db::{Tx, args};

/// Stores the jobs of a build; those without needs are queued.
pub(super) async fn insert(
    tx: &mut Tx,
    build: i64,
    repository: &RepositoryId,
    new: &[NewJob],
    now: Micros,
) -> Result<(), StoreError> {
    let names: HashSet<&str> = new.iter().map(|job| job.spec.name.as_str()).collect();
    let needed: HashSet<&str> = new
        .iter()
        .flat_map(|job| &job.spec.needs)
        .map(|need| need.job.as_str())
        .collect();
    let mut cells: HashMap<&str, u32> = HashMap::new();
    for (position, job) in (0..).zip(new) {
        if let Some(unknown) = job.spec.needs.iter().find(|need| !names.contains(need.job.as_str())) {
            let why = format!(
                "job `{}` needs `{}`, which is not in this build",
                job.spec.name, unknown.job
            );
            return Err(StoreError::Refused(why));
        }
        let cells_before = cells.entry(&job.spec.name).or_default();
        let held = job.spec.max_parallel.is_some_and(|most| *cells_before >= most.max(1));
        *cells_before += 1;
        let shares = job.spec.max_parallel.is_some() || job.spec.fail_fast;
        let linked = shares || needed.contains(job.spec.name.as_str());
        let row = NewRow {
            build,
            position,
            repository,
            job,
            held,
            linked,
            now,
        };
        row.insert(tx).await?;
    }
    if !new.is_empty() {
        tx.tell(Change::Queue);
    }
    Ok(())
}

struct NewRow<'a> {
    build: i64,
    position: i64,
    repository: &'a RepositoryId,
    job: &'a NewJob,
    held: bool,
    linked: bool,
    now: Micros,
}

impl NewRow<'_> {
    async fn insert(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let (id, spec, labels) = (JobId::generate(), &self.job.spec, to_json(&self.job.labels));
        let status = match spec.needs.is_empty() {
            true => JobStatus::Waiting.on(JobEvent::NeedsMet)?,
            false => JobStatus::Waiting,
        };
        tx.run(
            "insert into jobs (id, build, position, repository, name, title, matrix, needs, labels, lane, priority,
             retries, max_parallel, fail_fast, allow_failure, held, linked, status, history, attempts, created_at, queued_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, '', 0, $19, $20)",
            args![
                &id,
                self.build,
                self.position,
                self.repository,
                &spec.name,
                spec.title(),
                to_json(&spec.matrix),
                to_json(&spec.needs),
                &labels,
                Lane::name(self.repository, &labels),
                self.job.priority,
                self.job.retries,
                spec.max_parallel.map(i64::from),
                i64::from(spec.fail_fast),
                i64::from(spec.allow_failure),
                i64::from(self.held),
                i64::from(self.linked),
                status.name(),
                self.now,
                (status == JobStatus::Queued).then_some(self.now)
            ],
        )
        .await?;
        tx.run(
            "insert into specs (job, spec) values ($1, $2)",
            args![&id, to_json(spec)],
        )
        .await?;
        for need in spec.needs.iter().map(|need| &need.job).collect::<HashSet<_>>() {
            let sql = "insert into job_needs (build, needs, job) values ($1, $2, $3)";
            tx.run(sql, args![self.build, need, &id]).await?;
        }
        Ok(())
    }
}

/// The jobs of a build that is over, to run again.
pub(super) async fn again(tx: &mut Tx, build: i64, which: Rerun) -> Result<Vec<NewJob>, StoreError> {
    let sql = "select j.status, j.labels, j.priority, j.retries, s.spec from jobs j join specs s on s.job = j.id
               where j.build = $1 order by j.position";
    let mut new = Vec::new();
    for row in tx.all(sql, args![build]).await? {
        if which == Rerun::Failed && jobs::status(&row)? == JobStatus::Passed {
            continue;
        }
        new.push(NewJob {
            spec: row.json("spec")?,
            labels: row.json("labels")?,
            priority: row.get("priority")?,
            retries: u32::try_from(row.get::<i64>("retries")?).unwrap_or(0),
        });
    }
    // What a job needs and is not here has passed.
    let names: HashSet<String> = new.iter().map(|job: &NewJob| job.spec.name.clone()).collect();
    for job in &mut new {
        job.spec.needs.retain(|need| names.contains(&need.job));
    }
    Ok(new)
}
