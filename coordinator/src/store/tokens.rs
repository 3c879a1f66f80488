//! One-time codes and tokens: 256 random bits behind a prefix that says what it is; the store knows only its SHA-256.
//! One table and one way in for all five kinds, so that expiry and one-time use are checked in one place.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::ids::AgentId;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::audit::{self, Action, Subject};
use super::{Actor, Micros, Store, StoreError, keys};
use crate::db::{Change, DbError, Row, Tx, Value, args};

/// What a credential is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Opens a session, once.
    Login,
    /// A browser.
    Session,
    /// A program.
    Api,
    /// Lets an agent in, once.
    Enrol,
    /// An agent.
    Agent,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Login => "login",
            Kind::Session => "session",
            Kind::Api => "api",
            Kind::Enrol => "enrol",
            Kind::Agent => "agent",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Kind::Login => "drvl_",
            Kind::Session => "drvs_",
            Kind::Api => "drv_",
            Kind::Enrol => protocol::lease::ENROL_CODE_PREFIX,
            Kind::Agent => "drva_",
        }
    }
}

/// A credential to make.
pub(super) struct NewCredential<'a> {
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    pub(super) agent: Option<&'a AgentId>,
    pub(super) valid_for: Option<Duration>,
}

/// One that was just made.
pub(super) struct Fresh {
    pub(super) id: String,
    /// What is nowhere else.
    pub(super) secret: String,
}

/// One that was right.
pub(super) struct Credential {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) agent: Option<AgentId>,
    used_at: Option<Micros>,
    expires_at: Option<Micros>,
}

impl Credential {
    fn is_expired(&self, now: Micros) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

/// `used_at` is right to the minute: a write for each request would cost more than it tells.
const USED_GRAIN_US: i64 = 60_000_000;
/// Expired ones are forgotten after 30 days; until then whoever sends one is told that it has expired.
const FORGET_US: i64 = 30 * 86_400_000_000;

/// What the store knows a secret by.
pub(super) fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// Makes one.
pub(super) async fn make(tx: &mut Tx, now: Micros, new: NewCredential<'_>) -> Result<Fresh, DbError> {
    tx.run("delete from credentials where expires_at < $1", args![now - FORGET_US])
        .await?;
    let secret = format!("{}{}", new.kind.prefix(), URL_SAFE_NO_PAD.encode(keys::random::<32>()));
    let id = uuid::Uuid::now_v7().simple().to_string();
    let expires_at = new.valid_for.map(|duration| now.saturating_add(micros(duration)));
    tx.run(
        "insert into credentials (hash, id, kind, name, agent, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        args![
            hash(&secret),
            &id,
            new.kind.name(),
            new.name,
            new.agent.map(AgentId::as_str),
            now,
            expires_at
        ],
    )
    .await?;
    Ok(Fresh { id, secret })
}

/// Binds an enrolment code to the labels of the agent that it lets in.
pub(super) async fn bind_labels(tx: &mut Tx, code: &str, labels: Option<String>) -> Result<(), DbError> {
    let sql = "update credentials set labels = $2 where hash = $1";
    tx.run(sql, args![hash(code), labels]).await.map(drop)
}

/// The labels that a code is bound to. `None`: to none in particular.
pub(super) async fn bound_labels(tx: &mut Tx, code: &str) -> Result<Option<String>, DbError> {
    let sql = "select labels from credentials where hash = $1";
    let row = tx.first(sql, args![hash(code)]).await?;
    row.map_or(Ok(None), |row| row.get("labels"))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

const FIND: &str = "select hash, id, name, agent, expires_at, used_at from credentials
                    where hash = $1 and kind = $2 for update";

/// The row of a secret, if it is there and is right.
fn check(row: Option<Row>, secret_hash: &str) -> Result<Option<Credential>, DbError> {
    let Some(row) = row else { return Ok(None) };
    let stored: String = row.get("hash")?;
    let credential = Credential {
        id: row.get("id")?,
        name: row.get("name")?,
        agent: row.get::<Option<String>>("agent")?.map(AgentId),
        used_at: row.get("used_at")?,
        expires_at: row.get("expires_at")?,
    };
    let is_right = bool::from(stored.as_bytes().ct_eq(secret_hash.as_bytes()));
    Ok(is_right.then_some(credential))
}

/// Uses a one-time code up.
pub(super) async fn use_up(tx: &mut Tx, now: Micros, kind: Kind, code: &str) -> Result<Credential, StoreError> {
    let hash = hash(code);
    let row = tx.first(FIND, args![&hash, kind.name()]).await?;
    let credential =
        check(row, &hash)?.filter(|credential| credential.used_at.is_none() && !credential.is_expired(now));
    let credential = credential.ok_or(StoreError::BadCode)?;
    tx.run(
        "update credentials set used_at = $2 where id = $1",
        args![&credential.id, now],
    )
    .await?;
    Ok(credential)
}

/// Whose it is; `Expired` if it was right once. `None`: nobody's.
pub(super) async fn authenticate(store: &Store, kind: Kind, secret: &str) -> Result<Option<Credential>, StoreError> {
    if !secret.starts_with(kind.prefix()) {
        return Ok(None);
    }
    let (hash, now) = (hash(secret), store.now());
    let find = "select hash, id, name, agent, expires_at, used_at from credentials where hash = $1 and kind = $2";
    let Some(credential) = check(store.db.first(find, args![&hash, kind.name()]).await?, &hash)? else {
        return Ok(None);
    };
    if credential.is_expired(now) {
        return Err(StoreError::Expired);
    }
    if credential.used_at.is_none_or(|used_at| now - used_at > USED_GRAIN_US) {
        let id = credential.id.clone();
        let touch = "update credentials set used_at = $2 where id = $1";
        store
            .write(move |tx| Box::pin(async move { Ok(tx.run(touch, args![id, now]).await?) }))
            .await?;
    }
    Ok(Some(credential))
}

/// Whether the one of that id still exists and has not expired.
pub(super) async fn is_valid(store: &Store, id: &str) -> Result<bool, StoreError> {
    let sql = "select id from credentials where id = $1 and (expires_at is null or expires_at > $2)";
    Ok(store.db.first(sql, args![id, store.now()]).await?.is_some())
}

/// Deletes the credentials that `delete` names and returns with `id` and `name`, and counts them; what was opened with
/// one of them ends.
pub(super) async fn revoke(
    store: &Store,
    (actor, action): (&Actor, Action),
    delete: &'static str,
    arguments: &[Value],
) -> Result<usize, StoreError> {
    let (actor, arguments, now) = (actor.clone(), arguments.to_vec(), store.now());
    store
        .write(move |tx| {
            Box::pin(async move {
                tx.notify(Change::Access);
                let revoked = tx.all(delete, &arguments).await?;
                for row in &revoked {
                    let subject = Subject::named(row.get::<String>("name")?).id(row.get::<String>("id")?);
                    audit::record(tx, (&actor, action), &subject, now).await?;
                }
                Ok(revoked.len())
            })
        })
        .await
}
