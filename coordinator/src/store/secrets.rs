//! Secrets of repositories: sealed with the coordinator's key, write-only to people, opened only for a lease.

use std::collections::BTreeMap;

use protocol::ids::RepositoryId;
use protocol::lease::SecretValue;
use serde::Serialize;

use super::{Micros, Store, StoreError};

/// A secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Secret {
    /// Its name.
    pub name: String,
    /// When it was first set.
    pub created_at: Micros,
    /// When its value was last set.
    pub updated_at: Micros,
    /// When a lease last had it.
    pub last_used_at: Option<Micros>,
}

/// Secrets opened for a lease.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// Those that exist.
    pub values: BTreeMap<String, SecretValue>,
    /// Those that do not.
    pub missing: Vec<String>,
}

/// Sets one. The name is that of an environment variable.
///
/// # Errors
/// `Refused` when the name is malformed or the value larger than 64 KiB.
pub async fn set(
    _store: &Store,
    _repository: &RepositoryId,
    _name: &str,
    _value: SecretValue,
) -> Result<(), StoreError> {
    todo!()
}

/// The names of a repository's secrets, sorted.
///
/// # Errors
/// The database.
pub async fn list(_store: &Store, _repository: &RepositoryId) -> Result<Vec<Secret>, StoreError> {
    todo!()
}

/// Destroys one.
///
/// # Errors
/// `NotFound`.
pub async fn remove(_store: &Store, _repository: &RepositoryId, _name: &str) -> Result<(), StoreError> {
    todo!()
}

/// Opens those of `names` that exist, for a lease.
///
/// # Errors
/// `Key` when one was sealed with another key.
pub async fn open_for(_store: &Store, _repository: &RepositoryId, _names: &[String]) -> Result<Opened, StoreError> {
    todo!()
}
