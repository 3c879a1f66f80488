//! Counters of what is not worth a row of its own: webhooks with a wrong signature, and the like.

use super::{Store, StoreError};

/// Adds one.
///
/// # Errors
/// The database.
pub async fn bump(_store: &Store, _name: &str) -> Result<(), StoreError> {
    todo!()
}

/// How often it was bumped.
///
/// # Errors
/// The database.
pub async fn read(_store: &Store, _name: &str) -> Result<i64, StoreError> {
    todo!()
}
