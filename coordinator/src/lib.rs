//! The coordinator: receives webhooks, turns them into builds, queues jobs, hands them to agents, keeps logs, and
//! serves API and pages. It owns everything that is true; agents and browsers only ask it.
//!
//! Reading order: [`config`] and [`start`] (what runs), `webhooks` -> `builds` (from push to queued jobs), `git`
//! (how a commit is read), `http` (everything that answers a request).

pub mod config;
pub mod git;
mod serve;
pub mod webhooks;

pub use config::Config;
pub use serve::{Running, run, start};
