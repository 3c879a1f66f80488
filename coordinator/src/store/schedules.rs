//! Schedules: the times at which the default branch of a repository is built by the clock, and the inputs that its
//! builds by hand take; both as its job file said last. A schedule is due once for each of its times, whoever looks.

use job_specs::triggers::{Input, Schedule};
use protocol::ids::RepositoryId;
use serde::Serialize;

use super::{Change, Micros, Store, StoreError, from_word, to_json, to_word};
use crate::db::{DbError, Row, Tx, args};

/// A schedule of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scheduled {
    /// Whose.
    pub repository: RepositoryId,
    /// Its place in the job file, from 0.
    pub position: i64,
    /// As the job file says.
    #[serde(flatten)]
    pub schedule: Schedule,
    /// When it is due next. `None`: never again.
    pub next_at: Option<Micros>,
    /// What came of the last time, when there is something to say.
    pub message: Option<String>,
    /// The build that it made last.
    pub build: Option<i64>,
}

fn from_row(row: &Row) -> Result<Scheduled, DbError> {
    Ok(Scheduled {
        repository: RepositoryId(row.get("repository")?),
        position: row.get("position")?,
        schedule: Schedule {
            cron: row.get("cron")?,
            timezone: row.get("timezone")?,
            missed: from_word("missed", &row.get::<String>("missed")?)?,
            inputs: row.json("inputs")?,
        },
        next_at: row.get("next_at")?,
        message: row.get("message")?,
        build: row.get("build")?,
    })
}

/// What a job file says about builds that no push starts.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// Each with its next time, for one that is new.
    pub schedules: Vec<(Schedule, Option<Micros>)>,
    /// In the order of the file.
    pub inputs: Vec<Input>,
}

/// Takes over what the job file of the default branch says now. A schedule that was there before keeps its next time.
///
/// # Errors
/// The database.
pub async fn refresh(store: &Store, repository: &RepositoryId, declared: Declared) -> Result<(), StoreError> {
    let repository = repository.clone();
    store
        .write(move |tx| Box::pin(async move { Ok(replace(tx, &repository, &declared).await?) }))
        .await
}

async fn replace(tx: &mut Tx, repository: &RepositoryId, declared: &Declared) -> Result<(), DbError> {
    // The lock keeps two refreshes apart.
    tx.first(
        "select id from repositories where id = $1 for update",
        args![repository],
    )
    .await?;
    let sql = "update repositories set inputs = $2 where id = $1";
    tx.run(sql, args![repository, to_json(&declared.inputs)]).await?;
    let sql = "select repository, position, cron, timezone, missed, inputs, next_at, message, build from schedules
               where repository = $1 order by position";
    let mut before = Vec::new();
    for row in tx.all(sql, args![repository]).await? {
        before.push(from_row(&row)?);
    }
    tx.run("delete from schedules where repository = $1", args![repository])
        .await?;
    for (position, (schedule, next_at)) in (0_i64..).zip(&declared.schedules) {
        let same = |old: &Scheduled| old.schedule.cron == schedule.cron && old.schedule.timezone == schedule.timezone;
        let known = before.iter().position(same).map(|at| before.remove(at));
        let next_at = known.as_ref().map_or(*next_at, |known| known.next_at);
        tx.run(
            "insert into schedules (repository, position, cron, timezone, missed, inputs, next_at, try_at, message, build)
             values ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9)",
            args![
                repository,
                position,
                &schedule.cron,
                &schedule.timezone,
                to_word(&schedule.missed),
                to_json(&schedule.inputs),
                next_at,
                known.as_ref().and_then(|known| known.message.clone()),
                known.as_ref().and_then(|known| known.build)
            ],
        )
        .await?;
    }
    Ok(())
}

/// The schedules of a repository, in the order of its job file.
///
/// # Errors
/// The database.
pub async fn list(store: &Store, repository: &RepositoryId) -> Result<Vec<Scheduled>, StoreError> {
    let sql = "select repository, position, cron, timezone, missed, inputs, next_at, message, build from schedules
               where repository = $1 order by position";
    let rows = store.db.all(sql, args![repository]).await?;
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

/// The inputs that builds by hand take, as the job file of the default branch said last.
///
/// # Errors
/// The database.
pub async fn inputs(store: &Store, repository: &RepositoryId) -> Result<Vec<Input>, StoreError> {
    let sql = "select inputs from repositories where id = $1";
    let row = store.db.first(sql, args![repository]).await?;
    Ok(row.ok_or(StoreError::NotFound("repository"))?.json("inputs")?)
}

/// The schedules that are due at `now`, the one that waited longest first.
///
/// # Errors
/// The database.
pub async fn due(store: &Store, now: Micros) -> Result<Vec<Scheduled>, StoreError> {
    let sql = "select s.repository, s.position, s.cron, s.timezone, s.missed, s.inputs, s.next_at, s.message, s.build
               from schedules s join repositories r on r.id = s.repository
               where s.try_at <= $1 and r.removed_at is null order by s.try_at";
    let rows = store.db.all(sql, args![now]).await?;
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

/// What came of a time of a schedule.
#[derive(Debug, Clone, Default)]
pub struct Came {
    /// Its next time.
    pub next_at: Option<Micros>,
    /// The build that it made.
    pub build: Option<i64>,
    /// In words, when there is something to say.
    pub message: Option<String>,
}

/// A time is over; one that another coordinator has ended meanwhile stays as it is.
///
/// # Errors
/// The database.
pub async fn done(store: &Store, due: &Scheduled, came: Came) -> Result<(), StoreError> {
    let due = due.clone();
    let sql = "update schedules set next_at = $5, try_at = $5, message = $6, build = coalesce($7, build)
               where repository = $1 and cron = $2 and timezone = $3 and next_at = $4";
    store
        .write(move |tx| {
            Box::pin(async move {
                tx.notify(Change::Queue);
                let (key, schedule) = (&due.repository, &due.schedule);
                let values = args![
                    key,
                    &schedule.cron,
                    &schedule.timezone,
                    due.next_at,
                    came.next_at,
                    came.message,
                    came.build
                ];
                Ok(tx.run(sql, values).await.map(drop)?)
            })
        })
        .await
}

/// The time could not be served now; again at `at`.
///
/// # Errors
/// The database.
pub async fn retry_later(store: &Store, due: &Scheduled, at: Micros, why: String) -> Result<(), StoreError> {
    let due = due.clone();
    let sql = "update schedules set try_at = $4, message = $5 where repository = $1 and position = $2 and next_at = $3";
    store
        .write(move |tx| {
            Box::pin(async move {
                let values = args![&due.repository, due.position, due.next_at, at, why];
                Ok(tx.run(sql, values).await.map(drop)?)
            })
        })
        .await
}
