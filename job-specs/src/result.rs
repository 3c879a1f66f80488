//! How an attempt of a job ended, and why: the words that the agent, the store and the pages share. Beside `status`, because
//! what becomes of a job is decided by them.

use serde::{Deserialize, Serialize};

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
            reason: Some(Reason::new(code, sentence)),
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
    /// The service that failed, when one did; of several replicas the name of that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The step that decided, from 0, when whoever ran the job knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// What an attempt was at when it was cancelled: "in step `test`", "while its services were starting".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub during: Option<String>,
}

impl Reason {
    /// With nothing but these.
    pub fn new(code: ReasonCode, sentence: impl Into<String>) -> Reason {
        Reason {
            code,
            sentence: sentence.into(),
            exit_code: None,
            service: None,
            step: None,
            during: None,
        }
    }
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
