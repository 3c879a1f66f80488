//! What agent and coordinator say to each other, pure: message types, ids, and the log record format that agent,
//! coordinator and store share. Separate so that the two sides never import each other.
//! JSON over HTTP long poll; a field that is new in a version has a default, so one version back keeps working.

pub mod api;
pub mod attempt;
pub mod blobs;
pub mod ids;
pub mod lease;
pub mod record;
pub mod reports;
pub mod shell;
pub mod work;

/// The protocol version that this build speaks. It also serves `VERSION - 1`.
pub const VERSION: u32 = 2;
/// How long a lease lives without a renewal, in seconds.
pub const LEASE_SECS: u64 = 30;
/// How often an agent renews, in seconds.
pub const RENEW_SECS: u64 = 10;
/// How long the coordinator holds a poll, in seconds.
pub const POLL_SECS: u64 = 25;
