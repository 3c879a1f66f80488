//! Sandboxes: a network and a running *anchor* container (the gate, no user code), kept warm so that a job starts
//! without waiting for either. Separate from the engine because keeping, reusing and shrinking is policy; the engine
//! only has verbs.
//!
//! # Layout
//! [`build`] one sandbox: made, made anew, removed · [`record`] its note on disk for a restarted agent · [`shelf`] who
//! gets which and how many there are, pure · [`pool`] the tasks that make it so.

mod build;
mod pool;
mod record;
mod shelf;

pub use build::{Sandbox, Standing};
pub use pool::{Pool, PoolConfig, Reuse, Want};

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

/// Makes the folder that a gate works in: open to any user of a container, reached by nobody else because the folder
/// around it (made with it when missing) is the agent's alone.
pub fn open_folder(run: &Path) -> std::io::Result<()> {
    let around = run.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(around)?;
    std::fs::DirBuilder::new().recursive(true).create(run)?;
    std::fs::set_permissions(run, std::fs::Permissions::from_mode(0o777))
}
