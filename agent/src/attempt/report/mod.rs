//! What an attempt reports while it runs, and to whom. Separate because it stands below everything that has something to
//! report.

pub(super) mod activity;
pub(crate) mod job_log;
pub(crate) mod journal;
pub mod reasons;
pub(super) mod streams;

use std::path::PathBuf;

use protocol::attempt::AttemptEvent;
use protocol::ids::StreamId;
use tokio::sync::mpsc;

pub use streams::follow_all;

/// Where an attempt tells what happens.
#[derive(Debug, Clone)]
pub struct Outlet {
    /// Events with their numbers; after a restart all of them again, from 0.
    pub events: mpsc::UnboundedSender<AttemptEvent>,
    /// Logs that begin and end.
    pub streams: mpsc::UnboundedSender<StreamNews>,
}

/// Something about a log of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamNews {
    /// It begins, or goes on.
    Opened {
        /// Which.
        stream: StreamId,
        /// The file with its chunks; it may not be there yet.
        file: PathBuf,
    },
    /// It is complete.
    Closed {
        /// Which.
        stream: StreamId,
        /// Bytes of the file that count.
        len: u64,
    },
}
