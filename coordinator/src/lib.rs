//! The coordinator: receives webhooks, turns them into builds, queues jobs, hands them to agents, keeps logs, and
//! serves API and pages. It owns everything that is true; agents and browsers only ask it.
//!
//! Reading order: [`config`] and [`start`] (what runs), [`forges`] -> `builds` (from push to queued jobs), [`git`]
//! (how a commit is read), [`blobs`] and `caches` (what jobs kept, and who may read it), `http` (everything that answers a request), [`store`] on [`db`] (what is true), [`logs`]
//! (what jobs printed); [`private`] (who may read the files of all that).

mod app;
pub mod blobs;
mod builds;
mod caches;
mod cancels;
pub mod config;
mod credentials;
pub mod db;
mod disk;
mod forge_client;
pub mod forges;
pub mod git;
pub mod http;
mod id_tokens;
pub mod logs;
pub mod network;
mod outbox;
pub mod private;
mod public;
mod serve;
mod shells;
pub mod store;
mod ticks;

pub use config::Config;
pub use serve::{Running, run, start};
