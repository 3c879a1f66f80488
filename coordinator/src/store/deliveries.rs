//! Deliveries: webhooks as they were received, and what polling found in their form, stored before they are answered and processed from here, so that a
//! crash or an unreachable repository costs a retry and never a build.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use protocol::api::{DeliveryStatus, Meaning};
use protocol::ids::{DeliveryId, RepositoryId};
use serde::Serialize;

use super::audit::{Action, Subject};
use super::{Actor, Change, Micros, Store, StoreError, from_word, repositories, to_json};
use crate::db::{DbError, Row, Tx, Value, args};

/// How long one that was claimed stays hidden from other claims, in microseconds: 2 minutes.
pub const CLAIM_US: i64 = 120_000_000;

/// A webhook whose signature was right, or what it would have said.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Whose.
    pub repository: RepositoryId,
    /// The forge's own id of it, if it has one: the same one twice is a duplicate.
    pub external_id: Option<String>,
    /// The forge's word for it: `push`.
    pub event: String,
    /// What it says: at least one part. Each is stored and processed for itself.
    pub parts: Vec<Part>,
    /// The headers worth keeping.
    pub headers: BTreeMap<String, String>,
    /// As received.
    pub body: Vec<u8>,
    /// No forge sent it: polling found it, and its body has the generic form.
    pub polled: bool,
}

/// One thing that a delivery says; one that moves several references says several.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// What it is about, for people: `main`; may be empty.
    pub reference: String,
    /// What it means; `None`: it could not be read.
    pub meaning: Option<Meaning>,
}

/// What became of a delivery that was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// It is new, and stored.
    New(DeliveryId),
    /// It had been stored before.
    Duplicate(DeliveryId),
}

/// One delivery, for lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Whose.
    pub repository: RepositoryId,
    /// Its repository's name.
    pub repository_name: String,
    /// The forge's id of it.
    pub external_id: Option<String>,
    /// The forge's word for it.
    pub event: String,
    /// What it is about: `main`, `v1.2`, `pull request 7`; may be empty.
    pub reference: String,
    /// Which of the things that its body says it is, from 0.
    pub part: i64,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub tries: i64,
    /// What came of it, or what is wrong, in words.
    pub message: Option<String>,
    /// The build it made.
    pub build: Option<i64>,
    /// When it came.
    pub received_at: Micros,
    /// When it is tried next, while pending.
    pub next_at: Micros,
}

/// A delivery with what was received.
#[derive(Debug, Clone)]
pub struct FullDelivery {
    /// What lists show.
    pub delivery: Delivery,
    /// What it means.
    pub meaning: Option<Meaning>,
    /// The headers kept.
    pub headers: BTreeMap<String, String>,
    /// As received.
    pub body: Vec<u8>,
    /// No forge sent it: polling found it, and its body has the generic form.
    pub polled: bool,
}

/// What processing came to.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The build it made, if it made one.
    pub build: Option<i64>,
    /// In words, when there is something to say: "branch deleted: nothing to build".
    pub message: Option<String>,
}

/// Everything that lists show, or all that is known, with any further condition.
macro_rules! select {
    (FULL, $rest:literal) => {
        select!(
            ", d.headers, d.meaning, d.polled, coalesce((select b.body from deliveries b where b.id = d.body_of), d.body) as body",
            $rest
        )
    };
    ($columns:literal, $rest:literal) => {
        concat!(
            "select d.id, d.repository, r.name as repository_name, d.external_id, d.event, d.reference, d.part, d.status,
             d.tries, d.message, d.build, d.received_at, d.next_at",
            $columns,
            " from deliveries d join repositories r on r.id = d.repository ",
            $rest
        )
    };
}

fn from_row(row: &Row) -> Result<Delivery, DbError> {
    Ok(Delivery {
        id: DeliveryId(row.get("id")?),
        repository: RepositoryId(row.get("repository")?),
        repository_name: row.get("repository_name")?,
        external_id: row.get("external_id")?,
        event: row.get("event")?,
        reference: row.get("reference")?,
        part: row.get("part")?,
        status: from_word("status", &row.get::<String>("status")?)?,
        tries: row.get("tries")?,
        message: row.get("message")?,
        build: row.get("build")?,
        received_at: row.get("received_at")?,
        next_at: row.get("next_at")?,
    })
}

