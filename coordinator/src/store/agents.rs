//! Agents: how they come in (a one-time code, then a token of their own), who is there, and how they leave.

use std::time::Duration;

use job_specs::model::Env;
use protocol::ids::{AgentId, AttemptId};
use protocol::lease::Enrolled;
use serde::Serialize;

use super::{Micros, Store, StoreError};

/// An agent that was not seen for so long is not connected, in microseconds: 60 s.
pub const OFFLINE_US: i64 = 60_000_000;

/// One agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// How people call it.
    pub name: String,
    /// Its labels.
    pub labels: Env,
    /// Slots in all.
    pub slots: u32,
    /// The drover version that it runs.
    pub software: String,
    /// Its protocol version.
    pub version: u32,
    /// What it can do beyond the version.
    pub capabilities: Vec<String>,
    /// It takes nothing new.
    pub draining: bool,
    /// When it came in.
    pub created_at: Micros,
    /// When it last called.
    pub seen_at: Option<Micros>,
    /// It called within [`OFFLINE_US`].
    pub connected: bool,
    /// What it works on.
    pub running: Vec<AttemptId>,
}

/// What an agent says about itself when it polls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Slots in all.
    pub slots: u32,
    /// Its labels.
    pub labels: Env,
    /// Its protocol version.
    pub version: u32,
    /// What it can do beyond the version.
    pub capabilities: Vec<String>,
    /// The drover version that it runs.
    pub software: String,
}

/// A one-time code that lets one agent in; shown only here.
///
/// # Errors
/// The database.
pub async fn enrol_code(_store: &Store, _valid_for: Duration) -> Result<String, StoreError> {
    todo!()
}

/// Uses a code up and gives the agent its token. A name that is taken gets a number behind it.
///
/// # Errors
/// `BadCode`; `Refused` when the name is malformed.
pub async fn enrol(_store: &Store, _code: &str, _name: &str) -> Result<Enrolled, StoreError> {
    todo!()
}

/// Whose token it is. `None`: nobody's.
///
/// # Errors
/// The database.
pub async fn authenticate(_store: &Store, _token: &str) -> Result<Option<AgentId>, StoreError> {
    todo!()
}

/// It called; says whether it drains.
///
/// # Errors
/// `NotFound`.
pub async fn seen(_store: &Store, _agent: &AgentId, _seen: &Seen) -> Result<Draining, StoreError> {
    todo!()
}

/// Whether an agent takes new work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draining {
    /// It takes new work.
    No,
    /// It finishes what it has.
    Yes,
}

/// All, by name.
///
/// # Errors
/// The database.
pub async fn list(_store: &Store) -> Result<Vec<Agent>, StoreError> {
    todo!()
}

/// Says whether it takes new work.
///
/// # Errors
/// `NotFound`.
pub async fn drain(_store: &Store, _agent: &AgentId, _to: Draining) -> Result<(), StoreError> {
    todo!()
}

/// Takes it away: its token is worth nothing from now on, and what it works on is given to others.
///
/// # Errors
/// `NotFound`.
pub async fn remove(_store: &Store, _agent: &AgentId) -> Result<(), StoreError> {
    todo!()
}
