//! Checks over several things at once: who waits for whom, and what a step looks for on the wrong host.

mod cycle;
mod localhost;
mod needs;
mod services;
mod triggers;

pub(crate) use localhost::localhost;
pub(crate) use needs::needs;
pub(crate) use services::services;
pub(crate) use triggers::triggers;
