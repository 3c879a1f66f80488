//! Sandboxes: a network and a running *anchor* container (the gate, no user code), kept warm so that a job starts
//! without waiting for either. Separate from the engine because keeping, reusing and shrinking is policy; the engine
//! only has verbs.
//!
//! # Layout
//! `build` one sandbox: made, made anew, removed · `record` its note on disk for a restarted agent · `pool_policy` who
//! gets which and how many there are, pure · `request` what is asked of it · `pool` the tasks that make it so.

mod build;
mod folder;
mod pool;
mod pool_policy;
mod record;
mod request;

pub use build::{AnchorHandle, Sandbox};
pub use folder::open_folder;
pub use pool::Pool;
pub use request::{PoolConfig, Reuse, SandboxRequest};
