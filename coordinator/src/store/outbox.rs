//! The outbox: what forges are still to be told. A row is made in the transaction of the change that it is about, and says
//! only that something is to be told: what, is read when it is sent. So a forge that was down for a day is told how things
//! stand, once, and a coordinator that dies sends again what it may have sent.

use protocol::api::{OutboxEntry, OutboxKind, OutboxStatus};
use protocol::ids::RepositoryId;

use super::connections::{self, Connection};
use super::{Change, Micros, Store, StoreError, from_word, to_word};
use crate::db::{DbError, Row, Tx, args};

/// How long one that was claimed stays hidden from other claims, in microseconds: 2 minutes.
const CLAIM_US: i64 = 120_000_000;
/// Pauses before the next try of one thing that is alone in failing, in seconds; then always the last one.
const PAUSES: [i64; 7] = [2, 5, 15, 60, 300, 900, 3_600];
/// Pauses of everything that goes to a forge which does not answer well, in seconds; then always the last one. Nothing is
/// given up because a forge is down.
const HOLDS: [i64; 5] = [2, 5, 15, 60, 300];

/// Something to tell a forge now.
pub struct Due {
    id: String,
    changes: i64,
    tries: i64,
    /// What kind of thing.
    pub kind: OutboxKind,
    /// What it is about: of a commit status, commit and context.
    pub subject: String,
    /// The newest build that it is about.
    pub build: Option<i64>,
    /// Whose, and whom to tell.
    pub connection: Connection,
}

/// What came of telling it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The forge knows it.
    Sent,
    /// Not now; of a pause for the forge as a whole, how long it asked for, in seconds.
    NotNow {
        /// In words.
        why: String,
        /// Whether nothing else is to be sent there for a while, either.
        hold: Option<Hold>,
    },
    /// Never as things are: somebody must look at it.
    Failed(String),
}

/// A pause of everything that goes to one forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It did not answer well: longer each time.
    BackOff,
    /// It asked for so many seconds.
    Asked(i64),
}

/// What one commit status is about.
struct Subject {
    repository: RepositoryId,
    subject: String,
    build: i64,
}

/// The builds are not what they were: whoever hosts their code is to hear of it. Rows are taken in one order, so that two
/// transactions never wait for each other.
pub(super) async fn builds_changed(tx: &mut Tx, builds: &[i64], now: Micros) -> Result<(), StoreError> {
    let connected = "select b.repository, b.sha, b.event from builds b join repositories r on r.id = b.repository
                     where b.number = $1 and r.forge_token is not null and r.removed_at is null";
    let mut subjects = Vec::new();
    for build in builds {
        let Some(row) = tx.first(connected, args![*build]).await? else {
            continue;
        };
        let (sha, event): (String, String) = (row.get("sha")?, row.get("event")?);
        subjects.push(Subject {
            repository: RepositoryId(row.get("repository")?),
            subject: format!("{sha} drover/{event}"),
            build: *build,
        });
    }
    subjects.sort_by(|a, b| (a.repository.as_str(), &a.subject).cmp(&(b.repository.as_str(), &b.subject)));
    for of_build in subjects {
        let (kind, about) = (
            OutboxKind::CommitStatus,
            (of_build.subject.as_str(), Some(of_build.build)),
        );
        put(tx, (&of_build.repository, kind), about, now).await?;
    }
    Ok(())
}

/// The forge, if the repository is connected with it, is to be told of the webhook.
pub(super) async fn webhook_changed(tx: &mut Tx, repository: &RepositoryId, now: Micros) -> Result<(), StoreError> {
    let connected = "select id from repositories where id = $1 and forge_token is not null";
    match tx.first(connected, args![repository]).await? {
        None => Ok(()),
        Some(_) => put(tx, (repository, OutboxKind::Webhook), ("", None), now).await,
    }
}

