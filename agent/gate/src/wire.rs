//! The messages between agent and gate: a length (u32, little endian), then a tag and fields, by hand. Separate from
//! both ends so that they cannot disagree; by hand because the gate must stay tiny.

use std::net::SocketAddr;

use crate::exit::ExitStatus;

mod codec;
#[cfg(test)]
mod tests;

/// No message is longer, in bytes.
pub const MAX_MESSAGE: usize = 32 << 20;

/// What an agent says to a gate.
#[derive(Clone, PartialEq, Eq)]
pub enum Request {
    /// Start the child. A second one changes nothing.
    Go(Go),
    /// Send this signal to the child's whole process group.
    Signal(i32),
    /// End everything in the container now; a gate that waits for `Go` ends with 137.
    Kill,
    /// A gate without a running child (idle, or an anchor) ends at once; others ignore it.
    Quit,
    /// Try to reach something until it answers or the time is over (anchors only).
    Probe(Probe),
    /// Say what the child is at: [`Event::Busy`]. From version 2 on.
    WhatRuns,
    /// End every process of the container whose environment has [`crate::SESSION`] with this value. From version 2 on.
    EndSession(String),
    /// Forget what the health command has said: only tries that begin from now on count, and they begin at once.
    /// The number comes back in [`Health::round`]. From version 3 on.
    LookAgain(u64),
    /// Write to the log what is kept of its end, and nothing more after that: [`Event::LogEnded`]. From version 4 on.
    EndLog,
}

/// What to run. It has no `Debug`: the environment holds secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Go {
    /// Command and arguments; the command is looked up in the child's `PATH`.
    pub argv: Vec<String>,
    /// Laid over the container's own environment.
    pub env: Vec<(String, String)>,
    /// Working directory; `None` is the container's own.
    pub cwd: Option<String>,
    /// Written to the file [`crate::SCRIPT`] first.
    pub script: Option<Vec<u8>>,
    /// The service's health command.
    pub health: Option<HealthCheck>,
    /// What SIGTERM to the gate (an engine's stop) becomes for the child; 0 is SIGTERM.
    pub stop_signal: i32,
    /// Files to make first, for the container's user alone: path and content. From version 2 on.
    pub files: Vec<(String, Vec<u8>)>,
    /// The most that the log may have, bytes; 0: no limit. See [`crate::cap`]. From version 4 on.
    pub log_limit: u64,
}

/// How to know that a service is healthy. Times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// The command (`CMD`, or `["/bin/sh", "-c", …]` for `CMD-SHELL`).
    pub argv: Vec<String>,
    /// Pause before the first try, and between tries until the first success.
    pub starting_interval_ms: u32,
    /// Pause between tries afterwards. While starting, at most one failure in this time is counted, so `retries`
    /// means the same time as it does for an engine.
    pub interval_ms: u32,
    /// A try that takes longer is killed and has failed.
    pub timeout_ms: u32,
    /// Counted failures in a row that make it unhealthy.
    pub retries: u32,
    /// Failures in this time after the start do not count.
    pub start_period_ms: u32,
}

impl Default for HealthCheck {
    fn default() -> HealthCheck {
        HealthCheck {
            argv: Vec::new(),
            starting_interval_ms: 50,
            interval_ms: 30_000,
            timeout_ms: 30_000,
            retries: 3,
            start_period_ms: 0,
        }
    }
}

/// Something to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Comes back in [`Event::ProbeDone`].
    pub id: u64,
    /// What.
    pub target: ProbeTarget,
    /// Pause between tries, milliseconds.
    pub interval_ms: u32,
    /// Give up after this, milliseconds.
    pub timeout_ms: u32,
}

/// How to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeTarget {
    /// It accepts a connection.
    Tcp(SocketAddr),
    /// It answers `GET path` with 200 to 399.
    Http {
        /// Where.
        addr: SocketAddr,
        /// With its leading slash.
        path: String,
    },
    /// It accepts a connection and is not busy starting: its first answer has none of the marks. Whatever else it
    /// answers will do, and silence, too. From version 5 on.
    Ask {
        /// Where.
        addr: SocketAddr,
        /// What to say to it.
        question: Vec<u8>,
        /// What stands in the answer of a server that still starts.
        starting: Vec<u8>,
    },
}

/// What a gate says to its agents. One that connects late hears what still holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// First of all.
    Hello {
        /// [`crate::VERSION`] of the gate.
        version: u32,
        /// Where it stands.
        state: State,
    },
    /// The child runs.
    Started {
        /// Since when, microseconds since 1970.
        at: i64,
    },
    /// The child is over, its output is in the log and its status in the file.
    Exited(ExitStatus),
    /// The health command has a new verdict, or (while starting, at most once a second) a new failure.
    Health(Health),
    /// What the child was at when it was asked: the innermost process that it started last.
    Busy {
        /// Its id as the container sees it; 0 when the child has started none.
        pid: i32,
        /// Its command line.
        command: String,
    },
    /// The log has all that it will have.
    LogEnded,
    /// A probe is over.
    ProbeDone {
        /// [`Probe::id`].
        id: u64,
        /// It was reached.
        ok: bool,
        /// If not: what the last try said.
        message: String,
    },
}

/// Where a gate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits for [`Request::Go`].
    Idle,
    /// Its child runs.
    Running,
    /// Its child is over.
    Exited,
}

/// What the health command says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The verdict.
    pub state: HealthState,
    /// Exit code of the last try; `None` when it was killed.
    pub exit_code: Option<i32>,
    /// The end of what the last try printed (at most 4 KiB), or why it could not be run.
    pub output: String,
    /// The last [`Request::LookAgain`] that its tries came after; 0: there was none.
    pub round: u64,
}

/// The verdict of the health command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthState {
    /// No success yet, and not enough failures to give it up.
    Starting,
    /// The last tries succeeded.
    Healthy,
    /// `retries` tries in a row failed.
    Unhealthy,
}

/// A message that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a gate message")
    }
}

impl std::error::Error for Malformed {}

/// Takes the first whole message off `buffer`. `Ok(None)`: it is not all there yet.
pub fn take_message(buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Malformed> {
    let Some(len) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let len = u32::from_le_bytes(*len) as usize;
    if len > MAX_MESSAGE {
        return Err(Malformed);
    }
    if buffer.len() < 4 + len {
        return Ok(None);
    }
    let message = buffer[4..4 + len].to_vec();
    buffer.drain(..4 + len);
    Ok(Some(message))
}
