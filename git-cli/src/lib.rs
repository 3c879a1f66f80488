//! The git program as coordinator and agent run it: which addresses a repository may have, how the program is closed in,
//! how a run of it ends, and what its complaints mean. One place, so that the two sides never trust differently; a crate
//! of its own, because `protocol` starts no process.

mod address;
mod environment;
mod failure;
mod run;

pub use address::{Address, BadAddress, without_credentials};
pub use environment::PROTOCOLS;
pub use failure::{Fault, fault, reason};
pub use run::{Exit, Git, OUTPUT_LIMIT, RunError, Watch};