/// An older build never takes the place of a newer one. One that waits after a failure goes on waiting.
async fn put(
    tx: &mut Tx,
    (repository, kind): (&RepositoryId, OutboxKind),
    (subject, build): (&str, Option<i64>),
    now: Micros,
) -> Result<(), StoreError> {
    let sql = "insert into outbox (id, kind, repository, subject, build, status, changes, tries, next_at, changed_at)
               values ($1, $2, $3, $4, $5, 'pending', 1, 0, $6, $6)
               on conflict (repository, kind, subject) do update set build = excluded.build, status = 'pending',
               changes = outbox.changes + 1, changed_at = excluded.changed_at,
               tries = case when outbox.status = 'pending' then outbox.tries else 0 end,
               next_at = case when outbox.status = 'pending' then outbox.next_at else excluded.next_at end
               where outbox.build is null or outbox.build <= excluded.build";
    let id = uuid::Uuid::now_v7().simple().to_string();
    tx.run(sql, args![id, to_word(&kind), repository, subject, build, now])
        .await?;
    tx.notify(Change::Outbox);
    Ok(())
}

/// Takes the oldest that is due at `now`, hidden from others for 2 minutes.
///
/// # Errors
/// `Key` when the token was sealed with another key.
pub async fn claim_due(store: &Store, now: Micros) -> Result<Option<Due>, StoreError> {
    // Mostly there is none: then nobody waits for the writer.
    let any = "select id from outbox where status = 'pending' and next_at <= $1 limit 1";
    if store.db.first(any, args![now]).await?.is_none() {
        return Ok(None);
    }
    let claimed = store
        .write(move |tx| Box::pin(async move { take_due(tx, now).await }))
        .await?;
    let Some(row) = claimed else { return Ok(None) };
    let repository = RepositoryId(row.get("repository")?);
    let Some(connection) = connections::get(store, &repository).await? else {
        // It was disconnected just now, and what was due is gone with that.
        return Ok(None);
    };
    Ok(Some(Due {
        id: row.get("id")?,
        changes: row.get("changes")?,
        tries: row.get("tries")?,
        kind: from_word("kind", &row.get::<String>("kind")?)?,
        subject: row.get("subject")?,
        build: row.get("build")?,
        connection,
    }))
}

async fn take_due(tx: &mut Tx, now: Micros) -> Result<Option<Row>, StoreError> {
    let due = "select id from outbox where status = 'pending' and next_at <= $1 and repository in
               (select r.id from repositories r where r.forge_token is not null and r.removed_at is null and not exists
               (select 1 from forge_holds h where h.api = r.forge_api and h.until > $1))
               order by next_at, id limit 1 for update skip locked";
    let Some(row) = tx.first(due, args![now]).await? else {
        return Ok(None);
    };
    let hide = "update outbox set next_at = $2, tries = tries + 1 where id = $1
                returning id, changes, tries, kind, subject, build, repository";
    let id: String = row.get("id")?;
    Ok(tx.first(hide, args![id, now + CLAIM_US]).await?)
}

/// Makes everything that is pending due at once: for a coordinator that has just started, and whose predecessor may have
/// died while it sent.
///
/// # Errors
/// The database.
pub async fn recover(store: &Store) -> Result<(), StoreError> {
    let now = store.now();
    let sql = "update outbox set next_at = $1 where status = 'pending' and next_at > $1";
    store
        .write(move |tx| Box::pin(async move { Ok(tx.run(sql, args![now]).await.map(drop)?) }))
        .await
}

/// Stores what came of telling it. What changed meanwhile is told next.
///
/// # Errors
/// The database.
pub async fn settle(store: &Store, due: Due, outcome: Outcome) -> Result<(), StoreError> {
    let now = store.now();
    store
        .write(move |tx| {
            Box::pin(async move {
                let until = hold(tx, (&due.connection.location.api, &outcome), now).await?;
                let (status, next_at, message) = match outcome {
                    Outcome::Sent => (OutboxStatus::Sent, now, None),
                    Outcome::Failed(why) => (OutboxStatus::Failed, now, Some(why)),
                    Outcome::NotNow { why, .. } => {
                        let next_at = until.unwrap_or(now + pause(&PAUSES, due.tries - 1));
                        (OutboxStatus::Pending, next_at, Some(why))
                    }
                };
                let sql = "update outbox set status = case when changes = $2 then $3 else 'pending' end, next_at = $4,
                           message = $5, sent_at = case when $3 = 'sent' then $6 else sent_at end,
                           tries = case when $3 = 'pending' then tries else 0 end where id = $1";
                let values = args![&due.id, due.changes, to_word(&status), next_at, message, now];
                tx.run(sql, values).await?;
                tx.notify(Change::Outbox);
                Ok(())
            })
        })
        .await
}

