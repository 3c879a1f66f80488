//! Who may come in: API tokens, sessions, login links; what they changed; and what answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Micros;

/// One API token, without itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// When it was made.
    pub created_at: Micros,
    /// From when on it is worth nothing.
    pub expires_at: Option<Micros>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Micros>,
}

/// A token to make.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// Days until it is worth nothing, up to 3650; 90 when left out.
    pub days: Option<u32>,
    /// Whether it works until it is revoked.
    #[serde(default)]
    pub no_expiry: bool,
}

/// A token that was just made.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct MadeToken {
    /// What it is for.
    pub name: String,
    /// The token; it is shown only here.
    pub token: String,
    /// From when on it is worth nothing.
    pub expires_at: Option<Micros>,
}

/// A link that logs a browser in.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct LoginLink {
    /// Works once, within the hour.
    pub url: String,
}

/// A browser's session, without its token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// When the browser logged in.
    pub created_at: Micros,
    /// From when on it is worth nothing.
    pub expires_at: Option<Micros>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Micros>,
    /// Whether it is the caller's own.
    pub current: bool,
}

/// How many sessions ended.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RevokedSessions {
    /// So many.
    pub revoked: u64,
}

/// What runs here.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Of Drover.
    pub version: String,
    /// The newest agent protocol that it speaks.
    pub protocol: u32,
    /// Its address.
    pub url: String,
}

/// One change that somebody made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its id, to page by.
    pub id: String,
    /// When.
    pub at: Micros,
    /// `session`: in a browser; `token`: with an API token; `console`: on the coordinator's machine.
    pub actor_kind: String,
    /// Id of the session or token; null: the console.
    pub actor_id: Option<String>,
    /// Name of the token, `administrator` or `console`.
    pub actor: String,
    /// What they did: `secret.set`.
    pub action: String,
    /// To what: the name of a secret, the title of a job, the number of a build.
    pub subject: String,
    /// The id of that, when it has one beside its name.
    pub subject_id: Option<String>,
    /// Name of its repository, at that time.
    pub repository: Option<String>,
    /// Its build.
    pub build: Option<i64>,
}
