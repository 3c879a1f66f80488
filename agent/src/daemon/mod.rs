//! The agent as a service: it holds a long poll, runs what it leases, ships logs and results, and after a crash goes
//! on with what it finds in its data folder.

use std::collections::BTreeMap;
use std::path::PathBuf;

use protocol::lease::Enrolled;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

/// How an agent runs.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// `https://drover.example`
    pub coordinator_url: String,
    /// The agent's token (from [`enrol`]).
    pub token: SecretString,
    /// Attempts, mirrors and the gate are kept here.
    pub data: PathBuf,
    /// Jobs at once; at least 1.
    pub slots: u32,
    /// What `runs_on` is matched with.
    pub labels: BTreeMap<String, String>,
    /// How people call this agent.
    pub name: String,
    /// Take one job, end when it is over.
    pub once: bool,
}

/// How an agent is asked to end.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Finish what it has, take nothing new, then end. The first SIGTERM.
    pub drain: CancellationToken,
    /// Stop the work too (the coordinator may give it to another agent), then end. The second SIGTERM.
    pub now: CancellationToken,
}

/// Runs the agent until it is asked to end, or for one job with `once`. Errors: the engine cannot be reached, or the
/// coordinator refuses the token.
pub async fn run(_config: AgentConfig, _stop: Stop) -> anyhow::Result<()> {
    anyhow::bail!("not built yet")
}

/// Trades a one-time code for the agent's token.
pub async fn enrol(_coordinator_url: &str, _code: &SecretString, _name: &str) -> anyhow::Result<Enrolled> {
    anyhow::bail!("not built yet")
}
