//! Repositories: their hooks, schedules and secrets.

use std::collections::BTreeMap;

use job_specs::triggers::Missed;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Micros, NewForgeConnection};
use crate::work::SecretValue;

/// One repository.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Repository {
    /// Its name.
    pub name: String,
    /// URL or path.
    pub git: String,
    /// `generic`, `github`, `gitlab`, `gitea`, `forgejo`, `bitbucket` (Cloud) or `bitbucket-dc` (Data Center).
    pub forge: String,
    /// Anybody may read its builds.
    pub public: bool,
    /// Whose pull requests wait for approval.
    #[serde(default)]
    pub approval: ApprovalPolicy,
    /// When it was added.
    pub created_at: Micros,
    /// How often it is asked for its references, in seconds; null: it is not polled.
    #[serde(default)]
    pub poll_secs: Option<u32>,
    /// When it was asked last; null: not yet.
    #[serde(default)]
    pub polled_at: Option<Micros>,
    /// When it is asked next; null: it is not polled.
    #[serde(default)]
    pub next_poll_at: Option<Micros>,
    /// Why it did not answer the last time; null: it did.
    #[serde(default)]
    pub poll_problem: Option<String>,
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
    /// By default as the host of `git` says, as far as that is known (github.com, gitlab.com, bitbucket.org, codeberg.org,
    /// gitea.com); else `generic`.
    #[serde(default)]
    pub forge: Option<String>,
    /// Anybody may read its builds; no by default.
    #[serde(default)]
    pub public: bool,
    /// How to reach it at its forge, which is then told of the webhook and of every build.
    #[serde(default)]
    pub connection: Option<NewForgeConnection>,
    /// How often it is asked for its references, in seconds: 10 to 86400. 0, or null: it is not polled.
    #[serde(default)]
    pub poll_secs: Option<u32>,
}

/// What can be changed about a repository; what is null stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepositoryChange {
    /// Anybody may read its builds.
    #[serde(default)]
    pub public: Option<bool>,
    /// How often it is asked for its references, in seconds: 10 to 86400. 0: not any more.
    #[serde(default)]
    pub poll_secs: Option<u32>,
    /// Whose pull requests wait for approval.
    #[serde(default)]
    pub approval: Option<ApprovalPolicy>,
}

/// Whose pull requests wait until somebody has looked at their commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalPolicy {
    /// Those whose code is not trusted: of forks, and of whatever no branch leads to.
    #[default]
    Untrusted,
    /// Nobody's.
    Never,
}

/// Where a forge sends pushes, and the secret that signs them.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Hook {
    /// The URL.
    pub url: String,
    /// The secret.
    pub secret: String,
    /// The same secret as GitLab's signing token, which is better than its secret token; null for other forges.
    #[serde(default)]
    pub signing_token: Option<String>,
    /// Until when the secret before this one counts, too; null: there is none that does.
    #[serde(default)]
    pub before_until: Option<Micros>,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hook({})", self.url)
    }
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
