//! The coordinator as the agent sees it: the calls, what their failures mean, how long to wait before the next, and
//! whether a token may go over a line. Apart from `daemon`, because attempts and their archives speak to it, too.

mod backoff;
mod client;
mod plaintext;

pub(crate) use backoff::Backoff;
pub(crate) use client::{CALL_TAKES, read, send};
pub use client::{CallError, Coordinator, LogPart, ShellSocket, segment};
pub use plaintext::{Plaintext, PlaintextRefused};