/// The pause before the next of several tries in seconds, as microseconds.
fn pause(pauses: &[i64], failures: i64) -> i64 {
    let last = pauses.len() - 1;
    let index = usize::try_from(failures).unwrap_or(0).min(last);
    pauses[index] * 1_000_000
}

/// Keeps whether the forge is to be left alone; until when. What fails during a pause is no further failure.
async fn hold(tx: &mut Tx, (api, outcome): (&str, &Outcome), now: Micros) -> Result<Option<Micros>, DbError> {
    let why = match outcome {
        Outcome::NotNow { hold: Some(why), .. } => *why,
        Outcome::NotNow { hold: None, .. } => return Ok(None),
        Outcome::Sent | Outcome::Failed(_) => {
            tx.run("delete from forge_holds where api = $1", args![api]).await?;
            return Ok(None);
        }
    };
    let count = "insert into forge_holds (api, failures, until) values ($1, 1, 0) on conflict (api) do update
                 set failures = forge_holds.failures + case when forge_holds.until <= $2 then 1 else 0 end
                 returning failures";
    let row = tx.first(count, args![api, now]).await?;
    let failures: i64 = row.map_or(Ok(1), |row| row.get("failures"))?;
    let until = now
        + match why {
            Hold::BackOff => pause(&HOLDS, failures - 1),
            Hold::Asked(secs) => secs * 1_000_000,
        };
    let longest = "update forge_holds set until = $2 where api = $1 and until < $2";
    tx.run(longest, args![api, until]).await?;
    Ok(Some(until))
}

/// Tells again what could not be told: the repository's connection is a new one.
pub(super) async fn retry_failed(tx: &mut Tx, repository: &RepositoryId, now: Micros) -> Result<(), StoreError> {
    let sql =
        "update outbox set status = 'pending', tries = 0, next_at = $2 where repository = $1 and status <> 'sent'";
    tx.run(sql, args![repository, now]).await?;
    let holds = "delete from forge_holds where api = (select forge_api from repositories where id = $1)";
    tx.run(holds, args![repository]).await?;
    tx.notify(Change::Outbox);
    Ok(())
}

/// Forgets what was to be told.
pub(super) async fn remove_all(tx: &mut Tx, repository: &RepositoryId) -> Result<(), DbError> {
    tx.run("delete from outbox where repository = $1", args![repository])
        .await?;
    Ok(())
}

/// What the repository's forge is to be told or was told: what failed first, then what is pending, then the newest; at
/// most `limit`.
///
/// # Errors
/// The database.
pub async fn list(store: &Store, repository: &RepositoryId, limit: u32) -> Result<Vec<OutboxEntry>, StoreError> {
    let sql = "select kind, subject, build, status, tries, message, changed_at, sent_at,
               case when status = 'pending' then next_at end as next_at from outbox where repository = $1
               order by case status when 'failed' then 0 when 'pending' then 1 else 2 end, changed_at desc limit $2";
    let rows = store.db.all(sql, args![repository, limit]).await?;
    let entry = |row: &Row| {
        Ok(OutboxEntry {
            kind: from_word("kind", &row.get::<String>("kind")?)?,
            subject: row.get("subject")?,
            build: row.get("build")?,
            status: from_word("status", &row.get::<String>("status")?)?,
            tries: row.get("tries")?,
            message: row.get("message")?,
            changed_at: row.get("changed_at")?,
            next_at: row.get("next_at")?,
            sent_at: row.get("sent_at")?,
        })
    };
    Ok(rows.iter().map(entry).collect::<Result<_, DbError>>()?)
}

/// Until when nothing is sent to that API; `None`: it is not held.
///
/// # Errors
/// The database.
pub async fn held_until(store: &Store, api: &str) -> Result<Option<Micros>, StoreError> {
    let sql = "select until from forge_holds where api = $1 and until > $2";
    let row = store.db.first(sql, args![api, store.now()]).await?;
    Ok(row.map(|row| row.get("until")).transpose()?)
}
