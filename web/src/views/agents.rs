//! Who does the work and what waits for them: the view behind `/agents`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Micros;

/// Agents and queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AgentsPage {
    /// All agents, by name.
    pub agents: Vec<AgentRow>,
    /// Jobs that wait, in the order in which they will run.
    pub queue: Vec<QueueRow>,
    /// A one-time enrolment code that was just made; shown once, with the command that uses it.
    pub enrolment_code: Option<String>,
}

/// One agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentRow {
    /// Its id, for its actions.
    pub id: String,
    /// How people call it.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What it asks for instead; `None`: just those.
    pub asked_labels: Option<BTreeMap<String, String>>,
    /// Slots in all.
    pub slots: u32,
    /// What runs in them.
    pub running: Vec<JobLink>,
    /// When it last called; `None`: it never did.
    pub last_seen_at: Option<Micros>,
    /// It called within the last minute.
    pub online: bool,
    /// It finishes what it has and takes nothing new.
    pub draining: bool,
    /// Its version of Drover.
    pub version: String,
}

/// A job elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobLink {
    /// Its id.
    pub id: String,
    /// `test (postgres=15)`.
    pub title: String,
    /// Build number.
    pub build: i64,
    /// Repository name.
    pub repository: String,
}

/// One job that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueRow {
    /// Which.
    pub job: JobLink,
    /// Since when.
    pub since: Micros,
    /// Why, in one plain sentence.
    pub reason: String,
}
