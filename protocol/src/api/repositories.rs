//! Repositories: their hooks, deliveries, schedules and secrets.

use std::collections::BTreeMap;

use job_specs::triggers::Missed;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Micros;
use crate::work::SecretValue;

/// One repository.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Repository {
    /// Its name.
    pub name: String,
    /// URL or path.
    pub git: String,
    /// `generic`, `github`, `gitea` or `forgejo`.
    pub forge: String,
    /// Anybody may read its builds.
    pub public: bool,
    /// When it was added.
    pub created_at: Micros,
}

/// A repository that was just added, with what its forge must know.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AddedRepository {
    /// The repository.
    #[serde(flatten)]
    pub repository: Repository,
    /// Where its forge sends pushes, and the secret that signs them.
    pub hook: Hook,
}

/// A repository to add.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRepository {
    /// 1 to 100 letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// URL, `user@host:path`, or an absolute path on the coordinator's machine.
    pub git: String,
    /// `generic` by default.
    #[serde(default)]
    pub forge: Option<String>,
    /// Anybody may read its builds; no by default.
    #[serde(default)]
    pub public: bool,
}

/// What can be changed about a repository.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepositoryChange {
    /// Anybody may read its builds.
    pub public: bool,
}

/// Where a forge sends pushes, and the secret that signs them.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Hook {
    /// The URL.
    pub url: String,
    /// The secret.
    pub secret: String,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hook({})", self.url)
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// To be processed, now or at its next try.
    Pending,
    /// Processed: it made a build, or there was nothing to build.
    Done,
    /// Given up.
    Failed,
}

/// One delivery.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// Its id.
    pub id: String,
    /// Name of its repository.
    pub repository: String,
    /// The forge's id of it.
    pub external_id: Option<String>,
    /// The forge's word for it: `push`.
    pub event: String,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub tries: i64,
    /// What came of it, or what is wrong.
    pub message: Option<String>,
    /// The build that it made.
    pub build: Option<i64>,
    /// When it came.
    pub received_at: Micros,
    /// When it is tried next, while pending.
    pub next_at: Option<Micros>,
}

/// A delivery with what was received.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeliveryDetail {
    /// What lists show.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// The headers that were kept.
    pub headers: BTreeMap<String, String>,
    /// The body, as text.
    pub body: String,
}

/// A schedule of a repository.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Schedule {
    /// Five fields, as in the job file.
    pub cron: String,
    /// Whose clock.
    pub timezone: String,
    /// What happens to times that passed while nobody was there: `run_once` or `skip`.
    #[schema(value_type = String)]
    pub missed: Missed,
    /// Values of inputs for its builds.
    pub inputs: BTreeMap<String, String>,
    /// When it is due next; null: never again.
    pub next_at: Option<Micros>,
    /// The build that it made last.
    pub build: Option<i64>,
    /// What came of the last time, when there is something to say.
    pub message: Option<String>,
}

/// One secret, without its value.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Secret {
    /// Its name.
    pub name: String,
    /// When it was first set.
    pub created_at: Micros,
    /// When it was last set.
    pub updated_at: Micros,
    /// When a job last received it.
    pub last_used_at: Option<Micros>,
}

/// A secret's value.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecretValue {
    /// The value.
    #[schema(value_type = String)]
    pub value: SecretValue,
}
