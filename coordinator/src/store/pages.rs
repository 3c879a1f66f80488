//! A page of builds: which builds the database chooses, and how each stands by its jobs.

use std::collections::BTreeMap;

use job_specs::status::JobStatus;
use protocol::ids::RepositoryId;

use super::approvals;
use super::builds::{self, Build, Filter};
use super::facts::{self, Trust, fact_columns};
use super::groups::GroupState;
use super::{Micros, Store, StoreError, jobs};
use crate::db::{DbError, Row, Value};

/// The builds of a page: one text for the builds and for the counts of their jobs.
macro_rules! page {
    ($($columns:expr),+) => {
        concat!(
            "select ",
            $($columns),+,
            " from builds b join repositories r on r.id = b.repository join build_status s on s.build = b.number
             where ($1 is null or b.repository = $1) and ($2 is null or b.branch = $2) and ($3 is null or b.sha = $3)
             and ($4 = 0 or r.public = 1) and ($5 is null or b.number < $5)
             and ($6 is null or s.status = $6)
             order by b.number desc limit $7"
        )
    };
}

/// As far as a page is chosen by the database.
pub(super) fn values(filter: &Filter, limit: u32) -> Vec<Value> {
    vec![
        filter.repository.as_ref().map(RepositoryId::as_str).into(),
        (&filter.branch).into(),
        (&filter.commit).into(),
        i64::from(filter.public_only).into(),
        filter.before.into(),
        filter.status.map(JobStatus::name).into(),
        limit.into(),
    ]
}

/// The builds that [`values`] choose, newest first.
pub(super) async fn read(store: &Store, values: &[Value]) -> Result<Vec<Build>, StoreError> {
    let columns = page!(
        fact_columns!(),
        ", b.number, b.repository, r.public, b.message, b.rerun_of, b.created_at, b.concurrency, b.concurrency_mode,
         b.group_state, b.approval, b.approved_by, s.status"
    );
    let counts = concat!(
        "select j.build, j.status, count(*) as n, min(j.started_at) as started_at,
         max(j.finished_at) as finished_at from jobs j
         where j.build in (select number from (",
        page!("b.number"),
        ") p) group by j.build, j.status"
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
    counts: BTreeMap<&'static str, u32>,
    started_at: Option<Micros>,
    finished_at: Option<Micros>,
}

impl Tally {
    fn add(&mut self, row: &Row) -> Result<(), DbError> {
        *self.counts.entry(jobs::status(row)?.name()).or_default() +=
            u32::try_from(row.get::<i64>("n")?).unwrap_or(u32::MAX);
        let started_at: Option<Micros> = row.get("started_at")?;
        self.started_at = [self.started_at, started_at].into_iter().flatten().min();
        self.finished_at = self.finished_at.max(row.get("finished_at")?);
        Ok(())
    }
}

fn from_row(row: &Row, tally: &Tally) -> Result<Build, DbError> {
    let (status, created_at) = (jobs::status(row)?, row.get("created_at")?);
    Ok(Build {
        number: row.get("number")?,
        repository_id: RepositoryId(row.get("repository")?),
        repository: row.get("repository_name")?,
        public: row.flag("public")?,
        facts: facts::from_row(row)?,
        trust: Trust::of(row)?,
        status,
        counts: tally.counts.clone(),
        message: row.get("message")?,
        rerun_of: row.get("rerun_of")?,
        concurrency: builds::concurrency(row)?,
        approval: approvals::from_row(row)?,
        waits_for_group: GroupState::of(row)? == Some(GroupState::Waiting),
        created_at,
        started_at: tally.started_at,
        finished_at: match status.is_final() {
            // A build without jobs ended when it was made.
            true => tally.finished_at.or(Some(created_at)),
            false => None,
        },
    })
}
