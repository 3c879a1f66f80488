//! What happens in an attempt, as the agent reports it: events in order, then one result.

pub use job_specs::result::{AttemptResult, Reason, ReasonCode, Verdict};
use serde::{Deserialize, Serialize};

/// Microseconds since 1970, by the clock of whoever says it.
pub type Micros = i64;

/// One thing that happened; the agent numbers them from 0 (`seq`), so reporting one twice changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEvent {
    /// Its place.
    pub seq: u64,
    /// When, by the agent's clock.
    pub at: Micros,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What can happen in an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// The agent begins; the job is running from here.
    Started,
    /// One of pull, checkout, services: began or ended. For the time ruler.
    Phase {
        /// `sandbox`, `checkout`, `restore`, `pull`, `services`, `steps`, `keep`.
        phase: String,
        /// True at its begin, false at its end.
        begin: bool,
    },
    /// A step's script begins.
    StepStarted {
        /// From 0.
        step: usize,
    },
    /// A step is over.
    StepFinished {
        /// From 0.
        step: usize,
        /// How.
        outcome: StepOutcome,
    },
    /// A step did not pass and is tried again, in a fresh container.
    StepRetried {
        /// From 0.
        step: usize,
        /// Of the try that comes now; the first try is 1.
        #[serde(rename = "try")]
        number: u32,
        /// Why the one before did not do: "step `test` exited with 75".
        reason: String,
    },
    /// A service is in a new state.
    Service {
        /// Its name.
        service: String,
        /// The state.
        state: ServiceState,
    },
    /// A cache was looked for, or kept.
    Cache {
        /// The key that the job names.
        key: String,
        /// What came of it.
        outcome: CacheOutcome,
    },
    /// An artifact was kept, or could not be.
    Artifact {
        /// Its name.
        name: String,
        /// What came of it.
        outcome: ArtifactOutcome,
    },
    /// Something that only another version tells; it is passed over.
    #[serde(other)]
    Other,
}

/// What came of looking for a cache, or of keeping it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum CacheOutcome {
    /// It was found and unpacked.
    Restored {
        /// The key that it had: the wanted one, or one that begins with a fallback.
        from: String,
        /// Of the archive.
        bytes: u64,
        /// How long that took.
        millis: u64,
    },
    /// There is none.
    Missed,
    /// It is kept.
    Saved {
        /// Of the archive.
        bytes: u64,
        /// How long that took.
        millis: u64,
    },
    /// It could not be used or kept; the job went on without.
    Trouble {
        /// Why, for people.
        why: String,
    },
}

/// What came of keeping an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ArtifactOutcome {
    /// It is kept.
    Kept {
        /// How many files it has.
        files: u64,
        /// Of the archive.
        bytes: u64,
        /// How long that took.
        millis: u64,
    },
    /// No file matches its paths, so there is none.
    Empty,
    /// It could not be kept.
    Lost {
        /// Why, for people.
        why: String,
    },
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOutcome {
    /// The word.
    pub status: StepStatus,
    /// Exit code, when it exited.
    pub exit_code: Option<i32>,
    /// Signal, when one ended it.
    pub signal: Option<i32>,
    /// It was ended for using more memory than it may.
    pub oom: bool,
    /// A plain sentence when it did not pass: "step `test` exited with 101".
    pub reason: Option<String>,
    /// From *go* to exit, microseconds.
    pub duration_us: u64,
    /// Peak resident memory, bytes; 0 when unknown.
    pub peak_memory_bytes: u64,
    /// Processor time, microseconds; 0 when unknown.
    pub cpu_us: u64,
    /// The try that these figures are of, from 1; 0 from an agent that does not say.
    #[serde(default)]
    pub tries: u32,
}

/// How a step stands at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Exit code 0.
    Passed,
    /// Another exit code, a signal, out of memory, or it could not be started.
    Failed,
    /// It ran longer than it may.
    TimedOut,
    /// Somebody stopped it.
    Cancelled,
    /// Its `when` did not hold.
    Skipped,
}

/// Where a service stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ServiceState {
    /// Its image is on the way.
    Pulling,
    /// Its container starts, or waits for what it depends on.
    Starting,
    /// Its process runs; not ready yet.
    Running,
    /// It is ready.
    Ready {
        /// From its start, milliseconds.
        after_ms: u64,
        /// How we know: `healthcheck`, `tcp 5432`, `log`, `running`, `exited 0`.
        probe: String,
        /// What its author should know, as that none of its ports took a connection.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        warning: Option<String>,
    },
    /// Its health command fails again after it had been healthy.
    Unhealthy {
        /// What the probe printed last.
        output: String,
    },
    /// Its process is gone.
    Exited {
        /// Exit code, if any.
        code: Option<i32>,
        /// It was ended for using more memory than it may.
        oom: bool,
        /// What its author should know, when the job goes on all the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        warning: Option<String>,
    },
    /// We ended it: the job is over.
    Stopped,
}
