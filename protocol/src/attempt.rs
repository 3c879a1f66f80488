//! What happens in an attempt, as the agent tells it: events in order, then one result.

use serde::{Deserialize, Serialize};

/// Microseconds since 1970, by the clock of whoever says it.
pub type Micros = i64;

/// One thing that happened; the agent numbers them from 0 (`seq`), so telling one twice changes nothing.
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
    /// The job is over and did not pass; its containers and services stay for a while.
    Held {
        /// Until when; each use moves it.
        until: Micros,
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

/// How an attempt ended. *Failed* is the user's job, *errored* is us; the two never mix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptResult {
    /// The word.
    pub verdict: Verdict,
    /// Why, unless it passed.
    pub reason: Option<Reason>,
    /// Tests that failed, by its reports; `None` without reports. `retry.on: [test]` looks at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_tests: Option<u32>,
}

impl AttemptResult {
    /// It went well.
    pub fn passed() -> AttemptResult {
        AttemptResult {
            verdict: Verdict::Passed,
            reason: None,
            failed_tests: None,
        }
    }

    /// It did not.
    pub fn because(verdict: Verdict, code: ReasonCode, sentence: impl Into<String>) -> AttemptResult {
        AttemptResult {
            verdict,
            reason: Some(Reason {
                code,
                sentence: sentence.into(),
                exit_code: None,
            }),
            failed_tests: None,
        }
    }
}

/// The word for an attempt's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every step that counts ended well.
    Passed,
    /// The user's job said no.
    Failed,
    /// We broke; another attempt may help.
    Errored,
    /// Somebody stopped it.
    Cancelled,
    /// It ran longer than its `timeout`.
    TimedOut,
}

/// Why a job did not pass: a word for programs, a plain sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// For programs.
    pub code: ReasonCode,
    /// For people; names the step or service, and says what to do where that is known.
    pub sentence: String,
    /// The exit code of the step that decided, when it exited; `retry.on: ["exit:75"]` looks at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

/// The kinds of reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonCode {
    /// A step exited with another code than 0, or by a signal.
    StepFailed,
    /// The step's command or shell is not in its image (exit 127 included).
    CommandNotFound,
    /// A step or service used more memory than it may.
    OutOfMemory,
    /// The job took more of the agent's disk than it may.
    DiskLimit,
    /// A step or the job ran longer than it may.
    Timeout,
    /// The image does not exist, or the registry refuses it.
    ImageNotFound,
    /// A service exited while the job needed it.
    ServiceExited,
    /// A service was not ready in time.
    ServiceNotReady,
    /// A secret that a step names does not exist.
    SecretMissing,
    /// The repository or commit could not be fetched.
    CheckoutFailed,
    /// An artifact of it cannot be kept: it is over the quota, or its files cannot be read.
    ArtifactNotKept,
    /// Somebody stopped it.
    Cancelled,
    /// It never ran: a job that it needs did not pass.
    NeedsFailed,
    /// It never ran: its `when` does not hold. Who needs it goes on.
    ConditionNotMet,
    /// It never ran: its definition is wrong for the outputs of the jobs that it needs, or asks for what its code is not
    /// trusted with.
    InvalidJob,
    /// Its steps went well, and its reports name failed tests.
    TestsFailed,
    /// The agent or the engine broke.
    Infrastructure,
    /// The agent was lost, and no attempt is left.
    AgentLost,
}
