//! Agents, and the codes that let them in.

use job_specs::model::Env;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Micros;

/// One agent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    /// Its id.
    pub id: String,
    /// How people call it.
    pub name: String,
    /// Its labels: bound to it when it came in.
    #[schema(value_type = Object)]
    pub labels: Env,
    /// The labels that it asks for, when those are others; it does not have them.
    #[schema(value_type = Option<Object>)]
    pub asked_labels: Option<Env>,
    /// Slots in all.
    pub slots: u32,
    /// Memory for jobs in all, bytes; null: it does not say.
    pub memory_bytes: Option<u64>,
    /// Of it what nothing that it works on or retains asks for, as it said a moment ago.
    pub free_memory_bytes: Option<u64>,
    /// Free on the disk of its data, bytes. With less than 1 GiB it gets no job.
    pub free_disk_bytes: Option<u64>,
    /// Attempts that it works on.
    pub running: Vec<String>,
    /// It takes nothing new.
    pub draining: bool,
    /// It called within the last minute.
    pub connected: bool,
    /// The drover version that it runs.
    pub software: String,
    /// When it came in.
    pub created_at: Micros,
    /// When it last called.
    pub seen_at: Option<Micros>,
}

/// A code that lets one agent in.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct EnrolmentCode {
    /// The code; it is shown only here.
    pub code: String,
    /// From when on it is worth nothing.
    pub expires_at: Micros,
}

/// Labels of the agent to come.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEnrolmentCode {
    /// The labels that the agent will have; without them it has those that it asks for when it comes in.
    #[schema(value_type = Option<Object>)]
    pub labels: Option<Env>,
}

/// Labels of an agent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentLabels {
    /// All of them.
    #[schema(value_type = Object)]
    pub labels: Env,
}
