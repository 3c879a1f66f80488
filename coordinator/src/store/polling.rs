//! Polling: which repositories are asked for their references, when, and what they answered last. Separate from
//! `repositories` because the machine writes here all the time. An answer and the deliveries of what moved are one write,
//! so a crash neither loses a push nor doubles it; a claim decides which coordinator asks, as with deliveries.

use std::collections::{BTreeMap, HashMap};

use protocol::ids::RepositoryId;

use super::audit::Action;
use super::deliveries::{self, NewDelivery};
use super::{Actor, Micros, Store, StoreError, repositories, to_json};
use crate::db::{DbError, Row, Tx, args};

/// The ids of branches and tags by their full names: of an annotated tag, the id of the tag object.
pub type References = BTreeMap<String, String>;

/// How often a repository is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval(u32);

impl Interval {
    /// The shortest, in seconds.
    pub const SHORTEST_SECS: u32 = 10;
    /// The longest, in seconds: a day.
    pub const LONGEST_SECS: u32 = 86_400;

    /// That many seconds.
    ///
    /// # Errors
    /// `Refused`: too short or too long.
    pub fn from_secs(secs: u32) -> Result<Interval, StoreError> {
        match secs {
            Interval::SHORTEST_SECS..=Interval::LONGEST_SECS => Ok(Interval(secs)),
            _ => Err(StoreError::Refused(format!(
                "a repository is polled every 10 seconds (10s) at the shortest and once a day (1d) at the longest, not every \
                 {secs} seconds"
            ))),
        }
    }

    /// In seconds.
    pub fn secs(self) -> u32 {
        self.0
    }
}

/// How a repository is polled, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polling {
    /// How often it is asked.
    pub interval: Interval,
    /// When it was asked last; `None`: not yet.
    pub polled_at: Option<Micros>,
    /// When it is asked next.
    pub next_at: Micros,
    /// Why it did not answer the last time, in a sentence; `None`: it did.
    pub problem: Option<String>,
}

/// What a repository answered last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Its references.
    pub references: References,
    /// When it answered so first.
    pub at: Micros,
}

/// A repository that is to be asked now, and the right to store what it answers.
#[derive(Debug, Clone)]
pub struct Due {
    /// Which.
    pub repository: RepositoryId,
    /// How often it is asked.
    pub interval: Interval,
    /// Polls since it last answered.
    pub failures: u32,
    /// What it answered last; `None`: it has not answered yet.
    pub remembered: Option<Remembered>,
    claimed_until: Micros,
}

fn interval(row: &Row) -> Result<Interval, DbError> {
    Ok(Interval(
        u32::try_from(row.get::<i64>("every_secs")?).unwrap_or(u32::MAX),
    ))
}

fn from_row(row: &Row) -> Result<Polling, DbError> {
    Ok(Polling {
        interval: interval(row)?,
        polled_at: row.get("polled_at")?,
        next_at: row.get("next_at")?,
        problem: row.get("problem")?,
    })
}

/// Says how often a repository is asked, from now on; `None`: it is not. One that was not asked until now begins with a
/// look that only remembers.
///
/// # Errors
/// `NotFound`.
pub async fn set(store: &Store, actor: &Actor, id: &RepositoryId, to: Option<Interval>) -> Result<(), StoreError> {
    let action = match to {
        Some(_) => Action::PollRepository,
        None => Action::UnpollRepository,
    };
    let (id, now) = (id.clone(), store.now());
    store
        .act(actor, action, move |tx| {
            Box::pin(async move {
                // Written to, the row keeps a removal away and lets those pass that refer to it: an answer that is being
                // stored has locked its row in `polling` and refers to the repository next.
                let sql = "update repositories set public = public where id = $1 and removed_at is null returning name";
                let subject = repositories::change(tx, sql, (&id, args![&id])).await?;
                match to {
                    Some(interval) => begin(tx, &id, (interval, now)).await?,
                    None => end(tx, &id).await?,
                }
                Ok(((), subject))
            })
        })
        .await
}

async fn begin(tx: &mut Tx, id: &RepositoryId, (interval, now): (Interval, Micros)) -> Result<(), DbError> {
    let sql = "insert into polling (repository, every_secs, next_at) values ($1, $2, $3)
               on conflict (repository) do update set every_secs = $2, next_at = $3";
    tx.run(sql, args![id, interval.0, now]).await.map(drop)
}

/// Forgets all of it; what is being asked is not stored any more.
pub(super) async fn end(tx: &mut Tx, id: &RepositoryId) -> Result<(), DbError> {
    tx.run("delete from polled_references where repository = $1", args![id])
        .await?;
    tx.run("delete from polling where repository = $1", args![id])
        .await
        .map(drop)
}

