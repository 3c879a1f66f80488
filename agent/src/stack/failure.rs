//! What went wrong with a service, in words for people and for programs.

use protocol::attempt::ReasonCode;

/// A service failed and with it the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackFailure {
    /// Which.
    pub service: String,
    /// How.
    pub kind: FailureKind,
    /// The last lines of its log, at most 50, masked.
    pub last_lines: Vec<String>,
}

/// How a service can fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureKind {
    /// Its process ended while it was needed.
    Exited {
        /// Exit code (128 + signal), if any.
        code: Option<i32>,
        /// For using more memory than it may.
        oom: bool,
        /// It had been ready.
        was_ready: bool,
        /// Its memory limit in bytes, when it has one.
        memory_bytes: Option<u64>,
        /// Why its command could not be run at all, when that is so.
        error: Option<String>,
    },
    /// It did not become ready in time.
    NotReady {
        /// How long we waited, milliseconds.
        waited_ms: u64,
        /// What was looked at: `healthcheck`, `tcp 5432`, …
        probe: String,
        /// What the last probe said.
        last_probe: Option<String>,
    },
    /// A service that it depends on failed, and that one may fail.
    Dependency {
        /// That one.
        on: String,
    },
    /// The image does not exist, or the registry refuses it.
    ImageNotFound {
        /// In words.
        detail: String,
    },
    /// The container cannot be started as asked.
    CannotStart {
        /// In words.
        detail: String,
    },
    /// We broke: the engine, the gate, the registry's network.
    Engine {
        /// In words.
        detail: String,
    },
}

impl StackFailure {
    /// One plain sentence.
    pub fn sentence(&self) -> String {
        unimplemented!()
    }

    /// For programs.
    pub fn reason_code(&self) -> ReasonCode {
        unimplemented!()
    }
}
