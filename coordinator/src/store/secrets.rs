//! Secrets of repositories: sealed with the coordinator's key, write-only to people, opened only for a lease.

use std::collections::BTreeMap;

use protocol::api::Secret;
use protocol::ids::RepositoryId;
use protocol::work::SecretValue;

use super::audit::{Action, Subject};
use super::{Actor, Store, StoreError, repositories};
use crate::db::{Tx, args};

/// Secrets opened for a lease.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// Those that exist.
    pub values: BTreeMap<String, SecretValue>,
    /// Those that do not.
    pub missing: Vec<String>,
}

/// A value is at most so long, in bytes.
const MAX_LEN: usize = 64 * 1024;

/// Sets one. The name is that of an environment variable.
///
/// # Errors
/// `Refused` when the name is malformed or the value is empty or larger than 64 KiB; `NotFound`.
pub async fn set(
    store: &Store,
    actor: &Actor,
    (repository, name): (&RepositoryId, &str),
    value: SecretValue,
) -> Result<(), StoreError> {
    check(name, &value)?;
    let sealed = store.key.seal(&place(repository, name), &value.0);
    let (repository, name, now) = (repository.clone(), name.to_owned(), store.now());
    store
        .act(actor, Action::SetSecret, move |tx| {
            Box::pin(async move {
                repositories::must_exist(tx, &repository).await?;
                let sql = "insert into secrets (repository, name, value, created_at, updated_at)
                           values ($1, $2, $3, $4, $4)
                           on conflict (repository, name) do update
                           set value = excluded.value, updated_at = excluded.updated_at";
                tx.run(sql, args![&repository, &name, sealed, now]).await?;
                Ok(((), Subject::named(name).of(&repository)))
            })
        })
        .await
}

fn check(name: &str, value: &SecretValue) -> Result<(), StoreError> {
    let well_formed = (1..=100).contains(&name.len())
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !well_formed {
        let why = "a secret's name has letters, digits and `_`, does not begin with a digit, and is at most 100 long";
        return Err(StoreError::Refused(why.into()));
    }
    if value.0.is_empty() || value.0.len() > MAX_LEN {
        return Err(StoreError::Refused(
            "a secret has at least one byte and at most 64 KiB".into(),
        ));
    }
    if value.0.contains('\0') {
        return Err(StoreError::Refused(
            "a secret has no zero byte: no environment could hold it".into(),
        ));
    }
    Ok(())
}

/// What a value is bound to.
fn place(repository: &RepositoryId, name: &str) -> String {
    format!("{repository}|{name}")
}

/// The names of a repository's secrets, sorted.
///
/// # Errors
/// The database.
pub async fn list(store: &Store, repository: &RepositoryId) -> Result<Vec<Secret>, StoreError> {
    let sql = "select name, created_at, updated_at, last_used_at from secrets where repository = $1";
    let mut secrets = Vec::new();
    for row in store.db.all(sql, args![repository]).await? {
        secrets.push(Secret {
            name: row.get("name")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
            last_used_at: row.get("last_used_at")?,
        });
    }
    secrets.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(secrets)
}

/// Destroys one.
///
/// # Errors
/// `NotFound`.
pub async fn remove(store: &Store, actor: &Actor, (repository, name): (&RepositoryId, &str)) -> Result<(), StoreError> {
    let (repository, name) = (repository.clone(), name.to_owned());
    let sql = "delete from secrets where repository = $1 and name = $2";
    store
        .act(actor, Action::RemoveSecret, move |tx| {
            Box::pin(async move {
                match tx.run(sql, args![&repository, &name]).await? {
                    0 => Err(StoreError::NotFound("secret")),
                    _ => Ok(((), Subject::named(name).of(&repository))),
                }
            })
        })
        .await
}

/// Destroys all of a repository.
pub(super) async fn remove_all(tx: &mut Tx, repository: &RepositoryId) -> Result<(), StoreError> {
    tx.run("delete from secrets where repository = $1", args![repository])
        .await?;
    Ok(())
}

/// Opens those of `names` that exist, for a lease.
///
/// # Errors
/// `Key` when one was sealed with another key.
pub async fn open_for(store: &Store, repository: &RepositoryId, names: &[String]) -> Result<Opened, StoreError> {
    let mut opened = Opened::default();
    for name in names {
        let sql = "select value from secrets where repository = $1 and name = $2";
        match store.db.first(sql, args![repository, name]).await? {
            None => opened.missing.push(name.clone()),
            Some(row) => {
                let value = store.key.open(&place(repository, name), &row.get::<String>("value")?)?;
                opened.values.insert(name.clone(), SecretValue(value));
            }
        }
    }
    if !opened.values.is_empty() {
        note_use(store, repository, opened.values.keys().cloned().collect()).await?;
    }
    Ok(opened)
}

async fn note_use(store: &Store, repository: &RepositoryId, names: Vec<String>) -> Result<(), StoreError> {
    let (repository, now) = (repository.clone(), store.now());
    store
        .write(move |tx| {
            Box::pin(async move {
                for name in names {
                    let sql = "update secrets set last_used_at = $3 where repository = $1 and name = $2";
                    tx.run(sql, args![&repository, name, now]).await?;
                }
                Ok(())
            })
        })
        .await
}