/// How a repository is polled. `None`: it is not.
///
/// # Errors
/// The database.
pub async fn of(store: &Store, id: &RepositoryId) -> Result<Option<Polling>, StoreError> {
    let sql = "select every_secs, polled_at, next_at, problem from polling where repository = $1";
    let row = store.db.first(sql, args![id]).await?;
    Ok(row.as_ref().map(from_row).transpose()?)
}

/// How each of the repositories that are polled is polled.
///
/// # Errors
/// The database.
pub async fn all(store: &Store) -> Result<HashMap<RepositoryId, Polling>, StoreError> {
    let sql = "select repository, every_secs, polled_at, next_at, problem from polling";
    let rows = store.db.all(sql, args![]).await?;
    let pairs = rows
        .iter()
        .map(|row| Ok((RepositoryId(row.get("repository")?), from_row(row)?)));
    Ok(pairs.collect::<Result<_, DbError>>()?)
}

/// Takes the repository that has been due for longest, hidden from others until `until`.
///
/// # Errors
/// The database.
pub async fn claim_due(store: &Store, (now, until): (Micros, Micros)) -> Result<Option<Due>, StoreError> {
    // Mostly there is none: then nobody waits for the writer.
    let any = "select repository from polling where next_at <= $1 limit 1";
    if store.db.first(any, args![now]).await?.is_none() {
        return Ok(None);
    }
    store
        .write(move |tx| Box::pin(async move { Ok(take_due(tx, (now, until)).await?) }))
        .await
}

async fn take_due(tx: &mut Tx, (now, until): (Micros, Micros)) -> Result<Option<Due>, DbError> {
    let due = "select repository, every_secs, failures from polling where next_at <= $1 order by next_at, repository
               limit 1 for update skip locked";
    let Some(row) = tx.first(due, args![now]).await? else {
        return Ok(None);
    };
    let repository = RepositoryId(row.get("repository")?);
    let hide = "update polling set next_at = $2 where repository = $1";
    tx.run(hide, args![&repository, until]).await?;
    let sql = "select found, at from polled_references where repository = $1";
    let remembered = match tx.first(sql, args![&repository]).await? {
        None => None,
        Some(found) => Some(Remembered {
            references: found.json("found")?,
            at: found.get("at")?,
        }),
    };
    Ok(Some(Due {
        repository,
        interval: interval(&row)?,
        failures: u32::try_from(row.get::<i64>("failures")?).unwrap_or(u32::MAX),
        remembered,
        claimed_until: until,
    }))
}

/// What a repository answered.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Its references, which are remembered.
    pub references: References,
    /// What moved since it answered last.
    pub deliveries: Vec<NewDelivery>,
}

/// Stores an answer; the repository is asked again at `next_at`. `false`: nothing was stored, because it is not polled any
/// more, is to be asked anew, or was claimed by another coordinator meanwhile.
///
/// # Errors
/// The database.
pub async fn answered(store: &Store, due: Due, answer: Answer, next_at: Micros) -> Result<bool, StoreError> {
    let now = store.now();
    let is_known = due
        .remembered
        .is_some_and(|known| known.references == answer.references);
    let found = (!is_known).then(|| to_json(&answer.references));
    let (id, claimed_until) = (due.repository, due.claimed_until);
    store
        .write(move |tx| {
            Box::pin(async move {
                let sql = "update polling set next_at = $3, polled_at = $4, failures = 0, problem = null
                           where repository = $1 and next_at = $2";
                if tx.run(sql, args![&id, claimed_until, next_at, now]).await? == 0 {
                    return Ok(false);
                }
                if let Some(found) = found {
                    let sql = "insert into polled_references (repository, found, at) values ($1, $2, $3)
                               on conflict (repository) do update set found = $2, at = $3";
                    tx.run(sql, args![&id, found, now]).await?;
                }
                for delivery in &answer.deliveries {
                    deliveries::keep(tx, delivery, now).await?;
                }
                Ok(true)
            })
        })
        .await
}

/// Stores that a repository did not answer, and why; it is asked again at `next_at`. As [`answered`] otherwise.
///
/// # Errors
/// The database.
pub async fn failed(store: &Store, due: Due, (problem, next_at): (String, Micros)) -> Result<bool, StoreError> {
    let now = store.now();
    let sql = "update polling set next_at = $3, polled_at = $4, failures = failures + 1, problem = $5
               where repository = $1 and next_at = $2";
    store
        .write(move |tx| {
            Box::pin(async move {
                let values = args![&due.repository, due.claimed_until, next_at, now, problem];
                Ok(tx.run(sql, values).await? > 0)
            })
        })
        .await
}
