//! Repositories at their forges: how they are reached there, and what the forge is told.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Micros;
use crate::work::SecretValue;

/// How a repository is reached at its forge, and what the forge was told last.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ForgeConnection {
    /// The API's URL, without a trailing slash.
    pub api: String,
    /// The project there: `owner/name`.
    pub project: String,
    /// Nothing is sent there before, because it did not answer well or asked for a pause; null: it is not held.
    pub held_until: Option<Micros>,
    /// What it is to be told or was told: what failed first, then what is pending, then the newest.
    pub outbox: Vec<OutboxEntry>,
}

/// How to reach a repository at its forge.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewForgeConnection {
    /// A token that may write commit statuses and webhooks there.
    #[schema(value_type = String)]
    pub token: SecretValue,
    /// The API's URL; by default it follows from the repository's.
    #[serde(default)]
    pub api: Option<String>,
    /// The project there: `owner/name`; by default it follows from the repository's URL.
    #[serde(default)]
    pub project: Option<String>,
}

/// Something that a forge is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutboxEntry {
    /// What kind of thing.
    pub kind: OutboxKind,
    /// What it is about: of a commit status, commit and context: `COMMIT drover/push`.
    pub subject: String,
    /// The newest build that it is about.
    pub build: Option<i64>,
    /// Where it stands.
    pub status: OutboxStatus,
    /// How often it was tried since it was last told.
    pub tries: i64,
    /// What is wrong, in words.
    pub message: Option<String>,
    /// When there was last something new to tell.
    pub changed_at: Micros,
    /// When it is tried next, while pending.
    pub next_at: Option<Micros>,
    /// When the forge was last told.
    pub sent_at: Option<Micros>,
}

/// What kind of thing a forge is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutboxKind {
    /// How the newest build of a commit stands.
    CommitStatus,
    /// The repository's webhook: its URL, its secret, its events.
    Webhook,
}

/// Where something that a forge is told stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutboxStatus {
    /// To be told, now or at its next try.
    Pending,
    /// The forge knows it.
    Sent,
    /// The forge will not hear it as things are.
    Failed,
}