fn full_from_row(row: &Row) -> Result<FullDelivery, DbError> {
    let body: String = row.get("body")?;
    let broken = |error: base64::DecodeError| DbError::Content {
        column: "body".into(),
        error: error.to_string(),
    };
    let meaning: Option<String> = row.get("meaning")?;
    Ok(FullDelivery {
        delivery: from_row(row)?,
        meaning: meaning.is_some().then(|| row.json("meaning")).transpose()?,
        headers: row.json("headers")?,
        body: BASE64.decode(body).map_err(broken)?,
        polled: row.flag("polled")?,
    })
}

/// Keeps every part of it that is not known already, in order. Wakes [`Change::Queue`].
///
/// # Errors
/// `NotFound`: the repository.
pub async fn store(store: &Store, new: NewDelivery) -> Result<Vec<Stored>, StoreError> {
    let now = store.now();
    store
        .write(move |tx| Box::pin(async move { keep(tx, &new, now).await }))
        .await
}

/// The same in a transaction that keeps more.
pub(super) async fn keep(tx: &mut Tx, new: &NewDelivery, now: Micros) -> Result<Vec<Stored>, StoreError> {
    repositories::must_exist(tx, &new.repository).await?;
    let mut all = Vec::with_capacity(new.parts.len());
    let mut body_of = None;
    for (part, says) in (0_i64..).zip(&new.parts) {
        let stored = insert(tx, (new, part, says), (body_of.as_ref(), now)).await?;
        let (Stored::New(id) | Stored::Duplicate(id)) = &stored;
        body_of.get_or_insert_with(|| id.clone());
        all.push(stored);
    }
    Ok(all)
}

/// The first part keeps the body for all of them.
async fn insert(
    tx: &mut Tx,
    (new, part, says): (&NewDelivery, i64, &Part),
    (body_of, now): (Option<&DeliveryId>, Micros),
) -> Result<Stored, StoreError> {
    let id = DeliveryId::generate();
    let external_id = new.external_id.as_ref().map(|id| match part {
        0 => id.clone(),
        part => format!("{id}/{part}"),
    });
    let body = match body_of {
        None => BASE64.encode(&new.body),
        Some(_) => String::new(),
    };
    let inserted = tx
        .run(
            "insert into deliveries (id, repository, external_id, event, headers, body, status, tries, received_at,
             next_at, reference, part, meaning, body_of, polled) values ($1, $2, $3, $4, $5, $6, 'pending', 0, $7, $7, $8,
             $9, $10, $11, $12) on conflict (repository, external_id) do nothing",
            args![
                &id,
                &new.repository,
                &external_id,
                &new.event,
                to_json(&new.headers),
                body,
                now,
                &says.reference,
                part,
                says.meaning.as_ref().map(to_json),
                body_of.map(DeliveryId::as_str),
                i64::from(new.polled)
            ],
        )
        .await?;
    if inserted == 1 {
        tx.notify(Change::Queue);
        return Ok(Stored::New(id));
    }
    let known = "select id from deliveries where repository = $1 and external_id = $2";
    let row = tx.one(known, args![&new.repository, &external_id], "delivery").await?;
    Ok(Stored::Duplicate(DeliveryId(row.get("id")?)))
}

/// Takes the oldest that is due at `now`, hidden from others for [`CLAIM_US`].
///
/// # Errors
/// The database.
pub async fn claim_due(store: &Store, now: Micros) -> Result<Option<FullDelivery>, StoreError> {
    // Mostly there is none: then nobody waits for the writer.
    let any = "select id from deliveries where status = 'pending' and next_at <= $1 limit 1";
    if store.db.first(any, args![now]).await?.is_none() {
        return Ok(None);
    }
    store
        .write(move |tx| Box::pin(async move { take_due(tx, now).await }))
        .await
}

async fn take_due(tx: &mut Tx, now: Micros) -> Result<Option<FullDelivery>, StoreError> {
    let due = "select id from deliveries where status = 'pending' and next_at <= $1 order by next_at, id limit 1
               for update skip locked";
    let Some(row) = tx.first(due, args![now]).await? else {
        return Ok(None);
    };
    let id: String = row.get("id")?;
    let hide = "update deliveries set next_at = $2, tries = tries + 1 where id = $1";
    tx.run(hide, args![&id, now + CLAIM_US]).await?;
    let row = tx.first(select!(FULL, "where d.id = $1"), args![&id]).await?;
    Ok(row.as_ref().map(full_from_row).transpose()?)
}

