//! Who may come in: one-time login links, sessions, API tokens. Only hashes are stored.

use std::time::Duration;

use protocol::api::Token;
use serde::Serialize;

use super::audit::{self, Action, Subject};
use super::tokens::{self, Credential, Kind, NewCredential};
use super::{Actor, Micros, Store, StoreError};
use crate::db::args;

pub use super::audit::Person;

/// A browser's session, without its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Its id, for [`revoke_session`].
    pub id: String,
    /// When the browser logged in.
    pub created_at: Micros,
    /// From when on it is worth nothing.
    pub expires_at: Option<Micros>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Micros>,
}

/// What a session is called: there is one administrator.
const ADMINISTRATOR: &str = "administrator";

impl From<Credential> for Person {
    fn from(credential: Credential) -> Person {
        Person {
            id: credential.id,
            name: credential.name,
        }
    }
}

/// A code for a login link that works once; shown only here.
///
/// # Errors
/// The database.
pub async fn login_link(store: &Store, actor: &Actor, valid_for: Duration) -> Result<String, StoreError> {
    let by = (actor, Action::CreateLoginLink);
    make(store, by, (Kind::Login, ADMINISTRATOR), Some(valid_for)).await
}

/// Uses a login link's code up and opens a session; its token is shown only here. Who does that is known by the session.
///
/// # Errors
/// `BadCode`.
pub async fn open_session(store: &Store, code: &str, valid_for: Duration) -> Result<String, StoreError> {
    let (code, now) = (code.to_owned(), store.now());
    store
        .write(move |tx| {
            Box::pin(async move {
                let login = tokens::use_up(tx, now, Kind::Login, &code).await?;
                let valid_for = Some(valid_for);
                let session = NewCredential {
                    kind: Kind::Session,
                    name: &login.name,
                    agent: None,
                    valid_for,
                };
                let session = tokens::make(tx, now, session).await?;
                let subject = Subject::named(&login.name).id(&session.id);
                let person = Person {
                    id: session.id,
                    name: login.name,
                };
                audit::record(tx, (&Actor::Session(person), Action::OpenSession), &subject, now).await?;
                Ok(session.secret)
            })
        })
        .await
}

/// Whose session it is. `None`: nobody's.
///
/// # Errors
/// The database.
pub async fn session(store: &Store, token: &str) -> Result<Option<Person>, StoreError> {
    match tokens::authenticate(store, Kind::Session, token).await {
        Err(StoreError::Expired) => Ok(None),
        found => Ok(found?.map(Person::from)),
    }
}

/// All sessions that still work, newest first.
///
/// # Errors
/// The database.
pub async fn list_sessions(store: &Store) -> Result<Vec<Session>, StoreError> {
    let sql = "select id, created_at, expires_at, used_at from credentials
               where kind = 'session' and expires_at > $1 order by id desc";
    let mut sessions = Vec::new();
    for row in store.db.all(sql, args![store.now()]).await? {
        sessions.push(Session {
            id: row.get("id")?,
            created_at: row.get("created_at")?,
            expires_at: row.get("expires_at")?,
            last_used_at: row.get("used_at")?,
        });
    }
    Ok(sessions)
}

/// Ends a session, and what its browser has open.
///
/// # Errors
/// `NotFound`.
pub async fn revoke_session(store: &Store, actor: &Actor, id: &str) -> Result<(), StoreError> {
    let sql = "delete from credentials where id = $1 and kind = 'session' and expires_at > $2 returning id, name";
    match tokens::revoke(store, (actor, Action::RevokeSession), sql, args![id, store.now()]).await? {
        0 => Err(StoreError::NotFound("session")),
        _ => Ok(()),
    }
}

/// Ends all sessions but the actor's own, and counts them.
///
/// # Errors
/// The database.
pub async fn revoke_other_sessions(store: &Store, actor: &Actor) -> Result<usize, StoreError> {
    let sql = "delete from credentials where id <> $1 and kind = 'session' and expires_at > $2 returning id, name";
    let own = actor.person().map_or("", |person| &person.id);
    tokens::revoke(store, (actor, Action::RevokeSession), sql, args![own, store.now()]).await
}

/// Whether a session or API token of that id still works.
///
/// # Errors
/// The database.
pub async fn is_valid(store: &Store, id: &str) -> Result<bool, StoreError> {
    tokens::is_valid(store, id).await
}

/// Ends the actor's own session; one that does not exist is fine.
///
/// # Errors
/// The database.
pub async fn close_session(store: &Store, actor: &Actor) -> Result<(), StoreError> {
    let sql = "delete from credentials where id = $1 and kind = 'session' returning id, name";
    let own = actor.person().map_or("", |person| &person.id);
    let by = (actor, Action::CloseSession);
    tokens::revoke(store, by, sql, args![own]).await.map(drop)
}

/// Makes an API token, without an end if `valid_for` is `None`; it is shown only here.
///
/// # Errors
/// The database.
pub async fn create_token(
    store: &Store,
    actor: &Actor,
    name: &str,
    valid_for: Option<Duration>,
) -> Result<String, StoreError> {
    make(store, (actor, Action::CreateToken), (Kind::Api, name), valid_for).await
}

async fn make(
    store: &Store,
    (actor, action): (&Actor, Action),
    (kind, name): (Kind, &str),
    valid_for: Option<Duration>,
) -> Result<String, StoreError> {
    let (name, now) = (name.to_owned(), store.now());
    store
        .act(actor, action, move |tx| {
            Box::pin(async move {
                let new = NewCredential {
                    kind,
                    name: &name,
                    agent: None,
                    valid_for,
                };
                let made = tokens::make(tx, now, new).await?;
                Ok((made.secret, Subject::named(name).id(made.id)))
            })
        })
        .await
}

/// All API tokens, newest first.
///
/// # Errors
/// The database.
pub async fn list_tokens(store: &Store) -> Result<Vec<Token>, StoreError> {
    let sql = "select id, name, created_at, expires_at, used_at from credentials where kind = 'api' order by id desc";
    let mut tokens = Vec::new();
    for row in store.db.all(sql, args![]).await? {
        tokens.push(Token {
            id: row.get("id")?,
            name: row.get("name")?,
            created_at: row.get("created_at")?,
            expires_at: row.get("expires_at")?,
            last_used_at: row.get("used_at")?,
        });
    }
    Ok(tokens)
}

/// Makes an API token worthless, and ends what was opened with it.
///
/// # Errors
/// `NotFound`.
pub async fn revoke_token(store: &Store, actor: &Actor, id: &str) -> Result<(), StoreError> {
    let sql = "delete from credentials where id = $1 and kind = 'api' returning id, name";
    match tokens::revoke(store, (actor, Action::RevokeToken), sql, args![id]).await? {
        0 => Err(StoreError::NotFound("token")),
        _ => Ok(()),
    }
}

/// Whose API token it is. `None`: nobody's.
///
/// # Errors
/// `Expired`.
pub async fn authenticate(store: &Store, token: &str) -> Result<Option<Person>, StoreError> {
    Ok(tokens::authenticate(store, Kind::Api, token).await?.map(Person::from))
}
