//! Repositories: what Drover builds, where their code is, and the secret that signs their webhooks.

use protocol::ids::RepositoryId;
use protocol::lease::SecretValue;
use serde::{Deserialize, Serialize};

use super::{Micros, Store, StoreError};

/// Whose webhooks they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forge {
    /// Anything that can sign a small JSON body: a post-receive hook.
    Generic,
    /// GitHub.
    Github,
    /// Gitea.
    Gitea,
    /// Forgejo.
    Forgejo,
    /// GitLab.
    Gitlab,
    /// Bitbucket.
    Bitbucket,
}

/// One repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repository {
    /// Its id, for ever.
    pub id: RepositoryId,
    /// Its name; unique.
    pub name: String,
    /// URL or path.
    pub git: String,
    /// Whose webhooks it gets.
    pub forge: Forge,
    /// Anybody may read its builds.
    pub public: bool,
    /// When it was added.
    pub created_at: Micros,
}

/// A repository to add.
#[derive(Debug, Clone)]
pub struct NewRepository {
    /// 1 to 100 letters, digits, `.`, `_`, `-`; unique.
    pub name: String,
    /// URL or path.
    pub git: String,
    /// Whose webhooks it gets.
    pub forge: Forge,
}

/// Who may read a repository's builds without a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Nobody.
    Private,
    /// Everybody.
    Public,
}

/// Adds one, with a new webhook secret.
///
/// # Errors
/// `Refused`: the name is taken or malformed.
pub async fn add(_store: &Store, _new: NewRepository) -> Result<Repository, StoreError> {
    todo!()
}

/// All, by name.
///
/// # Errors
/// The database.
pub async fn list(_store: &Store) -> Result<Vec<Repository>, StoreError> {
    todo!()
}

/// The one of that name.
///
/// # Errors
/// `NotFound`.
pub async fn by_name(_store: &Store, _name: &str) -> Result<Repository, StoreError> {
    todo!()
}

/// The secret that its webhooks are signed with.
///
/// # Errors
/// `NotFound`; `Key` when it was sealed with another key.
pub async fn hook_secret(_store: &Store, _id: &RepositoryId) -> Result<SecretValue, StoreError> {
    todo!()
}

/// Takes it away: its jobs are cancelled, its secrets destroyed, its name is free again; its builds stay readable.
///
/// # Errors
/// `NotFound`.
pub async fn remove(_store: &Store, _id: &RepositoryId) -> Result<(), StoreError> {
    todo!()
}

/// Says who may read it.
///
/// # Errors
/// `NotFound`.
pub async fn set_public(_store: &Store, _id: &RepositoryId, _to: Visibility) -> Result<(), StoreError> {
    todo!()
}
