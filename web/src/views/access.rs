//! Coming in and being kept out: login, API tokens, sessions, errors.

use serde::Serialize;

use super::Micros;

/// The login page: Drover knows no passwords, only one-time links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoginPage {
    /// How the reader came here.
    pub state: LoginState,
    /// The path to go on to after the login; starts with `/`.
    pub next: Option<String>,
}

/// How a reader came to the login page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginState {
    /// Without a code: the page says how to get a link.
    NoCode,
    /// With a code that is wrong, used or too old.
    BadCode,
    /// With a code that was not used yet: one button posts it (so that a link preview does not use it up).
    Confirm {
        /// The code, for the hidden field `code`.
        code: String,
    },
}

/// An error, in plain words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorPage {
    /// HTTP status: 400, 403, 404, 500, …
    pub status: u16,
    /// What is wrong in one sentence; `None`: the page's own words for that status. Never an internal error's text.
    pub sentence: Option<String>,
    /// What an administrator looks for in the log of the coordinator.
    pub request_id: Option<String>,
}

/// API tokens and sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TokensPage {
    /// Newest first.
    pub tokens: Vec<TokenRow>,
    /// The browsers that are logged in, newest first.
    pub sessions: Vec<SessionRow>,
    /// A token that was just made; shown once.
    pub fresh: Option<String>,
}

/// One API token; the token itself is not kept, only its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenRow {
    /// Its id, for its actions.
    pub id: String,
    /// What it is for, in its owner's words.
    pub name: String,
    /// When it was made.
    pub created_at: Micros,
    /// From when on it is worth nothing.
    pub expires_at: Option<Micros>,
    /// When it was last used.
    pub last_used_at: Option<Micros>,
}

/// One browser that is logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionRow {
    /// Its id, for its actions.
    pub id: String,
    /// When it logged in.
    pub created_at: Micros,
    /// From when on it is logged out.
    pub expires_at: Option<Micros>,
    /// When it was last used.
    pub last_used_at: Option<Micros>,
    /// It is the reader's own.
    pub is_current: bool,
}
