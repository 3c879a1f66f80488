//! How repositories are reached at their forges: where the API is, and the token, sealed. Separate from the repositories,
//! whose webhooks need none of it.

use protocol::ids::RepositoryId;
use protocol::work::SecretValue;

use super::audit::{Action, Subject};
use super::repositories::{self, Repository};
use super::{Actor, Micros, Store, StoreError, outbox};
use crate::db::{DbError, Row, Tx, args};
use crate::forges::Location;

/// A repository that its forge can be told about.
pub struct Connection {
    /// Which.
    pub repository: Repository,
    /// Where the forge has it.
    pub location: Location,
    /// Who we are there.
    pub token: SecretValue,
}

/// What the sealed token is bound to.
fn place(id: &RepositoryId) -> String {
    format!("{id}|forge")
}

/// A token as it is kept.
///
/// # Errors
/// `Refused` when it cannot be one.
pub(super) fn seal(store: &Store, id: &RepositoryId, token: &SecretValue) -> Result<String, StoreError> {
    let token = token.0.trim();
    if token.is_empty() || token.len() > 4_096 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let why = "a token has at most 4096 letters, digits and signs, without spaces or line breaks";
        return Err(StoreError::Refused(why.into()));
    }
    Ok(store.key.seal(&place(id), token))
}

/// Connects it, or changes how: its forge is told of the webhook, and again of what it would not hear before.
///
/// # Errors
/// `NotFound`; `Refused` when the token cannot be one.
pub async fn connect(
    store: &Store,
    actor: &Actor,
    id: &RepositoryId,
    (location, token): (Location, SecretValue),
) -> Result<(), StoreError> {
    let sealed = seal(store, id, &token)?;
    let (id, now) = (id.clone(), store.now());
    store
        .act(actor, Action::ConnectRepository, move |tx| {
            Box::pin(async move { Ok(((), set(tx, &id, (&location, &sealed), now).await?)) })
        })
        .await
}

/// Keeps a connection.
pub(super) async fn set(
    tx: &mut Tx,
    id: &RepositoryId,
    (location, sealed): (&Location, &str),
    now: Micros,
) -> Result<Subject, StoreError> {
    let sql = "update repositories set forge_api = $2, forge_project = $3, forge_token = $4
               where id = $1 and removed_at is null returning name";
    let values = args![id, &location.api, &location.project, sealed];
    let subject = repositories::change(tx, sql, (id, values)).await?;
    outbox::webhook_changed(tx, id, now).await?;
    outbox::retry_failed(tx, id, now).await?;
    Ok(subject)
}

/// Destroys the token, and forgets what was still to be told.
///
/// # Errors
/// `NotFound`.
pub async fn disconnect(store: &Store, actor: &Actor, id: &RepositoryId) -> Result<(), StoreError> {
    let id = id.clone();
    store
        .act(actor, Action::DisconnectRepository, move |tx| {
            Box::pin(async move {
                let sql = "update repositories set forge_api = null, forge_project = null, forge_token = null
                           where id = $1 and removed_at is null returning name";
                let subject = repositories::change(tx, sql, (&id, args![&id])).await?;
                outbox::remove_all(tx, &id).await?;
                Ok(((), subject))
            })
        })
        .await
}

/// Where the repository is at its forge. `None`: it is not connected, or gone.
///
/// # Errors
/// The database.
pub async fn location(store: &Store, id: &RepositoryId) -> Result<Option<Location>, StoreError> {
    let sql = "select forge_api, forge_project from repositories
               where id = $1 and removed_at is null and forge_token is not null";
    let row = store.db.first(sql, args![id]).await?;
    Ok(row.as_ref().map(location_of).transpose()?)
}

fn location_of(row: &Row) -> Result<Location, DbError> {
    Ok(Location {
        api: row.get("forge_api")?,
        project: row.get("forge_project")?,
    })
}

/// How the repository is reached at its forge. `None`: it is not connected, or gone.
///
/// # Errors
/// `Key` when the token was sealed with another key.
pub async fn get(store: &Store, id: &RepositoryId) -> Result<Option<Connection>, StoreError> {
    let sql = "select forge_api, forge_project, forge_token from repositories
               where id = $1 and removed_at is null and forge_token is not null";
    let Some(row) = store.db.first(sql, args![id]).await? else {
        return Ok(None);
    };
    Ok(Some(Connection {
        repository: repositories::by_id(store, id).await?,
        location: location_of(&row)?,
        token: SecretValue(store.key.open(&place(id), &row.get::<String>("forge_token")?)?),
    }))
}
