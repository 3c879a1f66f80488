//! Checks over several things at once: who waits for whom, what the files' events say about
//! each other, globs that match nothing, and what a step looks for on the wrong host.

mod cycle;
mod localhost;
mod needs;
mod paths;
mod services;
mod triggers;

pub(crate) use localhost::localhost;
pub(crate) use needs::needs;
pub(crate) use paths::paths;
pub(crate) use services::services;
pub(crate) use triggers::triggers;
