//! Sandboxes: a network and a running *anchor* container (the gate, no user code), kept warm so that a job starts
//! without waiting for either. Separate from the engine because keeping, reusing and shrinking is policy; the engine
//! only has verbs.

mod pool;

pub use pool::{Pool, PoolConfig, Reuse, Sandbox, Want};