/// Makes everything that is pending due at once: for a coordinator that has just started, and whose predecessor may
/// have died at work. Where others share the database, one may be processed twice; it makes one build all the same.
///
/// # Errors
/// The database.
pub async fn recover(store: &Store) -> Result<(), StoreError> {
    let now = store.now();
    let sql = "update deliveries set next_at = $1 where status = 'pending' and next_at > $1";
    store
        .write(move |tx| Box::pin(async move { Ok(tx.run(sql, args![now]).await.map(drop)?) }))
        .await
}

/// It was processed.
///
/// # Errors
/// `NotFound`.
pub async fn done(store: &Store, id: &DeliveryId, outcome: Outcome) -> Result<(), StoreError> {
    let sql = "update deliveries set status = 'done', build = coalesce($2, build), message = $3 where id = $1";
    update(
        store,
        sql,
        vec![id.into(), outcome.build.into(), outcome.message.into()],
    )
    .await
}

/// It could not be processed now; again at `at`.
///
/// # Errors
/// `NotFound`.
pub async fn retry_later(store: &Store, id: &DeliveryId, at: Micros, why: &str) -> Result<(), StoreError> {
    let sql = "update deliveries set status = 'pending', next_at = $2, message = $3 where id = $1";
    update(store, sql, vec![id.into(), at.into(), why.into()]).await
}

/// It is given up.
///
/// # Errors
/// `NotFound`.
pub async fn failed(store: &Store, id: &DeliveryId, why: &str) -> Result<(), StoreError> {
    let sql = "update deliveries set status = 'failed', message = $2 where id = $1";
    update(store, sql, vec![id.into(), why.into()]).await
}

/// Puts it back: it is due at once, whatever became of it before. A delivery makes one build at most, so this helps
/// one that made none.
///
/// # Errors
/// `NotFound`; `Refused` when what it said is not kept any more.
pub async fn redeliver(store: &Store, actor: &Actor, id: &DeliveryId) -> Result<(), StoreError> {
    let full = get(store, id).await?;
    if full.body.is_empty() {
        let why = "what this webhook said is not kept any more; use `drover trigger` to build its commit";
        return Err(StoreError::Refused(why.into()));
    }
    let sql = "update deliveries set status = 'pending', next_at = $2, tries = 0, message = null where id = $1
               returning event, repository";
    let (id, now) = (id.clone(), store.now());
    store
        .act(actor, Action::Redeliver, move |tx| {
            Box::pin(async move {
                let row = tx.one(sql, args![&id, now], "delivery").await?;
                tx.notify(Change::Queue);
                let subject = Subject::named(row.get::<String>("event")?).id(id.as_str());
                Ok(((), subject.of(&RepositoryId(row.get("repository")?))))
            })
        })
        .await
}

async fn update(store: &Store, sql: &'static str, values: Vec<Value>) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            Box::pin(async move {
                tx.notify(Change::Queue);
                match tx.run(sql, &values).await? {
                    0 => Err(StoreError::NotFound("delivery")),
                    _ => Ok(()),
                }
            })
        })
        .await
}

/// The newest `limit`, of one repository or of all.
///
/// # Errors
/// The database.
pub async fn list(store: &Store, repository: Option<&RepositoryId>, limit: u32) -> Result<Vec<Delivery>, StoreError> {
    let sql = select!(
        "",
        "where ($1 is null or d.repository = $1) order by d.received_at desc, d.id desc limit $2"
    );
    let rows = store
        .db
        .all(sql, args![repository.map(RepositoryId::as_str), limit])
        .await?;
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

/// One, with what was received.
///
/// # Errors
/// `NotFound`.
pub async fn get(store: &Store, id: &DeliveryId) -> Result<FullDelivery, StoreError> {
    let row = store.db.first(select!(FULL, "where d.id = $1"), args![id]).await?;
    Ok(full_from_row(&row.ok_or(StoreError::NotFound("delivery"))?)?)
}
