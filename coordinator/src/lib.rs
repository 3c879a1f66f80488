//! Receives webhooks, queues jobs, stores everything that is true, serves API and pages.

pub mod db;
pub mod logs;
pub mod store;
