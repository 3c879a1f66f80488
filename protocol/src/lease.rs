//! Leases: an agent polls, gets attempts, and keeps them only while it keeps calling. Every call about an attempt
//! names its epoch; a stale epoch is answered with 409 and [`ErrorBody`], and the agent stops that work.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `POST /agent/v1/enrol` | [`Enrol`] | [`Enrolled`] |
//! | `POST /agent/v1/poll` | [`Poll`] | [`PollAnswer`] (held while there is nothing to say) |
//! | `POST /agent/v1/attempts/{id}/events` | [`Events`] | 204 |
//! | `PATCH /agent/v1/attempts/{id}/logs/{stream}?offset=N&epoch=E&eof=0` | zstd of records | [`LogAnswer`], also with 409 |
//! | `PUT /agent/v1/attempts/{id}/tests?epoch=E` | zstd of [`TestUpload`](crate::reports::TestUpload) | 204 |
//! | `POST /agent/v1/attempts/{id}/finish` | [`Finish`] | [`Finished`] |
//! | `GET /agent/v1/shells/{id}` | | a WebSocket, see [`crate::shell`] |
//!
//! All but `enrol` carry `Authorization: Bearer <agent token>`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::attempt::{AttemptEvent, AttemptResult, Micros};
use crate::ids::{AgentId, AttemptId, StackId};
use crate::shell::ShellCall;
use crate::work::{StackReport, Work};

/// How every enrolment code begins, so that it can be told from an agent's token.
pub const ENROL_CODE_PREFIX: &str = "drve_";

/// An agent's first call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Enrol {
    /// The one-time code.
    pub code: String,
    /// How people call this agent; its host name by default.
    pub name: String,
    /// The labels that it asks for; those of the code come before them. `None`: an agent that asks for them in its polls
    /// only, where they are not given any more.
    #[serde(default)]
    pub labels: Option<BTreeMap<String, String>>,
}

/// The answer to [`Enrol`]; the token is shown only here.
#[derive(Clone, Serialize, Deserialize)]
pub struct Enrolled {
    /// Its id from now on.
    pub agent: AgentId,
    /// Its token from now on.
    pub token: String,
}

/// "I have room, and I still hold these."
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Poll {
    /// [`crate::VERSION`] of the agent.
    pub version: u32,
    /// What it can do beyond the version: free words.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Slots in all.
    pub slots: u32,
    /// Slots without work.
    pub free_slots: u32,
    /// The labels that it asks for; those that it has are bound to it since it was enrolled.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Attempts that it works on; naming one renews its lease.
    #[serde(default)]
    pub held: Vec<LeaseRef>,
    /// The drover version, for people.
    #[serde(default)]
    pub software: String,
    /// Answer after this many seconds at the latest, so that an agent that holds work renews in time. `None`:
    /// [`crate::POLL_SECS`].
    #[serde(default)]
    pub hold_secs: Option<u64>,
    /// What it has beside slots. `None`: an agent that does not say, to which slots alone count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// The stacks that it has; naming one renews its lease.
    #[serde(default, alias = "holds")]
    pub stacks: Vec<StackReport>,
}

/// What an agent has beside its slots, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Memory for jobs, in all.
    pub memory_bytes: u64,
    /// Of it what nothing asked for that it works on or retains.
    pub free_memory_bytes: u64,
    /// Free on the disk of its data.
    #[serde(default)]
    pub free_disk_bytes: Option<u64>,
}

/// Names the lease of an attempt: the epoch under which an agent holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRef {
    /// Which.
    pub attempt: AttemptId,
    /// Under which epoch.
    pub epoch: i64,
    /// The agent was started again and asks for the lease once more, with its secrets. The answer is at once: the
    /// same lease with the same epoch in `leases`, or its id in `lost`. It takes no free slot.
    #[serde(default)]
    pub resume: bool,
}

/// What the coordinator has to say; all empty when the time of holding is over.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PollAnswer {
    /// New work, at most `free_slots`.
    #[serde(default)]
    pub leases: Vec<Lease>,
    /// Attempts to stop because somebody cancelled them.
    #[serde(default)]
    pub cancel: Vec<AttemptId>,
    /// Attempts that are not this agent's any more: stop them and report nothing.
    #[serde(default)]
    pub lost: Vec<AttemptId>,
    /// The agent is to finish what it has and take nothing new.
    #[serde(default)]
    pub drain: bool,
    /// Shells to open; each is sent once.
    #[serde(default)]
    pub shells: Vec<ShellCall>,
    /// Stacks to remove: they have expired, somebody deleted them, or they are not this agent's.
    #[serde(default)]
    pub release: Vec<StackId>,
    /// The labels that the agent has, when those are not the ones it asks for.
    #[serde(default)]
    pub labels: Option<BTreeMap<String, String>>,
}

/// The right to do a piece of work, as long as the agent keeps calling.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lease {
    /// Under which epoch: it grows whenever the work is given to an agent anew.
    pub epoch: i64,
    /// What to do.
    #[serde(flatten)]
    pub work: Work,
}

/// What happened, in order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Events {
    /// Under which epoch.
    pub epoch: i64,
    /// From the first one that the coordinator may not know.
    pub events: Vec<AttemptEvent>,
}

/// The end of an attempt. Its logs are complete by then.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finish {
    /// Under which epoch.
    pub epoch: i64,
    /// Events that were not reported yet.
    #[serde(default)]
    pub events: Vec<AttemptEvent>,
    /// How it ended.
    pub result: AttemptResult,
    /// What its steps wrote to `$DROVER_OUTPUT`; a later step's value counts.
    #[serde(default)]
    pub outputs: BTreeMap<String, String>,
    /// Its containers and services are to become a stack, which each use gives so many seconds again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_secs: Option<u64>,
    /// What an agent of version 1 says instead: they stay until then, by the agent's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Micros>,
}

/// The answer to [`Finish`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Finished {
    /// What the attempt left is a stack from now on; without it everything is to be removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<Lease>,
}

/// Where a log stands: the number of bytes of records (not compressed) that the coordinator has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogAnswer {
    /// Send from here.
    pub next_offset: u64,
}

/// Every error of the API: one word for programs, one sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// `stale_epoch`, `not_found`, `unauthorized`, …
    pub code: String,
    /// What is wrong and what to do.
    pub message: String,
}
