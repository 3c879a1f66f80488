//! Leases jobs from a coordinator and runs their stacks and steps in containers; the same engine serves `drover run`.

pub mod attempt;
pub mod beneath;
pub mod blobs;
pub mod build;
pub mod checkout;
pub mod clock;
pub mod coordinator;
pub mod daemon;
pub mod disk;
pub mod engine;
pub mod files;
pub mod gate;
pub mod local;
mod lock;
pub mod logs;
pub mod reports;
pub mod sandbox;
pub mod shell;
pub mod stack;
