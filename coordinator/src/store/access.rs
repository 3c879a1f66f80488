//! Who may come in: one-time login links, sessions, API tokens. Only hashes are stored.

use std::time::Duration;

use serde::Serialize;

use super::{Micros, Store, StoreError};

/// Somebody whose session or token was right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// Id of the session or token.
    pub id: String,
    /// The token's name, or `administrator`.
    pub name: String,
}

/// An API token, without itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiToken {
    /// Its id, for [`revoke_token`].
    pub id: String,
    /// How people call it.
    pub name: String,
    /// When it was made.
    pub created_at: Micros,
    /// From when on it is worth nothing.
    pub expires_at: Option<Micros>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Micros>,
}

/// A code for a login link that works once; shown only here.
///
/// # Errors
/// The database.
pub async fn login_link(_store: &Store, _valid_for: Duration) -> Result<String, StoreError> {
    todo!()
}

/// Uses a login link's code up and opens a session; its token is shown only here.
///
/// # Errors
/// `BadCode`.
pub async fn open_session(_store: &Store, _code: &str, _valid_for: Duration) -> Result<String, StoreError> {
    todo!()
}

/// Whose session it is. `None`: nobody's.
///
/// # Errors
/// The database.
pub async fn session(_store: &Store, _token: &str) -> Result<Option<Person>, StoreError> {
    todo!()
}

/// Ends a session; one that does not exist is fine.
///
/// # Errors
/// The database.
pub async fn close_session(_store: &Store, _token: &str) -> Result<(), StoreError> {
    todo!()
}

/// Makes an API token; it is shown only here.
///
/// # Errors
/// The database.
pub async fn create_token(_store: &Store, _name: &str, _valid_for: Option<Duration>) -> Result<String, StoreError> {
    todo!()
}

/// All API tokens, newest first.
///
/// # Errors
/// The database.
pub async fn list_tokens(_store: &Store) -> Result<Vec<ApiToken>, StoreError> {
    todo!()
}

/// Makes an API token worthless.
///
/// # Errors
/// `NotFound`.
pub async fn revoke_token(_store: &Store, _id: &str) -> Result<(), StoreError> {
    todo!()
}

/// Whose API token it is. `None`: nobody's.
///
/// # Errors
/// The database.
pub async fn authenticate(_store: &Store, _token: &str) -> Result<Option<Person>, StoreError> {
    todo!()
}
